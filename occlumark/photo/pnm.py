"""PBM, PGM, PPM and PFM files. Pillow decodes most kinds of them pixel by pixel in Python, some in quadratic time."""

import re
from typing import BinaryIO, NamedTuple

import numpy as np

from occlumark.photo.bounds import check_size

#: Bytes of comments, in the header and between the values of a plain file.
MAX_COMMENTS = 1 << 20

_NUMBER = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])*([^\s#]{1,20})")
_NO_NUMBER = re.compile(rb"[^0-9\s]")
_COMMENT = re.compile(rb"#[^\r\n]*")


class _Header(NamedTuple):
    kind: str
    width: int
    height: int
    top: float
    """The largest value; of a PFM, below 0 where the smaller end of a number comes first."""
    size: int
    """Bytes."""


class Pnm(NamedTuple):
    """What a file holds."""

    values: np.ndarray
    """(height, width, 1 or 3), whole numbers or float."""
    top: float
    """The value of white; 0 where the file does not tell."""
    has_more: bool
    """Whether another picture follows."""


def read_pnm(file: BinaryIO, max_pixels: int) -> Pnm:
    """Read the first picture of a PBM, PGM, PPM or PFM file, plain or binary.

    Args:
        file: at its start.
        max_pixels: more are refused before they are read.

    Raises:
        ValueError: truncated, too large, or not what the format promises.
    """
    header = _read_header(file)
    check_size(header.width, header.height, max_pixels)
    if header.width * header.height == 0:
        raise ValueError("it has no pixels")
    file.seek(header.size)
    if header.kind in "123":
        return Pnm(_plain(file, header), header.top, False)
    return _binary(file, header)


def _read_header(file: BinaryIO) -> _Header:
    text = file.read(MAX_COMMENTS)
    kind, at = text[1:2].decode(), 2
    words = []
    for _ in range(2 if kind in "14" else 3):
        found = _NUMBER.match(text, at)
        if not found or not text[found.end() : found.end() + 1].isspace():
            raise ValueError("its header does not end, or its comments are longer than a megabyte")
        words.append(found[1])
        at = found.end()
    try:
        width, height = (int(word) for word in words[:2])
        top = 1.0 if kind in "14" else float(words[2]) if kind in "fF" else int(words[2])
    except ValueError as error:
        raise ValueError("its header holds something else than numbers") from error
    if width < 0 or height < 0 or not (0 < top < 65536 if kind not in "fF" else abs(top) < float("inf")):
        raise ValueError("its header holds a number that is out of range")
    return _Header(kind, width, height, top, at + 1)


def _binary(file: BinaryIO, header: _Header) -> Pnm:
    kind, width, height, top, _ = header
    channels = 3 if kind in "6F" else 1
    if kind == "4":
        row = (width + 7) // 8
        data = _exactly(file, row * height)
        bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(height, row), axis=1)[:, :width]
        values = (1 - bits)[..., None]
    else:
        number = ("<f4" if top < 0 else ">f4") if kind in "fF" else "u1" if top < 256 else ">u2"
        dtype = np.dtype(number)
        data = _exactly(file, width * height * channels * dtype.itemsize)
        values = np.frombuffer(data, dtype).reshape(height, width, channels)
    if kind in "fF":
        return Pnm(values[::-1], 0, False)  # rows from the bottom to the top
    return Pnm(values, top, re.match(rb"\s*P[1-6]\s", file.read(64)) is not None)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise ValueError(f"truncated: {len(data)} of {size} bytes of pixels")
    return data


def _plain(file: BinaryIO, header: _Header) -> np.ndarray:
    kind, width, height, top, _ = header
    channels = 3 if kind == "3" else 1
    count = width * height * channels
    most = count * 8 + MAX_COMMENTS  # a value has 5 digits at most
    text = file.read(most + 1)
    if len(text) > most:
        raise ValueError("its comments and gaps are longer than a megabyte")
    text = _COMMENT.sub(b"", text)
    if kind == "1":
        digits = np.frombuffer(text.translate(None, b" \t\r\n\v\f"), np.uint8)[:count]
        if len(digits) < count or not np.isin(digits, (48, 49)).all():
            raise ValueError(f"truncated: expected {count} times 0 or 1")
        values: np.ndarray = 49 - digits
    else:
        stop = _NO_NUMBER.search(text)
        numbers = text[: stop.start() if stop else None].strip()
        values = np.fromstring(numbers, np.int64, -1, sep=" ")[:count] if numbers else np.empty(0, np.int64)
        if len(values) < count:
            raise ValueError(f"truncated: {len(values)} of {count} values")
        if values.max() > top:
            raise ValueError(f"it holds the value {values.max()}, its header says {top:g} at most")
    return values.reshape(height, width, channels)
