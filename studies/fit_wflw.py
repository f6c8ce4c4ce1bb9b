"""Which weighted means of WFLW's 98 points the 68 are: the table of occlumark/data/wflw_to_68.csv, fitted and printed.

    python studies/fit_wflw.py ../shared/data/wflw/train > occlumark/data/wflw_to_68.csv

No face has both markups, so the packaged `odn` network finds the 68 (it was trained on 300W alone), and each is fitted
as a weighted mean of its WFLW neighbour, of that one's neighbours on their line, and, for a brow, of the point below.
The weights of a landmark add up to one, those of its mirror image are the same. On stderr: the distance between the
found 68 and those that the table gives, on the half of the faces that were not fitted on.
"""

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from occlumark.data.wflw import read_wflw_points
from occlumark.detect import Detector
from occlumark.markup import MARKUPS, WFLW_TO_68, tight_box
from occlumark.photo import read_photo

WFLW, W300 = MARKUPS[98], MARKUPS[68]
#: Share of the faces that is fitted on: those on which the network and the labels agree best. On the others it errs.
AGREEING = 0.7
#: A distance of so many face sizes begins to count less: a plain mean would follow the worst faces.
ROBUST = 0.005
#: Pull towards the neighbour alone.
RIDGE = 1e-3
#: The lower point of a brow below each upper one, but for the ends.
BELOW = {34: 41, 35: 40, 36: 39, 37: 38, 42: 50, 43: 49, 44: 48, 45: 47}


def candidates(landmark: int) -> list[int]:
    """The points of WFLW that a landmark of the 68 may be a mean of, its own neighbour first."""
    own = int(WFLW_TO_68[landmark])
    beside = set()
    for line in WFLW.contours:
        for here, after in pairwise(line):
            beside |= {after} if here == own else {here} if after == own else set()
    return [own, *sorted(beside | ({BELOW[own]} if own in BELOW else set()))]


def fit(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(68, 98) weights from n faces: (n, 98, 2) annotated and (n, 68, 2) found, both over the face's size."""
    weights = np.zeros((68, 98))
    for landmark in range(68):
        own, *others = candidates(landmark)
        steps = (truth[:, others] - truth[:, own : own + 1]).transpose(0, 2, 1).reshape(-1, len(others))
        goal = (found[:, landmark] - truth[:, own]).reshape(-1)
        trust = np.ones(len(goal))
        for _ in range(10):
            system = (steps * trust[:, None]).T @ steps / len(goal) + np.eye(len(others)) * RIDGE**2
            shares = np.linalg.solve(system, (steps * trust[:, None]).T @ goal / len(goal))
            trust = ROBUST / np.maximum(np.abs(steps @ shares - goal), ROBUST)
        weights[landmark, others], weights[landmark, own] = shares, 1 - shares.sum()
    return (weights + weights[W300.mirror][:, WFLW.mirror]) / 2


def main() -> None:
    """Fit on half of the agreeing faces to measure, on all of them to print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    samples, _ = read_wflw_points(parser.parse_args().folder)
    detector = Detector("odn", face_finder=lambda photo: [])
    truth = np.array([sample.landmarks for sample in samples])
    found = []
    for sample in tqdm(samples, "detecting", unit="face", disable=None):
        (face,) = detector.detect(read_photo(sample.photo), [tight_box(sample.landmarks[WFLW_TO_68])])
        found.append(face.landmarks)
    sizes = np.sqrt(np.prod(np.ptp(truth[:, WFLW_TO_68], axis=1), axis=1))[:, None, None]
    truth, guess = truth / sizes, np.array(found) / sizes
    distance = np.linalg.norm(truth[:, WFLW_TO_68] - guess, axis=2).mean(1)
    agreeing = np.flatnonzero(distance <= np.quantile(distance, AGREEING))
    weights = fit(truth[agreeing[::2]], guess[agreeing[::2]])
    for name, table in (("index", np.eye(98)[WFLW_TO_68]), ("fitted", weights)):
        rest = table @ truth[agreeing[1::2]] - guess[agreeing[1::2]]
        each, mean = np.linalg.norm(rest, axis=2).mean(), np.linalg.norm(rest.mean(0), axis=1).mean()
        print(f"{name}: {100 * each:.2f} % of the face's size, its mean {100 * mean:.2f} %", file=sys.stderr)
    print("landmark,wflw,weight")
    for landmark, row in enumerate(fit(truth[agreeing], guess[agreeing])):
        shares = {int(point): round(float(row[point]), 3) for point in np.flatnonzero(np.abs(row) >= 0.0005)}
        shares[int(WFLW_TO_68[landmark])] += 1 - sum(shares.values())  # rounding
        for point, share in shares.items():
            print(f"{landmark},{point},{share:.3f}")


if __name__ == "__main__":
    main()
