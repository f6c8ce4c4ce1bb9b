"""How much less doubtful has a face turned by quarters to be, before it is taken in place of the face as it was found?

    python studies/turned_choice.py 300w/afw 300w/lfpw/trainset 300w/helen/trainset

Validation photos that the shipped network's last run was not trained on, a third as they are, two thirds behind two
drawn occluders, so that some are lost; turned by multiples of 30 degrees; the boxes are our finder's. Of each face that
the first crop loses (recrop.LOST_ABOVE) the doubts of its crops are compared, and what each ratio in question would
choose is cropped again as `detect` does.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from occlumark import recrop
from occlumark.boxes import box_iou
from occlumark.data.rotated import rotated
from occlumark.data.sample import Sample
from occlumark.detect import Detector
from occlumark.evaluation.held_out import held_out_photos
from occlumark.metrics.landmarks import nme
from occlumark.occluders.kinds import TRAINING
from occlumark.occluders.occlude import OccludeConfig, occlude

_ANGLES = range(0, 360, 30)
_RATIOS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.0)
#: A face that is further off than this is a failure, in inter-ocular distances.
_FAILED = 0.3
#: Of a photo with drawn occluders, the side and at most the face's, in pixels.
_SQUARE, _FACE = 512, 200


@dataclass(frozen=True)
class _Occluded:
    """A photo that is not in a file: the part around a face, with what was drawn over it."""

    pixels: np.ndarray

    def read(self) -> np.ndarray:
        """(_SQUARE, _SQUARE, 3) uint8, RGB."""
        return self.pixels


def main() -> None:
    """Print, for upright and for turned faces, how many are lost and the error that each ratio leaves them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    args = parser.parse_args()
    detector = Detector(threads=1, min_presence=0)
    rng = np.random.default_rng(0)
    upright: list[list[float]] = []
    turned: list[list[float]] = []
    seen = 0
    for number, held_out in enumerate(held_out_photos(args.folders)):
        sample = held_out if number % 3 == 0 else _occluded(held_out, rng)
        # every face upright, and turned by one of the angles
        for angle in (0, _ANGLES[number % len(_ANGLES)]):
            found = _errors(rotated(sample, angle), detector)
            seen += 1
            if found is not None:
                (upright if angle == 0 else turned).append(found)
    for name, rows in (("upright", upright), ("turned", turned)):
        print(f"{name}: {len(rows)} lost of {seen // 2}; ratio, mean error of these x 10^-2, failures")
        errors = np.reshape(rows, (-1, len(_RATIOS)))
        for ratio, column in zip(_RATIOS, errors.T, strict=True):
            print(f"{ratio:>5} {100 * column.mean():7.2f} {(column > _FAILED).sum():4d}")


def _errors(sample: Sample, detector: Detector) -> list[float] | None:
    """What each ratio leaves of error; None where the face is not found, or not lost."""
    photo = sample.read_photo()
    box = [box for box, _ in detector.face_finder(photo)]
    if not box:
        return None
    overlap = box_iou(np.reshape(box, (-1, 4)), sample.tight_box[None])[:, 0]
    if overlap.max() < 0.3:
        return None
    given, errors = np.asarray(box[int(overlap.argmax())], float), []
    detector.recrop = "never"
    (face,) = detector.detect(photo, given)
    detector.recrop = "auto"
    if not recrop.is_lost(face):
        return None
    for ratio in _RATIOS:
        recrop.TURNED_DOUBT = ratio
        (found,) = detector.detect(photo, given)
        errors.append(float(nme(found.landmarks[None], sample.landmarks[None], "inter_ocular")[0]))
    return errors


def _occluded(sample: Sample, rng: np.random.Generator) -> Sample:
    """The face behind two drawn occluders, in a photo that is no larger than needed."""
    photo = sample.read_photo()
    scale = min(1.0, _FACE / (sample.tight_box[2:] - sample.tight_box[:2]).max())
    centre = (sample.tight_box[:2] + sample.tight_box[2:]) / 2
    matrix = np.array([[scale, 0, _SQUARE / 2 - scale * centre[0]], [0, scale, _SQUARE / 2 - scale * centre[1]]])
    # OpenCV puts a pixel's centre on whole numbers, we on halves
    centres = matrix.copy()
    centres[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    square = cv2.warpAffine(photo, centres, (_SQUARE, _SQUARE), flags=cv2.INTER_LINEAR)
    landmarks = sample.landmarks * scale + matrix[:, 2]
    config = OccludeConfig(probability=1.0, second=1.0, kinds=tuple(TRAINING))  # type: ignore[arg-type]
    drawn, _ = occlude(square, landmarks, config, rng)
    return replace(sample, photo=_Occluded(drawn), landmarks=landmarks, official_box=None)


if __name__ == "__main__":
    main()
