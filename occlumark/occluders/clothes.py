"""Worn around the head: hat or cap, hood or head scarf, scarf or high collar. For the benchmark alone."""

import cv2
import numpy as np

from occlumark.occluders.drawing import Drawing, Source
from occlumark.occluders.frame import Frame, as_colour, fill, flood, stroke
from occlumark.occluders.surface import clouds, curve, light_direction, lit, mask_of, picture, rounded

_CLOTH = np.array(
    [(30, 32, 38), (92, 40, 44), (60, 72, 98), (176, 160, 134), (70, 84, 62), (200, 198, 194), (150, 98, 60)]
)


def brim(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
) -> Drawing:
    """A hat or a cap drawn down over the forehead, its brim before brows and eyes, and the brim's shadow."""
    frame, side = Frame.of(landmarks), crop.shape[0]
    low = -0.62 + 0.34 * size
    cap = rng.random() < 0.5
    wide, bow, tilt = (0.75, 0.2, rng.normal(0, 0.1)) if cap else (1.4, rng.uniform(-0.25, 0.2), rng.normal(0, 0.12))
    x = np.linspace(-1, 1, 9)
    lower = np.column_stack([x * wide, low + tilt * x - bow * x**2])
    upper = np.column_stack([x * wide, low - (0.22 if cap else 0.3) + tilt * x - 0.4 * bow * (1 - x**2) - 0.12 * bow])
    crown = np.array([(-0.85, -0.2), (-0.9, -0.8), (-0.5, -1.6), (0.5, -1.6), (0.9, -0.8), (0.85, -0.2)])
    crown[:, 1] += low
    crown[:, 1] += tilt * crown[:, 0]
    bill = curve(frame.at(np.vstack([lower, upper[::-1]])), closed=True)
    dome = curve(frame.at(crown), closed=True)
    colour = _cloth(rng)
    mask, paint = mask_of(dome, side), np.empty_like(crop)
    flood(paint, colour)
    light = light_direction(crop)
    paint = lit(lit(paint, rounded(mask, light, 0.25 * frame.unit, 0.9)), clouds(side, rng, 8, 0.12))
    rim = mask_of(bill, side)
    hem = np.empty_like(crop)
    flood(hem, colour * rng.uniform(0.75, 1.1) if rng.random() < 0.7 else _cloth(rng))
    hem = lit(hem, rounded(rim, light, 0.1 * frame.unit, 0.8))
    cv2.copyTo(hem, cv2.dilate(rim, np.ones((3, 3), np.uint8)), paint)
    stroke(paint, curve(frame.at(lower))[None], as_colour(colour * 0.55), 0.025 * frame.unit)
    if not cap:
        stroke(
            paint, curve(frame.at(upper - np.array([0, 0.08])))[None], as_colour(_cloth(rng) * 0.8), 0.14 * frame.unit
        )
    cv2.max(mask, rim, mask)
    drop = rng.uniform(0.15, 0.4) * frame.unit * frame.down
    shade: np.ndarray = np.full((side, side), 128, np.uint8)
    fill(shade, bill + drop, (int(rng.uniform(60, 105)),))
    shade = cv2.blur(shade, (max(3, int(rng.uniform(0.04, 0.15) * frame.unit)),) * 2)
    return Drawing(paint, mask, light=shade, lift=0.05)


def hood(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
) -> Drawing:
    """A hood or a head scarf around the face, tighter the larger it is."""
    frame, side = Frame.of(landmarks), crop.shape[0]
    jaw = landmarks[[0, 2, 4, 6, 8, 10, 12, 14, 16]].astype(float)
    temple = frame.at(np.array([(0.72, -0.55), (0.4, -0.85), (0.0, -0.95), (-0.4, -0.85), (-0.72, -0.55)]))
    ring = np.vstack([jaw, temple])
    middle = 0.5 * (landmarks[27:36].mean(axis=0) + ring.mean(axis=0)) + rng.normal(0, 0.12, 2) * frame.unit
    tight = np.clip(1.0 - 0.11 * size, 0.2, 1.0) + rng.normal(0, 0.02, (len(ring), 1))
    opening = curve(middle + (ring - middle) * tight, closed=True)
    mask = cv2.bitwise_not(mask_of(opening, side))
    outer = curve(middle + (ring - middle) * np.where(np.arange(len(ring)) < 9, 1.9, 1.45)[:, None], closed=True)
    below = frame.at(np.array([(-2.5, 2.2), (2.5, 2.2), (2.5, 9), (-2.5, 9)]))
    around = mask_of(outer, side)
    fill(around, below, (255,))
    mask = cv2.bitwise_and(mask, around)
    paint = np.empty_like(crop)
    colour = _cloth(rng)
    flood(paint, colour)
    if rng.random() < 0.3:
        paint = cv2.addWeighted(paint, 0.6, cv2.resize(picture(crop, source, rng), (side, side)), 0.4, 0)
    folds: np.ndarray = np.full((side, side), 118, np.uint8)
    for share in np.linspace(1.04, 1.8, int(rng.integers(4, 9))):
        line = middle + (opening - middle) * (share + rng.normal(0, 0.04)) + rng.normal(0, 0.03, 2) * frame.unit
        start = int(rng.integers(len(line)))
        part = np.roll(line, start, axis=0)[: int(len(line) * rng.uniform(0.3, 0.9))]
        stroke(folds, part[None], (int(rng.choice([78, 92, 140, 150])),), rng.uniform(0.03, 0.1) * frame.unit)
    folds = cv2.blur(folds, (max(3, int(0.09 * frame.unit)),) * 2)
    paint = lit(lit(paint, folds), rounded(mask, light_direction(crop), 0.06 * frame.unit, 0.9))
    return Drawing(paint, mask, lift=0.07)


def scarf(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
) -> Drawing:
    """A scarf or a high collar, wound up to the chin, the mouth or the nose."""
    frame, side = Frame.of(landmarks), crop.shape[0]
    chin = float((landmarks[8] - frame.origin) @ frame.down) / frame.unit
    top = chin + 0.1 - 0.34 * size
    x = np.linspace(-1.3, 1.3, 9)
    edge = np.column_stack([x, top + rng.normal(0, 0.2) * x + rng.uniform(-0.12, 0.05) * x**2 + rng.normal(0, 0.02, 9)])
    line = curve(frame.at(edge))
    mask = mask_of(np.vstack([line, frame.at(np.array([(1.6, 9.0), (-1.6, 9.0)]))]), side)
    colour = _cloth(rng)
    paint = np.empty_like(crop)
    flood(paint, colour)
    if rng.random() < 0.5:
        second = _cloth(rng)
        for k in range(14):
            stripe = line + (0.05 + 0.16 * k + rng.normal(0, 0.01)) * frame.unit * frame.down
            stroke(paint, stripe[None], as_colour(second), rng.uniform(0.02, 0.07) * frame.unit)
    folds: np.ndarray = np.full((side, side), 118, np.uint8)
    for k in range(int(rng.integers(5, 11))):
        tilt = rng.normal(0, 0.35)
        fold = edge + np.column_stack([np.zeros(9), 0.06 + 0.17 * k + tilt * x + rng.normal(0, 0.02, 9)])
        stroke(
            folds, curve(frame.at(fold))[None], (int(rng.choice([66, 84, 146])),), rng.uniform(0.03, 0.09) * frame.unit
        )
    folds = cv2.blur(folds, (max(3, int(0.07 * frame.unit)),) * 2)
    knit = cv2.resize(rng.integers(112, 146, (side // 2, side // 2), np.uint8), (side, side))
    paint = lit(lit(lit(paint, folds), knit), rounded(mask, light_direction(crop), 0.07 * frame.unit, 0.8))
    return Drawing(paint, mask, lift=0.06)


def _cloth(rng: np.random.Generator) -> np.ndarray:
    return _CLOTH[rng.integers(len(_CLOTH))] * rng.uniform(0.7, 1.15) + rng.normal(0, 6, 3)
