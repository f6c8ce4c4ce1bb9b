"""Read a photo, in this process or, with a limit of time, in one that can be ended."""

import warnings
from typing import NamedTuple

import numpy as np

from occlumark.photo.decode import MAX_PIXELS, Decoded, Source, decode
from occlumark.photo.limited import decode_within

#: By how much a JPEG's sides can be divided as it is decoded, from the low frequencies of its blocks of 8 x 8.
REDUCTIONS = (1, 2, 4, 8)


class PhotoWarning(UserWarning):
    """A photo was read, and something is to be said of it: its end is missing, or it holds more pictures."""


def read_photo(
    source: Source,
    max_pixels: int = MAX_PIXELS,
    *,
    max_seconds: float | None = None,
    notes: list[str] | None = None,
) -> np.ndarray:
    """Read a photo.

    EXIF orientation is applied. Grey becomes RGB, palette and CMYK are converted, and what is transparent is laid on
    white. More than 8 bits a value are scaled to 8 by the range that the file uses (tone.value_range). Of an animation
    or of several pages the first picture is read; of a JPEG up to a quarter of the rows may be missing at its end.
    Both is noted. Threads may read at the same time.

    Args:
        source: a JPEG, PNG, WebP, AVIF, HEIC (with pillow-heif), TIFF, GIF, BMP, JPEG 2000 or PNM file, whatever its
            name; its bytes; or an open binary file, which is read to its end.
        max_pixels: a photo with more pixels (width times height) is refused before it is decoded.
        max_seconds: reading is given up after so long; it then runs in a process of its own, with a limit of memory
            too. None: no limit, in this process.
        notes: a list that lines about the photo are added to; None: each is a PhotoWarning.

    Returns:
        (height, width, 3) uint8, RGB.

    Raises:
        PhotoError: no such file, not a photo, truncated, too large, or not read in time.
    """
    return _read(source, max_pixels, max_seconds, notes, 1).pixels


class ReducedPhoto(NamedTuple):
    """A photo with its sides divided by a whole number, as Detector.detect takes it too."""

    pixels: np.ndarray
    """(height, width, 3) uint8, RGB."""
    reduction: int
    """The number: places in the photo are so many times those in `pixels`. 1: it is the photo itself."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the photo itself."""
        height, width = self.pixels.shape[:2]
        return height * self.reduction, width * self.reduction


def read_reduced(
    source: Source,
    reduction: int,
    max_pixels: int = MAX_PIXELS,
    *,
    max_seconds: float | None = None,
    notes: list[str] | None = None,
) -> ReducedPhoto:
    """Read a photo, a JPEG with its sides up to `reduction` times shorter, which takes less than half the time.

    Args:
        source: as in read_photo.
        reduction: 1, 2, 4 or 8: the largest of them up to it that divides both sides is taken, 1 of what is no JPEG, or
            a damaged one.
        max_pixels: as in read_photo, of the photo itself.
        max_seconds: as in read_photo.
        notes: as in read_photo.

    Raises:
        PhotoError: as read_photo.
        ValueError: there is no such reduction.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is one of {', '.join(map(str, REDUCTIONS))}, not {reduction}")
    decoded = _read(source, max_pixels, max_seconds, notes, reduction)
    return ReducedPhoto(decoded.pixels, decoded.reduction)


def _read(
    source: Source, max_pixels: int, max_seconds: float | None, notes: list[str] | None, reduction: int
) -> Decoded:
    """The photo, with what is to be said of it said."""
    if max_seconds is None:
        decoded = decode(source, max_pixels, reduction=reduction)
    else:
        decoded = decode_within(source, max_pixels, max_seconds, reduction)
    if notes is not None:
        notes += decoded.notes
    else:
        for note in decoded.notes:
            warnings.warn(note, PhotoWarning, stacklevel=3)
    return decoded
