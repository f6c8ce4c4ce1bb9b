"""What a photo's header may ask for, checked before a decoder is asked: decoders trust the numbers of a file.

Each limit is far above what cameras and programs write, and low enough that a file of a few kilobytes costs neither
minutes nor gigabytes. Nothing here decodes; files are read once from front to back at most.
"""

import contextlib
import io
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

#: Pixels a side; Pillow's decoders count a row's bits in 32.
MAX_SIDE = 1_000_000
#: Segments before a JPEG's first scan, and their bytes together: EXIF, colour profile, previews.
MAX_JPEG_SEGMENTS, MAX_JPEG_HEAD = 5_000, 32_000_000
#: Scans of a progressive JPEG: each is a pass over all pixels, and may be a few bytes long.
MAX_JPEG_SCANS = 100
#: Chunks of a PNG.
MAX_PNG_CHUNKS = 100_000
#: Blocks of 255 bytes of a GIF before its first picture: comments, XMP.
MAX_GIF_BLOCKS = 50_000
#: Tiles or strips of a TIFF, tags of a folder of tags.
MAX_TIFF_PIECES, MAX_TAGS = 65_536, 4_096
#: Tiles of a JPEG 2000 picture.
MAX_JPEG_2000_TILES = 16_384
#: Pixels of a run-length coded BMP, which Pillow decodes in Python.
MAX_RLE_PIXELS = 4_000_000
# A tile may be larger than a small picture.
_MAX_TILE = 1 << 22


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture of too many pixels.

    Raises:
        ValueError: more than max_pixels, or a side of more than MAX_SIDE.
    """
    if width * height > max_pixels:
        raise ValueError(
            f"{width} x {height} = {width * height / 1e6:.1f} megapixels, more than the limit of "
            f"{max_pixels / 1e6:g}; raise it (--max-megapixels, max_pixels) or reduce the photo"
        )
    if max(width, height) > MAX_SIDE:
        raise ValueError(f"{width} x {height}: a side of more than {MAX_SIDE} pixels is not read; cut the photo up")


def check_structure(name: str, file: BinaryIO, max_pixels: int) -> None:
    """Refuse a file whose header asks for more time or memory than its pixels need.

    Args:
        name: what formats.picture_format said of it.
        file: at its start; where it stands afterwards is left open.
        max_pixels: of the whole picture.

    Raises:
        ValueError, struct.error: too much of something, or not what the format promises.
    """
    checks = {"JPEG": _check_jpeg, "PNG": _check_png, "GIF": _check_gif, "TIFF": _check_tiff}
    if name in checks:
        checks[name](file)
    elif name == "JPEG 2000":
        _check_jpeg_2000(file, max_pixels)


def _at_most(count: int, most: int, what: str) -> None:
    if count > most:
        raise ValueError(f"more than {most} {what}; save it anew with another program")


def _unpack(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _check_jpeg(file: BinaryIO) -> None:
    exif, segments, components, passes = b"", 0, 0, False
    file.seek(2)
    while (marker := _next_marker(file)) is not None and marker != _SCAN:
        segments += 1
        _at_most(segments, MAX_JPEG_SEGMENTS, "segments before the picture")
        _at_most(file.tell(), MAX_JPEG_HEAD, "bytes before the picture")
        content = _segment(file)
        if marker == 0xE1 and content.startswith(b"Exif\0\0"):
            exif += content[6:]
        elif marker == 0xE2 and content.startswith(b"MPF\0"):
            check_tags(content[4:])
        elif marker in _FRAMES and len(content) > 5:
            components, passes = content[5], marker in _PROGRESSIVE
    check_tags(exif)
    if marker == _SCAN and (passes or _segment(file)[:1] != bytes([components])):
        _check_scans(file)


_SCAN, _END = 0xDA, 0xD9
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
#: Of a JPEG: in the coded pixels 0xff stands before 0 or a restart's number alone.
AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def _check_scans(file: BinaryIO) -> None:
    """Count the scans of a picture that is coded in several."""
    for count in range(1, MAX_JPEG_SCANS + 2):
        _at_most(count, MAX_JPEG_SCANS, "scans")
        while (block := file.read(1 << 20)) and not (found := AFTER_SCAN.search(block)):
            if block.endswith(b"\xff") and len(block) > 1:  # a marker may lie on both sides of the border
                file.seek(-1, 1)
        if not block or not found:
            return
        file.seek(found.start() - len(block), 1)
        while (marker := _next_marker(file)) not in (_SCAN, _END, None):
            _segment(file)
        if marker != _SCAN:
            return
        _segment(file)


def _segment(file: BinaryIO) -> bytes:
    """What a marker stands before."""
    return file.read(max(_unpack(file, ">H")[0] - 2, 0))


def _next_marker(file: BinaryIO) -> int | None:
    """The next marker; bytes that are none are passed over, as Pillow does."""
    while byte := file.read(1):
        while byte == b"\xff":
            byte = file.read(1)
            if byte and byte != b"\xff" and byte[0] not in (0, 1) and not 0xD0 <= byte[0] <= 0xD8:
                return byte[0]
    return None


def _check_png(file: BinaryIO) -> None:
    file.seek(8)
    for count in range(MAX_PNG_CHUNKS + 1):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        _at_most(count + 1, MAX_PNG_CHUNKS, "chunks")
        file.seek(int.from_bytes(head[:4], "big") + 4, 1)


def _check_gif(file: BinaryIO) -> None:
    file.seek(10)
    (flags, _, _) = _unpack(file, "3B")
    file.seek(3 << ((flags & 7) + 1) if flags & 0x80 else 0, 1)
    blocks = 0
    while (kind := file.read(1)) and kind not in b",;":
        if kind == b"!":
            file.seek(1, 1)
            while (length := file.read(1)) and length != b"\0":
                file.seek(length[0], 1)
                blocks += 1
                _at_most(blocks, MAX_GIF_BLOCKS, "blocks of comments before the picture")


class _Tag(NamedTuple):
    number: int
    length: int
    values: tuple[int, ...]
    """The first of them, where they are whole numbers."""


# Bytes of a value of each type, and how the whole numbers among them are unpacked.
_TAG_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}


def check_tags(tiff: bytes) -> None:
    """Refuse EXIF data whose tags ask for far more bytes than there are; broken data is let through.

    Args:
        tiff: as it begins with its byte order, II or MM.

    Raises:
        ValueError: too many tags, or bytes.
    """
    with contextlib.suppress(struct.error):
        list(_tags(io.BytesIO(tiff)))


def _tags(file: BinaryIO) -> Iterator[_Tag]:
    """The tags of a TIFF's first page. A hostile file lets thousands of tags share its megabytes."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    order = {b"II": "<", b"MM": ">"}.get(file.read(2), "")
    if not order:
        return
    big = _unpack(file, f"{order}H")[0] == 43
    if big:
        file.seek(8)
    at = _unpack(file, f"{order}{'Q' if big else 'I'}")[0]
    asked = 0
    if at < size:
        file.seek(at)
        count = _unpack(file, f"{order}{'Q' if big else 'H'}")[0]
        entry = 20 if big else 12
        count = min(count, (size - file.tell()) // entry)
        _at_most(count, MAX_TAGS, "tags")
        for start in range(file.tell(), file.tell() + count * entry, entry):
            file.seek(start)
            number, kind, length = _unpack(file, f"{order}HH{'Q' if big else 'I'}")
            data_bytes = length * _TAG_BYTES.get(kind, 0)
            room = 8 if big else 4
            if data_bytes > room:
                offset = _unpack(file, f"{order}{'Q' if big else 'I'}")[0]
                if offset >= size:
                    continue
                asked += min(data_bytes, size - offset)
                file.seek(offset)
            if asked > size + (1 << 16):
                raise ValueError("its tags ask for more bytes than there are; save it anew with another program")
            values: tuple[int, ...] = ()
            if kind in _WHOLE and length:
                values = _unpack(file, f"{order}{min(length, 4)}{_WHOLE[kind]}")
            yield _Tag(number, length, values)


def _check_tiff(file: BinaryIO) -> None:
    tags = {tag.number: tag for tag in _tags(file)}

    def value(number: int) -> int:
        return tags[number].values[0] if number in tags and tags[number].values else 0

    for number, what in ((273, "strips"), (324, "tiles")):
        if number in tags:
            _at_most(tags[number].length, MAX_TIFF_PIECES, what)
    tile, picture = value(322) * value(323), value(256) * value(257)
    if tile > max(_MAX_TILE, 4 * picture):
        raise ValueError(f"its tiles have {value(322)} x {value(323)} pixels; save it anew with another program")


def _check_jpeg_2000(file: BinaryIO, max_pixels: int) -> None:
    file.seek(0)
    head = file.read(1 << 20)
    at = head.find(b"\xff\x4f\xff\x51")
    if at < 0:
        raise ValueError("no picture in its first megabyte")
    (width, height, x0, y0, tile_width, tile_height) = struct.unpack_from(">6I", head, at + 8)
    check_size(max(width - x0, 0), max(height - y0, 0), max_pixels)
    if not tile_width or not tile_height:
        raise ValueError("its tiles have no size")
    _at_most(-(-width // tile_width) * -(-height // tile_height), MAX_JPEG_2000_TILES, "tiles")
