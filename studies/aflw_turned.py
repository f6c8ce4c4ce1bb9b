"""Are real faces found right of which one side is out of sight? AFLW's reduced copy, where no 68 points are known.

    python -m studies.aflw_turned AFLW [--model NAME | --weights FILE.onnx]

Faces by how many of the six points of an eye and its brow can be seen on the side that shows fewer of them; the mean
distance over the box's width of those eyes, nose tips and mouth corners that can be seen, from the copy's boxes, beside
the expected one, and the share of faces off by more than a tenth. Part of the distance is the two markups' difference,
and none of these photos was trained on with 68 points.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from occlumark.data.aflw_table import read_aflw_table
from occlumark.detect import Detector
from occlumark.evaluation.loop import given_box
from studies.aflw_labels import COMMON

#: Brow and eye of either side, of the 19.
_SIDES = ((0, 1, 2, 6, 7, 8), (3, 4, 5, 9, 10, 11))
_GROUPS = ((0, 0), (1, 3), (4, 5), (6, 6))


def main() -> None:
    """Print a line a group."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("aflw", type=Path)
    parser.add_argument("--model", default="occlumark")
    parser.add_argument("--weights", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    detector = Detector(args.model, threads=1) if args.weights is None else Detector(weights=args.weights, threads=1)
    samples, _ = read_aflw_table(args.aflw)
    measured: dict[tuple[int, int], list[tuple[float, float]]] = {group: [] for group in _GROUPS}
    for sample in samples:
        seen = np.isfinite(sample.landmarks).all(axis=1)
        fewer = min(int(seen[list(side)].sum()) for side in _SIDES)
        points = [point for point in COMMON if seen[point]]
        if not points:
            continue
        box = given_box(sample, "official")
        (face,) = detector.detect(sample.read_photo(), box[None])
        found = np.stack([face.landmarks[list(COMMON[point])].mean(axis=0) for point in points])
        expected = np.concatenate([face.expected_error[list(COMMON[point])] for point in points]).mean()
        off = np.linalg.norm(found - sample.landmarks[points], axis=1).mean()
        group = next(group for group in _GROUPS if group[0] <= fewer <= group[1])
        measured[group].append((off / (box[2] - box[0]), expected / (box[2] - box[0])))
    for (low, high), of in measured.items():
        off, expected = np.transpose(of)
        print(
            f"{low} to {high} points in sight: {len(of):4} faces, off by {100 * off.mean():.2f} % "
            f"(expected {100 * expected.mean():.2f}), {(off > 0.1).sum()} by more than a tenth"
        )


if __name__ == "__main__":
    main()
