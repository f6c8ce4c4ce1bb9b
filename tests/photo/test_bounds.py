"""Files that ask for far more time or memory than their pixels need: each is refused by its header, in no time."""

import io
import resource
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from occlumark.errors import PhotoError
from occlumark.photo import read_photo

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def encoded(kind: str, pixels: np.ndarray = NOISE, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(
    tags: dict[int, tuple[int, list[int]]], width: int, height: int, data: bytes = b"", big: bool = False
) -> bytes:
    """A TIFF of 8-bit grey written by hand; type 3: 16 bits, 4: 32 bits."""
    tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]), 277: (3, [1])} | tags
    number, entry, room = ("Q", 20, 8) if big else ("I", 12, 4)
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) if big else struct.pack("<2sHI", b"II", 42, 8)
    at = len(head) + (8 if big else 2) + entry * len(tags) + room
    entries, outside = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{'HI'[kind == 4]}", *values)
        if len(packed) > room:
            packed, outside = struct.pack(f"<{number}", at + len(outside)), outside + packed
        entries += struct.pack(f"<HH{number}", tag, kind, len(values)) + packed.ljust(room, b"\0")
    count = struct.pack("<Q" if big else "<H", len(tags))
    return head + count + entries + bytes(room) + outside + data


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def exif_of_tags_that_share_their_bytes(size: int = 65_000) -> bytes:
    count = (size - 14) // 12
    entries = b"".join(struct.pack("<HHII", tag, 7, size - 100, 8) for tag in range(1, count + 1))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", count) + entries + bytes(4)


JPEG = encoded("JPEG")
SCAN = JPEG[JPEG.index(b"\xff\xda") : -2]
PROGRESSIVE = encoded("JPEG", progressive=True)
LAST_SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2]
GIF = encoded("GIF", NOISE[..., 0])
AFTER_COLOURS = 13 + 3 * 256

TAGS = exif_of_tags_that_share_their_bytes()


def segment(content: bytes, marker: bytes = b"\xff\xe1") -> bytes:
    return marker + struct.pack(">H", len(content) + 2) + content


def uints(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def in_codestream(old: bytes, new: bytes, pixels: np.ndarray = NOISE) -> bytes:
    box, start, codes = encoded("JPEG2000", pixels).partition(b"\xff\x4f\xff\x51")
    assert old in codes
    return box + start + codes.replace(old, new, 1)


HOSTILE = {
    "a tile of 46,000 x 46,000": (tiff({322: (4, [46_000]), 323: (4, [46_000]), 324: (4, [8])}, 64, 64), "tiles have"),
    "a tile, in a BigTIFF": (
        tiff({322: (4, [46_000]), 323: (4, [46_000]), 324: (4, [8])}, 64, 64, big=True),
        "tiles have 46000 x 46000",
    ),
    "a million strips": (
        tiff({273: (4, [8] * 1_000_000), 278: (4, [1]), 279: (4, [1] * 1_000_000)}, 1, 1_000_000),
        "65536 strips",
    ),
    "tags that share their bytes, TIFF": (exif_of_tags_that_share_their_bytes(), "tags"),
    "tags that share their bytes, fewer": (exif_of_tags_that_share_their_bytes(12_000), "more bytes than there are"),
    "tags that share their bytes, EXIF": (JPEG[:2] + segment(b"Exif\0\0" + TAGS) + JPEG[2:], "tags"),
    "tags that share their bytes, MPF": (
        JPEG[:2] + segment(b"MPF\0" + TAGS[:40_000], b"\xff\xe2") + JPEG[2:],
        "more bytes than there are",
    ),
    "scans": (PROGRESSIVE[:-2] + 200 * LAST_SCAN + b"\xff\xd9", "more than 100 scans"),
    "segments": (JPEG[:2] + 100_000 * b"\xff\xfe\0\2" + JPEG[2:], "more than 5000 segments"),
    "bytes before the picture": (JPEG[:2] + 600 * (b"\xff\xe5\xff\xff" + bytes(65_533)) + JPEG[2:], "bytes before"),
    "chunks": (png_header(8, 8) + 150_000 * chunk(b"tEXt", b"a\0") + chunk(b"IEND", b""), "more than 100000 chunks"),
    "comments": (
        GIF[:AFTER_COLOURS] + b"!\xfe" + 60_000 * (b"\xff" + bytes(255)) + b"\0" + GIF[AFTER_COLOURS:],
        "more than 50000 blocks",
    ),
    "a side": (png_header(100_000_000, 1) + chunk(b"IDAT", b""), "a side of more than 1000000 pixels"),
    "pixels of a JPEG 2000 that its box does not tell": (
        in_codestream(b"\0\x2f\0\0" + uints(64, 64), b"\0\x2f\0\0" + uints(46_000, 46_000)),
        "megapixels",
    ),
    "tiles of a JPEG 2000": (
        in_codestream(uints(512, 512, 0, 0, 512, 512), uints(512, 512, 0, 0, 1, 1), np.zeros((512, 512), np.uint8)),
        "more than 16384 tiles",
    ),
    "a run-length coded BMP": (
        b"BM" + struct.pack("<IIIIiiHHIIiiII", 0, 0, 1078, 40, 9000, 9000, 1, 8, 1, 0, 0, 0, 256, 0) + bytes(2000),
        "run-length coded",
    ),
    "comments in a PBM's header": (b"P1\n#" + 20_000_000 * b"a" + b"\n2 2\n0 1 1 0\n", "comments are longer"),
    "comments in a PBM's pixels": (b"P1\n2 2\n0 1\n" + 4_000_000 * b"#aaa\n" + b"1 0\n", "comments and gaps"),
    "comments in a PFM's header": (b"Pf\n#" + 20_000_000 * b"a" + b"\n2 2\n1.0\n" + bytes(16), "comments are longer"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_by_its_header(name: str) -> None:
    content, message = HOSTILE[name]
    memory, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(PhotoError, match=message) as caught:
        read_photo(content)
    assert time.process_time() - began < 2 and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000
    assert str(caught.value).startswith(f"cannot read a photo of {len(content)} bytes: ")


@pytest.mark.parametrize("big", [False, True])
def test_strips_and_tiles_as_programs_write_them_are_read(big: bool) -> None:
    rows = np.arange(256, dtype=np.uint8).reshape(16, 16)
    offset = len(tiff({273: (4, [0] * 4), 278: (4, [4]), 279: (4, [64] * 4)}, 16, 16, big=big))
    strips = [offset + 64 * i for i in range(4)]
    written = tiff({273: (4, strips), 278: (4, [4]), 279: (4, [64] * 4)}, 16, 16, rows.tobytes(), big)
    np.testing.assert_array_equal(read_photo(written)[..., 0], rows)
    offset = len(tiff({322: (4, [512]), 323: (4, [512]), 324: (4, [0]), 325: (4, [512**2])}, 16, 16, big=big))
    tile = np.pad(rows, (0, 496))
    tags = {322: (4, [512]), 323: (4, [512]), 324: (4, [offset]), 325: (4, [512**2])}
    np.testing.assert_array_equal(read_photo(tiff(tags, 16, 16, tile.tobytes(), big))[..., 0], rows)


def test_as_many_scans_as_programs_write_are_read() -> None:
    np.testing.assert_array_equal(read_photo(PROGRESSIVE), np.asarray(Image.open(io.BytesIO(PROGRESSIVE))))


def test_what_follows_the_picture_is_not_counted() -> None:
    """Phones put a film, which is any bytes, after the photo."""
    np.testing.assert_array_equal(read_photo(PROGRESSIVE + 500 * LAST_SCAN), read_photo(PROGRESSIVE))
