"""What a network's scale and logit mean, fitted on the validation part: an expected error, a probability.

Not in the paper: it predicts neither.
"""

from typing import NamedTuple

import numpy as np
import torch

from occlumark.data.pack import OCCLUDED, UNKNOWN, Pack
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.train.config import LandmarkConfig
from occlumark.train.validation import Predictions, predict

#: How often each validation face is occluded anew; it counts once as it is.
DRAWS = 4
_BINS = 20
_NEWTON_STEPS, _SMALLEST_STEP = 25, 1e-9
_LEAST_SPREAD = 0.01  # of the bins' logarithms, standard deviation
# Of a trained network it is about 1; of a hardly trained one the factor beside a larger one leaves fp32's range.
_MOST_POWER = 4.0


class Calibration(NamedTuple):
    """Expected error = factor * scale ** power, crop pixels; the logit of occlusion times a scale plus an offset."""

    factor: float
    power: float
    logit_scale: float = 1.0
    logit_offset: float = 0.0


#: What the Laplace density says by itself: the mean distance of a point from the centre is twice the scale.
UNCALIBRATED = Calibration(2.0, 1.0)


def calibrate(
    network: OcclusionAdaptiveNetwork, pack: Pack, indices: np.ndarray, labelled: np.ndarray, config: LandmarkConfig
) -> Calibration:
    """Fit on validation faces: the error as they are and under drawn occluders, visibility as they are.

    Training fits its own faces too well for their errors to be those of new ones. Drawn occluders are more often there
    than real ones, so a probability learnt among them is too low for photos.

    Args:
        network: with a refinement, in evaluation mode, on the CPU.
        pack: the faces.
        indices: those of the validation part, at least one.
        labelled: those whose real occlusion is known; with none, the logits stay as they are.
        config: of the network's run.
    """
    cpu = torch.device("cpu")
    with torch.no_grad():
        parts = [predict(network, pack, indices, config, cpu, occluded=False)]
        parts += [predict(network, pack, indices, config, cpu, occluded=True, draw=i + 1) for i in range(DRAWS)]
    found = fit(*(np.concatenate(part) for part in zip(*map(_scales_and_errors, parts), strict=True)))
    states = pack.occlusion[labelled]
    if not (states == OCCLUDED).any():
        return found
    with torch.no_grad():
        probability = predict(network, pack, labelled, config, cpu, occluded=False).occlusion_probability
    known = states != UNKNOWN
    logit = np.log(probability[known]) - np.log1p(-probability[known].astype(np.float64))
    scale, offset = fit_logit(logit, states[known] == OCCLUDED)
    return found._replace(logit_scale=scale, logit_offset=offset)


def fit_logit(logit: np.ndarray, occluded: np.ndarray) -> tuple[float, float]:
    """Scale and offset that make logits those of a probability: logistic regression by Newton's method (Platt, 1999).

    Args:
        logit: (n,), clipped to what a probability of fp32 can be.
        occluded: (n,) bool, the truth, with both kinds of points.
    """
    x = np.stack([np.clip(logit, -16, 16), np.ones(len(logit))], axis=1)
    # Platt's targets: a class that is told perfectly would want an endless scale
    n_occluded, n_visible = occluded.sum(), (~occluded).sum()
    truth = np.where(occluded, (n_occluded + 1) / (n_occluded + 2), 1 / (n_visible + 2))

    def loss(weights: np.ndarray) -> float:
        return float((np.logaddexp(0, x @ weights) - truth * (x @ weights)).sum())

    weights = np.array([1.0, 0.0])
    for _ in range(_NEWTON_STEPS):
        probability = np.exp(-np.logaddexp(0, -x @ weights))
        curvature = (x * (probability * (1 - probability))[:, None]).T @ x + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, x.T @ (truth - probability))
        while loss(weights + step) > loss(weights) and np.abs(step).max() > _SMALLEST_STEP:
            step = step / 2
        weights = weights + step
    return float(weights[0]), float(weights[1])


def fit(scale: np.ndarray, error: np.ndarray) -> Calibration:
    """The power law through the means of bins of equal counts, least squares in the logarithm.

    Args:
        scale: (n,) above 0.
        error: (n,) at least 0, in the same unit.

    Returns:
        Its factor is then set such that the mean expected error is the mean error.
    """
    order = np.argsort(scale, kind="stable")
    bins = [part for part in np.array_split(order, _BINS) if len(part)]
    means = np.log([[scale[part].mean(), max(error[part].mean(), 1e-6)] for part in bins])
    spread = means[:, 0] - means[:, 0].mean()
    # scales that hardly differ, as after a first epoch, say nothing of a power
    power = float(spread @ means[:, 1] / (spread @ spread)) if spread.std() > _LEAST_SPREAD else 1.0
    power = min(max(power, 0.0), _MOST_POWER)
    return Calibration(float(error.mean() / (scale**power).mean()), power)


def _scales_and_errors(predicted: Predictions) -> tuple[np.ndarray, np.ndarray]:
    return predicted.scale[predicted.known], predicted.distances[predicted.known]
