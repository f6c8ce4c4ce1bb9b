"""What the face finder's network is trained for: scores that tell how well a box fits, and boxes that fit.

Not in the paper: all of it (docs/paper.md, "Face boxes"). A face is learnt by the grids that suit its size, around its
centre (FCOS, Tian et al., ICCV 2019); the scores' loss is the varifocal loss (Zhang et al., CVPR 2021), the boxes' GIoU
(Rezatofighi et al., CVPR 2019).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from occlumark.model.face_finder import STRIDES, FinderOutput

#: Kinds of the boxes a batch carries; 0 fills up.
FACE, IGNORED = 1, 2


@dataclass(frozen=True)
class FinderObjectiveConfig:
    """The terms' weights and which places learn which face. All ours unless a source is named."""

    box: float = 2.0
    """Weight of the boxes' term over the scores', above 0."""
    negative: float = 0.75
    """Weight of places without a face, above 0. Varifocal loss: 0.75."""
    focus: float = 2.0
    """Exponent of their scores, which makes sure ones count little, at least 0. Varifocal loss: 2."""
    sides: tuple[float, float] = (2.0, 4.0)
    """A grid learns faces whose longer side is between these, in its strides; the finest and the coarsest grid also
    those below and above."""
    shared: float = 1.25
    """Factor on both ends of that range within which the next grid learns the face as well, at least 1."""
    core: float = 0.3
    """Places so near to a face's centre learn it, in its width and height, above 0 to 0.5."""
    reach: float = 0.75
    """And those so near in strides, at least 0.5, so that each face has a place."""

    def __post_init__(self) -> None:
        if self.box <= 0 or self.negative <= 0 or self.focus < 0 or self.shared < 1:
            raise ValueError("box and negative are above 0, focus is at least 0, shared at least 1")
        if not (0 < self.sides[0] < self.sides[1] and 0 < self.core <= 0.5 and self.reach >= 0.5):
            raise ValueError("sides ascend and are above 0, core is above 0 to 0.5, reach at least 0.5")


def finder_objective(
    config: FinderObjectiveConfig,
    output: FinderOutput,
    places: Float[Tensor, "N 3"],
    truth: Float[Tensor, "B M 4"],
    kinds: Int[Tensor, "B M"],
) -> dict[str, Float[Tensor, ""]]:
    """The terms of the objective by name; their sum is minimised.

    Args:
        config: weights and assignment.
        output: the network's.
        places: x and y of each place and the stride of its grid, pixels.
        truth: boxes, x0, y0, x1, y1 in pixels; room for at least one.
        kinds: FACE, IGNORED or 0 (no box) for each of these.

    Returns:
        "scores", over the overlaps to be told, and "boxes", over the places that learn a face, both of the whole batch.
    """
    with torch.no_grad():
        learns, face = assign(config, places, truth, kinds == FACE)
        ignored = (_within(places, truth, 0.5, 0.0) & (kinds == IGNORED).unsqueeze(-1)).any(1)
    true = truth.gather(1, face.unsqueeze(-1).expand(-1, -1, 4))[learns]
    overlap, generalised = iou_and_giou(output.boxes[learns], true)
    target = torch.zeros_like(output.logits)
    target[learns] = overlap.detach()
    chance = output.logits.detach().sigmoid()
    weight = torch.where(learns, target, config.negative * chance**config.focus * ~ignored)
    scores = functional.binary_cross_entropy_with_logits(output.logits, target, weight, reduction="sum")
    total = target.sum().clamp_min(1.0)
    return {
        "scores": scores / total,
        "boxes": config.box * (1 - generalised).sum() / learns.sum().clamp_min(1),
    }


def assign(
    config: FinderObjectiveConfig,
    places: Float[Tensor, "N 3"],
    truth: Float[Tensor, "B M 4"],
    is_face: Bool[Tensor, "B M"],
) -> tuple[Bool[Tensor, "B N"], Int[Tensor, "B N"]]:
    """Which places learn a face, and which: of several the one whose centre is nearest in its own size.

    Args:
        config: which places learn which face.
        places: x and y of each place and the stride of its grid, pixels.
        truth: boxes, x0, y0, x1, y1 in pixels; room for at least one.
        is_face: which of the boxes are to be learnt.

    Returns:
        Whether each place learns a face, and the index of that face among the boxes (of any, where it learns none).
    """
    sides = truth[..., 2:] - truth[..., :2]
    in_strides = sides.amax(-1, keepdim=True) / places[:, 2]
    fits_below = (in_strides >= config.sides[0] / config.shared) | (places[:, 2] == min(STRIDES))
    fits_above = (in_strides < config.sides[1] * config.shared) | (places[:, 2] == max(STRIDES))
    near = _within(places, truth, config.core, config.reach)
    chosen = near & fits_below & fits_above & is_face.unsqueeze(-1)
    centres = (truth[..., :2] + truth[..., 2:]) / 2
    distance = ((places[:, :2] - centres.unsqueeze(-2)) / sides.clamp_min(1).unsqueeze(-2)).norm(dim=-1)
    return chosen.any(1), torch.where(chosen, distance, torch.inf).argmin(1)


def iou_and_giou(
    first: Float[Tensor, "n 4"], second: Float[Tensor, "n 4"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Intersection over union of pairs of boxes, 0..1, and GIoU: less the share of their hull neither covers, -1..1."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    common = (high - low).clamp_min(0).prod(-1)
    union = (first[:, 2:] - first[:, :2]).prod(-1) + (second[:, 2:] - second[:, :2]).prod(-1) - common
    hull = (torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])).prod(-1)
    return common / union, common / union - (hull - union) / hull


def _within(
    places: Float[Tensor, "N 3"], boxes: Float[Tensor, "B M 4"], share: float, strides: float
) -> Bool[Tensor, "B M N"]:
    """Which places are at most a share of each box's width and height, or so many strides, from its centre."""
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    reach = torch.maximum((boxes[..., 2:] - boxes[..., :2]).unsqueeze(-2) * share, places[:, 2:] * strides)
    return ((places[:, :2] - centres.unsqueeze(-2)).abs() <= reach).all(-1)
