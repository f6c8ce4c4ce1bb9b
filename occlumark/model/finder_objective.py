"""What the face finder's network is trained for: scores that tell how well a box fits, and boxes that fit.

Not in the paper: all of it (docs/paper.md, "Face boxes"). A face's positive anchor points are those around
its centre of the grids that suit its size (FCOS, Tian et al., ICCV 2019); the scores' loss is the varifocal loss (Zhang
et al., CVPR 2021), the boxes' GIoU (Rezatofighi et al., CVPR 2019).
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from occlumark.config import Checked, Range
from occlumark.model.face_finder import STRIDES, FinderOutput

#: Kinds of the boxes a batch carries; 0 fills up.
FACE, IGNORED = 1, 2


@dataclass(frozen=True)
class FinderObjectiveConfig(Checked):
    """The terms' weights and which anchor points are positive. All ours unless a source is named."""

    box: Annotated[float, Range(above=0, most=1e6)] = 2.0
    """Weight of the boxes' term over the scores'."""
    negative: Annotated[float, Range(above=0, most=1e6)] = 0.75
    """Weight of negative anchor points. Varifocal loss: 0.75."""
    focus: Annotated[float, Range(0, 100)] = 2.0
    """Exponent of their scores, which makes sure ones count little. Varifocal loss: 2."""
    sides: Annotated[tuple[float, float], Range(above=0, most=1000, ascending=True)] = (2.0, 4.0)
    """A grid's anchor points are positive for faces whose longer side is between these, in its strides; those
    of the finest and the coarsest grid also below and above."""
    shared: Annotated[float, Range(1, 10)] = 1.25
    """Factor on both ends of that range within which the next grid has positives as well."""
    core: Annotated[float, Range(above=0, most=0.5)] = 0.3
    """Anchor points so near to a face's centre are positive, in its width and height."""
    centre_radius: Annotated[float, Range(0.5, 100)] = 0.75
    """And those so near in strides, so that each face has one."""

    RENAMED: ClassVar = {"reach": "centre_radius"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sides[0] == self.sides[1]:
            raise ValueError(f"sides ascend, not {self.sides}")


def finder_objective(
    config: FinderObjectiveConfig,
    output: FinderOutput,
    points: Float[Tensor, "N 3"],
    truth: Float[Tensor, "B M 4"],
    kinds: Int[Tensor, "B M"],
) -> dict[str, Float[Tensor, ""]]:
    """The terms of the objective by name; their sum is minimised.

    Args:
        config: weights and assignment.
        output: the network's.
        points: x and y of each anchor point and the stride of its grid, pixels.
        truth: boxes, x0, y0, x1, y1 in pixels; room for at least one.
        kinds: FACE, IGNORED or 0 (no box) for each of these.

    Returns:
        "scores", over the overlaps to predict, and "boxes", over the positive anchor points, both of the whole batch.
    """
    with torch.no_grad():
        positive, face = assign(config, points, truth, kinds == FACE)
        ignored = (_within(points, truth, 0.5, 0.0) & (kinds == IGNORED).unsqueeze(-1)).any(1)
    true = truth.gather(1, face.unsqueeze(-1).expand(-1, -1, 4))[positive]
    overlap, generalised = iou_and_giou(output.boxes[positive], true)
    target = torch.zeros_like(output.logits)
    target[positive] = overlap.detach()
    chance = output.logits.detach().sigmoid()
    weight = torch.where(positive, target, config.negative * chance**config.focus * ~ignored)
    scores = functional.binary_cross_entropy_with_logits(output.logits, target, weight, reduction="sum")
    total = target.sum().clamp_min(1.0)
    return {
        "scores": scores / total,
        "boxes": config.box * (1 - generalised).sum() / positive.sum().clamp_min(1),
    }


def assign(
    config: FinderObjectiveConfig,
    points: Float[Tensor, "N 3"],
    truth: Float[Tensor, "B M 4"],
    is_face: Bool[Tensor, "B M"],
) -> tuple[Bool[Tensor, "B N"], Int[Tensor, "B N"]]:
    """Which anchor points are positive, and for which face: of several the one whose centre is nearest in its own size.

    Args:
        config: which are positive.
        points: x and y of each anchor point and the stride of its grid, pixels.
        truth: boxes, x0, y0, x1, y1 in pixels; room for at least one.
        is_face: which of the boxes are faces.

    Returns:
        Whether each anchor point is positive, and the index of its face among the boxes (of any, where it is negative).
    """
    sides = truth[..., 2:] - truth[..., :2]
    in_strides = sides.amax(-1, keepdim=True) / points[:, 2]
    fits_below = (in_strides >= config.sides[0] / config.shared) | (points[:, 2] == min(STRIDES))
    fits_above = (in_strides < config.sides[1] * config.shared) | (points[:, 2] == max(STRIDES))
    near = _within(points, truth, config.core, config.centre_radius)
    chosen = near & fits_below & fits_above & is_face.unsqueeze(-1)
    centres = (truth[..., :2] + truth[..., 2:]) / 2
    distance = ((points[:, :2] - centres.unsqueeze(-2)) / sides.clamp_min(1).unsqueeze(-2)).norm(dim=-1)
    return chosen.any(1), torch.where(chosen, distance, torch.inf).argmin(1)


def iou_and_giou(
    first: Float[Tensor, "n 4"], second: Float[Tensor, "n 4"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Intersection over union of pairs of boxes, 0..1, and GIoU: less the share of their hull in neither, -1..1."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    common = (high - low).clamp_min(0).prod(-1)
    union = (first[:, 2:] - first[:, :2]).prod(-1) + (second[:, 2:] - second[:, :2]).prod(-1) - common
    hull = (torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])).prod(-1)
    return common / union, common / union - (hull - union) / hull


def _within(
    points: Float[Tensor, "N 3"], boxes: Float[Tensor, "B M 4"], share: float, strides: float
) -> Bool[Tensor, "B M N"]:
    """Which anchor points are at most a share of each box's width and height, or so many strides, from its centre."""
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    radius = torch.maximum((boxes[..., 2:] - boxes[..., :2]).unsqueeze(-2) * share, points[:, 2:] * strides)
    return ((points[:, :2] - centres.unsqueeze(-2)).abs() <= radius).all(-1)
