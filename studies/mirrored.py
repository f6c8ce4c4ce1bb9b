"""What does a second crop of a face add to the first: mirrored, cropped again around the landmarks, or wider?

    python studies/mirrored.py 300w/afw 300w/lfpw/trainset 300w/helen/trainset [--model occlumark-fast]

Validation photos that the shipped network's last run was not trained on, tight boxes: NME by the eyes' outer corners,
over all faces and over the worst fifth of each way. Chosen was what costs one more crop and gains most (Landmarker's
mirror).
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from occlumark.boxes import longer_sides
from occlumark.crop import CropTransform
from occlumark.data.sample import Sample
from occlumark.evaluation.held_out import held_out_photos
from occlumark.landmarker import Landmarker
from occlumark.metrics.landmarks import nme
from occlumark.packaged import packaged_weights
from occlumark.recrop import crop_around

_WIDER = 0.04


def main() -> None:
    """Print a row a way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="occlumark")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    once, mirrored = (Landmarker(packaged_weights(args.model)[0], threads=1, mirror=mirror) for mirror in (False, True))
    rows: dict[str, list[float]] = {}
    for sample in held_out_photos(args.folders):
        for name, error in _errors(sample, once, mirrored).items():
            rows.setdefault(name, []).append(error)
    for name, errors in rows.items():
        worst = np.sort(errors)[-(len(errors) // 5) :]
        print(f"{name:32}{100 * np.mean(errors):7.3f}{100 * worst.mean():7.3f}  of {len(errors)}")


def _errors(sample: Sample, once: Landmarker, mirrored: Landmarker) -> dict[str, float]:
    photo, box = sample.read_photo(), sample.tight_box

    def predicted(network: Landmarker, crop: CropTransform) -> np.ndarray:
        return crop.to_photo(network.predict(crop.cut(photo)[None]).landmarks[0])

    crop = CropTransform.from_box(box, once.crop)
    wider = CropTransform.from_box(box + _WIDER * longer_sides(box[None])[0] * np.array([-1, -1, 1, 1]), once.crop)
    first, both = predicted(once, crop), predicted(mirrored, crop)
    again = predicted(once, crop_around(first, once.markup, once.crop))
    found = {
        "one crop": first,
        "mirrored as well": both,
        "cropped again": again,
        "the mean of both crops": (first + again) / 2,
        "the mean with a crop 8 % wider": (first + predicted(once, wider)) / 2,
    }
    return {name: float(nme(points[None], sample.landmarks[None], "inter_ocular")[0]) for name, points in found.items()}


if __name__ == "__main__":
    main()
