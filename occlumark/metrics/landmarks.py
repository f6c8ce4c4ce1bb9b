"""Errors of predicted landmarks and their summaries. All are fractions; printing turns them into percent.

The normaliser is always given by name: inter-pupil numbers are 1.4 times the inter-ocular ones.
"""

from collections.abc import Sequence
from typing import NamedTuple, get_args

import numpy as np

from occlumark.markup import MARKUPS, NORMALISERS, BoxNormaliser, Markup, Normaliser

#: Those that need a face's box beside its landmarks.
BOX_NORMALISERS: tuple[BoxNormaliser, ...] = get_args(BoxNormaliser)
_SIGNS_AT_ONCE = 500  # some megabytes for the largest test sets


def point_errors(
    prediction: np.ndarray,
    truth: np.ndarray,
    normaliser: Normaliser,
    box: np.ndarray | None = None,
    markup: Markup | None = None,
) -> np.ndarray:
    """The distance of every predicted landmark from its annotated place, over the face's size.

    Args:
        prediction: (n, k, 2), pixels.
        truth: (n, k, 2) in the same pixels, NaN where not annotated.
        normaliser: what a face's size is: inter_ocular, the distance of the outer eye corners; inter_pupil, of
            the pupils as the markup has them (of 68 points the means of the eyes' six). Of `box`: box_width, its
            width; box_size, the square root of width x height; box_longer, its longer side; box_diagonal.
        box: (n, 4) x0, y0, x1, y1 in the same pixels; for the normalisers of a box, and for no other.
        markup: which landmark is which; None: that of so many landmarks in the package (68, 29, 19, 98 or 5).

    Returns:
        (n, k) fractions of the size; NaN where not annotated.

    Raises:
        ValueError: as point_distances, or a face without size.
    """
    return (
        point_distances(prediction, truth) / face_sizes(np.asarray(truth, np.float64), normaliser, box, markup)[:, None]
    )


def point_distances(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The distance of every predicted landmark from its annotated place; arguments as in point_errors.

    Returns:
        (n, k) pixels; NaN where not annotated.

    Raises:
        ValueError: shapes that do not fit, an infinite truth, a prediction that is not finite, or a face without an
            annotated landmark.
    """
    prediction, truth = np.asarray(prediction, np.float64), np.asarray(truth, np.float64)
    if prediction.shape != truth.shape or truth.ndim != 3 or truth.shape[2] != 2:
        raise ValueError(f"prediction and truth are both (n, k, 2), not {prediction.shape} and {truth.shape}")
    if not np.isfinite(prediction).all() or np.isinf(truth).any():
        raise ValueError("prediction and truth are finite numbers, truth NaN where not annotated")
    distances = np.linalg.norm(prediction - truth, axis=2)
    empty = np.isnan(distances).all(axis=1)
    if empty.any():
        raise ValueError(f"face {int(np.flatnonzero(empty)[0])} has no annotated landmark")
    return distances


def face_sizes(
    truth: np.ndarray, normaliser: Normaliser, box: np.ndarray | None = None, markup: Markup | None = None
) -> np.ndarray:
    """The size of every face by the named normaliser; arguments and errors as in point_errors.

    Returns:
        (n,) pixels.
    """
    if normaliser not in NORMALISERS:
        raise ValueError(f"normaliser is one of {', '.join(NORMALISERS)}, not {normaliser!r}")
    if (normaliser in BOX_NORMALISERS) != (box is not None):
        raise ValueError(f"a box is given with {', '.join(BOX_NORMALISERS)}, and with no other normaliser")
    if box is not None:
        box = np.asarray(box, np.float64)
        if box.shape != (len(truth), 4):
            raise ValueError(f"box is ({len(truth)}, 4), one per face, not {box.shape}")
        sizes = _box_sizes(box, normaliser)
    elif markup is None and truth.shape[1] not in MARKUPS:
        raise ValueError(f"{normaliser} is defined for {', '.join(map(str, MARKUPS))} landmarks, not {truth.shape[1]}")
    else:
        eyes = eye_landmarks(markup or MARKUPS[truth.shape[1]], normaliser)
        right, left = (truth[:, list(eye)].mean(axis=1) for eye in eyes)
        sizes = np.linalg.norm(right - left, axis=1)
    if not (sizes > 0).all():
        raise ValueError(f"face {int(np.flatnonzero(~(sizes > 0))[0])} has no {normaliser} size")
    return sizes


def eye_landmarks(markup: Markup, normaliser: Normaliser) -> tuple[Sequence[int], Sequence[int]]:
    """The landmarks whose means are the right and the left end of a normaliser of the eyes.

    Raises:
        ValueError: the markup does not name them.
    """
    if normaliser == "inter_pupil" and markup.pupils is not None:
        return markup.pupils
    if normaliser == "inter_ocular" and markup.outer_eye_corners is not None:
        right, left = markup.outer_eye_corners
        return (right,), (left,)
    part = "pupils" if normaliser == "inter_pupil" else "outer_eye_corners"
    raise ValueError(f"markup '{markup.name}' has no '{part}' to measure {normaliser}; name another normaliser")


def _box_sizes(box: np.ndarray, normaliser: Normaliser) -> np.ndarray:
    """(n,) what the normaliser makes of boxes (n, 4); NaN or not above 0 for an inverted one."""
    width, height = (box[:, 2:] - box[:, :2]).T
    upright = np.where((width > 0) & (height > 0), 1.0, np.nan)
    if normaliser == "box_size":
        return np.sqrt(np.abs(width * height)) * upright
    if normaliser == "box_longer":
        return np.maximum(width, height) * upright
    return width if normaliser == "box_width" else np.hypot(width, height) * upright


def nme(
    prediction: np.ndarray,
    truth: np.ndarray,
    normaliser: Normaliser,
    box: np.ndarray | None = None,
    markup: Markup | None = None,
) -> np.ndarray:
    """Normalised mean error of every face: the mean of its annotated landmarks' point_errors, same arguments.

    Paper: what its equation (10) calls NRMSE. Taken literally the equation's root would give 1.02 % where HPM's
    published COFW68 result is 6.72 %; this is the formula behind the published numbers.

    Returns:
        (n,) fractions.
    """
    return mean_over_landmarks(point_errors(prediction, truth, normaliser, box, markup))


def errors_over(distances: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Errors (n, k) of landmarks: their distances (n, k) in pixels, over their faces' sizes (n,) in pixels."""
    return np.asarray(distances / sizes[:, None])


def nme_over(prediction: np.ndarray, truth: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The same over sizes that are known, where no single normaliser gives them all.

    Args:
        prediction: as in nme.
        truth: as in nme.
        sizes: (n,) pixels, above 0.

    Raises:
        ValueError: as in nme.
    """
    sizes = np.asarray(sizes, np.float64)
    if sizes.shape != (len(truth),) or not (sizes > 0).all():
        raise ValueError(f"sizes are one a face and above 0; not {sizes.shape} for {len(truth)} faces")
    return mean_over_landmarks(errors_over(point_distances(prediction, truth), sizes))


def mean_over_landmarks(errors: np.ndarray) -> np.ndarray:
    """Every face's NME, (n,), from the errors (n, k) of its landmarks, NaN where not annotated."""
    return np.asarray(np.nanmean(errors, axis=1))


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


class PairedDifference(NamedTuple):
    """How much larger one model's errors are than another's on the same faces."""

    mean: float
    """Of first - second; below 0 where the first model is the better one."""
    low: float
    """Lower end of the bootstrap's percentile interval of the mean."""
    high: float
    """Upper end."""
    p: float
    """The share of random signs of the differences that move the mean as far from 0, two-sided: 0..1."""


def paired_difference(
    first: np.ndarray, second: np.ndarray, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> PairedDifference:
    """Whether one model's errors differ from another's by more than the choice of faces explains.

    The test is a permutation test: were the models alike, each face's difference might as well have the other sign.
    It tells nothing of another training seed: for that, compare several.

    Args:
        first: (n,) errors of one model, fractions, n at least 1.
        second: (n,) those of the other on the same faces in the same order.
        confidence: of the interval, 0..1.
        resamples: how many draws with replacement, and how many draws of signs; p is never below 1 / (resamples + 1).
        seed: of the draws.

    Raises:
        ValueError: errors of different number, none, or one that is not finite.
    """
    first, second = _checked(first), _checked(second)
    if first.shape != second.shape:
        raise ValueError(f"two models are compared on the same faces, not on {len(first)} and {len(second)}")
    differences = first - second
    mean = float(differences.mean())
    low, high = mean_interval(differences, confidence, resamples, seed)
    generator = np.random.default_rng(seed)
    # A rounding error of the sum must not make a draw of all the same signs the smaller one.
    as_far = abs(mean) * (1 - 1e-12)
    further = 0
    for start in range(0, resamples, _SIGNS_AT_ONCE):
        kept = generator.random((min(_SIGNS_AT_ONCE, resamples - start), len(differences))) < 0.5
        further += int(np.count_nonzero(np.abs(np.where(kept, differences, -differences).mean(axis=1)) >= as_far))
    return PairedDifference(mean, low, high, (1 + further) / (1 + resamples))


def precision_recall(flagged: np.ndarray, occluded: np.ndarray) -> tuple[float, float]:
    """How well occlusion flags meet the annotated ones, over all points together.

    Args:
        flagged: booleans of any shape, the landmarks predicted occluded.
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
