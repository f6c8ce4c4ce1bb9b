"""From the scale that a network gives to its error to the error to be expected, fitted on the validation part.

Not in the paper: it predicts no error.
"""

from typing import NamedTuple

import numpy as np
import torch

from occlumark.data.pack import Pack
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.train.config import LandmarkConfig
from occlumark.train.validation import Predictions, predict

#: How often each validation face is occluded anew; it counts once as it is.
DRAWS = 4
_BINS = 20
_LEAST_SPREAD = 0.01  # of the bins' logarithms, standard deviation


class Calibration(NamedTuple):
    """Expected error = factor * scale ** power, crop pixels."""

    factor: float
    power: float


#: What the Laplace density says by itself: the mean distance of a point from the centre is twice the scale.
UNCALIBRATED = Calibration(2.0, 1.0)


def calibrate(
    network: OcclusionAdaptiveNetwork, pack: Pack, indices: np.ndarray, config: LandmarkConfig
) -> Calibration:
    """Fit on validation faces, as they are and under drawn occluders.

    Training fits its own faces too well for their errors to be those of new ones.

    Args:
        network: with a refinement, in evaluation mode, on the CPU.
        pack: the faces.
        indices: those of the validation part, at least one.
        config: of the network's run.
    """
    cpu = torch.device("cpu")
    with torch.no_grad():
        parts = [predict(network, pack, indices, config, cpu, occluded=False)]
        parts += [predict(network, pack, indices, config, cpu, occluded=True, draw=i + 1) for i in range(DRAWS)]
    return fit(*(np.concatenate(part) for part in zip(*map(_scales_and_errors, parts), strict=True)))


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
    return Calibration(float(error.mean() / (scale**power).mean()), power)


def _scales_and_errors(predicted: Predictions) -> tuple[np.ndarray, np.ndarray]:
    return predicted.scale[predicted.known], predicted.distances[predicted.known]
