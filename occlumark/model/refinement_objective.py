"""What the refinement is trained for: landmarks, which of them are covered, and how far off they are.

Not in the paper: all of it (docs/paper.md, "Beyond the paper").
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from occlumark.model.network import NetworkOutput
from occlumark.model.refinement import Refinement

#: Cells from a drawn occluder, each way, that `near` still counts: about a fifth of the face.
NEAR = 4


@dataclass(frozen=True)
class RefinementObjectiveConfig:
    """Weights of the terms, at least 0, and what counts as shown. All ours."""

    refined: float = 1.0
    """Of the refined landmarks' L1 error, summed over the looks."""
    hidden: float = 1.0
    """Of the landmarks' cross entropy: covered or not."""
    occlusion: float = 1.0
    """Of the fine map's cross entropy."""
    taught: float = 0.0
    """Of the cross entropy of P, which the paper leaves to itself."""
    error: float = 0.1
    """Of the negative log-likelihood of the refined landmarks' error, which moves only its scale."""
    shown: Literal["all", "near", "trusted"] = "trusted"
    """Which places without a drawn occluder count as shown, as the photos' own occluders are not labelled. all: every
    one; near: those within NEAR cells of a drawn occluder; trusted: every one, weighted by how sure the network is
    already."""
    trust: float = 1.0
    """Power of that weight, above 0: the higher, the less a place counts that the network doubts."""

    def __post_init__(self) -> None:
        if min(self.refined, self.hidden, self.occlusion, self.taught, self.error) < 0:
            raise ValueError("weights of the refinement's objective are at least 0")
        if self.trust <= 0:
            raise ValueError(f"trust is above 0, not {self.trust}")


class Cover(NamedTuple):
    """What drawn occluders cover."""

    landmarks: Float[Tensor, "B L"]
    """1 where a landmark is covered, 0 where no drawn occluder covers it."""
    map: Float[Tensor, "B h w"]
    """The covered share of each cell of the refinement's fine map."""


def refinement_objective(
    config: RefinementObjectiveConfig,
    crop_size: int,
    prediction: NetworkOutput,
    landmarks: Float[Tensor, "B L 2"],
    cover: Cover,
) -> dict[str, Float[Tensor, ""]]:
    """The terms of the refinement by name, to be added to equation (3)'s.

    Args:
        config: weights.
        crop_size: side of the crop, pixels.
        prediction: of a network with a refinement.
        landmarks: ground truth in crop pixels; NaN where not annotated, which teaches nothing.
        cover: what the drawn occluders cover.
    """
    refined = prediction.refined
    assert refined is not None  # the caller has one
    known = landmarks.isfinite().all(-1)
    shifts = [torch.where(known[..., None], look - landmarks / Refinement.stride, 0) for look in refined.landmarks]
    cells = crop_size / Refinement.stride
    distance = shifts[-1].detach().norm(dim=-1)
    looks = [(shift / cells).abs().flatten(1).sum(1).mean() for shift in shifts]
    spread = refined.log_scale.clamp(-6, 4)
    near = functional.max_pool2d((cover.map > 0).float().unsqueeze(1), 2 * NEAR + 1, 1, NEAR).squeeze(1)
    terms = {
        "refined": config.refined * torch.stack(looks).sum(),
        "hidden": config.hidden * _cover_loss(refined.hidden, cover.landmarks, _at(near, landmarks), config, known),
        "occlusion": config.occlusion * _cover_loss(refined.occlusion, cover.map, near, config),
        # The density of a distance r from an isotropic Laplace of scale b falls with exp(-r / b) / b^2.
        "error": config.error * _mean(distance * (-spread).exp() + 2 * spread, known),
    }
    if config.taught and prediction.P is not None:
        P = prediction.P.squeeze(1).clamp(1e-4, 1 - 1e-4)
        coarse, near = (
            functional.adaptive_avg_pool2d(part.unsqueeze(1), P.shape[-1]).squeeze(1) for part in (cover.map, near)
        )
        taught = _cover_loss(-torch.logit(P), coarse, near, config)
        terms["taught"] = config.taught * taught
    return terms


def _at(cells: Float[Tensor, "B h w"], landmarks: Float[Tensor, "B L 2"]) -> Float[Tensor, "B L"]:
    """The cell that each landmark lies in; the nearest one for those outside, any for those that are NaN."""
    height, width = cells.shape[1:]
    columns, rows = (landmarks / Refinement.stride).nan_to_num().long().unbind(-1)
    return cells.flatten(1).gather(1, rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1))


def _mean(values: Tensor, known: Tensor) -> Tensor:
    return (values * known).sum() / known.sum().clamp_min(1)


def _cover_loss(
    logits: Tensor, target: Tensor, near: Tensor, config: RefinementObjectiveConfig, known: Tensor | None = None
) -> Tensor:
    """Mean cross entropy over what counts.

    near: 1 where a drawn occluder is near; known: which targets are known, None: all.
    """
    if known is None:
        known = torch.ones_like(target)
    losses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if config.shown == "all":
        return _mean(losses, known)
    if config.shown == "near":
        weight = near
    else:
        weight = torch.where(target > 0, 1.0, (-logits.detach()).sigmoid() ** config.trust)
    return _mean(losses, weight * known)
