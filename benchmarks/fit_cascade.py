"""Fit the constants of occlumark/finder.py: the tight box within the cascade's square, and score from weight.

    python benchmarks/fit_cascade.py ../shared/data/300w/{afw,lfpw/trainset,helen/trainset} --photos 300

Only training photos; a photo's other, unannotated faces count as false alarms, so that scores are rather low.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from occlumark.data.sample import Sample
from occlumark.data.w300 import read_w300
from occlumark.finder import CascadeFinder
from occlumark.photo import read_photo


def centred_on_face(square: np.ndarray, tight: np.ndarray) -> bool:
    """The square's centre lies in the face and it is between half and three times as wide."""
    centre = (square[:2] + square[2:]) / 2
    width = (square[2] - square[0]) / max(tight[2:] - tight[:2])
    return bool((tight[:2] < centre).all() and (centre < tight[2:]).all() and 0.5 < width < 3)


def logistic(weights: np.ndarray, faces: np.ndarray) -> tuple[float, float]:
    """Half point and width of the curve that fits best, by Newton's method on the log-likelihood."""
    design = np.column_stack([np.ones_like(weights), weights])
    theta = np.zeros(2)
    for _ in range(30):
        p = 1 / (1 + np.exp(-design @ theta))
        hessian = (design * (p * (1 - p))[:, None]).T @ design
        theta += np.linalg.solve(hessian, design.T @ (faces - p))
    return -theta[0] / theta[1], 1 / theta[1]


def measure(samples: list[Sample]) -> None:
    """Search every sample's photo and print the constants."""
    finder = CascadeFinder()
    edges, weights, faces, found = [], [], [], 0
    seconds = 0.0
    for sample in samples:
        photo = read_photo(sample.photo)
        start = time.perf_counter()
        squares, margins = finder.squares(photo)
        seconds += time.perf_counter() - start
        hits = [centred_on_face(square, sample.tight_box) for square in squares]
        found += any(hits)
        weights += margins.tolist()
        faces += hits
        for square in squares[hits]:
            edges.append((sample.tight_box - np.tile(square[:2], 2)) / (square[2] - square[0]))
    half, width = logistic(np.array(weights), np.array(faces, float))
    n = len(samples)
    print(f"photos {n}, found {found / n:.3f}, {1e3 * seconds / n:.0f} ms a photo")
    print("tight box in the square, median:", np.round(np.median(edges, axis=0), 3).tolist())
    print("                      deviation:", np.round(np.std(edges, axis=0), 3).tolist())
    print(f"score: half at weight {half:.2f}, width {width:.2f}, from {len(faces)} squares, {sum(faces)} faces")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--photos", type=int, default=300, help="how many, evenly taken (default 300)")
    arguments = parser.parse_args()
    samples, _ = read_w300(arguments.folders)
    measure(samples[:: max(1, len(samples) // arguments.photos)])
