"""Whether boxes and landmarks are of one face, by their places.

Not in the paper, which knows single photos.
"""

from collections.abc import Iterable

import numpy as np

from occlumark.boxes import box_in_photo, box_iou, common_areas
from occlumark.errors import BoxError
from occlumark.face import Face
from occlumark.markup import tight_box

#: From one frame to the next a face moves by at most so many longer sides beside where it is expected.
MOST_SHIFT = 0.5
# And grows or shrinks by at most this factor; beyond, the landmarks are those of something else.
_MOST_GROWTH = 1.6
# A box is on a face that is followed where they have so much in common: IoU, or share of the smaller one.
_SAME_IOU, _SAME_SHARE = 0.35, 0.7
# How far a face may be from where it was last seen, in longer sides: at once, more per second, and in all. Who walks
# by moves nine face widths a second.
_REACH, _REACH_PER_S, _MOST_REACH = 0.75, 9.0, 4.0


def side_of(box: np.ndarray) -> float:
    """The longer side of a box (4,)."""
    return float((box[2:] - box[:2]).max())


def is_within(face: Face, pixels: np.ndarray) -> bool:
    """Whether the landmarks make a box in the frame (height, width, 3)."""
    try:
        box_in_photo(tight_box(face.landmarks), *pixels.shape[:2])
    except BoxError:
        return False
    return True


def carried_box(box: np.ndarray, landmarks: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """A face's box (4,), shifted and scaled as its landmarks (n, 2) are that have moved, (n, 2) as well."""
    centre, to = landmarks.mean(axis=0), moved.mean(axis=0)
    growth = np.linalg.norm(moved - to) / max(float(np.linalg.norm(landmarks - centre)), 1e-9)
    return np.asarray((to + growth * (box.reshape(2, 2) - centre)).reshape(4))


def moves_like_a_face(expected: np.ndarray, landmarks: np.ndarray) -> bool:
    """Whether landmarks (n, 2) are near and about as large as expected of the next frame."""
    before, after = tight_box(expected), tight_box(landmarks)
    growth = side_of(after) / side_of(before)
    return 1 / _MOST_GROWTH <= growth <= _MOST_GROWTH and _shift(before, after) <= MOST_SHIFT


def is_on_any(box: np.ndarray, faces: Iterable[Face]) -> bool:
    """Whether a box (4,) lies on one of the faces, by the tight box of its landmarks."""
    others = [tight_box(face.landmarks) for face in faces]
    if not others:
        return False
    boxes = np.stack(others)
    smaller = np.minimum(np.prod(box[2:] - box[:2]), np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    share = common_areas(box[None], boxes)[0] / smaller
    return bool((box_iou(box[None], boxes)[0] >= _SAME_IOU).any() or (share >= _SAME_SHARE).any())


def distance_from(last: Face, face: Face, passed_s: float) -> float | None:
    """From where a missing face was last seen to another, in its longer sides; None: too far, or of another size.

    Args:
        last: the missing one, as it was last seen.
        face: which may be it.
        passed_s: the time between the two, seconds.
    """
    before, after = tight_box(last.landmarks), tight_box(face.landmarks)
    if not 0.5 <= side_of(after) / side_of(before) <= 2:
        return None
    distance = _shift(before, after)
    return distance if distance <= min(_MOST_REACH, _REACH + _REACH_PER_S * passed_s) else None


def _shift(before: np.ndarray, after: np.ndarray) -> float:
    """From middle to middle of two boxes, in longer sides of the first."""
    return float(np.linalg.norm((after[2:] + after[:2] - before[2:] - before[:2]) / 2)) / side_of(before)
