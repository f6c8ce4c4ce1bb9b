"""Read a photo, in this process or, with a limit of time, in one that can be ended."""

import warnings

import numpy as np

from occlumark.photo.decode import MAX_PIXELS, Source, decode
from occlumark.photo.limited import decode_within


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
    pixels, said = decode(source, max_pixels) if max_seconds is None else decode_within(source, max_pixels, max_seconds)
    if notes is not None:
        notes += said
    else:
        for note in said:
            warnings.warn(note, PhotoWarning, stacklevel=2)
    return pixels
