"""Photos as people have them, read into one form: (height, width, 3) uint8 RGB, upright."""

import glob
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from occlumark.errors import PhotoError
from occlumark.files import files_below, written_whole

if TYPE_CHECKING:
    from PIL.Image import Image

#: Pixels above which a photo is refused before it is decoded. 100 megapixels are 300 MB as RGB and, measured, need 1 GB
#: while they are read: Pillow keeps 4 bytes a pixel and passes its pixels on in pieces, which are then joined.
MAX_PIXELS = 100_000_000

#: What a folder is searched for. A file named by the user may be called anything.
PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".jp2"}
)

_WRITTEN_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
#: What write_photo writes.
WRITTEN_SUFFIXES = tuple(_WRITTEN_FORMATS)

# Pillow's other formats are no photos, and one of them (EPS) runs a program.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000")

_ORIENTATION_TAG = 0x0112

# What Pillow's decoders raise for bytes that are not what they promise.
_BROKEN = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    struct.error,
    zlib.error,
)

# Pillow keeps its size limit, and Python its warning filters, in globals: one photo is read at a time.
_pillow_globals = threading.Lock()


def read_photo(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a photo file.

    EXIF orientation is applied. Grey becomes RGB, 16 bit is scaled to 8, palette and CMYK are converted, and
    what is transparent is laid on white. Of an animation the first picture is read.

    Args:
        path: a JPEG, PNG, WebP, BMP, TIFF, GIF, PPM or JPEG 2000 file, whatever its name.
        max_pixels: a photo with more pixels (width times height) is refused before it is decoded.

    Returns:
        (height, width, 3) uint8, RGB.

    Raises:
        PhotoError: no such file, not a photo, truncated, or too large.
    """
    path = Path(path)
    _check_file(path)
    try:
        with _quiet_pillow(), _open(path) as image:
            _check_size(path, image.size, max_pixels)
            image.load()
            return np.ascontiguousarray(_turn_upright(_rgb(image), _orientation(image)))
    except MemoryError as error:
        raise PhotoError(f"cannot read {path}: it does not fit into memory") from error
    except _BROKEN as error:
        raise PhotoError(f"cannot read {path}: {_one_line(error)}") from error


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
    options = {} if suffix == ".png" else {"quality": 92}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PhotoError(f"cannot write {path}: {_one_line(error)}") from error
    image = Image.fromarray(photo)
    with written_whole(path) as file:
        try:
            image.save(file, _WRITTEN_FORMATS[suffix], **options)
        except ValueError as error:  # more pixels a side than the format has room for
            raise PhotoError(f"cannot write {path}: {_one_line(error)}") from error


def find_photos(sources: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The photo files that files, folders and glob patterns name, in the order given, each source's sorted.

    Folders are searched with all their subfolders, linked ones too, for PHOTO_SUFFIXES; files and folders whose names
    start with a dot are left out (folders.files_below). A name that is neither a file, a folder nor a pattern is kept,
    so that reading it reports the error beside the other photos. No photo is opened.

    Raises:
        PhotoError: a folder or a pattern without any photo, or a folder that cannot be listed.
    """
    photos: list[Path] = []
    for source in [os.fspath(source) for source in sources]:
        if Path(source).is_dir():
            photos += _photos_under(source)
        elif glob.has_magic(source) and not Path(source).exists():
            photos += _photos_matching(source)
        else:
            photos.append(Path(source))
    return photos


def _photos_under(folder: str) -> list[Path]:
    try:
        found = [name for name in files_below(folder) if _is_photo_name(name)]
    except OSError as error:
        raise PhotoError(f"cannot list folder {error.filename}: {error.strerror}") from error
    if not found:
        raise PhotoError(f"no photo in folder {folder}: looked for {', '.join(sorted(PHOTO_SUFFIXES))}")
    return [Path(name) for name in sorted(found)]


def _photos_matching(pattern: str) -> list[Path]:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    found = [Path(match) for match in matches if _is_photo_name(match) and Path(match).is_file()]
    if not found:
        raise PhotoError(f"no photo matches {pattern}: looked for {', '.join(sorted(PHOTO_SUFFIXES))}")
    return found


def _is_photo_name(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PHOTO_SUFFIXES  # noqa: PTH122 - ten times faster than Path


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise PhotoError(f"cannot read {path}: it is a folder, not a photo")
        if not path.exists():
            raise PhotoError(f"cannot read {path}: no such file")
        if not path.is_file():
            raise PhotoError(f"cannot read {path}: it is no ordinary file")
        if path.stat().st_size == 0:
            raise PhotoError(f"cannot read {path}: the file is empty")
    except (OSError, ValueError) as error:
        raise PhotoError(f"cannot read {path}: {_one_line(error)}") from error


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """No warnings, and no size limit of Pillow's own: ours is checked between header and pixels."""
    from PIL import Image

    with _pillow_globals, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _open(path: Path) -> "Image":
    """Read the header alone."""
    from PIL import Image

    try:
        return Image.open(path, formats=_FORMATS)
    except Image.UnidentifiedImageError as error:
        raise PhotoError(f"cannot read {path}: not a photo ({', '.join(_FORMATS)})") from error


def _check_size(path: Path, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PhotoError(
            f"{path} has {width} x {height} = {width * height / 1e6:.1f} megapixels, more than the limit of "
            f"{max_pixels / 1e6:g}; raise it (--max-megapixels, max_pixels) or reduce the photo"
        )


def _rgb(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        return _from_deep_grey(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_deep_grey(image: "Image") -> "Image":
    """16-bit grey, 0..65535, to RGB; Pillow's own conversion would clip it at 255."""
    from PIL import Image

    values = np.asarray(image)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
        raise ValueError("32 bits a pixel are not supported; save it with 8 or 16 bits")
    # 65535 = 255 * 257; rounded to the nearest.
    grey = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _orientation(image: "Image") -> int:
    """EXIF orientation, 1 to 8; 1, upright, where the EXIF data says nothing or is broken."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except _BROKEN:
        return 1  # the picture itself is whole
    return value if value in range(1, 9) else 1


def _turn_upright(image: "Image", orientation: int) -> np.ndarray:
    """Undo an EXIF orientation: first the axes swapped (5 to 8), then the edges that point the wrong way."""
    pixels = np.asarray(image)
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _one_line(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
