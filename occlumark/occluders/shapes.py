"""Anything before the face: polygons, ellipses and strips of photo texture; and other people's faces."""

import cv2
import numpy as np

from occlumark.markup import MIRROR
from occlumark.occluders.drawing import Drawing, Source
from occlumark.occluders.frame import Frame, flood, stroke
from occlumark.occluders.patterns import cloth_colour, cloth_pattern
from occlumark.occluders.surface import clouds, curve, light_direction, lit, mask_of, picture, relief


def shapes(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """One to three polygons, ellipses, blobs or strips over the face, of one colour, of cloth or of a picture."""
    size, frame = crop.shape[0], Frame.of(landmarks)
    mask, paint = np.zeros((size, size), np.uint8), np.empty_like(crop)
    borrowed = False
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        centre = landmarks[rng.integers(len(landmarks))] + rng.normal(0, 0.2, 2) * frame.unit
        shape = _shape(centre, frame.unit, size, rng)
        what = rng.random()
        if what < 0.6:
            texture, borrowed = picture(crop, source, rng), True
        elif what < 0.8:
            texture = cv2.resize(cloth_pattern((size, size), crop, rng, source), (size, size))
        else:
            texture = np.empty_like(crop)
            flood(texture, cloth_colour(rng))
            texture = lit(texture, clouds(size, rng, (int(rng.integers(2, 6)), int(rng.integers(2, 6))), 0.3))
        if rng.random() < 0.6:  # a body rather than paper
            smooth = cv2.GaussianBlur(cv2.resize(shape, (size // 4, size // 4)), (0, 0), 0.06 * frame.unit / 4 + 0.5)
            shade = relief(smooth, light_direction(crop), 0.25)
            texture = lit(texture, cv2.resize(shade, (size, size), interpolation=cv2.INTER_LINEAR))
        cv2.copyTo(texture, cv2.dilate(shape, np.ones((3, 3), np.uint8)), paint)
        cv2.max(mask, shape, mask)
    soft = 0.0 if rng.random() < 0.7 else rng.uniform(0, 0.06)
    return Drawing(paint, mask, lift=float(rng.choice([0, 0.04, 0.1])), defocus=soft, borrowed=borrowed)


def _shape(centre: np.ndarray, unit: float, size: int, rng: np.random.Generator) -> np.ndarray:
    """A filled shape of some size around a point, (size, size) uint8."""
    kind = rng.choice(["polygon", "ellipse", "blob", "strip"])
    angle = rng.uniform(0, 2 * np.pi)
    way = np.array([np.cos(angle), np.sin(angle)])
    if kind == "strip":
        shape = np.zeros((size, size), np.uint8)
        ends = centre + np.outer([-1, 1], way) * 2 * size
        stroke(shape, ends[None], (255,), rng.uniform(0.08, 0.5) * unit)
        return shape
    count = {"polygon": int(rng.integers(3, 8)), "ellipse": 24, "blob": 9}[str(kind)]
    angles = (np.arange(count) + (rng.uniform(0, 0.7, count) if kind != "ellipse" else 0)) * 2 * np.pi / count
    radii = np.ones(count) if kind == "ellipse" else rng.uniform(0.6, 1.1, count)
    half = rng.uniform(0.2, 0.75, 2) * unit
    around = np.column_stack([np.cos(angles) * half[0], np.sin(angles) * half[1]]) * radii[:, None]
    outline = centre + around[:, :1] * way + around[:, 1:] * np.array([-way[1], way[0]])
    return mask_of(curve(outline, closed=True) if kind == "blob" else outline, size)


def other_face(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """Another person's face that occludes a side of this one; without others, this one mirrored."""
    size, frame = crop.shape[0], Frame.of(landmarks)
    if len(source.faces):
        other, points = source.faces[int(rng.integers(len(source.faces)))]
    else:
        other, points = crop, landmarks
    if rng.random() < 0.5 or not len(source.faces):
        other, points = cv2.flip(other, 1), (points * [-1, 1] + [other.shape[1], 0])[MIRROR]
    theirs = Frame.of(points)
    zoom = frame.unit / theirs.unit * rng.uniform(0.6, 1.15)
    turn = rng.normal(0, 0.25)
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.85, 1.4) * frame.unit
    target = landmarks.mean(axis=0) + away * np.array([np.cos(angle), 0.8 * np.sin(angle)])
    shift = target - linear @ points.mean(axis=0)
    moved = points @ linear.T + shift
    # OpenCV puts a pixel's centre on whole numbers, we on halves
    matrix = np.column_stack([linear, shift + linear @ [0.5, 0.5] - 0.5])
    paint = cv2.warpAffine(other, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    if paint.any():  # as bright as its surroundings
        paint = cv2.convertScaleAbs(paint, alpha=float(np.clip((crop.mean() + 5) / (other.mean() + 5), 0.5, 1.7)))
    crown = Frame.of(moved)
    forehead = (
        moved[17:27] - (0.25 + 0.3 * np.sin(np.linspace(0.2, np.pi - 0.2, 10)))[:, None] * crown.unit * crown.down
    )
    hull = cv2.convexHull(np.vstack([moved, forehead]).astype(np.float32))[:, 0].astype(float)
    mask = cv2.GaussianBlur(mask_of(curve(hull, closed=True), size), (0, 0), max(0.025 * crown.unit, 0.5))
    return Drawing(paint, mask, lift=float(rng.choice([0, 0.08])), borrowed=True)
