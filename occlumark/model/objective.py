"""Equation (3) of the paper, each term by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from occlumark.config import Checked, Range
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.model.nuclear_norm import nuclear_norm


@dataclass(frozen=True)
class ObjectiveConfig(Checked):
    """Weights of the terms. A weight is at least 0; 0 leaves the term out."""

    data: Literal["l2", "l1", "wing"] = "l2"
    """The regression term. Paper: l2. The others are ours."""
    beta: Annotated[float, Range(0, 1e6)] = 1e-6
    """Of the nuclear norm of M. Paper: section 5."""
    gamma: Annotated[float, Range(0, 1e6)] = 1e-5
    """Of ||M||_F^2. Paper: section 5."""
    alpha: Annotated[float, Range(0, 1e6)] = 1e-5
    """Of ||W_c||_F^2, all convolutions. Paper: section 5."""
    lambda_: Annotated[float, Range(0, 1e6)] = 1e-5
    """Of ||W_fc||_F^2. Paper: section 5."""
    eta: Annotated[float, Range(0, 1e6)] = 1e-6
    """Of ||P||_1, mean over the batch. Paper: section 5; 0 is its ablation "without L1"."""
    wing_width: Annotated[float, Range(above=0, most=1)] = 0.04
    """Where wing turns linear, in crop sides. Feng et al. (2018): 10 of 256 px."""
    wing_curvature: Annotated[float, Range(above=0, most=1)] = 0.008
    """Wing's epsilon, in crop sides. Feng et al. (2018): 2 of 256 px."""
    refresh_every: Annotated[int, Range(1, 1_000_000)] = 25
    """Steps between two decompositions of M for its sub-gradient. Ours: see docs/paper.md."""


def objective(
    config: ObjectiveConfig,
    network: OcclusionAdaptiveNetwork,
    landmarks: Float[Tensor, "B L 2"],
    P: Float[Tensor, "B 1 H W"] | None,
    truth: Float[Tensor, "B L 2"],
    polar: Float[Tensor, "m n"] | None,
) -> dict[str, Float[Tensor, ""]]:
    """The weighted terms of equation (3); their sum is what training minimises.

    The data term is a sum over a face's annotated coordinates, measured in crop sides, and a mean over the batch.
    Not in the paper: that unit. It sets how much the other terms weigh (docs/paper.md, "Objective").

    Args:
        config: the weights.
        network: whose M, W_c and W_fc are meant.
        landmarks: predicted, crop pixels.
        P: predicted with them; None without the distillation module.
        truth: ground truth in crop pixels; NaN where not annotated, which is ignored in the loss.
        polar: U V^T of M, perhaps some steps old (nuclear_norm); None without M.

    Returns:
        "data", "M_nuclear", "M_frobenius", "W_c", "W_fc", "P_l1"; terms of weight 0 and absent modules are left out.
    """
    known = truth.isfinite()
    error = torch.where(known, landmarks - truth, 0) / network.crop_size
    terms = {"data": _DATA_TERMS[config.data](error, config).flatten(1).sum(1).mean()}
    if network.M is not None:
        if config.beta and polar is not None:
            terms["M_nuclear"] = config.beta * nuclear_norm(network.M, polar)
        if config.gamma:
            terms["M_frobenius"] = config.gamma * network.M.square().sum()
    if config.alpha:
        terms["W_c"] = config.alpha * _squared_norm(conv_weights(network))
    if config.lambda_:
        terms["W_fc"] = config.lambda_ * network.W_fc.square().sum()
    if config.eta and P is not None:
        terms["P_l1"] = config.eta * P.abs().flatten(1).sum(1).mean()
    return terms


def conv_weights(network: nn.Module) -> list[Tensor]:
    """W_c: the weights of all convolutions. Not in the paper: batch norm's and the biases are left out."""
    return [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]


def _squared_norm(tensors: list[Tensor]) -> Tensor:
    return torch.stack([tensor.square().sum() for tensor in tensors]).sum()


def _wing(error: Tensor, config: ObjectiveConfig) -> Tensor:
    width, curvature = config.wing_width, config.wing_curvature
    offset = width - width * log(1 + width / curvature)
    error = error.abs()
    return torch.where(error < width, width * torch.log1p(error / curvature), error - offset)


_DATA_TERMS: dict[str, Callable[[Tensor, ObjectiveConfig], Tensor]] = {
    "l2": lambda error, config: error.square(),
    "l1": lambda error, config: error.abs(),
    "wing": _wing,
}
