"""An annotated face among those that a system finds, and its errors."""

import numpy as np

from benchmarks.rival_points import INNER, MESH_TO_68
from occlumark.boxes import box_iou
from occlumark.data.sample import Sample
from occlumark.markup import tight_box
from occlumark.metrics.finder import MIN_OVERLAP
from occlumark.metrics.landmarks import point_errors

#: Landmarks (n, 68, 2) of all faces that a system gives for a photo, pixels.
Points = np.ndarray


def mesh_68(points: np.ndarray) -> Points:
    """68 of the mesh's points of some faces, of which there may be none."""
    return points[:, MESH_TO_68] if len(points) else np.empty((0, 68, 2))


def inside(box: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(4,) the box whose sides are given in widths and heights of another, from its left and top."""
    return np.tile(box[:2], 2) + np.tile(box[2:] - box[:2], 2) * place


def place_in(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """(4,) the sides of one box in widths and heights of another: what `inside` takes."""
    return (inner - np.tile(outer[:2], 2)) / np.tile(outer[2:] - outer[:2], 2)


def on_face(points: Points, sample: Sample) -> np.ndarray | None:
    """(68, 2) the found face that overlaps most with the annotated one, by tight boxes; None: none by MIN_OVERLAP."""
    if not len(points):
        return None
    shared = box_iou(np.stack([tight_box(face) for face in points]), sample.tight_box[None])[:, 0]
    return points[shared.argmax()] if shared.max() >= MIN_OVERLAP else None


def face_errors(points: Points, sample: Sample, *, given: bool) -> tuple[float, float]:
    """NME of all points and of the inner ones, fractions; NaN where the face is not found."""
    face = points[0] if given else on_face(points, sample)
    if face is None:
        return float("nan"), float("nan")
    (each,) = point_errors(face[None], sample.landmarks[None], "inter_ocular")
    return float(each.mean()), float(each[INNER].mean())
