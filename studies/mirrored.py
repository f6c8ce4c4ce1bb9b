"""What does a second crop of a face add to the first: mirrored, cropped again around the landmarks, or wider?

    python studies/mirrored.py 300w/afw 300w/lfpw/trainset 300w/helen/trainset [--model occlumark-fast]

Validation photos that the shipped network's last run was not trained on, tight boxes: NME by the eyes' outer corners,
over all faces and over the worst fifth of each way. Chosen was what costs one more crop and gains most (Landmarker's
mirror). The last rows: mirrored where the first crop is in most doubt alone, by its median expected error.
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
_IN_DOUBT = (0.1, 0.2, 0.3, 0.5)
_ONCE, _MIRRORED = "one crop", "mirrored as well"


def main() -> None:
    """Print a row a way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="occlumark")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    once, mirrored = (Landmarker(packaged_weights(args.model)[0], threads=1, mirror=mirror) for mirror in (False, True))
    rows: dict[str, list[float]] = {}
    doubts: list[float] = []
    for sample in held_out_photos(args.folders):
        errors, doubt = _errors(sample, once, mirrored)
        doubts.append(doubt)
        for name, error in errors.items():
            rows.setdefault(name, []).append(error)
    for share in _IN_DOUBT:
        in_doubt = np.array(doubts) >= np.quantile(doubts, 1 - share)
        rows[f"mirrored where in doubt, {share:.0%}"] = np.where(in_doubt, rows[_MIRRORED], rows[_ONCE]).tolist()
    for name, each in rows.items():
        worst = np.sort(each)[-(len(each) // 5) :]
        print(f"{name:32}{100 * np.mean(each):7.3f}{100 * worst.mean():7.3f}  of {len(each)}")


def _errors(sample: Sample, once: Landmarker, mirrored: Landmarker) -> tuple[dict[str, float], float]:
    """The NME of each way, and the first crop's doubt: its median expected error over the crop's side."""
    photo, box = sample.read_photo(), sample.tight_box

    def predicted(network: Landmarker, crop: CropTransform) -> np.ndarray:
        return crop.to_photo(network.predict(crop.cut(photo)[None]).landmarks[0])

    crop = CropTransform.from_box(box, once.crop)
    wider = CropTransform.from_box(box + _WIDER * longer_sides(box[None])[0] * np.array([-1, -1, 1, 1]), once.crop)
    first, both = predicted(once, crop), predicted(mirrored, crop)
    again = predicted(once, crop_around(first, once.markup, once.crop))
    found = {
        _ONCE: first,
        _MIRRORED: both,
        "cropped again": again,
        "the mean of both crops": (first + again) / 2,
        "the mean with a crop 8 % wider": (first + predicted(once, wider)) / 2,
    }
    doubt = float(np.median(once.predict(crop.cut(photo)[None]).expected_errors[0])) / once.crop.size
    true = sample.landmarks[None]
    return {name: float(nme(points[None], true, "inter_ocular")[0]) for name, points in found.items()}, doubt


if __name__ == "__main__":
    main()
