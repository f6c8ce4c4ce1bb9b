"""Before the eyes: tinted glasses, clear spectacles, goggles for snow or for virtual worlds."""

import cv2
import numpy as np

from occlumark.markup import LEFT_EYE, RIGHT_EYE
from occlumark.occluders.drawing import Drawing, Source
from occlumark.occluders.frame import Frame, as_colour, fill, flood, stroke
from occlumark.occluders.surface import curve, mask_of, picture

_RIMS = np.array(
    [
        (14, 14, 16),
        (70, 44, 26),
        (176, 146, 82),
        (176, 178, 184),
        (110, 20, 28),
        (196, 190, 176),
        (30, 44, 80),
        (20, 18, 18),
    ]
)
_TINTS = np.array([(16, 16, 18), (44, 28, 16), (22, 34, 24), (24, 28, 52), (70, 40, 14), (60, 30, 60)])
_COARSE = 32  # side of what is smooth, pixels
#: A lens' outline from the nose side, over the top, outwards, below and back: halves of its width and height.
_LENSES = {
    "round": ((-1, 0), (-0.7, -0.7), (0, -1), (0.7, -0.7), (1, 0), (0.7, 0.7), (0, 1), (-0.7, 0.7)),
    "square": ((-0.97, -0.4), (-0.86, -0.88), (0, -1), (0.9, -0.9), (1, -0.4), (0.92, 0.75), (0, 1), (-0.82, 0.8)),
    "aviator": ((-0.9, -0.5), (-0.6, -0.9), (0.1, -1), (0.85, -0.8), (1, -0.2), (0.7, 0.6), (0.1, 1), (-0.5, 0.7)),
    "cat": ((-0.9, -0.1), (-0.7, -0.7), (0, -0.8), (0.95, -1), (1.1, -0.6), (0.7, 0.6), (0, 0.95), (-0.7, 0.6)),
    "narrow": ((-1, -0.1), (-0.8, -0.6), (0, -0.7), (0.85, -0.6), (1, -0.1), (0.8, 0.5), (0, 0.7), (-0.7, 0.5)),
}


def shades(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """Sunglasses: dark, coloured, graded or reflecting what is before the face."""
    frame = Frame.of(landmarks)
    lenses, rests = _lenses(landmarks, frame, rng, half_height=rng.uniform(0.2, 0.3))
    tint = _TINTS[rng.integers(len(_TINTS))] * rng.uniform(0.6, 1.5) + rng.normal(0, 4, 3)
    paint = np.empty_like(crop)
    flood(paint, tint)
    if rng.random() < 0.75:
        seen = cv2.resize(picture(crop, source, rng), (_COARSE, _COARSE))
        reflected = _fine(cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.5, 2.5)), crop.shape[0])
        paint = cv2.addWeighted(paint, 1, reflected, float(rng.choice([0.05, 0.1, 0.18, 0.4])), 0)
    opacity: np.ndarray = np.full(crop.shape[:2], rng.uniform(0.85, 1) * 255, np.uint8)
    if rng.random() < 0.35:  # graded: clearer below
        fades = _down(frame, crop.shape[0], start=0.0, end=rng.uniform(0.3, 0.5))
        clearer = _fine(255 - (fades * rng.uniform(60, 150)).astype(np.uint8), crop.shape[0])
        opacity = cv2.multiply(opacity, clearer, scale=1 / 255)
        paint = cv2.add(paint, cv2.cvtColor(_fine((fades * 40).astype(np.uint8), crop.shape[0]), cv2.COLOR_GRAY2RGB))
    _streaks(paint, lenses, rng.uniform(10, 60), rng)
    mask = np.zeros_like(opacity)
    for lens in lenses:
        cv2.copyTo(opacity, mask_of(lens, crop.shape[0]), mask)
    thickness = frame.unit * rng.choice([0.018, 0.03, 0.05, 0.075])
    return _framed(paint, mask, landmarks, frame, lenses, rests, thickness, rng)


def spectacles(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """Clear glasses: rims, bridge and temples occlude; through the lenses, with faint reflections, all is seen."""
    frame = Frame.of(landmarks)
    lenses, rests = _lenses(landmarks, frame, rng, half_height=rng.uniform(0.17, 0.24))
    paint = np.full_like(crop, 225)
    mask: np.ndarray = np.zeros(crop.shape[:2], np.uint8)
    for lens in lenses:
        fill(mask, lens, (int(rng.uniform(4, 22)),))
    if rng.random() < 0.6:
        glare = np.zeros_like(mask)
        _streaks(glare, lenses, rng.uniform(25, 100), rng)
        mask = cv2.add(mask, cv2.GaussianBlur(glare, (5, 5), 1.5))
    thickness = frame.unit * rng.choice([0.012, 0.02, 0.032, 0.045])
    return _framed(paint, mask, landmarks, frame, lenses, rests, thickness, rng)


def goggles(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """One pane over both eyes with a broad frame and a strap: mirrored for snow, or a closed box for virtual worlds."""
    frame, size = Frame.of(landmarks), crop.shape[0]
    closed = rng.random() < 0.35
    low, wide = rng.uniform(0.34, 0.46), rng.uniform(0.72, 0.84)
    nose = low * (0.85 if closed else rng.uniform(0.35, 0.6))
    right = [(0, -0.4), (0.45, -0.42), (0.85, -0.32), (1, 0.02), (0.84, 0.9 * low), (0.4, low), (0.16, 0.9 * low)]
    half = np.array(right) * [wide, 1]
    outline = np.vstack([half, [(0, nose)], half[:0:-1] * [-1, 1]])
    ring = curve(_on_face(outline, landmarks, frame), closed=True)
    pane = curve(_on_face(outline * [0.9, 0.82] - [0, 0.01], landmarks, frame), closed=True)
    mask, paint = np.zeros((size, size), np.uint8), np.empty_like(crop)
    rim = _RIMS[rng.integers(len(_RIMS))] * rng.uniform(0.6, 1.1)
    flood(paint, rim)
    for jaw, side in ((0, -1), (16, 1)):
        strap = np.array([frame.at(np.array([(side * 0.6, 0.0)]))[0], landmarks[jaw] - 0.15 * frame.unit * frame.down])
        strap = np.vstack([strap, 2 * strap[1] - strap[0]])
        stroke(mask, strap[None], (255,), frame.unit * rng.uniform(0.2, 0.28))
    fill(mask, ring, (255,))
    fill(paint, ring, as_colour(rim * 1.15 + 8))
    stroke(paint, np.vstack([ring, ring[:1]])[None], as_colour(rim * 0.55), 0.03 * frame.unit)
    shown = np.full_like(paint, 26)
    if not closed:
        hues = np.array([(230, 120, 30), (40, 90, 200), (150, 40, 170), (40, 40, 44), (30, 160, 140)], float)
        fades = _down(frame, size, -0.4, 0.5)[..., None]
        first, second = hues[rng.permutation(5)[:2]] * rng.uniform(0.4, 1)
        shown = (first * (1 - fades) + second * fades).astype(np.uint8)
        seen = cv2.GaussianBlur(cv2.resize(picture(crop, source, rng), (_COARSE, _COARSE)), (0, 0), 1.2)
        shown = _fine(cv2.addWeighted(shown, 0.7, seen, 0.4, 0), size)
    _streaks(shown, [pane], 18 if closed else rng.uniform(20, 70), rng)
    cv2.copyTo(shown, mask_of(pane, size), paint)
    return Drawing(cv2.blur(paint, (3, 3)), mask, lift=0.06)


def _lenses(
    landmarks: np.ndarray, frame: Frame, rng: np.random.Generator, half_height: float
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Both lenses' outlines (n, 2), and for each its innermost point and its hinge (2, 2); pixels."""
    shape = np.array(_LENSES[str(rng.choice(list(_LENSES)))], float)
    shape = shape * [1, half_height * rng.uniform(0.95, 1.1)] + [0, rng.uniform(-0.01, 0.06)]
    share = rng.uniform(0.26, 0.31)
    lenses, rests = [], []
    for eye, outward in ((RIGHT_EYE, -1.0), (LEFT_EYE, 1.0)):
        points = landmarks[eye.start : eye.stop]
        seen = float(np.hypot(*(points[3] - points[0])))
        half_width = float(np.clip(1.05 * seen, 0.14 * frame.unit, share * frame.unit))
        half_width = max(half_width, 0.85 * seen)
        scaled = np.column_stack([shape[:, 0] * outward * half_width, shape[:, 1] * frame.unit])
        outline = points.mean(axis=0) + scaled[:, :1] * frame.right + scaled[:, 1:] * frame.down
        lenses.append(curve(outline, closed=True))
        rests.append(
            np.array([outline[0] - 0.04 * frame.unit * frame.down, outline[4] - 0.05 * frame.unit * frame.down])
        )
    return lenses, rests


def _on_face(outline: np.ndarray, landmarks: np.ndarray, frame: Frame) -> np.ndarray:
    """An outline around both eyes, in units as seen from the front, narrowed as the face is turned."""
    sides = landmarks[[0, 16]].astype(float)
    reach = [abs(float((side - frame.origin) @ frame.right)) / frame.unit for side in sides]
    narrowed = outline.copy()
    for at, way in zip(reach, (-1, 1), strict=True):
        there = outline[:, 0] * way > 0
        narrowed[there, 0] *= np.clip(at / 0.75, 0.35, 1.15)
    return frame.at(narrowed)


def _framed(
    paint: np.ndarray,
    mask: np.ndarray,
    landmarks: np.ndarray,
    frame: Frame,
    lenses: list[np.ndarray],
    rests: list[np.ndarray],
    thickness: float,
    rng: np.random.Generator,
) -> Drawing:
    """Glasses with their rims, bridge and temples."""
    rim = _RIMS[rng.integers(len(_RIMS))] * rng.uniform(0.8, 1.1)
    bridge = np.array([rests[0][0], 0.5 * (rests[0][0] + rests[1][0]) - 0.05 * frame.unit * frame.down, rests[1][0]])
    lines = [np.vstack([lens, lens[:1]]) for lens in lenses] + [curve(bridge)]
    for (_, hinge), jaw in zip(rests, (0, 16), strict=True):
        lines.append(np.array([hinge, landmarks[jaw] - 0.1 * frame.unit * frame.down]))
    for line in lines:
        stroke(mask, line[None], (255,), thickness)
        stroke(paint, line[None], as_colour(rim), thickness + 1)
    if thickness > 2.5:  # light along the upper edge
        for line in lines[:2]:
            stroke(paint, line[None] - 0.25 * thickness * frame.down, as_colour(rim * 1.3 + 28), 0.3 * thickness)
    return Drawing(paint, mask, lift=0.045)


def _streaks(image: np.ndarray, lenses: list[np.ndarray], gain: float, rng: np.random.Generator) -> None:
    """Slanted bands of light on the lenses, alike on both; in place."""
    slant, start, width = rng.uniform(-0.6, 0.6), rng.uniform(0.1, 0.7), rng.uniform(0.05, 0.3)
    for lens in lenses:
        low, high = lens.min(axis=0), lens.max(axis=0)
        wide = high[0] - low[0]
        x = low[0] + start * wide
        band = np.array([(x, low[1]), (x + width * wide, low[1]), (x + (width + slant) * wide, high[1])])
        band = np.vstack([band, [(x + slant * wide, high[1])]])
        shape = cv2.bitwise_and(mask_of(band, image.shape[0]), mask_of(lens, image.shape[0]))
        light = cv2.GaussianBlur((shape * (gain / 255)).astype(np.uint8), (5, 5), 1.5)
        image[:] = cv2.add(image, light if image.ndim == 2 else cv2.cvtColor(light, cv2.COLOR_GRAY2RGB))


def _down(frame: Frame, size: int, start: float, end: float) -> np.ndarray:
    """A coarse map, float32, that rises from 0 to 1 down the face of a crop, between two heights in units."""
    at = (np.arange(_COARSE, dtype=np.float32) + 0.5) * (size / _COARSE) - frame.origin[:, None].astype(np.float32)
    height = (at[0] * frame.down[0])[None] + (at[1] * frame.down[1])[:, None]
    return np.clip((height / frame.unit - start) / (end - start), 0, 1, dtype=np.float32)


def _fine(coarse: np.ndarray, size: int) -> np.ndarray:
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
