"""Face boxes among one another: overlaps, and the best of those that lie on one face.

A box is x0, y0, x1, y1 in pixels (crop.py).
"""

import numpy as np


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas of boxes (..., 4) with x0 <= x1 and y0 <= y1: (...,), square pixels."""
    return np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)


def common_areas(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What each of n boxes has in common with each of m.

    Args:
        first: (n, 4).
        second: (m, 4).

    Returns:
        (n, m) areas, square pixels.
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.prod(np.clip(high - low, 0, None), axis=-1)


def box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of each of n boxes with each of m.

    Args:
        first: (n, 4), each with an area.
        second: (m, 4), each with an area.

    Returns:
        (n, m), 0..1.
    """
    common = common_areas(first, second)
    return common / (areas(first)[:, None] + areas(second)[None] - common)


def keep_best(
    boxes: np.ndarray, scores: np.ndarray, max_overlap: float, max_share: float = 1.0, count: int | None = None
) -> np.ndarray:
    """Non-maximum suppression: of boxes that lie on one another keep the one with the highest score.

    Args:
        boxes: (n, 4), each with an area.
        scores: (n,).
        max_overlap: a box is left out where its intersection over union with a better one kept is above this, 0..1.
        max_share: and where so much of the smaller of the two lies in the other, 0..1: a part of a face is none.
        count: at most so many are kept; None: all.

    Returns:
        (k,) indices of the boxes kept, best first.
    """
    sizes = areas(boxes)
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while waiting.size and (count is None or len(kept) < count):
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        common = common_areas(boxes[best][None], boxes[waiting])[0]
        apart = common <= max_overlap * (sizes[best] + sizes[waiting] - common)
        waiting = waiting[apart & (common <= max_share * np.minimum(sizes[best], sizes[waiting]))]
    return np.array(kept, dtype=np.intp)
