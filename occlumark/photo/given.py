"""Photos as callers hold them, in files or in memory, as the one form that the networks take."""

import os
import warnings
from typing import TYPE_CHECKING, BinaryIO, Literal, Union, cast, get_args

import numpy as np

from occlumark.errors import PhotoError
from occlumark.photo.decode import MAX_PIXELS
from occlumark.photo.pixels import grey_range, orientation, upright
from occlumark.photo.read import PhotoWarning, ReducedPhoto, read_photo
from occlumark.photo.tone import to_bytes, value_range

if TYPE_CHECKING:
    from PIL.Image import Image

#: A photo as a caller may give it.
PhotoInput = Union[str, os.PathLike[str], bytes, bytearray, memoryview, BinaryIO, "Image", np.ndarray, ReducedPhoto]

#: The order of an array's colours; an alpha channel comes last in both.
ColorOrder = Literal["rgb", "bgr"]

_ACCEPTED = (
    "a photo is a file's path, an open binary file, its bytes, a PIL image, or an array (height, width, 3) RGB, "
    "(height, width, 4) with alpha or (height, width) grey"
)
# What resampling adds to numbers in 0..1 at edges.
_OVERSHOOT = 0.1


def as_photo(photo: PhotoInput, color: ColorOrder = "rgb", max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """A photo as the networks take it.

    Files are turned upright (read_photo). A PIL image is taken as its pixels stand, so that landmarks are in its
    pixels; a warning says where its EXIF orientation would turn it. What is transparent is laid on white.

    Args:
        photo: a file's path, an open binary file, its bytes, a PIL image, read_reduced's, or an array: (height, width,
            3), with a fourth channel for alpha, or (height, width) or (height, width, 1) grey. Its numbers are uint8;
            float in 0..1; or of a wider integer type, 0 to the least of 255, 1023, 4095, 16383 and 65535 that holds
            them all.
        color: the order of an array's channels; a file and a PIL image know their own.
        max_pixels: a file with more pixels is refused before it is decoded.

    Returns:
        (height, width, 3) uint8, RGB. An array of this form is returned as it is.

    Raises:
        PhotoError: the file or the PIL image cannot be read.
        TypeError: the photo is of another kind.
        ValueError: the array has another shape, other numbers, or there is no such color.
    """
    if color not in get_args(ColorOrder):
        raise ValueError(f"color is 'rgb' or 'bgr', not {color!r}")
    if isinstance(photo, ReducedPhoto):
        return photo.pixels
    if isinstance(photo, np.ndarray):
        return _from_array(photo, color)
    if isinstance(photo, str | os.PathLike | bytes):
        return read_photo(photo, max_pixels)
    if isinstance(photo, bytearray | memoryview):
        return read_photo(bytes(photo), max_pixels)
    if _is_pil(photo):
        return _from_pil(cast("Image", photo))
    if hasattr(photo, "read"):
        return read_photo(cast(BinaryIO, photo), max_pixels)
    if photo is None:
        raise TypeError(f"the photo is None: did reading it fail? {_ACCEPTED}")
    kind = f"{type(photo).__module__}.{type(photo).__name__}".removeprefix("builtins.")
    hint = "; a tensor becomes one by .permute(1, 2, 0).cpu().numpy()" if kind.startswith("torch.") else ""
    raise TypeError(f"{_ACCEPTED}, not a {kind}{hint}")


def _from_array(photo: np.ndarray, color: ColorOrder) -> np.ndarray:
    came = f"an array of {photo.shape} {photo.dtype}"
    if photo.ndim == 2:
        photo = photo[..., None]
    if photo.ndim != 3 or photo.shape[2] not in (1, 3, 4) or not photo.size:
        first = photo.ndim == 3 and photo.shape[0] in (1, 3, 4) and photo.size
        raise ValueError(f"{_ACCEPTED}, not {came}{'; channels come last: .transpose(1, 2, 0)' * bool(first)}")
    values = _bytes(photo, came)
    colours, alpha = values[..., :3], values[..., 3:]
    if colours.shape[2] == 1:
        return np.repeat(colours, 3, axis=2)
    if color == "bgr":
        colours = colours[..., ::-1]
    if not alpha.shape[2]:
        return colours if colours.flags.c_contiguous else np.ascontiguousarray(colours)
    # In whole numbers, rounded: float copies of a large photo would be eight times its size.
    opaque = alpha.astype(np.uint16)
    return ((colours * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)


def _bytes(photo: np.ndarray, came: str) -> np.ndarray:
    if photo.dtype == np.uint8:
        return photo
    if photo.dtype.kind not in "iuf":
        raise ValueError(f"a photo's numbers are uint8, a wider integer type, or float in 0..1, not {came}")
    low, high = photo.min(), photo.max()
    if photo.dtype.kind == "f":
        if not (low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT):  # NaN is neither
            raise ValueError(f"a float photo is in 0..1, this one in {low:g}..{high:g}: scale it, or .astype('uint8')")
        return to_bytes(photo, 0, 1)
    if low < 0 or high > 65535:
        raise ValueError(f"a photo's numbers are in 0..65535, not in {low}..{high}")
    return to_bytes(photo, *value_range(photo))


def _is_pil(photo: object) -> bool:
    """Whether it is an image of Pillow, which is not imported for that."""
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(photo).__mro__)


def _from_pil(image: "Image") -> np.ndarray:
    if 0 in image.size:
        raise ValueError(f"a PIL image of {image.width} x {image.height} pixels is no photo")
    try:
        image.load()
        turn = orientation(image)
        pixels = upright(image, 1, grey_range(image))
    except (OSError, SyntaxError, ValueError) as error:
        raise PhotoError(f"cannot read the PIL image: {' '.join(str(error).split())}") from error
    if turn != 1:
        text = "the PIL image is not turned upright by its EXIF orientation; PIL.ImageOps.exif_transpose(image) does it"
        warnings.warn(text, PhotoWarning, stacklevel=4)
    return pixels
