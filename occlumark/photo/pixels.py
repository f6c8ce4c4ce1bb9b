"""What Pillow has decoded, as upright RGB: in bands, so that a large photo is held twice and not four times."""

import re
import struct
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from occlumark.photo.tone import bands, to_bytes, value_range

if TYPE_CHECKING:
    from PIL.Image import Image

_ORIENTATION_TAG = 0x0112
_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_BAND_PIXELS = 1 << 21
# High bytes of a colour file of 16 bits that uses up to 14 of them.
_DARK = 63


def upright(image: "Image", orientation: int, grey: tuple[float, float] | None) -> np.ndarray:
    """The picture in RGB, turned as its EXIF orientation says.

    Args:
        image: decoded.
        orientation: 1 to 8.
        grey: black and white of a grey picture of more than 8 bits (grey_range).

    Returns:
        (height, width, 3) uint8, contiguous.
    """
    width, height = image.size
    pixels = np.empty((width, height, 3) if orientation >= 5 else (height, width, 3), np.uint8)
    as_stored = _undo(pixels, orientation)
    for start in range(0, height, rows := max(1, _BAND_PIXELS // width)):
        end = min(height, start + rows)
        band = image if rows >= height else image.crop((0, start, width, end))
        as_stored[start:end] = _rgb(band) if grey is None else to_bytes(np.asarray(band)[..., None], *grey)
    return pixels


def _undo(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """A view on upright pixels as the file stores them: edges that point the wrong way, then (5 to 8) axes swapped."""
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels.transpose(1, 0, 2) if orientation >= 5 else pixels


def _rgb(image: "Image") -> np.ndarray:
    from PIL import Image

    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def grey_range(image: "Image") -> tuple[float, float] | None:
    """Black and white of a grey picture of more than 8 bits; None for all others. Pillow would clip it at 255."""
    return value_range(np.asarray(image)) if image.mode.startswith(("I", "F")) else None


def deep_colour(file: BinaryIO, image: "Image", orientation: int) -> np.ndarray | None:
    """A colour picture of 16 bits a value that uses up to 14 of them, by the range that it uses.

    Pillow keeps the upper 8 bits alone, OpenCV all 16.

    Args:
        file: the picture's.
        image: as Pillow has decoded it.
        orientation: as in upright.

    Returns:
        As upright; None where the picture uses more bits, or OpenCV does not read it as Pillow does.
    """
    if max(high for _, high in image.convert("RGB").getextrema()) > _DARK:  # type: ignore[misc]
        return None
    import cv2

    file.seek(0)
    values = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.shape[:2] != (image.height, image.width):
        return None
    colour = values[..., 2::-1]
    rgb = to_bytes(colour, *value_range(colour))
    if values.shape[2] == 4:
        for band in bands(rgb.shape):
            alpha = values[band, :, 3:] / 65535
            rgb[band] = np.rint(rgb[band] * alpha + 255 * (1 - alpha))
    pixels = np.empty((image.width, image.height, 3) if orientation >= 5 else rgb.shape, np.uint8)
    _undo(pixels, orientation)[:] = rgb
    return pixels


def orientation(image: "Image") -> int:
    """EXIF orientation, 1 to 8; 1, upright, where nothing says so or the EXIF data is broken.

    Pillow's own reader of EXIF data keeps a copy of what each tag points to, which a hostile file makes large.
    """
    value = None
    exif = image.info.get("exif")
    if isinstance(exif, bytes):
        value = _orientation_in(exif)
    elif "Raw profile type exif" in image.info:
        try:
            value = _orientation_in(bytes.fromhex("".join(str(image.info["Raw profile type exif"]).split("\n")[3:])))
        except ValueError:
            return 1  # the picture itself is whole
    elif hasattr(image, "tag_v2"):
        value = image.getexif().get(_ORIENTATION_TAG)  # Pillow may have turned it itself, and says so there
    if value is None:
        xmp = image.info.get("XML:com.adobe.xmp") or image.info.get("xmp") or b""
        found = _IN_XMP.search(xmp.encode(errors="replace") if isinstance(xmp, str) else bytes(xmp))
        value = int(found[1]) if found else 1
    return value if value in range(1, 9) else 1


def _orientation_in(exif: bytes) -> int | None:
    """The value of the tag in EXIF data; None where there is none."""
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    value = None
    if order:
        try:
            (at,) = struct.unpack_from(f"{order}I", exif, 4)
            (count,) = struct.unpack_from(f"{order}H", exif, at)
            for start in range(at + 2, at + 2 + 12 * count, 12):
                number, kind, length = struct.unpack_from(f"{order}HHI", exif, start)
                if number == _ORIENTATION_TAG and length == 1 and kind in (1, 3, 4):
                    (value,) = struct.unpack_from(order + {1: "B", 3: "H", 4: "I"}[kind], exif, start + 8)
        except struct.error:
            pass  # the picture itself is whole, and what was read before holds
    return value
