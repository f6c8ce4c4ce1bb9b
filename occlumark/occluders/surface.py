"""Shapes and surfaces: curves through points, light on relief, soft spots, textures bent over the face.

Maps of light are (S, S) uint8, where 128 leaves the colour as it is and 255 doubles it.
"""

import cv2
import numpy as np

from occlumark.occluders.drawing import Source
from occlumark.occluders.frame import fill

_STEPS = 6
_T = (np.arange(_STEPS) / _STEPS)[None, :, None]
_BASIS = (-_T + 2 * _T**2 - _T**3, 2 - 5 * _T**2 + 3 * _T**3, _T + 4 * _T**2 - 3 * _T**3, -(_T**2) + _T**3)


def curve(points: np.ndarray, closed: bool = False) -> np.ndarray:
    """A smooth line (m, 2) through points (n, 2): Catmull and Rom's spline."""
    first, last = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate([first, points, last])
    parts = (padded[k : len(padded) - 3 + k, None] for k in range(4))
    line = 0.5 * sum(basis * part for basis, part in zip(_BASIS, parts, strict=True))
    whole = line.reshape(-1, 2)
    return whole if closed else np.concatenate([whole, points[-1:]])


def mask_of(outline: np.ndarray, size: int) -> np.ndarray:
    """An outline (n, 2) filled: (size, size) uint8, 255 inside."""
    mask = np.zeros((size, size), np.uint8)
    fill(mask, outline, (255,))
    return mask


def clouds(size: int, rng: np.random.Generator, cells: int | tuple[int, int], amplitude: float) -> np.ndarray:
    """A map of light, random in so many cells (across, or down and across), smooth between."""
    shape = (cells, cells) if isinstance(cells, int) else cells
    coarse = np.clip(128 * (1 + amplitude * rng.uniform(-1, 1, shape)), 0, 255).astype(np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def relief(height: np.ndarray, towards_light: np.ndarray, strength: float) -> np.ndarray:
    """The map of light on a surface.

    Args:
        height: (S, S) uint8, already as smooth as the surface.
        towards_light: (2,), as light_direction gives it.
        strength: 1: a slope of 30 a pixel that faces the light is twice as bright.
    """
    across = cv2.Sobel(height, cv2.CV_16S, 1, 0, ksize=3)
    along = cv2.Sobel(height, cv2.CV_16S, 0, 1, ksize=3)
    # Sobel's kernel sums to 8; a surface that falls towards the light faces it
    scale = -strength * 128 / (8 * 30)
    slopes = cv2.addWeighted(across, scale * towards_light[0], along, scale * towards_light[1], 128)
    return np.clip(slopes, 0, 255).astype(np.uint8)


def rounded(shape: np.ndarray, towards_light: np.ndarray, radius: float, strength: float = 1.0) -> np.ndarray:
    """The map of light on a body with this outline, whose edges are round over so many pixels.

    Args:
        shape: (S, S) uint8, 255 inside.
        towards_light: (2,), as light_direction gives it.
        radius: pixels.
        strength: 1: what faces hard light from the side is about half as bright again.
    """
    size = shape.shape[0]
    part = 2 if radius < 8 else 4
    small = cv2.resize(shape, (max(size // part, 4),) * 2, interpolation=cv2.INTER_AREA)
    sigma = max(radius / part, 0.5)
    smooth = cv2.GaussianBlur(cv2.copyMakeBorder(small, 8, 8, 8, 8, cv2.BORDER_REPLICATE), (0, 0), sigma)[8:-8, 8:-8]
    # a blurred edge is 255 / (2.5 sigma) steep
    shade = relief(np.ascontiguousarray(smooth), towards_light, strength * 0.3 * sigma)
    return cv2.resize(shade, (size, size), interpolation=cv2.INTER_LINEAR)


def lit(paint: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Paint (S, S, 3) under a map of light."""
    return cv2.multiply(paint, cv2.cvtColor(light, cv2.COLOR_GRAY2RGB), scale=1 / 128)


def light_direction(crop: np.ndarray) -> np.ndarray:
    """Where the photo's light comes from, in the picture: (2,), longer the harder the light, mostly from above."""
    grey = cv2.resize(crop, (8, 8), interpolation=cv2.INTER_AREA)[2:, 1:7].mean(axis=2)
    scale = grey.mean() + 25
    sideways = (grey[:, 3:].mean() - grey[:, :3].mean()) / scale
    return np.array([np.clip(2.2 * sideways, -0.9, 0.9), -0.6 + 0.3 * abs(float(np.clip(sideways, -1, 1)))])


def bend(texture: np.ndarray, places: np.ndarray, points: np.ndarray, size: int) -> np.ndarray:
    """A texture over a curved surface.

    Args:
        texture: (height, width, 3) uint8.
        places: (n, 2) in 0..1 across and down the texture, n at least 10.
        points: (n, 2) pixels, where those places come to lie; in between a cubic polynomial.
        size: of the picture that comes out; beside the texture its edge goes on.
    """
    centre, scale = points.mean(axis=0), max(float(np.ptp(points, axis=0).max()) / 2, 1.0)
    wanted = (places * texture.shape[1::-1] - 0.5).astype(np.float64)
    terms = _terms((points - centre) / scale)
    # points on one line leave it undetermined: the small share of the identity decides
    solved = np.linalg.solve(terms.T @ terms + 1e-6 * np.eye(terms.shape[1]), terms.T @ wanted)
    steps = max(size // 14, 2)
    # OpenCV's resize puts the coarse samples at the centres of blocks
    at = (np.arange(steps) + 0.5) * (size / steps)
    grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    coarse = (_terms((grid - centre) / scale) @ solved).reshape(steps, steps, 2)
    # far beside the texture OpenCV is slow
    coarse = np.clip(coarse, 0, np.array(texture.shape[1::-1]) - 1).astype(np.float32)
    field = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    across, down = cv2.split(field)  # an empty second map, which OpenCV 4 takes for none, gives noise with OpenCV 5
    return cv2.remap(texture, across, down, cv2.INTER_LINEAR)


def _terms(points: np.ndarray) -> np.ndarray:
    x, y = np.clip(points, -3, 3).T
    xx, xy, yy = x * x, x * y, y * y
    return np.stack([np.ones_like(x), x, y, xx, xy, yy, xx * x, xx * y, x * yy, yy * y], axis=1)


def picture(crop: np.ndarray, source: Source, rng: np.random.Generator) -> np.ndarray:
    """A random square part of one of the source's pictures, of the crop's size; without any, of the crop itself."""
    size = crop.shape[0]
    whole = source.textures[int(rng.integers(len(source.textures)))] if len(source.textures) else crop
    side = max(8, int(min(whole.shape[:2]) * rng.uniform(0.25, 1)))
    y, x = (int(rng.integers(extent - side + 1)) if extent > side else 0 for extent in whole.shape[:2])
    part = cv2.flip(whole[y : y + side, x : x + side], int(rng.integers(-1, 2)))
    return cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR)
