"""A hand of joints: palm, four fingers and a thumb of three bones each, a forearm; and how its skin looks.

A hand lies in its own coordinates: the wrist at (0, 0), the fingers upwards to negative y, the thumb at the left, in
units of the face: a hand is about as long as the face from the chin to the forehead.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from occlumark.occluders.frame import as_colour, fill, flood, stroke
from occlumark.occluders.surface import clouds, curve, lit, relief

#: Index to little finger: where the knuckle lies, the three bones' lengths, the width at the knuckle.
_KNUCKLES = np.array([(-0.31, -0.9), (-0.1, -0.96), (0.11, -0.92), (0.3, -0.82)])
_BONES = np.array([(0.4, 0.24, 0.18), (0.44, 0.28, 0.19), (0.41, 0.26, 0.19), (0.31, 0.19, 0.17)])
_WIDTHS = np.array([0.2, 0.205, 0.195, 0.17])
_THUMB_ROOT, _THUMB_BONES, _THUMB_WIDTH = np.array([-0.3, -0.26]), np.array([0.36, 0.3, 0.22]), 0.23
_ARM = np.array([(0.0, -0.1), (0.0, 0.4), (0.05, 8.0)])
_LEVELS = ((1.0, 66), (0.78, 122), (0.55, 168), (0.28, 202))


@dataclass(frozen=True)
class Pose:
    """How a hand is held."""

    spread: float
    """Angle between neighbouring fingers, radians."""
    curl: tuple[float, float, float, float]
    """Index to little finger: 0 stretched, 1 folded so far that nothing of it shows beyond the knuckle."""
    thumb: float
    """The thumb's angle away from the index finger, radians."""
    bend: float = 0.0
    """Sideways bend of all fingers, radians a joint."""
    palm_side: bool = False
    """The palm is towards the camera: creases, no nails."""


@dataclass(frozen=True, eq=False)
class Hand:
    """The joints of a hand in its own coordinates, and the way to crop pixels."""

    fingers: list[np.ndarray]
    """Four fingers and the thumb, (4, 2) joints each from knuckle to tip."""
    widths: np.ndarray
    """(5,) at the knuckle, units."""
    palm: np.ndarray
    """(n, 2) outline."""
    pose: Pose
    matrix: np.ndarray
    """(2, 3) to crop pixels."""

    @property
    def scale(self) -> float:
        """Pixels a unit."""
        return float(np.hypot(*self.matrix[:, 0]))

    def at(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) in crop pixels."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]


def posed(pose: Pose, matrix: np.ndarray, rng: np.random.Generator) -> Hand:
    """The joints of a hand in a pose, no two alike."""
    fingers = []
    for k in range(4):
        angle = (k - 1.4) * pose.spread + rng.normal(0, 0.02)
        line = [_KNUCKLES[k]]
        for joint, bone in enumerate(_BONES[k]):
            shown = max(0.06, 1 - pose.curl[k] * (0.55, 0.85, 1.0)[joint])
            line.append(line[-1] + bone * shown * np.array([np.sin(angle), -np.cos(angle)]))
            angle += pose.bend + rng.normal(0, 0.03)
        fingers.append(np.array(line))
    angle, line = -pose.thumb, [_THUMB_ROOT]
    for bone in _THUMB_BONES:
        line.append(line[-1] + bone * np.array([np.sin(angle), -np.cos(angle)]))
        angle += 0.22
    fingers.append(np.array(line))
    palm = np.array(
        [(-0.24, 0.05), (-0.4, -0.3), (-0.41, -0.86), (-0.1, -0.97), (0.12, -0.94), (0.39, -0.8), (0.38, -0.3)]
    )
    palm = np.vstack([palm, [(0.24, 0.05)]])
    return Hand(fingers, np.array([*_WIDTHS, _THUMB_WIDTH]), palm, pose, matrix)


def draw_hand(
    paint: np.ndarray, mask: np.ndarray, hand: Hand, tone: np.ndarray, light: np.ndarray, rng: np.random.Generator
) -> None:
    """Draw a hand and its bare forearm.

    Args:
        paint: (S, S, 3) uint8, changed in place.
        mask: (S, S) uint8, changed in place.
        hand: in its pose.
        tone: (3,) skin colour.
        light: (2,) towards the light, as light_direction gives it.
        rng: for what differs between hands.
    """
    size, unit = mask.shape[0], hand.scale
    # Form is smooth: half the resolution is enough for it, and four times as fast.
    height = _heights(hand, max(size // 2, 8), 0.5)
    smooth = cv2.GaussianBlur(height, (0, 0), max(0.014 * unit, 0.5))
    shade = relief(smooth, light * 15 / max(unit, 8), strength=0.55)
    # what lies low gets less light: the gaps between fingers, the rim
    shade = cv2.multiply(shade, cv2.addWeighted(smooth, 0.32, smooth, 0, 62), scale=1 / 128)
    shade = cv2.multiply(shade, clouds(shade.shape[0], rng, max(6, size // 9), 0.025), scale=1 / 128)
    own = np.zeros_like(mask)
    _strokes(own, hand, 1.0, 255, 1.0)
    skin = np.empty_like(paint)
    _flush(skin, hand, tone)
    _lines(skin, hand, tone)
    skin = lit(skin, cv2.resize(shade, (size, size), interpolation=cv2.INTER_LINEAR))
    cv2.copyTo(skin, cv2.dilate(own, np.ones((3, 3), np.uint8)), paint)
    cv2.max(mask, own, mask)


def _heights(hand: Hand, size: int, zoom: float) -> np.ndarray:
    """How far the hand stands out at each pixel, (size, size) uint8; 0 beside it."""
    height = np.zeros((size, size), np.uint8)
    for share, level in _LEVELS:
        _strokes(height, hand, share, level, zoom)
    knuckles = zoom * hand.at(_KNUCKLES[:, None] * [[1, 1], [1, 0.95]])
    stroke(height, knuckles, (225,), 0.09 * zoom * hand.scale)
    return height


def _strokes(image: np.ndarray, hand: Hand, share: float, level: int, zoom: float) -> None:
    """Draw the whole hand at a share of its thickness; in place."""
    unit = zoom * hand.scale
    arm, palm = zoom * hand.at(_ARM), zoom * hand.at(hand.palm)
    stroke(image, arm[None], (level,), 0.6 * share * unit)
    middle = palm.mean(axis=0)
    shrunk = middle + (palm - middle) * (0.55 + 0.45 * share)
    fill(image, shrunk, (level,))
    stroke(image, np.vstack([shrunk, shrunk[:1]])[None], (level,), 0.14 * share * unit)
    lines = zoom * hand.at(np.array(hand.fingers))
    for line, width in zip(lines, hand.widths, strict=True):
        stroke(image, line[None, :3], (level,), width * 0.97 * share * unit)
        stroke(image, line[None, 2:], (level,), width * 0.86 * share * unit)


def _flush(skin: np.ndarray, hand: Hand, tone: np.ndarray) -> None:
    """Skin, redder over joints and tips; in place."""
    side = max(skin.shape[0] // 4, 1)
    small = np.empty((side, side, 3), np.uint8)
    flood(small, tone)
    red = as_colour(tone * [1.0, 0.92, 0.92])
    joints = hand.at(np.array(hand.fingers))[:, [0, 1, 3]].reshape(-1, 1, 2) / 4
    stroke(small, joints + np.array([[0.0], [0.1]]), red, 0.19 * hand.scale / 4)
    small = cv2.GaussianBlur(small, (0, 0), max(0.05 * hand.scale / 4, 0.6))
    cv2.resize(small, skin.shape[1::-1], dst=skin, interpolation=cv2.INTER_LINEAR)


def _lines(skin: np.ndarray, hand: Hand, tone: np.ndarray) -> None:
    """Creases over the joints, nails or the palm's lines; in place."""
    unit, dark = hand.scale, as_colour(tone * [0.84, 0.76, 0.74])
    creases = []
    for joints, width in zip(hand.fingers, hand.widths, strict=True):
        along = joints[1:] - joints[:-1]
        lengths = np.hypot(*along.T)
        for joint in (1, 2):
            if lengths[joint] < 0.1:
                continue
            forward = along[joint] / lengths[joint]
            aside = np.array([-forward[1], forward[0]])
            for shift in (-0.018, 0.018):
                ends = joints[joint] + shift * forward + np.outer([-0.3, 0, 0.3], aside * width)
                ends[1] += 0.02 * forward
                creases.append(ends)
        if not hand.pose.palm_side and lengths[2] > 0.1:
            _nail(skin, hand, joints[3], along[2] / lengths[2], width, tone)
    if creases:
        stroke(skin, hand.at(np.array(creases)), dark, 0.012 * unit)
    if hand.pose.palm_side:
        for line in (
            [(-0.36, -0.66), (-0.12, -0.6), (-0.08, -0.3), (-0.16, -0.05)],
            [(-0.36, -0.68), (-0.05, -0.58), (0.3, -0.42)],
            [(-0.16, -0.84), (0.1, -0.68), (0.36, -0.66)],
        ):
            stroke(skin, hand.at(curve(np.array(line)))[None], as_colour(tone * [0.87, 0.8, 0.78]), 0.014 * unit)


def _nail(skin: np.ndarray, hand: Hand, tip: np.ndarray, forward: np.ndarray, width: float, tone: np.ndarray) -> None:
    aside = np.array([-forward[1], forward[0]])
    corners = [(-0.26, -0.4), (0.0, -0.46), (0.26, -0.4), (0.3, 0.05), (0.18, 0.3), (-0.18, 0.3), (-0.3, 0.05)]
    nail = hand.at(tip + width * np.array([a * aside + f * forward for a, f in corners]))
    fill(skin, nail, as_colour(tone * [1.06, 0.98, 0.98] + [14, 8, 8]))
    stroke(skin, np.vstack([nail, nail[:1]])[None], as_colour(tone * 0.78), 0.01 * hand.scale)
