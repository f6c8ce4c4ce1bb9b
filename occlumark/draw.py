"""Faces drawn on their photo: occluded landmarks look unlike visible ones, the occlusion map like a veil."""

import itertools
from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np

from occlumark.crop import CropTransform
from occlumark.face import HIDDEN_BELOW, Face
from occlumark.photo import ReducedPhoto
from occlumark.photo.given import PhotoInput, as_photo

_VISIBLE = (40, 220, 110)  # green, RGB
_HIDDEN = (255, 190, 0)  # amber
_ERROR = (120, 200, 255)  # light blue
_BOX = (255, 255, 255)
_INK = (0, 0, 0)
_VEIL = np.array([255, 40, 160], np.float32)  # magenta, in no face

# A face with a shorter longer side, pixels, would be hidden by rings, ink and contours: it gets dots alone. Of tiny
# ones fewer are drawn: below so many pixels every so many-th.
_SMALL, _FEWER = 60, ((16, 9), (30, 3))

#: OpenCV draws at sixteenths of a pixel when told to shift by four bits.
SHIFT = 4


def draw_faces(
    photo: PhotoInput,
    faces: Face | Iterable[Face],
    *,
    hidden_below: float = HIDDEN_BELOW,
    overlay: bool = False,
    errors: bool = False,
) -> np.ndarray:
    """Draw boxes, contours and landmarks.

    A visible landmark is a filled green dot, an occluded one a hollow amber ring; a contour is dashed between landmarks
    of which one is occluded. Sizes follow the face: a large one is still drawn, and one below 60 pixels, which would
    not be seen for rings and contours, has green and amber dots alone: below 30 pixels every third, below 16 every 9th.

    Args:
        photo: as Detector.detect takes it, an array in RGB; left as it is.
        faces: in the photo's pixels; one or several.
        hidden_below: the visibility under which a landmark counts as occluded, 0..1.
        overlay: lay the occlusion map under the drawing.
        errors: a thin light blue circle around each landmark, as wide as its expected error.

    Returns:
        The drawing, (height, width, 3) uint8, RGB.

    Raises:
        PhotoError, ValueError, TypeError: the photo cannot be read, or is none.
        ValueError: errors of a face that has none.
    """
    faces = [faces] if isinstance(faces, Face) else list(faces)
    if errors and not all(face.has_expected_error for face in faces):
        raise ValueError("errors draws Face.expected_error, but a face has none; leave errors out")
    if isinstance(photo, ReducedPhoto):
        faces = [face.scaled(1 / photo.reduction) for face in faces]
    drawing = as_photo(photo).copy()
    if overlay:
        for face in faces:
            _draw_veil(drawing, face)
    for face in faces:
        radius = _dot_radius(face)
        if errors:
            _draw_errors(drawing, face, radius)
            radius *= 0.6  # many errors are about as large as a dot, which would hide their circles
        _draw_face(drawing, face, hidden_below, radius)
    return drawing


def _draw_veil(drawing: np.ndarray, face: Face) -> None:
    """Tint the photo where the face is occluded, by at most 70 %, and frame what the network saw."""
    size = face.crop.size
    corners = face.crop.to_photo(np.array([[0, 0], [size, 0], [size, size], [0, size]]))
    # Only the part under the crop: photos may have a hundred megapixels.
    limits = np.array(drawing.shape[1::-1])
    x0, y0 = np.clip(np.floor(corners.min(axis=0)), 0, limits).astype(int)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)), 0, limits).astype(int)
    part = drawing[y0:y1, x0:x1]
    if part.size:
        matrix = face.crop.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ [x0, y0]
        on_part = replace(face, crop=CropTransform(matrix, size)).occlusion_on(*part.shape[:2])
        strength = 0.7 * np.nan_to_num(on_part)[..., None]
        part[:] = (part * (1 - strength) + _VEIL * strength).round()
    cv2.polylines(drawing, [fixed_point(corners)], True, _VEIL.tolist(), 1, cv2.LINE_AA, SHIFT)


def _draw_errors(drawing: np.ndarray, face: Face, dot_radius: float) -> None:
    line = max(1, round(dot_radius / 5))
    for point, error in zip(face.landmarks, face.expected_error, strict=True):
        # The cut keeps OpenCV's arithmetic from overflowing, as in fixed_point.
        radius = fixed_length(min(float(error), 1e4))
        cv2.circle(drawing, fixed_point(point).tolist(), radius, _ERROR, line, cv2.LINE_AA, SHIFT)


def _dot_radius(face: Face) -> float:
    """Of a visible landmark's dot, photo pixels."""
    side = max(face.box[2:] - face.box[:2])
    return float(np.clip(side / 70, 0.3 if side < _SMALL else 1.2, 40))


def _draw_face(drawing: np.ndarray, face: Face, hidden_below: float, radius: float) -> None:
    line = max(1, round(radius / 2.5))
    hidden = face.hidden(hidden_below)
    corners = face.box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2)
    cv2.polylines(drawing, [fixed_point(corners)], True, _BOX, line, cv2.LINE_AA, SHIFT)
    if max(face.box[2:] - face.box[:2]) < _SMALL:
        step = next((every for below, every in _FEWER if max(face.box[2:] - face.box[:2]) < below), 1)
        for point, is_hidden in zip(face.landmarks[::step], hidden[::step], strict=True):
            colour = _HIDDEN if is_hidden else _VISIBLE
            cv2.circle(
                drawing, fixed_point(point).tolist(), fixed_length(radius), colour, cv2.FILLED, cv2.LINE_AA, SHIFT
            )
        return
    for contour in face.markup.contours:
        for a, b in itertools.pairwise(contour):
            _draw_line(drawing, face.landmarks[a], face.landmarks[b], line, dashed=bool(hidden[a] or hidden[b]))
    for point, is_hidden in zip(face.landmarks, hidden, strict=True):
        if is_hidden:
            _draw_ring(drawing, point, radius)
        else:
            _draw_dot(drawing, point, radius)


def _draw_line(drawing: np.ndarray, start: np.ndarray, end: np.ndarray, line: int, *, dashed: bool) -> None:
    parts = [(0.0, 1.0)] if not dashed else [(0.3, 0.45), (0.55, 0.7)]
    colour = _HIDDEN if dashed else _VISIBLE
    for a, b in parts:
        ends = fixed_point(np.array([start + a * (end - start), start + b * (end - start)]))
        cv2.line(drawing, ends[0].tolist(), ends[1].tolist(), colour, line, cv2.LINE_AA, SHIFT)


def _draw_dot(drawing: np.ndarray, point: np.ndarray, radius: float) -> None:
    centre = fixed_point(point).tolist()
    cv2.circle(drawing, centre, fixed_length(radius + 0.8), _INK, cv2.FILLED, cv2.LINE_AA, SHIFT)
    cv2.circle(drawing, centre, fixed_length(radius), _VISIBLE, cv2.FILLED, cv2.LINE_AA, SHIFT)


def _draw_ring(drawing: np.ndarray, point: np.ndarray, radius: float) -> None:
    """A little larger than a dot, so that it is seen to be hollow even in a small face, where ink would fill it."""
    centre, outer = fixed_point(point).tolist(), max(1.25 * radius, 2.2)
    thickness = max(1, round(radius / 2.5))
    if radius >= 1.8:
        cv2.circle(drawing, centre, fixed_length(outer + 0.5 * thickness + 0.8), _INK, 1, cv2.LINE_AA, SHIFT)
    cv2.circle(drawing, centre, fixed_length(outer), _HIDDEN, thickness, cv2.LINE_AA, SHIFT)


def fixed_length(length: float) -> int:
    """A length in OpenCV's fixed-point pixels (SHIFT), at least one of their parts."""
    return max(1, round(length * 2**SHIFT))


def fixed_point(points: np.ndarray) -> np.ndarray:
    """Points (..., 2) in OpenCV's fixed-point pixels (SHIFT), whose whole numbers are the pixels' centres.

    Cut off far outside any photo, where OpenCV's arithmetic would overflow.
    """
    return ((np.clip(points, -1e5, 1e5) - 0.5) * 2**SHIFT).round().astype(np.int32)
