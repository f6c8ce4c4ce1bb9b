"""How well a landmark network does on faces that it is not trained on, as they are and under drawn occluders."""

from typing import NamedTuple, get_args

import numpy as np
import torch

from occlumark.data.occlude import Kind, OccludeConfig, hidden_landmarks, occlude
from occlumark.data.occluders.kinds import TRAINING
from occlumark.data.pack import Pack
from occlumark.face import HIDDEN_BELOW
from occlumark.metrics import nme
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.model.refinement import Refinement
from occlumark.train.config import LandmarkConfig
from occlumark.train.faces import validation_batches
from occlumark.train.task import autocast
from occlumark.visibility_metrics import average_precision

#: The same over all runs, whatever occluders they train with, so that their numbers compare.
COVERS = OccludeConfig(probability=1, kinds=tuple(kind for kind in get_args(Kind) if kind in TRAINING))


class Seen(NamedTuple):
    """What a network says of n faces, and the truth."""

    landmarks: np.ndarray
    """(n, 68, 2) crop pixels, predicted."""
    truth: np.ndarray
    """(n, 68, 2) crop pixels."""
    covered: np.ndarray
    """(n, 68) bool: under a drawn occluder."""
    hidden: np.ndarray
    """(n, 68) 0..1, how sure the network is that a landmark is covered; NaN without a refinement."""
    scale: np.ndarray
    """(n, 68) crop pixels, the scale that the network gives to its error; NaN without a refinement."""


def scores(
    network: OcclusionAdaptiveNetwork, pack: Pack, indices: np.ndarray, config: LandmarkConfig, device: torch.device
) -> dict[str, float]:
    """The numbers that a run is judged by while it goes on. Crops are cut from official boxes, else tight ones.

    Args:
        network: in evaluation mode; the caller keeps no gradients.
        pack: the faces.
        indices: those of the validation part, at least one.
        config: of the run.
        device: where the network lives.

    Returns:
        "validation/nme" (inter-ocular) of the faces as they are and "validation/nme_covered" under one of training's
        own occluders each, the same for every run; with a refinement also "validation/hidden_ap", the average precision
        of "hidden" on the covered faces, and "validation/called_hidden", the share of the open faces' landmarks.
    """
    open_faces = look(network, pack, indices, config, device, covered=False)
    covered = look(network, pack, indices, config, device, covered=True)
    found = {
        "validation/nme": float(nme(open_faces.landmarks, open_faces.truth, "inter_ocular").mean()),
        "validation/nme_covered": float(nme(covered.landmarks, covered.truth, "inter_ocular").mean()),
    }
    if network.refinement is not None:
        found["validation/called_hidden"] = float((open_faces.hidden > 1 - HIDDEN_BELOW).mean())
        if covered.covered.any():
            found["validation/hidden_ap"] = average_precision(covered.hidden, covered.covered)
    return found


def look(
    network: OcclusionAdaptiveNetwork,
    pack: Pack,
    indices: np.ndarray,
    config: LandmarkConfig,
    device: torch.device,
    *,
    covered: bool,
    draw: int = 0,
) -> Seen:
    """Run the network on faces, as they are or each under an occluder; arguments as in `scores`.

    Args:
        covered: put an occluder over every face, chosen by the face and the number `draw` alone.
    """
    parts = []
    size = config.optimiser.batch
    batches = validation_batches(pack, indices, config.crop, size)
    for first, (crops, truth) in zip(range(0, len(indices), size), batches, strict=True):
        hidden = np.zeros(truth.shape[:2], bool)
        if covered:
            crops, hidden = _cover(crops, truth, indices[first : first + size], draw)
        with autocast(config.optimiser, device):
            output = network(torch.from_numpy(crops).to(device))
        told = [torch.full(output.landmarks.shape[:2], torch.nan)] * 2
        if output.refined is not None:
            told = [output.refined.hidden.sigmoid(), output.refined.log_scale.exp() * Refinement.stride]
        parts.append((output.landmarks.cpu().numpy(), truth, hidden, *(values.cpu().numpy() for values in told)))
    return Seen(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _cover(crops: np.ndarray, landmarks: np.ndarray, indices: np.ndarray, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """An occluder over every face, and which landmarks it hides."""
    composed, hidden = np.empty_like(crops), np.empty(landmarks.shape[:2], bool)
    for row, index in enumerate(indices):
        rng = np.random.default_rng((draw, int(index)))
        composed[row], alpha = occlude(crops[row], landmarks[row], COVERS, rng)
        hidden[row] = hidden_landmarks(alpha, landmarks[row])
    return composed, hidden
