"""Annotated faces in photos turned by an angle, to measure what a detector makes of them. Not in the paper."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from occlumark.data.sample import Sample, StoredPhoto
from occlumark.markup import tight_box
from occlumark.photo import read_photo


@dataclass(frozen=True)
class RotatedPhoto:
    """A photo turned about its centre, on a black ground large enough for all of it."""

    photo: Path | StoredPhoto
    """The photo as it is."""
    degrees: float
    """Clockwise as seen."""

    def read(self) -> np.ndarray:
        """(side, side, 3) uint8, RGB.

        Raises:
            PhotoError: it cannot be read.
        """
        photo = read_photo(self.photo) if isinstance(self.photo, Path) else self.photo.read()
        linear, shift, side = _turn(photo.shape[:2], self.degrees)
        # OpenCV puts a pixel's centre on whole numbers, we on halves
        matrix = np.column_stack([linear, shift + linear @ [0.5, 0.5] - 0.5])
        return cv2.warpAffine(photo, matrix, (side, side), flags=cv2.INTER_LINEAR)


def rotated(sample: Sample, degrees: float) -> Sample:
    """The same face in its photo turned.

    An official box is as large beside the turned tight box, and as far off it, as it was beside the tight one.

    Args:
        sample: of any markup; its photo is read for its size.
        degrees: clockwise as seen; 0 leaves the sample as it is.

    Raises:
        PhotoError: the photo cannot be read.
    """
    if not degrees:
        return sample
    linear, shift, _ = _turn(sample.read_photo().shape[:2], degrees)
    landmarks = sample.landmarks @ linear.T + shift
    official = sample.official_box
    if official is not None:
        before, after = sample.tight_box, tight_box(landmarks[sample.annotated])
        ratio = (official[2:] - official[:2]) / (before[2:] - before[:2])
        offset = linear @ ((official[:2] + official[2:]) - (before[:2] + before[2:])) / 2
        centre, half = (after[:2] + after[2:]) / 2 + offset, (after[2:] - after[:2]) / 2 * ratio
        official = np.concatenate([centre - half, centre + half])
    return replace(sample, photo=RotatedPhoto(sample.photo, degrees), landmarks=landmarks, official_box=official)


def _turn(size: tuple[int, int], degrees: float) -> tuple[np.ndarray, np.ndarray, int]:
    """The rotation (2, 2), the shift behind it (2,), and the side of the ground, for a photo of a height and width."""
    height, width = size
    side = int(np.ceil(np.hypot(height, width)))
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    linear = np.array([[cos, -sin], [sin, cos]])
    return linear, np.full(2, side / 2) - linear @ [width / 2, height / 2], side
