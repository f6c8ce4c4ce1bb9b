"""Drawn occluders: patches, sunglasses, a hand, hair. Each gives its paint and the mask it paints on.

Lengths are in units of the face, as in Frame. Frozen: configurations trained with these repeat pixel for pixel.
"""

from collections.abc import Callable

import cv2
import numpy as np

from occlumark.markup import LEFT_EYE, RIGHT_EYE
from occlumark.occluders.frame import Frame, as_colour, blank, fill, stroke

_HAIR = np.array(
    [(22, 18, 16), (48, 32, 22), (88, 58, 36), (140, 100, 60), (196, 164, 112), (150, 148, 146), (120, 52, 28)]
)
_SKIN = np.array([(245, 214, 190), (228, 184, 152), (198, 146, 110), (150, 100, 70), (98, 64, 46), (66, 44, 34)])
_FRAMES = np.array([(15, 15, 18), (60, 40, 25), (150, 120, 60), (170, 170, 175), (120, 20, 25), (230, 230, 225)])


def patch(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One or two rectangles, ellipses or polygons: one colour, a part of the same picture, or coloured clouds."""
    paint, mask = blank(crop)
    side = crop.shape[0]
    for _ in range(rng.integers(1, 3)):
        half = rng.uniform(0.08, 0.45, 2) * side / 2
        centre = rng.uniform(half, side - half)
        shape = np.zeros_like(mask)
        fill(shape, centre + half * _outline(rng), (255,))
        # one pixel further than the mask, whose softened edge would else mix in black
        cv2.copyTo(_texture(crop, rng), cv2.dilate(shape, np.ones((3, 3), np.uint8)), paint)
        cv2.max(mask, shape, mask)
    return paint, mask


def _outline(rng: np.random.Generator) -> np.ndarray:
    """A shape (n, 2) within -1..1: a rectangle, an ellipse or a random polygon."""
    kind = rng.integers(3)
    if kind == 0:
        return np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float)
    count = 32 if kind == 1 else int(rng.integers(5, 10))
    angles = (np.arange(count) + (0 if kind == 1 else rng.uniform(0, 0.8, count))) * (2 * np.pi / count)
    radii = np.ones(count) if kind == 1 else rng.uniform(0.55, 1, count)
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]


def _texture(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = crop.shape[0]
    kind = rng.integers(3)
    if kind == 0:
        return np.broadcast_to(rng.integers(0, 256, 3, np.uint8), crop.shape).copy()
    if kind == 1:
        flipped = cv2.flip(crop, int(rng.integers(-1, 2)))
        return np.roll(flipped, int(rng.integers(side)), axis=int(rng.integers(2)))
    coarse = rng.integers(0, 256, (*rng.integers(3, 9, 2), 3), np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def sunglasses(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Dark lenses over both eyes, a little translucent, with a bridge and temples."""
    paint, mask = blank(crop)
    frame = Frame.of(landmarks)
    opacity = int(rng.uniform(0.78, 1) * 255)
    rim, thickness = (
        as_colour(_FRAMES[rng.integers(len(_FRAMES))] + rng.normal(0, 8, 3)),
        frame.unit * rng.uniform(0.02, 0.06),
    )
    tint, height = rng.uniform(5, 50) + rng.normal(0, 8, 3), rng.uniform(0.19, 0.28)
    squareness, droop = rng.uniform(2, 5), rng.uniform(0, 0.06)
    angles = np.arange(32) * (2 * np.pi / 32)
    wave = np.column_stack([np.cos(angles), np.sin(angles)])
    round_box = np.sign(wave) * np.abs(wave) ** (2 / squareness)
    paint[:] = rim
    inner = []
    for eye, jaw, outward in ((RIGHT_EYE, 0, -1.0), (LEFT_EYE, 16, 1.0)):
        points = landmarks[eye.start : eye.stop]
        centre = points.mean(axis=0)
        half_width = max(0.27 * frame.unit, 0.8 * float(np.hypot(*(points[3] - points[0]))))
        across, along = round_box[:, :1] * half_width, (round_box[:, 1:] * height + droop) * frame.unit
        lens = centre + across * frame.right + along * frame.down
        hinge = centre + frame.right * outward * half_width - frame.down * 0.08 * frame.unit
        inner.append(centre - frame.right * outward * 0.95 * half_width - frame.down * 0.05 * frame.unit)
        ear = landmarks[jaw] - frame.down * 0.1 * frame.unit
        stroke(mask, np.array([[hinge, ear]]), (255,), 1.4 * thickness)
        fill(mask, lens, (opacity,))
        fill(paint, lens, as_colour(tint))
        _glare(paint, lens, tint, rng)
        closed = np.concatenate([lens, lens[:1]])[None]
        stroke(paint, closed, rim, thickness)
        stroke(mask, closed, (255,), thickness)
    stroke(paint, np.array([inner]), rim, 1.2 * thickness)
    stroke(mask, np.array([inner]), (255,), 1.2 * thickness)
    return cv2.blur(paint, (3, 3)), mask


def _glare(paint: np.ndarray, lens: np.ndarray, tint: np.ndarray, rng: np.random.Generator) -> None:
    """A lighter lower part of the lens, and on some a slanted streak of light."""
    low, high = lens.min(axis=0), lens.max(axis=0)
    lower = lens.copy()
    lower[:, 1] = np.maximum(lower[:, 1], low[1] + rng.uniform(0.4, 0.8) * (high[1] - low[1]))
    fill(paint, lower, as_colour(tint + rng.uniform(5, 40)))
    if rng.random() < 0.4:
        start = low + (high - low) * rng.uniform(0.2, 0.5, 2)
        end = start + (high - low) * np.array([0.2, -0.25])
        stroke(paint, np.array([[start, end]]), as_colour(tint + rng.uniform(60, 150)), rng.uniform(1, 4))


def hand(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One to five fingers with a palm and a forearm, from the border to a cheek, the mouth, the chin or an eye."""
    paint, mask = blank(crop)
    frame = Frame.of(landmarks)
    places = ((48, 54), (3, 31), (13, 35), (8, 57), (36, 39), (42, 45))
    target = landmarks[list(places[rng.integers(len(places))])].mean(axis=0)
    angle = np.deg2rad(rng.uniform(-105, 105))
    out = np.cos(angle) * frame.down + np.sin(angle) * frame.right
    side = np.array([out[1], -out[0]]) * rng.choice([-1, 1])
    width, count = rng.uniform(0.16, 0.22) * frame.unit, int(rng.integers(1, 6))
    length, skin = rng.uniform(0.55, 0.9) * frame.unit, _skin(crop, landmarks, rng)
    dark, light = as_colour(skin * 0.62), as_colour(skin * 1.12 + 6)
    skin_colour = as_colour(skin)
    knuckles = target + out * length
    wrist = knuckles + out * 4.2 * width
    elbow = wrist + out * crop.shape[0]
    paint[:] = skin_colour
    palm = np.array(
        [
            knuckles + 1.5 * width * side,
            knuckles - 1.5 * width * side,
            wrist - 1.1 * width * side,
            elbow - 1.3 * width * side,
            elbow + 1.3 * width * side,
            wrist + 1.1 * width * side,
        ]
    )
    for image, colour in ((mask, (255,)), (paint, dark)):
        fill(image, palm, colour)
        stroke(image, np.concatenate([palm, palm[:1]])[None], colour, width)
    stroke(paint, np.array([[knuckles, wrist, elbow]]), skin_colour, 3.2 * width)
    slots = rng.permutation(4)[: min(count, 4)]
    fan, curl = rng.uniform(0, 0.12), rng.normal(0, 0.1)
    for slot in slots:
        offset = slot - 1.5
        base = knuckles + offset * width * side + 0.3 * width * out
        reach = length * (1.15, 1.3, 1.2, 0.95)[slot] * rng.uniform(0.92, 1.05)
        direction = -out + side * (fan * offset + curl)
        _finger(
            paint,
            mask,
            np.array([base, base + direction * reach * 0.5, base + (direction - side * curl) * reach]),
            width,
            (dark, skin_colour, light),
            side,
        )
    if count == 5:
        base = wrist - out * 1.2 * width - side * 1.6 * width
        direction = -out * 0.7 - side * 0.7
        _finger(
            paint,
            mask,
            base + np.outer([0, 0.5, 0.9], direction * length),
            width * 1.1,
            (dark, skin_colour, light),
            side,
        )
    return cv2.GaussianBlur(paint, (5, 5), 1.2), mask


def _finger(
    paint: np.ndarray,
    mask: np.ndarray,
    bones: np.ndarray,
    width: float,
    shades: tuple[tuple[int, ...], ...],
    side: np.ndarray,
) -> None:
    """A finger along bones (3, 2), in pixels: a dark rim, the skin and a light ridge, then the nail."""
    line = bones[None]
    stroke(mask, line, (255,), width)
    for shade, share, shift in zip(shades, (1, 0.82, 0.35), (0, 0, 0.15), strict=True):
        stroke(paint, line + shift * width * side, shade, share * width)


def _skin(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A skin colour (3,): mostly that of the face's own cheek or nose, somewhat off."""
    if rng.random() < 0.6:
        x, y = np.clip(landmarks[[29, 31, 35][rng.integers(3)]], 3, crop.shape[0] - 4).astype(int)
        colour = crop[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).mean(axis=0)
        if colour.max() > 50:
            return np.clip(colour * rng.uniform(0.85, 1.1) + rng.normal(0, 6, 3), 0, 255)
    return np.clip(_SKIN[rng.integers(len(_SKIN))] * rng.uniform(0.7, 1.05) + rng.normal(0, 5, 3), 0, 255)


def hair(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Strands over the forehead, perhaps down over an eye or a cheek, and on half of the faces a closed fringe."""
    paint, mask = blank(crop)
    frame = Frame.of(landmarks)
    base = _HAIR[rng.integers(len(_HAIR))] * rng.uniform(0.7, 1.2) + rng.normal(0, 5, 3)
    paint[:] = as_colour(base)
    count = int(rng.integers(40, 110))
    sweep, centre = rng.uniform(-0.7, 0.7), rng.uniform(-0.5, 0.5)
    reach = rng.uniform(-0.2, 0.5)
    spread = rng.uniform(0.3, 0.8)
    roots_x = centre + np.sort(rng.uniform(-spread, spread, count))
    tips = np.column_stack([roots_x + sweep + rng.normal(0, 0.13, count), reach + rng.normal(0, 0.14, count)])
    tips[:, 1] += rng.choice([-1, 1]) * rng.uniform(0, 0.5) * (roots_x - centre) / spread
    roots = np.column_stack([roots_x * 1.1, rng.uniform(-1.6, -1.1, count)])
    bends = np.column_stack(
        [roots_x + sweep * rng.uniform(0.1, 0.5) + rng.normal(0, 0.05, count), (roots[:, 1] + tips[:, 1]) / 2]
    )
    t = np.linspace(0, 1, 9)[None, :, None]
    curves = roots[:, None] * (1 - t) ** 2 + 2 * bends[:, None] * t * (1 - t) + tips[:, None] * t**2
    lines = frame.at(curves.reshape(-1, 2)).reshape(count, 9, 2)
    thickness = frame.unit * rng.uniform(0.01, 0.028)
    if rng.random() < 0.5:
        fill(mask, np.concatenate([lines[0], lines[1:-1:3, -1], lines[-1, ::-1]]), (255,))
    stroke(mask, lines, (255,), thickness)
    order = rng.permutation(count)
    for part, shade in zip(np.array_split(order, 5), (0.65, 1.25, 0.8, 1.5, 1.0), strict=True):
        stroke(paint, lines[part], as_colour(base * shade + 10 * (shade - 0.8)), thickness)
    return cv2.blur(paint, (3, 3)), mask


DRAW: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]] = {
    "patch": patch,
    "sunglasses": sunglasses,
    "hand": hand,
    "hair": hair,
}
