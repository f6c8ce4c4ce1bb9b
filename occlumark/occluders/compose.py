"""Making a drawing part of the photo: the photo's light, colours, sharpness and noise, and a shadow on the face."""

from typing import NamedTuple

import cv2
import numpy as np

from occlumark.occluders.drawing import Drawing
from occlumark.occluders.frame import Frame
from occlumark.occluders.surface import light_direction, lit

_LUMA = np.array([0.299, 0.587, 0.114])
#: Mean red and blue over green of crops of faces: medians over 300W's training photos.
_USUAL_CAST = np.array([1.36, 1.0, 0.87])
#: The finest detail's share and the blur that leaves so much of it, measured on polygons blurred by known amounts.
_DETAIL = (0.2, 0.216, 0.267, 0.326, 0.461, 0.603)
_BLUR = (2.0, 1.5, 1.0, 0.75, 0.5, 0.3)
_NOISE_KERNEL = np.array([(1, -2, 1), (-2, 4, -2), (1, -2, 1)], np.float32)


class Composed(NamedTuple):
    """A photo with an occluder in it, and the truth about it."""

    crop: np.ndarray
    """(S, S, 3) uint8 RGB."""
    alpha: np.ndarray
    """(S, S) float32 in 0..1: how much of the face is occluded at each pixel."""
    light: np.ndarray
    """(S, S) uint8: what the occluder does to the light beside it, 128 nothing. Where alpha is 0, the photo is the one
    before times light / 128, and unchanged where light is 128."""


def compose(crop: np.ndarray, landmarks: np.ndarray, drawing: Drawing, rng: np.random.Generator) -> Composed:
    """Put a drawing into a photo.

    Args:
        crop: (S, S, 3) uint8 RGB; not modified.
        landmarks: (68, 2), crop pixels.
        drawing: as one of the kinds draws it.
        rng: for the noise.
    """
    unit = Frame.of(landmarks).unit
    light = _light(crop, drawing, unit)
    before = crop if light is None else lit(crop, light)
    shown_light = np.full(crop.shape[:2], 128, np.uint8) if light is None else light
    if not drawing.mask.any():
        return Composed(before.copy() if before is crop else before, np.zeros(crop.shape[:2], np.float32), shown_light)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    sharpness = blur_of(grey)
    if drawing.borrowed:
        paint = drawing.paint if _saturation(crop) > 0.1 else cv2.transform(drawing.paint, np.tile(_LUMA, (3, 1)))
    else:
        paint = _as_photographed(drawing.paint, crop, grey, rng)
    paint = _noisy(paint, grey, sharpness, rng)
    # Colours weighted by the mask, so that blurring mixes in nothing from outside of it.
    weighted = cv2.multiply(paint, cv2.cvtColor(drawing.mask, cv2.COLOR_GRAY2RGB), scale=1 / 255)
    layer = cv2.merge([*cv2.split(weighted), drawing.mask])
    sigma = max(0.6, float(np.hypot(sharpness, drawing.defocus * unit)))
    radius = int(np.ceil(2.5 * sigma))
    layer = cv2.GaussianBlur(layer, (2 * radius + 1, 2 * radius + 1), sigma, borderType=cv2.BORDER_REPLICATE)
    *colours, alpha = cv2.split(layer)
    left = cv2.multiply(before, cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2RGB), scale=1 / 255)
    return Composed(cv2.add(cv2.merge(colours), left), alpha.astype(np.float32) * np.float32(1 / 255), shown_light)


def _light(crop: np.ndarray, drawing: Drawing, unit: float) -> np.ndarray | None:
    """The drawing's own light and the shadow it casts, as one map; None where it changes nothing."""
    if drawing.lift == 0:
        return drawing.light
    size = crop.shape[0]
    small = max(size // 4, 8)
    pixel = size / small
    mask = cv2.resize(drawing.mask, (small, small), interpolation=cv2.INTER_AREA)
    shift = -light_direction(crop) * drawing.lift * unit / pixel
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    mask = cv2.warpAffine(mask, matrix, (small, small), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.6 * drawing.lift * unit / pixel, 0.5))
    shadow = cv2.addWeighted(mask, -0.24, mask, 0, 128)
    shadow = cv2.resize(shadow, (size, size), interpolation=cv2.INTER_LINEAR)
    return shadow if drawing.light is None else cv2.multiply(shadow, drawing.light, scale=1 / 128)


def blur_of(grey: np.ndarray) -> float:
    """How blurred a photo (S, S) uint8 is: the standard deviation of the blur in pixels, 0.3 to 2, roughly."""
    grey = _middle(grey)
    fine = cv2.GaussianBlur(grey, (3, 3), 0.8)
    coarse = cv2.GaussianBlur(fine, (9, 9), 2.0)
    between = cv2.norm(fine, coarse, cv2.NORM_L2)
    if between < 0.5 * grey.shape[0]:  # nothing to be seen: no edge tells
        return 0.7
    return float(np.interp(cv2.norm(grey, fine, cv2.NORM_L2) / between, _DETAIL, _BLUR))


def _middle(image: np.ndarray) -> np.ndarray:
    """The middle half of a crop each way: the face, a quarter of the work."""
    quarter = image.shape[0] // 4
    return image[quarter:-quarter, quarter:-quarter]


def _noise_of(grey: np.ndarray) -> float:
    """The standard deviation of a photo's noise, 0 to 7: from its smoothest quarter, by Immerkaer's mask."""
    response = np.abs(cv2.filter2D(_middle(grey), cv2.CV_16S, _NOISE_KERNEL)[1:-1:2, 1:-1:2]).ravel()
    quarter = np.partition(response, len(response) // 4)[len(response) // 4]
    # a quarter of a normal distribution lies within 0.319 standard deviations, and the mask has norm 6
    return float(min(quarter / (0.319 * 6), 7.0))


def _as_photographed(paint: np.ndarray, crop: np.ndarray, grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paint under the photo's light, with its colours."""
    size = crop.shape[0]
    matrix, offset = _colours(crop, grey)
    paint = cv2.transform(paint, np.column_stack([matrix, np.full(3, offset)]))
    x, y = light_direction(crop)
    ramp = np.linspace(-1, 1, 8)
    slope = 128 * (1 + 0.28 * (x * ramp[None] + 0.5 * y * ramp[:, None]) + rng.uniform(-0.06, 0.06, (8, 8)))
    light = cv2.resize(slope.astype(np.uint8), (size, size), interpolation=cv2.INTER_CUBIC)
    return lit(paint, light)


def _noisy(paint: np.ndarray, grey: np.ndarray, sharpness: float, rng: np.random.Generator) -> np.ndarray:
    """Paint with the photo's noise."""
    # an even distribution over 256 values has a standard deviation of 74; blurring takes most of the noise away
    gain = (_noise_of(grey) * (1 + min(sharpness, 1.5)) + 1) / 74
    noise = rng.integers(0, 256, grey.shape, np.uint8)
    return cv2.addWeighted(paint, 1, cv2.cvtColor(noise, cv2.COLOR_GRAY2RGB), gain, -128 * gain)


def _colours(crop: np.ndarray, grey: np.ndarray) -> tuple[np.ndarray, float]:
    """What the photo does to colours: a matrix (3, 3) and what is added: exposure, colour cast, saturation, haze."""
    few = crop[2::6, 2::6].reshape(-1, 3).astype(np.float32)
    dark = grey[2::6, 2::6].ravel()
    shown = few[dark > 3] if (dark > 3).sum() > 50 else few  # black beside the photo says nothing
    mean = shown.mean(axis=0) + 1
    luma = float(mean @ _LUMA)
    saturation = _saturation(crop)
    cast = np.clip(mean / mean[1] / _USUAL_CAST, 0.7, 1.5) ** 0.4
    cast /= cast @ _LUMA
    exposure = np.clip(((luma + 12) / 122) ** 0.7, 0.3, 1.06)
    haze = 0.5 * min(float(np.partition(dark, len(dark) // 100)[len(dark) // 100]), 60.0)
    mix = saturation * np.eye(3) + (1 - saturation) * np.tile(_LUMA, (3, 1))
    cast = saturation * cast + (1 - saturation)
    return exposure * (1 - haze / 255) * cast[:, None] * mix, haze


def _saturation(crop: np.ndarray) -> float:
    """0 for a grey photo, 1 for any with colours."""
    few = crop[2::8, 2::8].astype(np.int16)
    return min(1.0, float(np.ptp(few, axis=2).mean()) / 14)
