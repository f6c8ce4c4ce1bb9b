"""How well a visibility predicts occluded landmarks, and an expected error the true one. All shares are fractions."""

from typing import NamedTuple

import numpy as np


def average_precision(scores: np.ndarray, occluded: np.ndarray) -> float:
    """The area under the curve of precision over recall, as a sum of steps.

    At every threshold the precision counts for the recall gained there: sum of (R_n - R_n-1) P_n over the distinct
    scores from the highest down. Points of one score are taken together, so their order does not matter; a score that
    knows nothing gets about the share of occluded points.

    Args:
        scores: scores of any shape, higher for points more likely occluded.
        occluded: booleans of the same shape, the truth; at least one is set.

    Returns:
        0..1; 1 where every occluded point scores above every visible one.

    Raises:
        ValueError: other shapes, a score that is not finite, or no occluded point.
    """
    precision, recall = _curve(scores, occluded)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def recall_at_precision(scores: np.ndarray, occluded: np.ndarray, precision: float) -> float:
    """The most occluded points that one threshold finds at this precision.

    Args:
        scores: as in average_precision.
        occluded: as in average_precision.
        precision: the least share of the found points that are occluded, above 0, at most 1.

    Returns:
        The share of the occluded points that are found, 0..1; 0 where no threshold is so precise.

    Raises:
        ValueError: as average_precision, or a precision out of its range.
    """
    if not 0 < precision <= 1:
        raise ValueError(f"a precision is above 0 and at most 1, not {precision}")
    precisions, recall = _curve(scores, occluded)
    return float(recall[precisions >= precision].max(initial=0.0))


class ErrorBins(NamedTuple):
    """Points in bins of about equal counts, from the lowest predicted error to the highest."""

    points: np.ndarray
    """(bins,) int, how many are in each."""
    predicted: np.ndarray
    """(bins,) mean predicted error."""
    true: np.ndarray
    """(bins,) mean true error."""


def error_bins(predicted: np.ndarray, true: np.ndarray, bins: int = 10) -> ErrorBins:
    """Whether an expected error is right on average wherever it is small, middling or large.

    Args:
        predicted: expected errors of any shape, at least as many as bins.
        true: the true errors, of the same shape and unit.
        bins: how many. Equal predictions that fall on a border are divided in the order given.

    Raises:
        ValueError: other shapes, too few points, or a number that is not finite.
    """
    predicted, true = _checked_errors(predicted, true)
    if not 1 <= bins <= len(true):
        raise ValueError(f"bins are at least 1 and at most the {len(true)} points, not {bins}")
    parts = np.array_split(np.argsort(predicted, kind="stable"), bins)
    return ErrorBins(
        points=np.array([len(part) for part in parts]),
        predicted=np.array([predicted[part].mean() for part in parts]),
        true=np.array([true[part].mean() for part in parts]),
    )


def share_of_error(predicted: np.ndarray, true: np.ndarray, top: float = 0.1) -> float:
    """How much of all the true error lies in the points with the highest predicted one.

    Args:
        predicted: expected errors of any shape. Of equal ones on the border each counts for the same part.
        true: the true errors, of the same shape; their sum is above 0.
        top: the share of the points to look at, above 0, at most 1.

    Returns:
        0..1; about top where the prediction knows nothing.

    Raises:
        ValueError: other shapes, a number that is not finite, no error at all, or top out of its range.
    """
    predicted, true = _checked_errors(predicted, true)
    if not (0 < top <= 1 and true.sum() > 0):
        raise ValueError(f"top is above 0 and at most 1, and the true errors' sum above 0; not {top}, {true.sum()}")
    wanted = top * len(true)
    border = np.sort(predicted)[::-1][min(int(np.ceil(wanted)), len(true)) - 1]
    above, tied = predicted > border, predicted == border
    return float((true[above].sum() + (wanted - above.sum()) * true[tied].mean()) / true.sum())


def _curve(scores: np.ndarray, occluded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of "score at least t" for every distinct score t, from the highest down."""
    scores, truth = np.asarray(scores, np.float64), np.asarray(occluded, bool)
    if scores.shape != truth.shape or not np.isfinite(scores).all() or not truth.any():
        raise ValueError(
            f"finite scores and flags of one shape, at least one point occluded; not {scores.shape}, {truth.shape}"
        )
    order = np.argsort(-scores, axis=None)
    ordered = scores.ravel()[order]
    last_of_its_score = np.append(ordered[1:] != ordered[:-1], True)
    found = np.flatnonzero(last_of_its_score) + 1
    hits = np.cumsum(truth.ravel()[order])[last_of_its_score]
    return hits / found, hits / hits[-1]


def _checked_errors(predicted: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in one row."""
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if predicted.shape != true.shape or not true.size or not np.isfinite([predicted, true]).all():
        raise ValueError(f"predicted and true errors are finite, of one shape; not {predicted.shape} and {true.shape}")
    return predicted.ravel(), true.ravel()


class Reliability(NamedTuple):
    """Points in bins of equal width of their predicted visibility, from 0 to 1."""

    points: np.ndarray
    """(bins,) int, how many are in each."""
    predicted: np.ndarray
    """(bins,) mean predicted visibility; NaN where a bin is empty."""
    visible: np.ndarray
    """(bins,) share that is visible; NaN where a bin is empty."""

    def largest_gap(self, least_share: float = 0.02) -> float:
        """The largest difference between predicted and true share, of the bins that hold at least so many points."""
        large = self.points >= least_share * self.points.sum()
        return float(np.abs(self.predicted - self.visible)[large].max())


def reliability(visibility: np.ndarray, occluded: np.ndarray, bins: int = 10) -> Reliability:
    """Whether of the points with visibility 0.8, 80 % are visible.

    Args:
        visibility: predicted, 0..1, any shape, at least one point.
        occluded: booleans of the same shape, the truth.
        bins: how many.
    """
    visibility, occluded = _checked_visibility(visibility, occluded)
    index = np.minimum((visibility * bins).astype(int), bins - 1)
    points = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):  # 0 / 0 of empty bins
        predicted = np.bincount(index, visibility, bins) / points
        visible = np.bincount(index, ~occluded, bins) / points
    return Reliability(points, predicted, visible)


class PrecisionRecallAt(NamedTuple):
    """What a threshold makes of points. All fractions."""

    precision: float
    """Of the points predicted occluded, the share that is; NaN where none is predicted."""
    recall: float
    """Of the occluded points, the share that is predicted; NaN where none is occluded."""
    false_positives: float
    """Of the visible points, the share that is predicted occluded; NaN where none is visible."""


def precision_recall_at(visibility: np.ndarray, occluded: np.ndarray, threshold: float) -> PrecisionRecallAt:
    """Points with a visibility below the threshold are predicted occluded; arguments as in reliability."""
    visibility, occluded = _checked_visibility(visibility, occluded)
    predicted = visibility < threshold
    both = float((predicted & occluded).sum())

    def share(part: float, whole: float) -> float:
        return part / whole if whole else float("nan")

    return PrecisionRecallAt(
        share(both, float(predicted.sum())),
        share(both, float(occluded.sum())),
        share(float((predicted & ~occluded).sum()), float((~occluded).sum())),
    )


def _checked_visibility(visibility: np.ndarray, occluded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    visibility, occluded = np.asarray(visibility, float).ravel(), np.asarray(occluded, bool).ravel()
    if visibility.shape != occluded.shape or not len(visibility):
        raise ValueError(
            f"visibility and truth are of one shape, at least one point: {visibility.shape}, {occluded.shape}"
        )
    if not ((visibility >= 0) & (visibility <= 1)).all():
        raise ValueError("a visibility is in 0..1")
    return visibility, occluded
