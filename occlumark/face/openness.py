"""How far the eyes and the mouth are open. Not in the paper."""

import numpy as np

from occlumark.markup import Markup, Opening


def eye_openness(landmarks: np.ndarray, markup: Markup) -> np.ndarray:
    """The eye aspect ratio (Soukupova and Cech, Real-time eye blink detection using facial landmarks, 2016).

    Args:
        landmarks: (n, 2), the markup's.
        markup: which landmark is which.

    Returns:
        (2,) of the right and the left eye: the mean distance of the lids over that of the eye's corners; about 0.1 shut
        and 0.3 open. NaN where the markup has no points on the lids, or the corners lie in one place.
    """
    if markup.eyes is None:
        return np.full(2, np.nan)
    return np.array([_ratio(landmarks, eye) for eye in markup.eyes])


def mouth_openness(landmarks: np.ndarray, markup: Markup) -> float:
    """The same of the mouth, between the lips: 0 where they touch. NaN as in eye_openness."""
    return float("nan") if markup.mouth is None else _ratio(landmarks, markup.mouth)


def _ratio(landmarks: np.ndarray, opening: Opening) -> float:
    upper, lower = np.array(opening.lids).T
    first, second = opening.corners
    width = np.linalg.norm(landmarks[first] - landmarks[second])
    height = np.linalg.norm(landmarks[upper] - landmarks[lower], axis=1).mean()
    return float(height / width) if width > 0 else float("nan")
