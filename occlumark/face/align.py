"""Faces cut out upright and of one size, as face recognition and other networks take them. Not in the paper."""

from typing import Literal

import numpy as np

from occlumark.crop import CropTransform
from occlumark.markup import Markup

#: How a face lies in an aligned crop: "arcface", by five points; "upright", the landmarks' box turned upright.
Layout = Literal["arcface", "upright"]

# Where ArcFace's crops of 112 pixels have the pupils, the nose's tip and the mouth's corners (Deng et al., ArcFace,
# CVPR 2019; insightface's face_align.py). There a pixel's centre is on whole numbers, here on halves.
_ARCFACE_SIZE = 112
_ARCFACE = 0.5 + np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


def five_points(landmarks: np.ndarray, markup: Markup) -> np.ndarray:
    """The five points that most face tools share.

    Args:
        landmarks: (n, 2) or (n, 3), the markup's.
        markup: which landmark is which.

    Returns:
        (5, 2) or (5, 3): right pupil, left pupil, nose tip, right and left corner of the mouth, the person's own right
        and left. A pupil is the mean of its eye's landmarks where the markup has none.

    Raises:
        ValueError: the markup does not name one of them.
    """
    if markup.pupils is None or markup.nose_tip is None or markup.mouth_corners is None:
        raise ValueError(f"markup '{markup.name}' does not name 'pupils', 'nose_tip' and 'mouth_corners', all of them")
    pupils = [landmarks[list(indices)].mean(axis=0) for indices in markup.pupils]
    return np.stack([*pupils, landmarks[markup.nose_tip], *landmarks[list(markup.mouth_corners)]])


def arcface_crop(points: np.ndarray, size: int) -> CropTransform:
    """The similarity that brings five points nearest, in squares, to where ArcFace has them.

    Args:
        points: (5, 2), photo pixels (five_points).
        size: side of the crop, pixels. 112 is insightface's; others show the same, larger or smaller.

    Raises:
        ValueError: size below 1, or all points in one place.
    """
    _check_size(size)
    if not ((points - points.mean(axis=0)) ** 2).sum():
        raise ValueError("a face whose points all lie in one place cannot be aligned")
    return CropTransform(similarity(points, _ARCFACE * (size / _ARCFACE_SIZE)), size)


def similarity(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The turn, scale and shift that brings points nearest, in squares, to others.

    Args:
        points: (n, 2), not all in one place.
        others: (n, 2), one for each.

    Returns:
        (2, 3), as CropTransform's matrix.
    """
    middle, towards = points.mean(axis=0), others.mean(axis=0)
    # As complex numbers a similarity is one factor, and the best one is a projection.
    start, end = (points - middle) @ [1, 1j], (others - towards) @ [1, 1j]
    factor = np.vdot(start, end) / np.vdot(start, start).real
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([linear, towards - linear @ middle])


def upright_crop(landmarks: np.ndarray, roll_deg: float, size: int, scale: float) -> CropTransform:
    """The crop around the landmarks in which the face stands upright.

    Args:
        landmarks: (n, 2), photo pixels.
        roll_deg: by how much the face is turned in the photo, clockwise as seen, degrees.
        size: side of the crop, pixels.
        scale: side of the crop over the longer side of the landmarks' box in it.

    Raises:
        ValueError: size below 1, scale not above 0, or all landmarks in one place.
    """
    _check_size(size)
    if not scale > 0:
        raise ValueError(f"scale is above 0, not {scale}")
    cos, sin = np.cos(np.deg2rad(roll_deg)), np.sin(np.deg2rad(roll_deg))
    turn = np.array([[cos, sin], [-sin, cos]])
    upright = landmarks @ turn.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    side = float((high - low).max())
    if side <= 0:
        raise ValueError("a face whose points all lie in one place cannot be aligned")
    zoom = size / (scale * side)
    return CropTransform(np.column_stack([zoom * turn, size / 2 - zoom * (low + high) / 2]), size)


def _check_size(size: int) -> None:
    if size < 1:
        raise ValueError(f"the side of an aligned face is at least 1 pixel, not {size}")
