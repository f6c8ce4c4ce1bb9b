"""One face found twice, or a part of it beside it: which of the two stays.

Not in the paper. The face finder suppresses boxes that overlap by much; of the others the landmarks tell
(docs/experiments/finder.md, "One face found twice").
"""

from collections.abc import Sequence

import numpy as np

from occlumark.boxes import box_iou
from occlumark.face.doubt import doubt
from occlumark.face.face import Face
from occlumark.markup import tight_box

# Two faces whose landmarks' tight boxes overlap so far, IoU, are one and the same.
_SAME_IOU = 0.6
# Where boxes or landmarks overlap so far, one is no face if it is in so many times the doubt of the other.
_OVERLAP_IOU, _MORE_DOUBT = 0.3, 1.5


def without_doubles(faces: Sequence[Face]) -> list[Face]:
    """The faces without those that are another one once more.

    Args:
        faces: of one photo.

    Returns:
        Those left, in their order. Of two with the same landmarks the one with the higher score stays, of two that
        overlap the one whose landmarks are clearly surer; where neither is, both.
    """
    if len(faces) < 2:
        return list(faces)
    overlaps = box_iou(*[np.stack([face.box for face in faces])] * 2)
    tight = np.stack([tight_box(face.landmarks) for face in faces])
    with np.errstate(invalid="ignore"):  # landmarks all in one place have no area
        same = box_iou(tight, tight)
    overlaps = np.fmax(overlaps, same)
    doubts = np.array([doubt(face) for face in faces])
    scores = np.array([face.score for face in faces])
    ranks = np.argsort(np.argsort(-scores, kind="stable"))
    is_same = same >= _SAME_IOU
    worse = np.where(is_same, ranks[:, None] > ranks, doubts[:, None] > _MORE_DOUBT * doubts)
    is_double = ((overlaps >= _OVERLAP_IOU) & worse).any(axis=1)
    return [face for face, leave in zip(faces, is_double, strict=True) if not leave]
