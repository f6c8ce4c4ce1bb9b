"""How well a landmark network does on faces that it is not trained on, as they are and under drawn occluders."""

from typing import NamedTuple, get_args

import cv2
import numpy as np
import torch

from occlumark.data.occlude import Kind, OccludeConfig, hidden_landmarks, occlude
from occlumark.data.occluders.kinds import TRAINING
from occlumark.data.pack import Pack
from occlumark.face import HIDDEN_BELOW
from occlumark.metrics import nme
from occlumark.model.backbone import Backbone
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.model.refinement import Refinement
from occlumark.train.config import LandmarkConfig
from occlumark.train.faces import validation_batches
from occlumark.train.task import autocast
from occlumark.visibility_metrics import average_precision

#: The same over all runs, whatever occluders they train with, so that their numbers compare.
COVERS = OccludeConfig(probability=1, kinds=tuple(kind for kind in get_args(Kind) if kind in TRAINING))
#: A place whose P is below is as good as cut out of the features.
CUT_BELOW = 0.1


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
    P: np.ndarray
    """(n, h, w) 0..1, h and w the backbone's grid; NaN without a distillation module."""
    cover: np.ndarray
    """(n, h, w) 0..1, the share of each place of that grid under a drawn occluder."""


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
        of "hidden" on the covered faces, and "validation/called_hidden", the share of the open faces' landmarks. With a
        distillation module what its P is like, see _about_P.
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
    if network.distillation is not None:
        found |= _about_P(open_faces, covered)
    return found


def _about_P(open_faces: Seen, covered: Seen) -> dict[str, float]:
    """What the distillation module's map learnt, over all places of the faces.

    Returns:
        On open faces "validation/P_mean" and "validation/P_cut", the share of places below CUT_BELOW. On covered ones
        "validation/P_cover_ap", the average precision of 1 - P against the places that are covered by more than half,
        and "validation/cover_share", the share of such places, which a map that knows nothing gets.
    """
    hidden = covered.cover > 0.5
    found = {
        "validation/P_mean": float(open_faces.P.mean()),
        "validation/P_cut": float((open_faces.P < CUT_BELOW).mean()),
        "validation/cover_share": float(hidden.mean()),
    }
    if hidden.any():
        found["validation/P_cover_ap"] = average_precision(1 - covered.P, hidden)
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
    size, grid = config.optimiser.batch, config.crop.size // Backbone.stride
    batches = validation_batches(pack, indices, config.crop, size)
    for first, (crops, truth) in zip(range(0, len(indices), size), batches, strict=True):
        hidden, cover = np.zeros(truth.shape[:2], bool), np.zeros((len(crops), grid, grid), np.float32)
        if covered:
            crops, hidden, cover = _cover(crops, truth, indices[first : first + size], draw, grid)
        with autocast(config.optimiser, device):
            output = network(torch.from_numpy(crops).to(device))
        told = [torch.full(output.landmarks.shape[:2], torch.nan)] * 2
        if output.refined is not None:
            told = [output.refined.hidden.sigmoid(), output.refined.log_scale.exp() * Refinement.stride]
        P = torch.full(cover.shape, torch.nan) if output.P is None else output.P.squeeze(1)
        said = (output.landmarks, *told, P)
        landmarks, sure, scale, P_map = (values.cpu().numpy() for values in said)
        parts.append((landmarks, truth, hidden, sure, scale, P_map, cover))
    return Seen(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _cover(
    crops: np.ndarray, landmarks: np.ndarray, indices: np.ndarray, draw: int, grid: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An occluder over every face, which landmarks it hides, and how much of each place of a grid."""
    composed, hidden = np.empty_like(crops), np.empty(landmarks.shape[:2], bool)
    cover = np.empty((len(crops), grid, grid), np.float32)
    for row, index in enumerate(indices):
        rng = np.random.default_rng((draw, int(index)))
        composed[row], alpha = occlude(crops[row], landmarks[row], COVERS, rng)
        hidden[row] = hidden_landmarks(alpha, landmarks[row])
        cover[row] = cv2.resize(alpha, (grid, grid), interpolation=cv2.INTER_AREA)
    return composed, hidden, cover
