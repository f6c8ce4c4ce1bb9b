"""Face boxes: checked against their photo, their overlap (IoU), and the best of those that lie on one face.

A box is x0, y0, x1, y1 in pixels (crop.py).
"""

from collections.abc import Sequence

import numpy as np

from occlumark.errors import BoxError

# A face of a smaller box would be a part of a pixel.
_SMALLEST_SIDE = 1.0
# A box longer than this many photos is a slip, and its crop would be empty.
_MAX_BOX_IN_PHOTOS = 10


def box_in_photo(box: Sequence[float] | np.ndarray, height: int, width: int) -> np.ndarray:
    """A face box, checked against its photo; it may reach out of it.

    Args:
        box: x0, y0, x1, y1 in photo pixels.
        height: the photo's.
        width: the photo's.

    Returns:
        (4,) float64.

    Raises:
        BoxError: it is not four finite numbers, is inverted, has a side below a pixel, lies outside the photo, or is
            far larger than it.
    """
    values = np.asarray(box, dtype=np.float64)
    if values.shape != (4,):
        raise BoxError(f"a box is four numbers x0, y0, x1, y1, not an array of shape {values.shape}")
    x0, y0, x1, y1 = values.tolist()
    said = f"box {x0:g} {y0:g} {x1:g} {y1:g}"
    if not np.isfinite(values).all():
        raise BoxError(f"{said} is not four finite numbers")
    if not (x0 < x1 and y0 < y1):
        raise BoxError(f"{said} is inverted: expected x0 < x1 and y0 < y1")
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise BoxError(f"{said} is outside the photo of {width} x {height} pixels")
    if min(x1 - x0, y1 - y0) < _SMALLEST_SIDE:
        raise BoxError(f"{said} is {x1 - x0:g} x {y1 - y0:g} pixels small: a face's box has at least a pixel a side")
    if max(x1 - x0, y1 - y0) > _MAX_BOX_IN_PHOTOS * max(height, width):
        raise BoxError(f"{said} is more than {_MAX_BOX_IN_PHOTOS} times as large as the photo of {width} x {height}")
    return values


def as_boxes(boxes: Sequence[Sequence[float] | np.ndarray] | Sequence[float] | np.ndarray) -> np.ndarray:
    """Boxes as people write them: an array or lists of n boxes, or one flat box.

    Returns:
        (n, 4) float64; (0, 4) for an empty list.

    Raises:
        BoxError: another shape, or not numbers.
    """
    expected = "boxes are (n, 4) numbers, x0, y0, x1, y1 of each face, or one flat box"
    try:
        values = np.asarray(boxes, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BoxError(f"{expected}; came {_said(boxes)}") from error
    if values.ndim in (1, 2) and not values.size:
        return np.zeros((0, 4))
    if values.shape == (4,):
        values = values[None]
    if values.ndim != 2 or values.shape[1] != 4:
        hint = "; the fifth column, a score, is not taken" if values.ndim == 2 and values.shape[1] == 5 else ""
        raise BoxError(f"{expected}; came {values.shape}{hint}")
    return values


def _said(boxes: object) -> str:
    """What came, on one line that is not long."""
    text = " ".join(repr(boxes).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas of boxes (..., 4) with x0 <= x1 and y0 <= y1: (...,), square pixels."""
    product: np.ndarray = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return product


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
    sides = np.maximum(high - low, 0)
    product: np.ndarray = sides[..., 0] * sides[..., 1]  # a third of the time of prod and clip for a few boxes
    return product


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


def longer_sides(boxes: np.ndarray) -> np.ndarray:
    """(n,) the longer side of each of (n, 4) boxes."""
    sides: np.ndarray = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    return sides


def joined_regions(
    boxes: np.ndarray, height: int, width: int, step: int, all_from: float
) -> list[tuple[int, int, int, int]]:
    """Rectangles of a picture that hold all of its boxes, none lying on another.

    Args:
        boxes: (n, 4); what of them is outside the picture is left out.
        height: the picture's, pixels.
        width: the picture's.
        step: edges inside the picture lie on multiples of it.
        all_from: the share of the picture from which the rectangles together become the whole picture, 0..1.

    Returns:
        Of each x0, y0, x1, y1, whole pixels.
    """
    size = np.array([width, height])
    start = np.clip(np.floor(boxes[:, :2] / step) * step, 0, size)
    end = np.clip(np.ceil(boxes[:, 2:] / step) * step, 0, size)
    ends = np.concatenate([start, end], axis=1)[(start < end).all(axis=1)].astype(int).tolist()
    waiting = sorted({(x0, y0, x1, y1) for x0, y0, x1, y1 in ends})  # few: plain numbers are quicker than arrays
    apart: list[tuple[int, int, int, int]] = []
    while waiting:
        region, others = waiting[0], apart + waiting[1:]
        x0, y0, x1, y1 = region
        touching = {i for i, (a, b, c, d) in enumerate(others) if a < x1 and c > x0 and b < y1 and d > y0}
        if touching:
            left, top, right, bottom = zip(region, *(others[i] for i in touching), strict=True)
            # it may reach others now
            waiting = [(min(left), min(top), max(right), max(bottom))]
            waiting += [other for i, other in enumerate(others) if i not in touching]
            apart = []
        else:
            apart.append(region)
            waiting = waiting[1:]
    if sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in apart) > all_from * height * width:
        return [(0, 0, width, height)]
    return apart


def keep_best(
    boxes: np.ndarray, scores: np.ndarray, max_iou: float, max_share: float = 1.0, count: int | None = None
) -> np.ndarray:
    """Non-maximum suppression: of boxes that lie on one another keep the one with the highest score.

    Args:
        boxes: (n, 4), each with an area.
        scores: (n,).
        max_iou: a box is left out where its intersection over union with a better one kept is above this, 0..1.
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
        apart = common <= max_iou * (sizes[best] + sizes[waiting] - common)
        waiting = waiting[apart & (common <= max_share * np.minimum(sizes[best], sizes[waiting]))]
    return np.array(kept, dtype=np.intp)


def box_holding(boxes: np.ndarray, points: np.ndarray) -> int | None:
    """Which box is that of a face with these points: of those that hold at least half of them, the nearest.

    Args:
        boxes: (n, 4).
        points: (k, 2), at least one, in the same pixels.

    Returns:
        The index of the box whose centre is nearest to the points' mean, in longer sides of the box; None: none holds
        half of them.
    """
    if not len(boxes):
        return None
    inside = ((points >= boxes[:, None, :2]) & (points <= boxes[:, None, 2:])).all(axis=2).mean(axis=1)
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    distances = np.linalg.norm(centres - points.mean(axis=0), axis=1) / sides
    best = int(np.where(inside >= 0.5, distances, np.inf).argmin())
    return best if inside[best] >= 0.5 else None
