"""What the refinement is trained for: landmarks, which of them are occluded, and how far off they are.

Not in the paper: all of it (docs/paper.md, "Beyond the paper").
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from occlumark.config import Checked, Range
from occlumark.model.network import NetworkOutput
from occlumark.model.refinement import Refinement

#: Cells from a drawn occluder, each way, whose places are still negatives "near": about a fifth of the face.
NEAR = 4


@dataclass(frozen=True)
class RefinementObjectiveConfig(Checked):
    """Weights of the terms, at least 0, and which places are negatives of occlusion. All ours."""

    refined: Annotated[float, Range(0, 1e6)] = 1.0
    """Of the refined landmarks' L1 error, summed over the stages."""
    occluded: Annotated[float, Range(0, 1e6)] = 1.0
    """Of the landmarks' cross entropy: occluded or not."""
    occlusion: Annotated[float, Range(0, 1e6)] = 1.0
    """Of the fine map's cross entropy."""
    P_supervision: Annotated[float, Range(0, 1e6)] = 0.0
    """Of the cross entropy of P, which the paper leaves without supervision."""
    error: Annotated[float, Range(0, 1e6)] = 0.1
    """Of the negative log-likelihood of the refined landmarks' error, which moves only its scale."""
    presence: Annotated[float, Range(0, 1e6)] = 0.5
    """Of the cross entropy of a face being there, for a network that tells it."""
    negatives: Literal["all", "near", "confident", "labelled"] = "confident"
    """Which places without a drawn occluder are negatives, where the photos' own occluders are not labelled. all: every
    one; near: those within NEAR cells of a drawn occluder; confident: every one, weighted by the network's own
    confidence that it is visible. labelled: those that are known to be visible, and no other; what is known to be
    occluded by something real is then positive besides what is drawn."""
    confidence_power: Annotated[float, Range(above=0, most=100)] = 1.0
    """Power of that weight: the higher, the less a place counts of which the network is not confident."""

    RENAMED: ClassVar = {
        "hidden": "occluded",
        "taught": "P_supervision",
        "shown": "negatives",
        "negatives=trusted": "negatives=confident",
        "trust": "confidence_power",
    }


class OcclusionTargets(NamedTuple):
    """Ground truth of occlusion, as far as it is known."""

    occluded: Float[Tensor, "B L"]
    """1 where something occludes the landmark, 0 where it is visible, NaN where unknown."""
    occlusion: Float[Tensor, "B h w"]
    """The occluded share of each cell of the refinement's fine map, NaN where unknown."""
    presence: Float[Tensor, "B"] | None = None
    """1 where the crop shows a face, 0 where it shows none; None: all do."""


def refinement_objective(
    config: RefinementObjectiveConfig,
    crop_size: int,
    prediction: NetworkOutput,
    landmarks: Float[Tensor, "B L 2"],
    targets: OcclusionTargets,
) -> dict[str, Float[Tensor, ""]]:
    """The terms of the refinement by name, to be added to equation (3)'s.

    Args:
        config: weights.
        crop_size: side of the crop, pixels.
        prediction: of a network with a refinement.
        landmarks: ground truth in crop pixels; NaN where not annotated, which is ignored in the loss.
        targets: what is occluded.
    """
    refined = prediction.refined
    assert refined is not None  # the caller has one
    known = landmarks.isfinite().all(-1)
    shifts = [torch.where(known[..., None], stage - landmarks / Refinement.stride, 0) for stage in refined.landmarks]
    cells = crop_size / Refinement.stride
    distance = shifts[-1].detach().norm(dim=-1)
    stages = [(shift / cells).abs().flatten(1).sum(1).mean() for shift in shifts]
    spread = refined.log_scale.clamp(-6, 4)
    near = functional.max_pool2d(
        (targets.occlusion.nan_to_num() > 0).float().unsqueeze(1), 2 * NEAR + 1, 1, NEAR
    ).squeeze(1)
    terms = {
        "refined": config.refined * torch.stack(stages).sum(),
        "occluded": config.occluded
        * _occlusion_loss(refined.occlusion_logit, targets.occluded, _at(near, landmarks), config, known),
        "occlusion": config.occlusion * _occlusion_loss(refined.occlusion_map_logit, targets.occlusion, near, config),
        # The density of a distance r from an isotropic Laplace of scale b falls with exp(-r / b) / b^2.
        "error": config.error * _mean(distance * (-spread).exp() + 2 * spread, known),
    }
    if config.P_supervision and prediction.P is not None:
        P = prediction.P.squeeze(1).clamp(1e-4, 1 - 1e-4)
        near = functional.adaptive_avg_pool2d(near.unsqueeze(1), P.shape[-1]).squeeze(1)
        coarse = _coarser(targets.occlusion, P.shape[-1])
        terms["P_supervision"] = config.P_supervision * _occlusion_loss(-torch.logit(P), coarse, near, config)
    if config.presence and prediction.presence is not None and targets.presence is not None:
        terms["presence"] = presence_loss(config, prediction.presence, targets.presence)
    return terms


def presence_loss(
    config: RefinementObjectiveConfig, logit: Float[Tensor, "B"], target: Float[Tensor, "B"]
) -> Float[Tensor, ""]:
    """The weighted cross entropy of a face being there; target: 1 where the crop shows one, 0 where it shows none."""
    return config.presence * functional.binary_cross_entropy_with_logits(logit, target)


def _coarser(occlusion: Float[Tensor, "B h w"], size: int) -> Float[Tensor, "B n n"]:
    """Means over larger cells of what is known in them; NaN where nothing is."""
    known = occlusion.isfinite().float()
    parts = torch.stack([occlusion.nan_to_num(), known], 1)
    total, count = functional.adaptive_avg_pool2d(parts, size).unbind(1)
    return torch.where(count > 0, total / count.clamp_min(1e-6), torch.nan)


def _at(cells: Float[Tensor, "B h w"], landmarks: Float[Tensor, "B L 2"]) -> Float[Tensor, "B L"]:
    """The cell that each landmark lies in; the nearest one for those outside, any for those that are NaN."""
    height, width = cells.shape[1:]
    columns, rows = (landmarks / Refinement.stride).nan_to_num().long().unbind(-1)
    return cells.flatten(1).gather(1, rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1))


def _mean(values: Tensor, known: Tensor) -> Tensor:
    return (values * known).sum() / known.sum().clamp_min(1)


def _occlusion_loss(
    logits: Tensor, target: Tensor, near: Tensor, config: RefinementObjectiveConfig, known: Tensor | None = None
) -> Tensor:
    """Mean cross entropy over what counts.

    target: NaN where unknown, which counts as not occluded but where negatives are labelled; near: 1 where a drawn
    occluder is near; known: what is asked of at all, None: everything.
    """
    if known is None:
        known = torch.ones_like(target)
    labelled, target = target.isfinite(), target.nan_to_num()
    losses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if config.negatives == "labelled":
        return _mean(losses, labelled)
    if config.negatives == "all":
        return _mean(losses, known)
    if config.negatives == "near":
        weight = near
    else:
        weight = torch.where(target > 0, 1.0, (-logits.detach()).sigmoid() ** config.confidence_power)
    return _mean(losses, weight * known)
