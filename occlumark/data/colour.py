"""What light, cameras and files do to a crop: colour, grey, blur, lost resolution, noise, JPEG."""

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np

from occlumark.config import Checked, Range

#: Rec. 601 luma, as OpenCV's RGB to grey.
_LUMA = np.array([0.299, 0.587, 0.114])
#: Rotation of the hue is a rotation about the grey axis.
_GREY_AXIS = np.full(3, 1 / np.sqrt(3))


@dataclass(frozen=True)
class ColourConfig(Checked):
    """Random colour. Not in the paper: all of it (docs/paper.md, "Augmentation")."""

    probability: Annotated[float, Range(0, 1)] = 0.8
    """Of any change of colour at all."""
    brightness: Annotated[float, Range(0, 1)] = 0.25
    """Largest shift of all values, as a share of the full range."""
    contrast: Annotated[float, Range(0, below=1)] = 0.3
    """Largest relative change of the contrast."""
    saturation: Annotated[float, Range(0, below=1)] = 0.4
    """Largest relative change of the saturation."""
    hue_deg: Annotated[float, Range(0, 180)] = 8.0
    """Largest turn of the hue, degrees."""
    tint_std: Annotated[float, Range(0, 0.3)] = 0.04
    """Standard deviation of each channel's gain, a colour cast."""
    gamma: Annotated[float, Range(0, 1)] = 0.35
    """Largest absolute log of the exponent on the values."""
    grey: Annotated[float, Range(0, 1)] = 0.15
    """Probability of a grey photo, independent of `probability`."""


@dataclass(frozen=True)
class BlurConfig(Checked):
    """Random loss of sharpness. Not in the paper: all of it (docs/paper.md, "Augmentation")."""

    probability: Annotated[float, Range(0, 1)] = 0.2
    """Of one of: Gaussian blur, motion blur, lost resolution, uniformly; 0 to 1."""
    sigma: Annotated[float, Range(0.5, 10)] = 2.2
    """Largest standard deviation of Gaussian blur, pixels of the crop."""
    motion: Annotated[int, Range(3, 31)] = 11
    """Longest motion blur, pixels of the crop."""
    resolution: Annotated[float, Range(0.1, 1)] = 0.25
    """Smallest share of the crop's side that is left when resolution is lost."""
    noise: Annotated[float, Range(0, 1)] = 0.1
    """Probability of luminance noise."""
    noise_std: Annotated[float, Range(0, 50)] = 10.0
    """Largest standard deviation of that noise, in values of 0 to 255."""
    jpeg: Annotated[float, Range(0, 1)] = 0.1
    """Probability of JPEG artefacts."""
    jpeg_quality: Annotated[int, Range(5, 95)] = 20
    """Lowest JPEG quality."""


@dataclass(frozen=True)
class SmallConfig(Checked):
    """Crops as they are cut from small faces: a few pixels of the photo, enlarged. Not in the paper."""

    share: Annotated[float, Range(0, 1)] = 0.0
    """Of all crops, those without a face too."""
    smallest: Annotated[float, Range(4, 500)] = 10.0
    """Least longer side of the face's box, photo pixels."""
    largest: Annotated[float, Range(4, 500)] = 48.0
    """Greatest one; between them log-uniformly."""
    jpeg: Annotated[float, Range(0, 1)] = 0.7
    """Probability of JPEG artefacts, as a photo of that size has them."""
    jpeg_quality: Annotated[int, Range(5, 95)] = 50
    """Lowest quality."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.smallest > self.largest:
            raise ValueError(f"smallest is at most largest, {self.largest}, not {self.smallest}")


def recolour(crop: np.ndarray, rng: np.random.Generator, config: ColourConfig) -> np.ndarray:
    """The crop under another light: brightness, contrast, saturation, hue, tint and gamma, or grey.

    Args:
        crop: (H, W, 3) uint8 RGB, left as it is.
        rng: the only source of randomness.
        config: how strong.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    grey = rng.random() < config.grey
    changed = rng.random() < config.probability
    brightness, contrast, saturation, hue, gamma = rng.uniform(-1, 1, 5)
    tint = rng.standard_normal(3).clip(-3, 3)
    mixing = np.eye(3)
    if changed:
        mixing = _hue_turn(hue * config.hue_deg)
        mixing = _towards_grey(1 + saturation * config.saturation) @ mixing
        mixing = np.diag(1 + config.tint_std * tint) @ mixing
    if grey:
        mixing = np.tile(_LUMA, (3, 1)) @ mixing
    if not np.array_equal(mixing, np.eye(3)):
        crop = cv2.transform(crop, mixing)
    if not changed:
        return crop
    values = (np.arange(256) / 255) ** np.exp(gamma * config.gamma)
    values = (values - 0.5) * (1 + contrast * config.contrast) + 0.5 + brightness * config.brightness
    return cv2.LUT(crop, np.rint(values * 255).clip(0, 255).astype(np.uint8))


def degrade(crop: np.ndarray, rng: np.random.Generator, config: BlurConfig) -> np.ndarray:
    """The crop as a worse camera would have it: blur or lost resolution, then noise, then JPEG.

    Args:
        crop: (H, W, 3) uint8 RGB, left as it is.
        rng: the only source of randomness.
        config: how often and how strong.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if rng.random() < config.probability:
        kind, strength = rng.integers(3), rng.random()
        if kind == 0:
            crop = cv2.GaussianBlur(crop, (0, 0), 0.5 + strength * (config.sigma - 0.5))
        elif kind == 1:
            crop = cv2.filter2D(crop, -1, _motion(3 + strength * (config.motion - 3), rng.uniform(0, np.pi)))
        else:
            crop = _lose_resolution(crop, 1 - strength * (1 - config.resolution))
    if rng.random() < config.noise:
        noise = rng.standard_normal(crop.shape[:2], np.float32) * rng.uniform(0, config.noise_std)
        crop = cv2.add(crop, cv2.merge([noise] * 3), dtype=cv2.CV_8U)
    if rng.random() < config.jpeg:
        crop = _as_jpeg(crop, int(rng.integers(config.jpeg_quality, 96)))
    return crop


def as_small(crop: np.ndarray, rng: np.random.Generator, config: SmallConfig, scale: float) -> np.ndarray:
    """The crop as it would be of a face of few pixels in its photo.

    Args:
        crop: (size, size, 3) uint8 RGB, left as it is.
        rng: the only source of randomness; nothing is drawn from it where the share is 0.
        config: how often and how small.
        scale: side of the crop over the longer side of the face's box (CropConfig.scale).

    Returns:
        (size, size, 3) uint8 RGB.
    """
    if not config.share or rng.random() >= config.share:
        return crop
    side = config.smallest * (config.largest / config.smallest) ** rng.random()
    cells = min(max(1, round(side * scale)), crop.shape[0])
    small = cv2.resize(crop, (cells, cells), interpolation=cv2.INTER_AREA)
    if rng.random() < config.jpeg:
        small = _as_jpeg(small, int(rng.integers(config.jpeg_quality, 96)))
    return cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _as_jpeg(crop: np.ndarray, quality: int) -> np.ndarray:
    # The encoder takes the channels for BGR; the colour planes then differ a little from a real file's.
    data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _hue_turn(angle_deg: float) -> np.ndarray:
    """(3, 3): Rodrigues' rotation of colours about the grey axis."""
    return cv2.Rodrigues(_GREY_AXIS * np.deg2rad(angle_deg))[0]


def _towards_grey(saturation: float) -> np.ndarray:
    """(3, 3): 0 makes colours grey, 1 leaves them, more makes them stronger."""
    return saturation * np.eye(3) + (1 - saturation) * np.tile(_LUMA, (3, 1))


def _motion(length: float, angle: float) -> np.ndarray:
    """A kernel of one straight stroke through its centre, of sum 1."""
    size = int(np.ceil(length)) | 1
    kernel = np.zeros((size, size), np.uint8)
    middle, reach = size // 2, (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = (np.rint((middle + sign * reach) * 16).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, start, end, 255, 1, cv2.LINE_AA, 4)
    # The mean of a stroke and its half turn has its centre of mass in the middle: blur moves no landmark.
    even = kernel.astype(np.float32) + kernel[::-1, ::-1]
    return even / even.sum()


def _lose_resolution(crop: np.ndarray, share: float) -> np.ndarray:
    height, width = crop.shape[:2]
    small = (max(1, round(width * share)), max(1, round(height * share)))
    return cv2.resize(cv2.resize(crop, small, interpolation=cv2.INTER_AREA), (width, height))
