"""Somebody who stands in the way: the back of a head and a shoulder. For the benchmark alone."""

import cv2
import numpy as np

from occlumark.occluders.drawing import Drawing, Source
from occlumark.occluders.frame import Frame, as_colour, fill, flood, stroke
from occlumark.occluders.surface import clouds, curve, light_direction, lit, mask_of, rounded

_HAIR = np.array([(26, 22, 20), (52, 38, 28), (98, 70, 44), (168, 136, 92), (150, 148, 144), (66, 34, 22)])


def head(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
) -> Drawing:
    """Another person's head from behind, near the camera, out of focus, over a lower corner or a side."""
    frame, side = Frame.of(landmarks), crop.shape[0]
    way = float(rng.choice([-1, 1]))
    unit = frame.unit * size * 0.9
    # grown from outside the face: the nearest point of the skull moves in
    start = frame.origin + frame.unit * (way * rng.uniform(1.0, 1.5) * frame.right + rng.uniform(0.9, 2.0) * frame.down)
    crown = np.array(
        [(-0.8, 0.6), (-0.86, -0.1), (-0.6, -0.75), (0, -1.0), (0.6, -0.75), (0.86, -0.1), (0.8, 0.6), (0.5, 1.1)]
    )
    crown = np.vstack([crown, [(-0.5, 1.1)]]) * rng.uniform(0.92, 1.08, 2)
    lean = rng.normal(0, 0.2)
    right = np.cos(lean) * frame.right + np.sin(lean) * frame.down
    down = np.cos(lean) * frame.down - np.sin(lean) * frame.right

    def at(points: np.ndarray) -> np.ndarray:
        return start + unit * (points[:, :1] * right + points[:, 1:] * down)

    skull = mask_of(curve(at(crown), closed=True), side)
    mask, light = skull.copy(), light_direction(crop)
    neck = at(
        np.array([(-0.45, 0.9), (0.45, 0.9), (0.5, 1.6), (2.2, 2.1), (2.4, 9), (-2.4, 9), (-2.2, 2.1), (-0.5, 1.6)])
    )
    fill(mask, neck, (255,))
    skin = np.array((214, 166, 134)) * rng.uniform(0.4, 1.1)
    paint = np.empty_like(crop)
    flood(paint, rng.uniform(20, 170, 3))
    fill(paint, at(np.array([(-0.48, 0.8), (0.48, 0.8), (0.5, 1.7), (-0.5, 1.7)])), as_colour(skin * 0.85))
    for ear in (-1, 1):
        lobe = at(np.array([(ear * 0.86, 0.0), (ear * 0.9, 0.25)]))[None]
        stroke(mask, lobe, (255,), 0.2 * unit)
        stroke(paint, lobe, as_colour(skin), 0.2 * unit)
    colour = _HAIR[rng.integers(len(_HAIR))] * rng.uniform(0.8, 1.2)
    hair = np.empty_like(crop)
    flood(hair, colour)
    count = 70
    whirl, ends = np.array([(rng.normal(0, 0.1), -0.5)]), rng.uniform(0, 2 * np.pi, count)
    tips = np.column_stack([1.1 * np.cos(ends), 1.3 * np.sin(ends)])
    bends = 0.5 * tips + whirl + rng.normal(0, 0.1, (count, 2))
    t = np.linspace(0, 1, 6)[None, :, None]
    lines = whirl[:, None] * (1 - t) ** 2 + 2 * bends[:, None] * t * (1 - t) + tips[:, None] * t**2
    pixels = at(lines.reshape(-1, 2)).reshape(count, 6, 2)
    for part, shade in zip(np.array_split(pixels, 4), (0.7, 1.3, 0.85, 1.15), strict=True):
        stroke(hair, part, as_colour(colour * shade), max(1.0, 0.02 * unit))
    cv2.copyTo(hair, skull, paint)
    paint = lit(lit(paint, rounded(mask, light, 0.22 * frame.unit, 1.0)), clouds(side, rng, 6, 0.12))
    return Drawing(paint, mask, lift=0.0, defocus=rng.uniform(0.01, 0.05))
