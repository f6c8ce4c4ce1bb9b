"""Things between the camera and the face: leaves, bars, a racket. For the benchmark alone."""

import cv2
import numpy as np

from occlumark.occluders.drawing import Drawing, Source
from occlumark.occluders.frame import Frame, as_colour, fill, flood, stroke
from occlumark.occluders.surface import clouds, curve, light_direction, lit

_GREENS = np.array([(62, 92, 34), (88, 120, 48), (44, 70, 36), (120, 138, 60), (150, 96, 36), (134, 52, 30)])


def leaves(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
) -> Drawing:
    """One to three twigs with leaves, from beyond the picture's edge across the face."""
    frame, side = Frame.of(landmarks), crop.shape[0]
    mask, paint = np.zeros((side, side), np.uint8), np.empty_like(crop)
    green = _GREENS[rng.integers(len(_GREENS))] * rng.uniform(0.8, 1.3)
    flood(paint, green)
    long, slim = rng.uniform(0.28, 0.5) * frame.unit * size, rng.uniform(0.28, 0.5)
    for _ in range(int(rng.integers(1, 4))):
        middle = landmarks[rng.integers(len(landmarks))]
        angle = rng.uniform(0, 2 * np.pi)
        way = np.array([np.cos(angle), np.sin(angle)])
        aside = np.array([-way[1], way[0]])
        stem = curve(
            middle + np.outer([-2.5, -0.8, 0, 0.7], way) * frame.unit + np.outer([0, 0.2, 0, 0.15], aside) * side / 9
        )
        stroke(mask, stem[None], (255,), 0.03 * frame.unit * min(size, 1.5))
        stroke(paint, stem[None], (82, 62, 44), 0.03 * frame.unit * min(size, 1.5))
        for k, root in enumerate(stem[2::2]):
            tilt = angle + (1 if k % 2 else -1) * rng.uniform(0.4, 1.1)
            _leaf(paint, mask, root, tilt, long * rng.uniform(0.6, 1.1), slim, green * rng.uniform(0.65, 1.35), rng)
    soft = float(rng.choice([0, 0.01, 0.03]))
    return Drawing(lit(paint, clouds(side, rng, 7, 0.2)), mask, lift=float(rng.choice([0, 0.12])), defocus=soft)


def _leaf(
    paint: np.ndarray,
    mask: np.ndarray,
    root: np.ndarray,
    angle: float,
    length: float,
    slim: float,
    colour: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """A pointed leaf with a lighter half and veins; in place."""
    way = np.array([np.cos(angle), np.sin(angle)])
    aside = np.array([-way[1], way[0]])
    t = np.linspace(0, 1, 9)[:, None]
    bow = 0.12 * np.sin(np.pi * t) * aside * rng.normal(0, 1)
    rib = root + length * (t * way + bow)
    half = length * slim * np.sin(np.pi * t**0.8) * aside
    fill(mask, np.vstack([rib + half, (rib - half)[::-1]]), (255,))
    fill(paint, np.vstack([rib + half, rib[::-1]]), as_colour(colour * 1.15))
    fill(paint, np.vstack([rib - half, rib[::-1]]), as_colour(colour * 0.85))
    light = as_colour(colour * 1.4 + 12)
    stroke(paint, rib[None], light, max(1.0, 0.03 * length))
    if length > 25:
        veins = np.stack([np.stack([rib[k], rib[k + 1] + s * 0.8 * half[k + 1]]) for k in range(1, 7) for s in (-1, 1)])
        stroke(paint, veins, as_colour(colour * 1.2), 1)


def bars(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
) -> Drawing:
    """A fence or railings: parallel bars of metal or wood, some crossed by a second row."""
    frame, side = Frame.of(landmarks), crop.shape[0]
    mask, paint = np.zeros((side, side), np.uint8), np.empty_like(crop)
    colour = rng.choice([40, 90, 200]) + rng.normal(0, 6, 3) if rng.random() < 0.6 else np.array([128, 92, 60.0])
    flood(paint, colour)
    step = rng.uniform(0.45, 0.8) * frame.unit
    tilt = rng.normal(0, 0.15)
    rows = (tilt, tilt + np.pi / 2) if rng.random() < 0.3 else (tilt + float(rng.choice([0, 0, np.pi / 2])),)
    for angle in rows:
        way = np.cos(angle) * frame.down + np.sin(angle) * frame.right
        across = np.array([-way[1], way[0]])
        width = min(rng.uniform(0.1, 0.2) * size * frame.unit, 0.9 * step) * (0.5 if len(rows) == 2 else 1)
        start = frame.origin + rng.uniform(0, step) * across
        for k in range(-6, 7):
            line = (start + k * step * across + np.outer([-3, 3], way) * side)[None]
            stroke(mask, line, (255,), width)
            for share, shift, shade in ((1, 0, 0.55), (0.75, 0, 0.85), (0.5, 0.06, 1.1), (0.2, 0.12, 1.35)):
                stroke(paint, line - shift * width * across, as_colour(colour * shade), share * width)
    grain = cv2.resize(rng.integers(104, 150, (max(side // 24, 2), side), np.uint8), (side, side))
    soft = float(rng.choice([0, 0.015, 0.04]))
    return Drawing(lit(paint, grain), mask, lift=float(rng.choice([0, 0.15])), defocus=soft)


def racket(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
) -> Drawing:
    """A racket before the face: a rim, strings through which the face shows, the shaft."""
    frame, side = Frame.of(landmarks), crop.shape[0]
    centre = landmarks[rng.integers(len(landmarks))] + rng.normal(0, 0.2, 2) * frame.unit
    angle = rng.uniform(-2.2, 2.2)
    way = np.cos(angle) * frame.down + np.sin(angle) * frame.right
    across = np.array([-way[1], way[0]])
    half, tall = 0.75 * frame.unit, 0.95 * frame.unit
    thick = 0.11 * size * frame.unit
    turns = np.linspace(0, 2 * np.pi, 40)[:, None]
    rim = centre + half * np.cos(turns) * across + tall * np.sin(turns) * way
    shaft = centre + np.outer([tall, tall + 4 * side], way)
    mask, paint = np.zeros((side, side), np.uint8), np.empty_like(crop)
    colour = rng.uniform(20, 220, 3)
    flood(paint, rng.choice([225, 60, 200]) + rng.normal(0, 8, 3))
    string = max(1.0, 0.011 * frame.unit * size**1.5)
    for k in np.arange(-0.88, 0.9, 0.125):
        reach = np.sqrt(1 - k * k)
        stroke(mask, (centre + k * half * across + np.outer([-reach, reach], way) * tall)[None], (230,), string)
        stroke(mask, (centre + k * tall * way + np.outer([-reach, reach], across) * half)[None], (230,), string)
    light = light_direction(crop)
    for line, width in ((rim, thick), (shaft, 1.3 * thick)):
        stroke(mask, line[None], (255,), width)
        for share, shade in ((1.0, 0.6), (0.7, 0.95), (0.3, 1.3)):
            stroke(paint, line[None] + (1 - share) * 0.4 * width * light, as_colour(colour * shade + 8), share * width)
    return Drawing(paint, mask, lift=float(rng.choice([0, 0.1])), defocus=float(rng.choice([0, 0.01])))
