"""Hair before the face: loose strands, a fringe, curtains at the sides."""

import cv2
import numpy as np

from occlumark.occluders.drawing import Drawing, Source
from occlumark.occluders.frame import Frame, as_colour, flood, stroke

_COLOURS = np.array(
    [(20, 16, 15), (40, 28, 21), (70, 46, 30), (112, 78, 46), (176, 140, 92), (206, 180, 134), (140, 138, 136)]
)
_COLOURS = np.vstack([_COLOURS, [(112, 50, 28), (30, 26, 30), (52, 36, 26)]])


def strands(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """A few thin locks that fall over forehead, eyes and cheeks."""
    count = int(rng.integers(2, 7))
    roots = np.column_stack([rng.uniform(-0.8, 0.8, count), rng.uniform(-1.5, -1.1, count)])
    tips = np.column_stack([roots[:, 0] + rng.normal(0, 0.45, count), rng.uniform(-0.3, 1.2, count)])
    return _hair(crop, landmarks, roots, tips, rng.uniform(0.02, 0.12, count), int(rng.integers(10, 24)), rng)


def fringe(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """Hair over the forehead, straight or swept aside, to the brows or over the eyes."""
    count = int(rng.integers(9, 15))
    across = np.linspace(-0.9, 0.9, count) + rng.normal(0, 0.04, count)
    sweep, reach, slope = rng.normal(0, 0.35), rng.uniform(-0.3, 0.22), rng.normal(0, 0.22)
    arch = rng.uniform(-0.1, 0.35) * across**2
    roots = np.column_stack([across * 0.75 - 0.5 * sweep, np.full(count, -1.5)])
    tips = np.column_stack([across + 0.5 * sweep, reach + slope * across + arch + rng.normal(0, 0.07, count)])
    return _hair(crop, landmarks, roots, tips, np.full(count, rng.uniform(0.1, 0.16)), int(rng.integers(15, 24)), rng)


def curtains(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """Long hair that hangs over one or both sides of the face, past the jaw."""
    sides = ((-1,), (1,), (-1, 1))[rng.integers(3)]
    frame = Frame.of(landmarks)
    roots, tips, bends = [], [], []
    for side in sides:
        edge = float((landmarks[0 if side < 0 else 16] - frame.origin) @ frame.right) / frame.unit
        inner, count = edge - side * rng.uniform(0.1, 0.55 if len(sides) == 1 else 0.3), int(rng.integers(7, 11))
        across = np.linspace(inner, edge + side * 0.25, count)
        parting = rng.uniform(-0.2, 0.5) * side
        roots.append(np.column_stack([parting + 0.4 * (across - inner), np.full(count, -1.4)]))
        tips.append(np.column_stack([across + rng.normal(0, 0.05, count), rng.uniform(1.3, 2.2, count)]))
        bends.append(across + side * rng.uniform(0, 0.12))
    thick = np.full(sum(map(len, roots)), 0.12)
    return _hair(
        crop, landmarks, np.vstack(roots), np.vstack(tips), thick, int(rng.integers(13, 19)), rng, np.hstack(bends)
    )


def _hair(
    crop: np.ndarray,
    landmarks: np.ndarray,
    roots: np.ndarray,
    tips: np.ndarray,
    width: np.ndarray,
    count: int,
    rng: np.random.Generator,
    middle: np.ndarray | None = None,
) -> Drawing:
    """Locks of single hairs.

    Args:
        crop: (S, S, 3) uint8 RGB.
        landmarks: (68, 2), crop pixels.
        roots: (n, 2) where each lock begins, units from the eyes' middle.
        tips: (n, 2) where it ends.
        width: (n,) of each lock, units.
        count: hairs in each lock.
        rng: for all that differs between hairs.
        middle: (n,) how far to the right each lock lies halfway; None: between its ends, bent at random.
    """
    frame, locks = Frame.of(landmarks), len(roots)
    if middle is None:
        middle = 0.5 * (roots[:, 0] + tips[:, 0]) + rng.normal(0, 0.1) + rng.normal(0, 0.04, locks)
    control = np.column_stack([2 * middle - 0.5 * (roots[:, 0] + tips[:, 0]), rng.normal(0.45, 0.05, locks)])
    control[:, 1] = roots[:, 1] + control[:, 1] * (tips[:, 1] - roots[:, 1])
    # a hair keeps its place across the lock; towards the tip they come together
    place = rng.normal(0, 0.42, (locks, count, 1)) * width[:, None, None]
    short = 1 - 0.22 * rng.random((locks, count, 1)) ** 2
    t = (np.linspace(0, 1, 8)[None, None, :] * short)[..., None]
    lines = roots[:, None, None] * (1 - t) ** 2 + 2 * control[:, None, None] * t * (1 - t) + tips[:, None, None] * t**2
    lines = lines + place[..., None] * np.array([1.0, 0.15]) * (1 - 0.75 * t**2)
    wave = rng.uniform(0, 0.03)
    lines[..., 0] += wave * np.sin(9 * t[..., 0] + rng.uniform(0, 6, (locks, 1, 1)))
    pixels = frame.at(lines.reshape(-1, 2)).reshape(locks * count, 8, 2)
    return _combed(crop, pixels, frame.unit, count, _colour(crop, frame, rng), rng)


def _combed(
    crop: np.ndarray, lines: np.ndarray, unit: float, count: int, base: np.ndarray, rng: np.random.Generator
) -> Drawing:
    """Hairs (n, 8, 2) in pixels, sorted by locks, drawn in shades; with a band of light across."""
    mask, paint = np.zeros(crop.shape[:2], np.uint8), np.empty_like(crop)
    flood(paint, base * 0.6)
    thick = max(1.0, unit * 0.014)
    stroke(mask, lines[:, :7], (255,), thick + 0.6)
    stroke(mask, lines, (200,), 1)
    cv2.max(mask, cv2.blur(mask, (3, 3)), mask)
    shades = (0.62, 0.8, 1.0, 1.25, 1.5)
    parts = np.array_split(rng.permutation(len(lines)), len(shades))
    for part, shade in zip(parts, shades, strict=True):
        stroke(paint, lines[part], as_colour(base * shade + 6 * (shade - 1)), thick)
    first = int(rng.integers(2, 5))
    shine = lines[parts[3][::2], first : first + 3]
    if len(shine):
        stroke(paint, shine, as_colour(base * 1.6 + 26), max(1.0, thick * 0.6))
    return Drawing(paint, mask, lift=0.025)


def _colour(crop: np.ndarray, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """A hair colour (3,), on some faces what is above the forehead, where that is dark enough to be hair."""
    if rng.random() < 0.5:
        x, y = np.clip(frame.at(np.array([(rng.uniform(-0.3, 0.3), -1.0)]))[0], 3, crop.shape[0] - 4).astype(int)
        seen = crop[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).mean(axis=0)
        if 15 < seen.mean() < 90:
            return seen
    return _COLOURS[rng.integers(len(_COLOURS))] * rng.uniform(0.75, 1.2) + rng.normal(0, 4, 3)
