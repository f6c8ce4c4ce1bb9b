"""Recall and false positives of a face finder. Shares are fractions; printing turns them into percent.

A found box counts at a threshold when its score is at least the threshold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from occlumark.boxes import areas, box_iou, common_areas

#: A found box is a true face's when their intersection over union is at least this.
MIN_OVERLAP = 0.4
#: A found box with at least this share of itself in an area that is neither face nor background counts neither way.
_MIN_IGNORED = 0.5


@dataclass(frozen=True, eq=False)
class Matches:
    """What the boxes found on one photo turned out to be, k true faces being on it."""

    face_scores: np.ndarray
    """(k,) the score of the box that found each true face; nan where none did."""
    face_boxes: np.ndarray
    """(k, 4) that box; nan where there is none."""
    false_positive_scores: np.ndarray
    """(f,) the scores of the boxes where there is no face, or another box has found it."""


def match(
    boxes: np.ndarray,
    scores: np.ndarray,
    faces: np.ndarray,
    ignored: np.ndarray,
    min_overlap: float = MIN_OVERLAP,
) -> Matches:
    """Settle for each box found on a photo whether it is a face.

    The boxes choose in the order of their scores; each takes the true face, not yet taken, that it overlaps with most.
    So what a box is hangs on better boxes alone, and holds at every threshold. A box that lies on a taken face is a
    false positive. One that lies on no face, but on an ignored area or with half of itself in one, counts neither way.

    Args:
        boxes: (n, 4) what was found.
        scores: (n,).
        faces: (k, 4) the true faces.
        ignored: (m, 4) areas that are neither face nor background.
        min_overlap: the least intersection over union of two boxes that lie on one another, above 0, up to 1.
    """
    on_face = box_iou(boxes, faces) if len(boxes) else np.zeros((0, len(faces)))
    in_ignored = (box_iou(boxes, ignored) >= min_overlap) | (
        common_areas(boxes, ignored) >= _MIN_IGNORED * areas(boxes)[:, None]
    )
    finder = np.full(len(faces), -1)
    false: list[int] = []
    for i in np.argsort(-scores, kind="stable").tolist():
        free = np.where(finder < 0, on_face[i], 0)
        if free.max(initial=0) >= min_overlap:
            finder[free.argmax()] = i
        elif on_face[i].max(initial=0) >= min_overlap or not in_ignored[i].any():
            false.append(i)
    found = finder >= 0
    face_scores, face_boxes = np.full(len(faces), np.nan), np.full((len(faces), 4), np.nan)
    face_scores[found], face_boxes[found] = scores[finder[found]], boxes[finder[found]]
    return Matches(face_scores, face_boxes, np.asarray(scores[false], np.float64))


def threshold_at_fppi(photos: Sequence[Matches], max_fppi: float) -> float:
    """The lowest threshold at which some photos have at most so many false positives on average.

    Args:
        photos: at least one.
        max_fppi: at least 0.

    Returns:
        A score; minus infinity where the false positives of all scores are few enough.
    """
    false = np.sort(np.concatenate([photo.false_positive_scores for photo in photos]))[::-1]
    allowed = math.floor(max_fppi * len(photos) + 1e-9)  # 0.29 * 100 is 28.999999999999996
    # Of equal scores none may stay when one has to go: the threshold is just above.
    return float(np.nextafter(false[allowed], np.inf)) if len(false) > allowed else -math.inf


def recall(face_scores: np.ndarray, threshold: float) -> float:
    """The share of true faces found at a threshold; nan of none.

    Args:
        face_scores: (k,) as in Matches, of one photo or many together.
        threshold: a score.
    """
    return float(np.mean(face_scores >= threshold)) if len(face_scores) else math.nan


def fppi(photos: Sequence[Matches], threshold: float) -> float:
    """False positives per image (FPPI) at a threshold; nan without a photo."""
    false = sum(np.count_nonzero(photo.false_positive_scores >= threshold) for photo in photos)
    return false / len(photos) if photos else math.nan


def recall_at_fppi(photos: Sequence[Matches], background: Sequence[Matches], max_fppi: float = 0.1) -> float:
    """The share of the photos' true faces found at the threshold that leaves few false positives on other photos.

    Args:
        photos: whose faces count.
        background: whose false positives count, at least one photo; may be among the others.
        max_fppi: the most false positives per photo of the background.
    """
    face_scores = np.concatenate([np.zeros(0), *(photo.face_scores for photo in photos)])
    return recall(face_scores, threshold_at_fppi(background, max_fppi))


def detection_average_precision(photos: Sequence[Matches]) -> float:
    """The area under precision over recall, precision being the best at any recall as high; nan without a true face."""
    face_scores = np.concatenate([np.zeros(0), *(photo.face_scores for photo in photos)])
    if not len(face_scores):
        return math.nan
    found = np.sort(face_scores[~np.isnan(face_scores)])
    false = np.sort(np.concatenate([photo.false_positive_scores for photo in photos]))
    thresholds = np.unique(found)[::-1]
    true_count = len(found) - np.searchsorted(found, thresholds)
    false_count = len(false) - np.searchsorted(false, thresholds)
    precision = np.maximum.accumulate((true_count / (true_count + false_count))[::-1])[::-1]
    return float((np.diff(true_count, prepend=0) * precision).sum() / len(face_scores))


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, as if the n were drawn one by one; nan of none."""
    if not n:
        return math.nan, math.nan
    z = 1.959964
    middle = (hits + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * math.sqrt(hits * (n - hits) / n + z**2 / 4)
    return max(0.0, middle - half), min(1.0, middle + half)
