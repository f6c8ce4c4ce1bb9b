"""Where the face is, and the few ways of drawing that all occluders share.

Lengths are in units of the face: 1 is the distance of the outer eye corners of a face seen from the front.
"""

from dataclasses import dataclass

import cv2
import numpy as np

_SUBPIXEL_BITS = 3


@dataclass(frozen=True)
class Frame:
    """Where the face is in the crop, robust to profile views: from the eyes to the chin."""

    origin: np.ndarray
    """(2,) the middle of the eyes, crop pixels."""
    right: np.ndarray
    """(2,) unit vector to the face's right as seen in the picture."""
    down: np.ndarray
    """(2,) unit vector from the eyes to the chin."""
    unit: float
    """One unit in pixels."""

    @classmethod
    def of(cls, landmarks: np.ndarray) -> "Frame":
        """The frame of a face with 68 landmarks."""
        origin = landmarks[36:48].mean(axis=0)
        axis = landmarks[8] - origin
        height = float(np.hypot(*axis))
        down = axis / height if height > 0 else np.array([0.0, 1.0])
        unit = max(float(np.hypot(*(landmarks[45] - landmarks[36]))), 0.75 * height, 1.0)
        return cls(origin, np.array([down[1], -down[0]]), down, unit)

    def at(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 2) as (right, down) in units from the middle of the eyes, moved to crop pixels."""
        return self.origin + self.unit * (points[:, :1] * self.right + points[:, 1:] * self.down)


def fixed(points: np.ndarray) -> np.ndarray:
    """Points for OpenCV's drawing: its pixel centres lie on whole numbers, in fixed point."""
    return np.round((points - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def fill(image: np.ndarray, outline: np.ndarray, colour: tuple[int, ...]) -> None:
    """Fill an outline (n, 2), in pixels."""
    cv2.fillPoly(image, [fixed(outline)], colour, shift=_SUBPIXEL_BITS)


def stroke(image: np.ndarray, lines: np.ndarray, colour: tuple[int, ...], thickness: float) -> None:
    """Draw open lines (k, n, 2), in pixels, with round ends."""
    width = max(1, round(thickness))
    cv2.polylines(image, list(fixed(lines)), False, colour, width, shift=_SUBPIXEL_BITS)


def as_colour(values: np.ndarray) -> tuple[int, ...]:
    """Values for OpenCV's drawing: whole, within 0 to 255."""
    return tuple(int(v) for v in np.clip(values, 0, 255))


def flood(image: np.ndarray, colour: np.ndarray) -> None:
    """Fill a whole picture (height, width, 3) with a colour (3,); numpy's own assignment takes many times as long."""
    cv2.rectangle(image, (0, 0), image.shape[1::-1], as_colour(colour), cv2.FILLED)


def blank(crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Black paint (S, S, 3) and an empty mask (S, S), uint8."""
    return np.zeros_like(crop), np.zeros(crop.shape[:2], np.uint8)
