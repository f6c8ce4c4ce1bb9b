"""Cloth laid flat: plain, striped, checked, dotted, mottled, or printed with a part of a picture."""

import functools

import cv2
import numpy as np

from occlumark.occluders.drawing import Source
from occlumark.occluders.surface import lit

_VARIANTS = 16  # of each pattern, made once: they cost more than all the rest


def cloth_colour(rng: np.random.Generator) -> np.ndarray:
    """A colour (3,) that cloth has: more often black, white, grey or navy than bright."""
    if rng.random() < 0.55:
        dull = np.array([(24, 24, 27), (225, 224, 220), (120, 121, 124), (30, 38, 66), (74, 66, 58), (190, 180, 164)])
        return dull[rng.integers(len(dull))] * rng.uniform(0.8, 1.1) + rng.normal(0, 5, 3)
    hue, saturation, value = rng.uniform(0, 180), rng.uniform(60, 190), rng.uniform(70, 220)
    pixel = np.array([[(hue, saturation, value)]], np.uint8)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(float)


def cloth_pattern(shape: tuple[int, int], crop: np.ndarray, rng: np.random.Generator, source: Source) -> np.ndarray:
    """Cloth (height, width, 3) uint8 with its weave."""
    first, second = cloth_colour(rng), cloth_colour(rng)
    kind = rng.choice(["plain", "stripes", "checks", "dots", "mottled", "print"], p=[0.42, 0.12, 0.1, 0.1, 0.1, 0.16])
    if kind == "print":
        flat = _printed(shape, crop, rng, source)
    else:
        flat = _dyed(_mix(str(kind), shape, int(rng.integers(_VARIANTS))), first, second)
    return lit(flat, _weave(shape, int(rng.integers(8))))


@functools.cache
def _weave(shape: tuple[int, int], variant: int) -> np.ndarray:
    """A map of light, made once because it costs more than the rest."""
    return np.clip(np.random.default_rng(variant).normal(128, 2 + 0.7 * variant, shape), 0, 255).astype(np.uint8)


def _dyed(mix: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    steps = np.linspace(0, 1, 256)[:, None]
    table = np.clip(first * (1 - steps) + second * steps, 0, 255).astype(np.uint8)
    return table[mix]


@functools.cache
def _mix(kind: str, shape: tuple[int, int], variant: int) -> np.ndarray:
    """How much of the second colour each place has, (height, width) uint8: 255 all."""
    rng = np.random.default_rng(variant)
    height, width = shape
    if kind == "plain":
        return np.zeros(shape, np.uint8)
    if kind == "mottled":
        coarse = rng.random(tuple(rng.integers(4, 14, 2)), np.float32)
        smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.where(smooth > rng.uniform(0.4, 0.6), 255, 0).astype(np.uint8)
    step = rng.uniform(6, 26)
    angle = rng.choice([0.0, np.pi / 2, np.pi / 4, rng.uniform(0, np.pi)])
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    if kind == "stripes":
        return np.where(u % step < step * rng.uniform(0.2, 0.7), 255, 0).astype(np.uint8)
    if kind == "checks":
        return np.where(u % step < step / 2, 127, 0).astype(np.uint8) + np.where(v % step < step / 2, 128, 0).astype(
            np.uint8
        )
    away = np.hypot(u % step - step / 2, v % step - step / 2)
    return (255 * np.clip(step * rng.uniform(0.15, 0.32) - away + 0.5, 0, 1)).astype(np.uint8)


def _printed(shape: tuple[int, int], crop: np.ndarray, rng: np.random.Generator, source: Source) -> np.ndarray:
    whole = source.textures[int(rng.integers(len(source.textures)))] if len(source.textures) else crop
    side = int(min(whole.shape[:2]) * rng.uniform(0.3, 0.8))
    y, x = (int(rng.integers(extent - side + 1)) for extent in whole.shape[:2])
    return cv2.resize(whole[y : y + side, x : x + side], shape[::-1], interpolation=cv2.INTER_LINEAR)
