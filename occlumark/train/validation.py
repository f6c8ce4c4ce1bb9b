"""How well a landmark network does on faces that it is not trained on, as they are and under drawn occluders."""

from typing import NamedTuple, get_args

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.pack import OCCLUDED, UNKNOWN, Pack
from occlumark.face import HIDDEN_BELOW
from occlumark.markup import W300
from occlumark.metrics.landmarks import (
    BOX_NORMALISERS,
    errors_over,
    eye_landmarks,
    face_sizes,
    nme_over,
    point_distances,
)
from occlumark.metrics.visibility import average_precision, recall_at_precision
from occlumark.model.backbone import Backbone
from occlumark.model.layers import sample_map
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.model.refinement import Refinement
from occlumark.occluders.kinds import TRAINING
from occlumark.occluders.occlude import WITHOUT_LANDMARKS, Kind, OccludeConfig, occlude, occluded_landmarks
from occlumark.train.config import LandmarkConfig
from occlumark.train.face_dataset import TrainingFaces, validation_batches, validation_box
from occlumark.train.precision import autocast

#: The same over all runs of a markup, whatever occluders they train with, so that their numbers compare.
VALIDATION_OCCLUDERS = OccludeConfig(probability=1, kinds=tuple(kind for kind in get_args(Kind) if kind in TRAINING))
#: For faces of another markup than 300W's 68 points.
VALIDATION_OCCLUDERS_WITHOUT_LANDMARKS = OccludeConfig(probability=1, kinds=WITHOUT_LANDMARKS)
#: Where P is below, the features are as good as cut out.
CUT_BELOW = 0.1


class Predictions(NamedTuple):
    """What a network predicts of n faces, and the truth."""

    landmarks: np.ndarray
    """(n, L, 2) crop pixels, predicted."""
    truth: np.ndarray
    """(n, L, 2) crop pixels; NaN where not annotated."""
    occluded: np.ndarray
    """(n, L) bool, the truth: under a drawn occluder."""
    occlusion_probability: np.ndarray
    """(n, L) 0..1, predicted for each landmark; NaN without a refinement."""
    scale: np.ndarray
    """(n, L) crop pixels, predicted Laplace scale of the error; NaN without a refinement."""
    P: np.ndarray
    """(n, h, w) 0..1, h and w the backbone's grid; NaN without a distillation module."""
    occlusion: np.ndarray
    """(n, h, w) 0..1, the truth: the share of each cell of that grid under a drawn occluder."""

    @property
    def known(self) -> np.ndarray:
        """(n, L) bool: which landmarks are annotated."""
        return np.isfinite(self.truth).all(axis=2)

    @property
    def distances(self) -> np.ndarray:
        """(n, L) crop pixels, of each landmark from its true place; NaN where not annotated."""
        return point_distances(self.landmarks, self.truth)


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
        "validation/nme" of the clean faces and "validation/nme_occluded" under one of training's own occluders each,
        the same for every run, over each face's annotated landmarks and its size (validation_sizes); with a refinement
        also "validation/occluded_ap", the average precision of the occlusion probability on the occluded faces, and
        "validation/predicted_occluded", the share of the clean faces' landmarks predicted occluded. With a distillation
        module what its P is like, see _about_P.
    """
    clean = predict(network, pack, indices, config, device, occluded=False)
    occluded = predict(network, pack, indices, config, device, occluded=True)
    sizes = validation_sizes(pack, indices, config.crop)
    found = {
        "validation/nme": float(nme_over(clean.landmarks, clean.truth, sizes).mean()),
        "validation/nme_occluded": float(nme_over(occluded.landmarks, occluded.truth, sizes).mean()),
    }
    if network.refinement is not None:
        predicted = clean.occlusion_probability > 1 - HIDDEN_BELOW
        found["validation/predicted_occluded"] = float(predicted[clean.known].mean())
        if occluded.occluded.any():
            known = occluded.known
            found["validation/occluded_ap"] = average_precision(
                occluded.occlusion_probability[known], occluded.occluded[known]
            )
    if network.config.distillation:
        found |= _about_P(clean, occluded)
    return found


def validation_sizes(pack: Pack, indices: np.ndarray, crop: CropConfig) -> np.ndarray:
    """What validation errors are divided by: a face's size by its markup's normaliser; with AFLW's 19 points the box's
    width.

    Not in the paper, as far as it is about validation. Of faces whose eyes are not annotated so far the box's width
    counts as well.

    Returns:
        (n,) crop pixels.
    """
    boxes = np.stack([validation_box(pack, int(index)) for index in indices]).astype(np.float64)
    zooms = np.array([CropTransform.from_box(box, crop).zoom for box in boxes])
    widths = boxes[:, 2] - boxes[:, 0]
    markup, landmarks = pack.markup, pack.landmarks[indices].astype(np.float64)
    if markup.normaliser in BOX_NORMALISERS:
        return face_sizes(landmarks, markup.normaliser, boxes) * zooms
    right, left = eye_landmarks(markup, markup.normaliser)
    both = np.isfinite(landmarks[:, [*right, *left]]).all(axis=(1, 2))
    widths[both] = face_sizes(landmarks[both], markup.normaliser, markup=markup)
    return widths * zooms


def real_occlusion_scores(
    network: OcclusionAdaptiveNetwork, pack: Pack, indices: np.ndarray, config: LandmarkConfig, device: torch.device
) -> dict[str, float]:
    """How well occlusion by real things is told, over the landmarks of labelled faces; arguments as in `scores`.

    Returns:
        "validation/real_ap", the average precision of being occluded, "validation/real_recall_80", the highest recall
        at a precision of at least 80 %, and "validation/real_false", the share of visible landmarks predicted occluded.
        "validation/real_nme_occluded" and "validation/real_nme_visible": mean errors of such landmarks, over the sizes
        that validation_sizes tells. With a distillation module also "validation/P_real_ap", of 1 - P where the
        landmarks are. Empty without a refinement or without labelled faces.
    """
    if network.refinement is None or not len(indices):
        return {}
    predicted = predict(network, pack, indices, config, device, occluded=False)
    states = pack.occlusion[indices]
    known = (states != UNKNOWN) & predicted.known
    truth, score = states[known] == OCCLUDED, predicted.occlusion_probability[known]
    if not truth.any():
        return {}
    errors = errors_over(predicted.distances, validation_sizes(pack, indices, config.crop))[known]
    found = {
        "validation/real_ap": average_precision(score, truth),
        "validation/real_recall_80": recall_at_precision(score, truth, 0.8),
        "validation/real_false": float((score[~truth] > 0.5).mean()),
        "validation/real_nme_occluded": float(errors[truth].mean()),
        "validation/real_nme_visible": float(errors[~truth].mean()),
    }
    if network.config.distillation:
        P = sample_map(torch.from_numpy(predicted.P), torch.from_numpy(predicted.truth / config.crop.size).float())
        found["validation/P_real_ap"] = average_precision(1 - P.numpy()[known], truth)
    return found


def presence_scores(
    network: OcclusionAdaptiveNetwork, faces: TrainingFaces | None, config: LandmarkConfig, device: torch.device
) -> dict[str, float]:
    """How well crops with and without a face are told apart; network, config and device as in `scores`.

    Args:
        faces: of the validation part, some of whose crops show no face; None: nothing is asked.

    Returns:
        "validation/no_face_ap", the average precision of there being none, and "validation/faces_lost" and
        "validation/no_face_kept", the shares of crops with a face whose presence is below one half, and of those
        without that are not. Empty where there are not both.
    """
    if faces is None:
        return {}
    truth, presence = [], []
    for batch in DataLoader(faces, batch_size=config.optimiser.batch):
        with autocast(config.optimiser, device):
            logit = network(batch.crops.to(device)).presence
        truth.append(batch.presence.numpy() > 0.5)
        presence.append(logit.sigmoid().cpu().numpy())
    shows, told = np.concatenate(truth), np.concatenate(presence)
    if shows.all() or not shows.any():
        return {}
    return {
        "validation/no_face_ap": average_precision(1 - told, ~shows),
        "validation/faces_lost": float((told[shows] < 0.5).mean()),
        "validation/no_face_kept": float((told[~shows] >= 0.5).mean()),
    }


def _about_P(clean: Predictions, occluded: Predictions) -> dict[str, float]:
    """What the distillation module's map is like, over all cells of the faces.

    Returns:
        On clean faces "validation/P_mean" and "validation/P_cut", the share of cells below CUT_BELOW. On occluded ones
        "validation/P_occlusion_ap", the average precision of 1 - P against the cells that are occluded by more than
        half, and "validation/occluded_share", the share of such cells, which a map by chance gets.
    """
    truth = occluded.occlusion > 0.5
    found = {
        "validation/P_mean": float(clean.P.mean()),
        "validation/P_cut": float((clean.P < CUT_BELOW).mean()),
        "validation/occluded_share": float(truth.mean()),
    }
    if truth.any():
        found["validation/P_occlusion_ap"] = average_precision(1 - occluded.P, truth)
    return found


def predict(
    network: OcclusionAdaptiveNetwork,
    pack: Pack,
    indices: np.ndarray,
    config: LandmarkConfig,
    device: torch.device,
    *,
    occluded: bool,
    draw: int = 0,
) -> Predictions:
    """Run the network on faces, as they are or each under an occluder; arguments as in `scores`.

    Args:
        occluded: put an occluder over every face, chosen by the face and the number `draw` alone.
    """
    parts = []
    size, grid = config.optimiser.batch, config.crop.size // Backbone.stride
    batches = validation_batches(pack, indices, config.crop, size)
    for first, (crops, truth) in zip(range(0, len(indices), size), batches, strict=True):
        is_occluded, occlusion = np.zeros(truth.shape[:2], bool), np.zeros((len(crops), grid, grid), np.float32)
        if occluded:
            chosen = indices[first : first + size]
            crops, is_occluded, occlusion = _occluded(crops, truth, chosen, draw, grid, pack.markup == W300)
        with autocast(config.optimiser, device):
            output = network(torch.from_numpy(crops).to(device))
        probability = scale = torch.full(output.landmarks.shape[:2], torch.nan)
        if output.refined is not None:
            probability = output.refined.occlusion_logit.sigmoid()
            scale = output.refined.log_scale.exp() * Refinement.stride
        P = torch.full(occlusion.shape, torch.nan) if output.P is None else output.P.squeeze(1)
        predicted = [values.cpu().numpy() for values in (output.landmarks, probability, scale, P)]
        parts.append((predicted[0], truth, is_occluded, *predicted[1:], occlusion))
    return Predictions(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _occluded(
    crops: np.ndarray, landmarks: np.ndarray, indices: np.ndarray, draw: int, grid: int, has_68: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An occluder over every face, which landmarks are occluded, and the occluded share of each cell of a grid."""
    composed, is_occluded = np.empty_like(crops), np.empty(landmarks.shape[:2], bool)
    occlusion = np.empty((len(crops), grid, grid), np.float32)
    config = VALIDATION_OCCLUDERS if has_68 else VALIDATION_OCCLUDERS_WITHOUT_LANDMARKS
    for row, index in enumerate(indices):
        rng = np.random.default_rng((draw, int(index)))
        composed[row], alpha = occlude(crops[row], landmarks[row], config, rng)
        is_occluded[row] = occluded_landmarks(alpha, landmarks[row])
        occlusion[row] = cv2.resize(alpha, (grid, grid), interpolation=cv2.INTER_AREA)
    return composed, is_occluded, occlusion
