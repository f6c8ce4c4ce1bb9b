"""From which turn on is a face worth cropping again upright?

    python studies/upright.py 300w/afw 300w/lfpw/trainset 300w/helen/trainset

Validation photos that no run of the shipped network was trained on, turned by -60 to 60 degrees in steps of 15; from
there on any threshold in question crops upright. Tight boxes of the turned faces. Each face is found once with no crop
turned and once with every one turned; a threshold takes one or the other, by the roll that the landmarks tell.
"""

import argparse
from pathlib import Path

import numpy as np

from occlumark import recrop
from occlumark.data.rotated import rotated
from occlumark.data.sample import Sample
from occlumark.detect import Detector
from occlumark.evaluation.held_out import held_out_photos
from occlumark.face import Face
from occlumark.face.pose import roll_of
from occlumark.metrics.landmarks import nme

_ANGLES = range(-60, 61, 15)
_THRESHOLDS = (10, 15, 20, 25, 30, 45)


def main() -> None:
    """Print the error at each angle and threshold, and how many faces are cropped twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--weights", type=Path, help="an ONNX file instead of the packaged network")
    args = parser.parse_args()
    chosen = held_out_photos(args.folders, "unseen")
    detector = Detector(weights=args.weights, threads=1)
    print(f"{len(chosen)} faces, inter-ocular NME x 10^-2; % of the faces cropped upright")
    print("turned", *(f"{threshold:>12}" for threshold in _THRESHOLDS))
    rows = []
    for angle in _ANGLES:
        found = np.array([_errors(rotated(sample, angle), detector) for sample in chosen])
        cells = []
        for threshold in _THRESHOLDS:
            upright = found[:, 2] > threshold
            cells.append((100 * np.where(upright, found[:, 1], found[:, 0]).mean(), 100 * upright.mean()))
        rows.append(cells)
        print(f"{angle:>6}", *(f"{error:7.3f} {share:4.0f}" for error, share in cells), flush=True)
    means = np.mean(rows, axis=0)
    print("  mean", *(f"{error:7.3f} {share:4.0f}" for error, share in means))


def _errors(sample: Sample, detector: Detector) -> tuple[float, float, float]:
    """The face's error with no crop turned and with a crop turned upright, and how far its landmarks are turned."""
    photo = sample.read_photo()
    plain, upright = (_found(detector, photo, sample, within) for within in (180.0, 0.0))
    errors = nme(np.stack([plain.landmarks, upright.landmarks]), np.stack([sample.landmarks] * 2), "inter_ocular")
    return float(errors[0]), float(errors[1]), abs(roll_of(plain.landmarks, plain.markup))


def _found(detector: Detector, photo: np.ndarray, sample: Sample, within: float) -> Face:
    recrop.UPRIGHT_WITHIN = within
    return detector.detect(photo, [sample.tight_box])[0]


if __name__ == "__main__":
    main()
