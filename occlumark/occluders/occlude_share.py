"""The benchmark's occluders, drawn so large that they occlude a given share of the face."""

from typing import NamedTuple

import cv2
import numpy as np

from occlumark.occluders.compose import compose
from occlumark.occluders.drawing import Source
from occlumark.occluders.frame import Frame, fill
from occlumark.occluders.kinds import BENCHMARK

TOLERANCE = 0.03
_FOREHEAD = 0.3  # units above the brows
_SIZES = (0.35, 2.4)
_ATTEMPTS, _HALVINGS = 80, 12


class OccludedFace(NamedTuple):
    """A face under an occluder of the benchmark."""

    crop: np.ndarray
    """(S, S, 3) uint8 RGB."""
    alpha: np.ndarray
    """(S, S) float32 in 0..1, how much of the face is occluded at each pixel."""
    kind: str
    """Its name in kinds.BENCHMARK."""


def occlude_share(
    crop: np.ndarray, landmarks: np.ndarray, share: float, rng: np.random.Generator, source: Source | None = None
) -> OccludedFace:
    """Put an occluder of the benchmark over a face, so large that it occludes a share of it.

    Kind, place and pose are drawn at random, then the size is found by bisection; what cannot occlude so much, or so
    little, within the sizes that things have is drawn anew.

    Args:
        crop: (S, S, 3) uint8 RGB; not modified.
        landmarks: (68, 2), crop pixels.
        share: of the face's area, as face_area gives it, that is occluded: the mean alpha there, within TOLERANCE;
            0.03 to 0.6.
        rng: the same state gives the same occluder.
        source: pictures to borrow from; None: none.

    Raises:
        ValueError: the share is out of range, or less than a tenth of the face lies in the crop.
    """
    if not 0.03 <= share <= 0.6:
        raise ValueError(f"the share of the face to occlude is in 0.03..0.6, not {share}")
    area = face_area(landmarks, crop.shape[0])
    whole = cv2.contourArea(cv2.convexHull(_around(landmarks).astype(np.float32)))
    if (area > 0).sum() < max(0.1 * whole, 1):
        raise ValueError("less than a tenth of the face lies in the crop")
    names, borrowed = list(BENCHMARK), source or Source()
    for _ in range(_ATTEMPTS):
        kind, seed = names[rng.integers(len(names))], int(rng.integers(2**62))
        size = _fitting_size(crop, landmarks, share, kind, seed, area, borrowed)
        if size is None:
            continue
        drawn = np.random.default_rng(seed)
        drawing = BENCHMARK[kind](crop, landmarks, drawn, borrowed, size)
        composed, alpha, _light = compose(crop, landmarks, drawing, drawn)
        if abs(float(alpha[area > 0].mean()) - share) <= TOLERANCE:
            return OccludedFace(composed, alpha, kind)
    raise ValueError(f"no occluder occludes {share:.0%} of this face")


def face_area(landmarks: np.ndarray, size: int) -> np.ndarray:
    """The face's part of a crop: the landmarks' convex hull with the lower forehead.

    The hull is that of the landmarks and of the brows lifted by 0.3 units, about half the way to the hair.

    Args:
        landmarks: (68, 2), crop pixels.
        size: side of the crop.

    Returns:
        (size, size) uint8, 255 in the face.
    """
    area = np.zeros((size, size), np.uint8)
    fill(area, cv2.convexHull(_around(landmarks).astype(np.float32))[:, 0].astype(float), (255,))
    return area


def _around(landmarks: np.ndarray) -> np.ndarray:
    frame = Frame.of(landmarks)
    return np.vstack([landmarks, landmarks[17:27] - _FOREHEAD * frame.unit * frame.down])


def _fitting_size(
    crop: np.ndarray, landmarks: np.ndarray, share: float, kind: str, seed: int, area: np.ndarray, source: Source
) -> float | None:
    """The size at which this kind, drawn from this seed, occludes the share; None where no size does."""

    def excess(size: float) -> float:
        drawing = BENCHMARK[kind](crop, landmarks, np.random.default_rng(seed), source, size)
        return cv2.mean(drawing.mask, area)[0] / 255 - share

    low, high = _SIZES
    if excess(low) > 0 or excess(high) < 0:
        return None
    for _ in range(_HALVINGS):
        size = float(np.sqrt(low * high))
        over = excess(size)
        if abs(over) < TOLERANCE / 4:
            return size
        low, high = (low, size) if over > 0 else (size, high)
    return None
