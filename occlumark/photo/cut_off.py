"""JPEGs whose end is missing, read as browsers show them, where enough is there."""

import io
from typing import TYPE_CHECKING, cast

import numpy as np

from occlumark.photo.bounds import AFTER_SCAN
from occlumark.photo.formats import open_picture

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

#: Up to this share of the rows may be missing.
MAX_MISSING = 0.25

_SCAN = 0xDA
# The decoder is given the end that it looks for, as often as Pillow asks for it.
_ENDS = b"\xff\xd9" * 2048


def load_cut_off(content: bytes) -> tuple["ImageFile", str]:
    """A JPEG whose end is missing, and what is missing of it. What was not coded is mid-grey.

    A progressive one is coded from coarse to fine: of the first components' finer waves one scan at least has to be
    whole.

    Args:
        content: of the file.

    Raises:
        ValueError: too much is missing.
        OSError: it is damaged in another way.
    """
    image = open_picture("JPEG", io.BytesIO(content + _ENDS))
    image.load()
    if image.info.get("progressive"):
        if not _has_detail(content):
            raise ValueError("truncated: all but its coarsest scan is missing")
        return image, "some of its detail is missing"
    missing = _missing_rows(cast("Image", image).convert("RGB"))
    if missing > MAX_MISSING * image.height:
        raise ValueError(f"truncated: the lowest {missing / image.height:.0%} of it is missing")
    return image, f"{missing} of its {image.height} rows are missing"


def _missing_rows(rows: "Image") -> int:
    """How many rows from below up are mid-grey."""
    missing, step = 0, max(1, (1 << 20) // rows.width)
    for start in range(rows.height, 0, -step):
        band = np.asarray(rows.crop((0, max(0, start - step), rows.width, start)))
        coded = np.flatnonzero((band != 128).any(axis=(1, 2)))
        missing += len(band) - (coded[-1] + 1 if coded.size else 0)
        if coded.size:
            break
    return missing


def _has_detail(content: bytes) -> bool:
    """Whether a scan of the first component's waves beyond the mean of a block is whole."""
    place, first = 2, -1
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        head = content[place + 4 : place + 2 + length]
        place += 2 + length
        if marker == 0xC2 and len(head) > 6:
            first = head[6]
        if marker == _SCAN and head:
            end = AFTER_SCAN.search(content, place)
            if end is None:
                return False
            of_first = first in head[1 : 1 + 2 * head[0] : 2]
            if of_first and head[1 + 2 * head[0]] > 0:
                return True
            place = end.start()
    return False
