"""A photo's bytes to its pixels, within bounds of time and memory, whatever thread does it."""

import io
import math
import os
import re
import stat
import struct
import sys
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import numpy as np

from occlumark.errors import PhotoError
from occlumark.photo.bounds import MAX_RLE_PIXELS, check_size, check_structure
from occlumark.photo.cut_off import load_cut_off
from occlumark.photo.formats import HEAD, READ_FORMATS, open_picture, picture_format
from occlumark.photo.pixels import deep_colour, grey_range, orientation, upright
from occlumark.photo.pnm import read_pnm
from occlumark.photo.tone import to_bytes, value_range

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

#: Pixels above which a photo is refused before it is decoded. 100 megapixels are 300 MB as RGB; what reading them needs
#: stands in docs/robustness.md, by format.
MAX_PIXELS = 100_000_000

#: Bytes that are read of what has no end known beforehand, as standard input.
MAX_STREAM = 1 << 30

#: Where a photo comes from: a file's name, its bytes, or an open file.
Source = str | os.PathLike[str] | bytes | BinaryIO

#: Names of what is open already: reading them waits for nobody but whom the user has put before us.
OPEN_ALREADY = re.compile(r"/dev/(stdin|fd/\d+)|/proc/self/fd/\d+")

# What Pillow's decoders raise for bytes that are not what they promise.
_BROKEN = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    ArithmeticError,
    RuntimeError,  # AVIF's
    AssertionError,  # of Pillow on itself, such as a palette that a file promises and lacks
    struct.error,
    zlib.error,
    Warning,  # where another thread has put a filter of its own before ours meanwhile
)


class Decoded(NamedTuple):
    """A photo and what is to be said of it."""

    pixels: np.ndarray
    """(height, width, 3) uint8, RGB, upright."""
    notes: list[str]
    """A line each, that begins with the photo's name."""
    reduction: int = 1
    """How many times longer the sides of the photo in the file are."""


def decode(source: Source, max_pixels: int = MAX_PIXELS, name: str = "", reduction: int = 1) -> Decoded:
    """Read a photo, as read.read_photo says it.

    Args:
        source: the photo.
        max_pixels: more are refused, of those in the file.
        name: what messages call it; empty: source_name(source).
        reduction: of a JPEG the sides may be so many times shorter, 1, 2, 4 or 8: the most that divides both is taken.

    Raises:
        PhotoError: no such file, not a photo, truncated, or too large.
    """
    from PIL.Image import DecompressionBombError

    name = name or source_name(source)
    try:
        with _open(source) as file, _no_warnings_of_pillow():
            kind = picture_format(file.read(HEAD))
            file.seek(0)
            if kind is None:
                raise ValueError(f"not a photo ({READ_FORMATS})")
            if kind == "PNM":
                return _decode_pnm(file, name, max_pixels)
            check_structure(kind, file, max_pixels)
            file.seek(0)
            return _decode(kind, file, name, max_pixels, reduction)
    except MemoryError as error:
        raise PhotoError(f"cannot read {name}: it does not fit into memory") from error
    except (*_BROKEN, DecompressionBombError) as error:
        raise PhotoError(f"cannot read {name}: {_one_line(error)}") from error


def source_name(source: Source) -> str:
    """What a photo is called in messages."""
    if isinstance(source, bytes):
        return f"a photo of {len(source)} bytes"
    if isinstance(source, str | os.PathLike):
        return str(Path(source))
    if source is getattr(sys.stdin, "buffer", None):
        return "standard input"
    return str(getattr(source, "name", "a stream"))


@contextmanager
def _open(source: Source) -> Iterator[BinaryIO]:
    """The photo, open for reading and seeking."""
    if isinstance(source, bytes):
        if not source:
            raise ValueError("it is empty")
        yield io.BytesIO(source)
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        if OPEN_ALREADY.fullmatch(os.fspath(source)):
            with path.open("rb") as stream:
                yield _all_of(stream)
        else:
            _check_file(path)
            with path.open("rb") as file:
                yield file
    else:
        yield _all_of(source)


def _all_of(stream: BinaryIO) -> BinaryIO:
    data = stream.read(MAX_STREAM + 1)
    if len(data) > MAX_STREAM:
        raise ValueError(f"more than {MAX_STREAM >> 20} MB; name a file instead")
    if not data:
        raise ValueError("it is empty")
    return io.BytesIO(data)


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        # A Path has made one slash of a URL's two.
        is_url = str(path).startswith(("http:/", "https:/"))
        raise ValueError("no such file" + "; nothing is fetched from the web, download it first" * is_url) from error
    if stat.S_ISDIR(status.st_mode):
        os.scandir(path).close()  # find_photos names folders that cannot be listed: this says why
        raise ValueError("it is a folder, not a photo")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no ordinary file")
    if status.st_size == 0:
        raise ValueError("the file is empty")


def _decode_pnm(file: BinaryIO, name: str, max_pixels: int) -> Decoded:
    values, top, has_more = read_pnm(file, max_pixels)
    black, white = (0, top) if 0 < top < 65535 else value_range(values)
    pixels = np.empty((*values.shape[:2], 3), np.uint8)
    pixels[:] = to_bytes(values, black, white)
    return Decoded(pixels, [_first_of_several(name)] if has_more else [])


def _decode(kind: str, file: BinaryIO, name: str, max_pixels: int, reduction: int) -> Decoded:
    image = open_picture(kind, file)
    check_size(*image.size, max_pixels)
    reduction = _reduce(image, reduction) if kind == "JPEG" else 1
    codecs = [tile[0] for tile in image.tile]
    if "bmp_rle" in codecs and image.width * image.height > MAX_RLE_PIXELS:
        raise ValueError(f"a run-length coded BMP of more than {MAX_RLE_PIXELS / 1e6:g} megapixels; save it as PNG")
    deep = any("16" in str(tile[3]) for tile in image.tile) and image.mode in ("RGB", "RGBA")
    notes = []
    try:
        image.load()
    except OSError as error:
        if kind != "JPEG" or "truncated" not in str(error):
            raise
        file.seek(0)
        image, missing, reduction = *load_cut_off(file.read(MAX_STREAM)), 1
        notes.append(f"{name} ends too early: {missing}")
    check_size(*image.size, max_pixels)  # a HEIC may turn out to be of another
    turn = orientation(image)
    pixels = deep_colour(file, image, turn) if deep else None
    if pixels is None:
        pixels = upright(image, turn, grey_range(image))
    if _has_several(kind, image):
        notes.insert(0, _first_of_several(name))
    return Decoded(pixels, notes, reduction)


def _reduce(image: "ImageFile", most: int) -> int:
    """Have a JPEG decoded with its sides divided by up to `most`, from the low frequencies of its blocks.

    Returns:
        By how much: what divides both sides, so that places in the photo are so many times those in what is read.
    """
    whole, reduction = image.width, math.gcd(most, *image.size)
    if reduction > 1:
        image.draft(None, (image.width // reduction, image.height // reduction))
    return whole // image.width


def _first_of_several(name: str) -> str:
    return f"{name} holds several pictures (an animation, pages or a burst): the first is read"


def _has_several(kind: str, image: "ImageFile") -> bool:
    if kind == "TIFF":  # its own count would read every page's tags
        return getattr(image, "tag_v2").next != 0  # noqa: B009 - only TIFF's class has it
    with suppress(*_BROKEN):
        return bool(getattr(image, "is_animated", False))
    return False


# Python keeps its warning filters in a global. Ours stands in it while any photo is read, hides nothing but what the
# readers of pictures warn of, and is put there and taken away under a lock that is held for no longer.
_quiet = threading.Lock()
_reading = 0
_FILTER: tuple[Any, ...] = ("ignore", None, Warning, re.compile(r"(PIL|pillow_heif|occlumark\.photo)\b"), 0)


@contextmanager
def _no_warnings_of_pillow() -> Iterator[None]:
    global _reading
    filters = cast("list[tuple[Any, ...]]", warnings.filters)
    with _quiet:
        _reading += 1
        if _FILTER not in filters:
            filters.insert(0, _FILTER)
    try:
        yield
    finally:
        with _quiet:
            _reading -= 1
            if not _reading:
                with suppress(ValueError):  # another thread has put back the filters of an earlier time
                    cast("list[tuple[Any, ...]]", warnings.filters).remove(_FILTER)


def _after_fork() -> None:
    """In a child nobody else reads, and a lock that was held when it was made would stay so."""
    global _quiet, _reading
    _quiet, _reading = threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _one_line(error: BaseException) -> str:
    # Of a reader that ran out of bytes, which Pillow may pass on as a SyntaxError: its words name functions of Python.
    if isinstance(error, struct.error) or isinstance(error.__cause__, struct.error):
        return "it is damaged or cut off"
    if str(error) == "unknown pixel mode":  # Pillow's, of a TIFF
        return "its colours are no whole numbers, or of a kind that is not known; save it with 8 or 16 bits a colour"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
