"""Light that changes the face and occludes nothing: shadows thrown on it, patches of sun, highlights, glare."""

import cv2
import numpy as np

from occlumark.occluders.drawing import Drawing, Source
from occlumark.occluders.frame import Frame, fill, stroke
from occlumark.occluders.surface import clouds


def shadow(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """A shadow over a part of the face: of a brim, a wall's edge, blinds, leaves; soft or hard."""
    size, frame = crop.shape[0], Frame.of(landmarks)
    light = np.full((size, size), 128, np.uint8)
    dark = (int(128 * rng.uniform(0.25, 0.75)),)
    centre = landmarks[rng.integers(len(landmarks))]
    angle = rng.uniform(0, np.pi)
    way = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-way[1], way[0]])
    kind = rng.choice(["edge", "blinds", "spots", "brim"])
    if kind == "edge":
        fill(light, centre + np.array([-way, way, way + across, across - way]) * 3 * size, dark)
    elif kind == "blinds":
        step = rng.uniform(0.14, 0.4) * frame.unit
        for k in range(-14, 15):
            ends = centre + k * step * across + np.array([-way, way]) * 2 * size
            stroke(light, ends[None], dark, step * rng.uniform(0.4, 0.5))
    elif kind == "brim":
        lower = frame.at(
            np.column_stack([np.linspace(-1.4, 1.4, 9), rng.uniform(-0.2, 0.3) - 0.2 * np.cos(np.arange(9) / 2)])
        )
        fill(light, np.vstack([lower, lower[::-1] - 3 * frame.unit * frame.down]), dark)
    else:
        spots = clouds(size, rng, int(rng.integers(7, 14)), 1.0)
        light = np.where(spots > 128 + rng.uniform(-50, 50), 128, dark[0]).astype(np.uint8)
    blur = rng.choice([0.03, 0.06] if kind == "spots" else [0.006, 0.02, 0.06]) * frame.unit
    return _light_alone(crop, cv2.GaussianBlur(light, (0, 0), max(blur, 0.5)))


def highlight(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """Bright light on a part of the face: a spot, a band, or one side of it."""
    size, frame = crop.shape[0], Frame.of(landmarks)
    glow: np.ndarray = np.zeros((size, size), np.uint8)
    gain = (int(127 * rng.uniform(0.3, 1)),)
    centre = landmarks[rng.integers(len(landmarks))]
    if rng.random() < 0.5:
        radii = np.maximum(rng.uniform(0.15, 0.7, 2) * frame.unit, 1).astype(int).tolist()
        cv2.ellipse(glow, centre.astype(int).tolist(), radii, rng.uniform(0, 180), 0, 360, gain, cv2.FILLED)
        blur = rng.uniform(0.05, 0.25)
    else:
        angle = rng.uniform(0, 2 * np.pi)
        way = np.array([np.cos(angle), np.sin(angle)]) * 3 * size
        across = np.array([-way[1], way[0]]) * rng.choice([0.03, 0.08, 1])
        fill(glow, centre + np.array([-way, way, way + across, across - way]), gain)
        blur = rng.choice([0.015, 0.06, 0.2])
    small = cv2.resize(glow, (max(size // 4, 8),) * 2, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(blur * frame.unit * small.shape[0] / size, 0.5))
    glow = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    return _light_alone(crop, cv2.addWeighted(glow, 1, glow, 0, 128))


def _light_alone(crop: np.ndarray, light: np.ndarray) -> Drawing:
    return Drawing(crop, np.zeros(crop.shape[:2], np.uint8), light=light)
