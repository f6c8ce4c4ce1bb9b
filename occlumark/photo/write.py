"""Pictures written, whole or not at all."""

import io
import math
import os
from pathlib import Path

import numpy as np

from occlumark.errors import PhotoError
from occlumark.files import written_whole

_WRITTEN_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
# Pixels a side; PNG's limit is beyond any photo.
_MOST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}
#: What write_photo writes.
WRITTEN_SUFFIXES = tuple(_WRITTEN_FORMATS)


def write_photo(path: str | os.PathLike[str], photo: np.ndarray) -> None:
    """Write a picture, whole or not at all.

    Args:
        path: its suffix, one of WRITTEN_SUFFIXES, says the format. Replaced where it exists; its folder is made where
            it is missing.
        photo: (height, width, 3) uint8, RGB.

    Raises:
        OcclumarkError: the file cannot be written, or the format has no room for so many pixels a side.
        ValueError: another suffix.
    """
    from PIL import Image

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITTEN_SUFFIXES:
        raise ValueError(f"a picture's suffix is one of {', '.join(WRITTEN_SUFFIXES)}, not '{path.suffix}'")
    form, (height, width) = _WRITTEN_FORMATS[suffix], photo.shape[:2]
    if max(height, width) > (most := _MOST_SIDE.get(form, math.inf)):
        raise PhotoError(
            f"cannot write {path}: {suffix} has room for {most} pixels a side, not {width} x {height}; name a .png"
        )
    options = {} if suffix == ".png" else {"quality": 92}
    make_folder_of(path)
    # Not into the file itself: Pillow does not notice when a disk has room for a part of what it writes.
    encoded = io.BytesIO()
    try:
        Image.fromarray(photo).save(encoded, form, **options)
    except (ValueError, OSError) as error:
        raise PhotoError(f"cannot write {path}: {' '.join(str(error).split())}") from error
    with written_whole(path) as file:
        file.write(encoded.getbuffer())


def make_folder_of(path: Path) -> None:
    """Make the folder of a file that will be written, and those above it, where they are missing.

    Raises:
        PhotoError: it cannot be made; a file in a folder's place is named.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        file = next((folder for folder in path.parents if folder.exists() and not folder.is_dir()), None)
        reason = f"{file} is a file, not a folder; name another" if file else error.strerror or error
        raise PhotoError(f"cannot write {path}: {reason}") from error
