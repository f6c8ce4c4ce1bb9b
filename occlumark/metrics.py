"""Errors of predicted landmarks and their summaries. All are fractions; printing turns them into percent.

The normaliser is always given by name: inter-pupil numbers are 1.4 times the inter-ocular ones.
"""

from typing import Literal, get_args

import numpy as np

from occlumark.markup import LEFT_EYE, N_LANDMARKS, OUTER_EYE_CORNERS, RIGHT_EYE

Normaliser = Literal["inter_ocular", "inter_pupil", "box_width"]
NORMALISERS: tuple[Normaliser, ...] = get_args(Normaliser)


def point_errors(
    prediction: np.ndarray, truth: np.ndarray, normaliser: Normaliser, box: np.ndarray | None = None
) -> np.ndarray:
    """The distance of every predicted landmark from its true place, over the face's size.

    Args:
        prediction: (n, k, 2), pixels.
        truth: (n, k, 2) in the same pixels; k is 68 unless the normaliser is box_width.
        normaliser: what a face's size is: inter_ocular, the distance of the outer eye corners; inter_pupil, of
            the means of the eyes' six points; box_width, the width of `box`.
        box: (n, 4) x0, y0, x1, y1 in the same pixels; for box_width alone.

    Returns:
        (n, k) fractions of the size.

    Raises:
        ValueError: shapes that do not fit, a value that is not finite, or a face without size.
    """
    prediction, truth = np.asarray(prediction, np.float64), np.asarray(truth, np.float64)
    if prediction.shape != truth.shape or truth.ndim != 3 or truth.shape[2] != 2:
        raise ValueError(f"prediction and truth are both (n, k, 2), not {prediction.shape} and {truth.shape}")
    distances = np.linalg.norm(prediction - truth, axis=2)
    if not np.isfinite(distances).all():
        raise ValueError("prediction and truth are finite numbers")
    return distances / face_sizes(truth, normaliser, box)[:, None]


def face_sizes(truth: np.ndarray, normaliser: Normaliser, box: np.ndarray | None = None) -> np.ndarray:
    """The size of every face by the named normaliser; arguments and errors as in point_errors.

    Returns:
        (n,) pixels.
    """
    if (normaliser == "box_width") != (box is not None):
        raise ValueError("a box is given with the normaliser box_width, and with no other")
    if normaliser == "box_width":
        box = np.asarray(box, np.float64)
        if box.shape != (len(truth), 4):
            raise ValueError(f"box is ({len(truth)}, 4), one per face, not {box.shape}")
        sizes = box[:, 2] - box[:, 0]
    elif normaliser not in NORMALISERS:
        raise ValueError(f"normaliser is one of {', '.join(NORMALISERS)}, not {normaliser!r}")
    elif truth.shape[1] != N_LANDMARKS:
        raise ValueError(f"{normaliser} is defined here for {N_LANDMARKS} landmarks, not {truth.shape[1]}")
    elif normaliser == "inter_ocular":
        right, left = OUTER_EYE_CORNERS
        sizes = np.linalg.norm(truth[:, right] - truth[:, left], axis=1)
    else:
        pupils = [truth[:, eye].mean(axis=1) for eye in (list(RIGHT_EYE), list(LEFT_EYE))]
        sizes = np.linalg.norm(pupils[0] - pupils[1], axis=1)
    if not (sizes > 0).all():
        raise ValueError(f"face {int(np.flatnonzero(~(sizes > 0))[0])} has no {normaliser} size")
    return sizes


def nme(prediction: np.ndarray, truth: np.ndarray, normaliser: Normaliser, box: np.ndarray | None = None) -> np.ndarray:
    """Normalised mean error of every face: the mean of its landmarks' point_errors, same arguments.

    Paper: what its equation (10) calls NRMSE. Taken literally the equation's root would give 1.02 % where HPM's
    published COFW68 result is 6.72 %; this is the formula behind the published numbers.

    Returns:
        (n,) fractions.
    """
    return point_errors(prediction, truth, normaliser, box).mean(axis=1)


def failure_rate(errors: np.ndarray, threshold: float) -> float:
    """The share of faces with an error above the threshold.

    Args:
        errors: (n,) fractions, n at least 1.
        threshold: a fraction, such as .08 or .10.
    """
    return float(np.mean(_checked(errors, threshold) > threshold))


def auc(errors: np.ndarray, threshold: float) -> float:
    """The area under the ced from 0 to the threshold, over the threshold: exact, without a histogram.

    Args:
        errors: (n,) fractions, n at least 1.
        threshold: a fraction, such as .08 or .10.

    Returns:
        0..1; 1 when every error is 0.
    """
    return float(np.mean(np.maximum(0, threshold - _checked(errors, threshold))) / threshold)


def ced(errors: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The cumulative error distribution: for every threshold the share of faces with no larger error.

    Args:
        errors: (n,) fractions, n at least 1.
        thresholds: (m,) fractions.

    Returns:
        (m,) shares, 0..1.
    """
    errors = np.sort(_checked(errors))
    return np.searchsorted(errors, np.asarray(thresholds, np.float64), side="right") / len(errors)


def mean_interval(
    errors: np.ndarray, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The bootstrap's percentile interval of the mean error: where another draw of faces might put it.

    Args:
        errors: (n,) fractions, n at least 1.
        confidence: 0..1.
        resamples: how many draws with replacement.
        seed: of the draws.
    """
    errors = _checked(errors)
    generator = np.random.default_rng(seed)
    means = [errors[generator.integers(len(errors), size=len(errors))].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def precision_recall(flagged: np.ndarray, occluded: np.ndarray) -> tuple[float, float]:
    """How well occlusion flags meet the annotated ones, over all points together.

    Args:
        flagged: booleans of any shape, the prediction.
        occluded: booleans of the same shape, the truth; at least one is set.

    Returns:
        Precision, the share of the flagged points that are occluded (1 when none is flagged), and recall, the
        share of the occluded points that are flagged.
    """
    flagged, occluded = np.asarray(flagged, bool), np.asarray(occluded, bool)
    if flagged.shape != occluded.shape or not occluded.any():
        raise ValueError(f"flags of equal shape, at least one occluded; not {flagged.shape} and {occluded.shape}")
    hits = np.count_nonzero(flagged & occluded)
    found = np.count_nonzero(flagged)
    return hits / found if found else 1.0, hits / np.count_nonzero(occluded)


def _checked(errors: np.ndarray, threshold: float = 1.0) -> np.ndarray:
    errors = np.asarray(errors, np.float64)
    if errors.ndim != 1 or not len(errors) or not np.isfinite(errors).all():
        raise ValueError(f"errors are at least one finite number, in one row; not {errors.shape}")
    if not threshold > 0:
        raise ValueError(f"a threshold is above 0, not {threshold}")
    return errors
