"""How well a landmark network does on faces that it is not trained on, as they are and under drawn occluders."""

from typing import NamedTuple, get_args

import cv2
import numpy as np
import torch

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.pack import Pack
from occlumark.face import HIDDEN_BELOW
from occlumark.markup import MARKUPS, N_LANDMARKS
from occlumark.metrics.visibility import average_precision
from occlumark.model.backbone import Backbone
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.model.refinement import Refinement
from occlumark.occluders.kinds import TRAINING
from occlumark.occluders.occlude import WITHOUT_LANDMARKS, Kind, OccludeConfig, hidden_landmarks, occlude
from occlumark.train.config import LandmarkConfig
from occlumark.train.face_dataset import validation_batches, validation_box
from occlumark.train.task import autocast

#: The same over all runs of a markup, whatever occluders they train with, so that their numbers compare.
COVERS = OccludeConfig(probability=1, kinds=tuple(kind for kind in get_args(Kind) if kind in TRAINING))
#: For faces of another markup than 68 points.
COVERS_WITHOUT_LANDMARKS = OccludeConfig(probability=1, kinds=WITHOUT_LANDMARKS)
_AFLW = 19
#: A place whose P is below is as good as cut out of the features.
CUT_BELOW = 0.1


class Seen(NamedTuple):
    """What a network says of n faces, and the truth."""

    landmarks: np.ndarray
    """(n, L, 2) crop pixels, predicted."""
    truth: np.ndarray
    """(n, L, 2) crop pixels; NaN where not annotated."""
    covered: np.ndarray
    """(n, L) bool: under a drawn occluder."""
    hidden: np.ndarray
    """(n, L) 0..1, how sure the network is that a landmark is covered; NaN without a refinement."""
    scale: np.ndarray
    """(n, L) crop pixels, the scale that the network gives to its error; NaN without a refinement."""
    P: np.ndarray
    """(n, h, w) 0..1, h and w the backbone's grid; NaN without a distillation module."""
    cover: np.ndarray
    """(n, h, w) 0..1, the share of each place of that grid under a drawn occluder."""

    @property
    def known(self) -> np.ndarray:
        """(n, L) bool: which landmarks are annotated."""
        return np.isfinite(self.truth).all(axis=2)

    @property
    def distances(self) -> np.ndarray:
        """(n, L) crop pixels, of each landmark from its true place; NaN where not annotated."""
        return np.linalg.norm(self.landmarks - self.truth, axis=2)


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
        "validation/nme" of the faces as they are and "validation/nme_covered" under one of training's own occluders
        each, the same for every run, over each face's annotated landmarks and its size (validation_sizes); with a
        refinement also "validation/hidden_ap", the average precision of "hidden" on the covered faces, and
        "validation/called_hidden", the share of the open faces' landmarks. With a distillation module what its P is
        like, see _about_P.
    """
    open_faces = look(network, pack, indices, config, device, covered=False)
    covered = look(network, pack, indices, config, device, covered=True)
    sizes = validation_sizes(pack, indices, config.crop)
    found = {
        "validation/nme": float((np.nanmean(open_faces.distances, axis=1) / sizes).mean()),
        "validation/nme_covered": float((np.nanmean(covered.distances, axis=1) / sizes).mean()),
    }
    if network.refinement is not None:
        found["validation/called_hidden"] = float((open_faces.hidden > 1 - HIDDEN_BELOW)[open_faces.known].mean())
        if covered.covered.any():
            known = covered.known
            found["validation/hidden_ap"] = average_precision(covered.hidden[known], covered.covered[known])
    if network.config.distillation:
        found |= _about_P(open_faces, covered)
    return found


def validation_sizes(pack: Pack, indices: np.ndarray, crop: CropConfig) -> np.ndarray:
    """What validation errors are divided by: a face's inter-ocular distance, or with AFLW's 19 points the box's width.

    Not in the paper, as far as it is about validation. AFLW's profiles show one eye; of faces with an eye corner that
    is not annotated the box's width counts as well.

    Returns:
        (n,) crop pixels.
    """
    boxes = np.stack([validation_box(pack, int(index)) for index in indices]).astype(np.float64)
    zooms = np.array([CropTransform.from_box(box, crop).zoom for box in boxes])
    widths = boxes[:, 2] - boxes[:, 0]
    if pack.markup == _AFLW:
        return widths * zooms
    right, left = MARKUPS[pack.markup].outer_eye_corners
    landmarks = pack.landmarks[indices].astype(np.float64)
    inter_ocular = np.linalg.norm(landmarks[:, right] - landmarks[:, left], axis=1)
    return np.where(np.isfinite(inter_ocular), inter_ocular, widths) * zooms


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
        covers = COVERS if landmarks.shape[1] == N_LANDMARKS else COVERS_WITHOUT_LANDMARKS
        composed[row], alpha = occlude(crops[row], landmarks[row], covers, rng)
        hidden[row] = hidden_landmarks(alpha, landmarks[row])
        cover[row] = cv2.resize(alpha, (grid, grid), interpolation=cv2.INTER_AREA)
    return composed, hidden, cover
