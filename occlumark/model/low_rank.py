"""The low-rank module: from the hybrid features to landmarks through the shared matrix M.

Paper: section 3.3, S = W_fc^T M^T X.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from occlumark.model.layers import conv_bn_relu


@dataclass(frozen=True)
class LowRankConfig:
    """How the hybrid features become the vector X. Not in the paper: all of it (docs/paper.md)."""

    channels: int = 64
    """Channels after the down-sampling convolution, at least 1; X has channels * ceil(n / 2)^2 elements. Ours."""

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ValueError(f"channels are at least 1, not {self.channels}")


class LowRank(nn.Module):
    """Down-sampling, flattening, and the linear map by M and W_fc.

    M is square and starts as the identity: at the start no feature is mixed, training finds which belong together.

    Args:
        c_in: channels of the hybrid feature maps.
        grid: their height and width, n.
        outputs: coordinates to predict, 2 * landmarks.
        config: the down-sampling.
        shared_matrix: False leaves M out (the ablation without the low-rank module): S = W_fc^T X.
    """

    def __init__(self, c_in: int, grid: int, outputs: int, config: LowRankConfig, shared_matrix: bool) -> None:
        super().__init__()
        # Not in the paper: a 3 x 3 convolution of stride 2 keeps where a feature stood, which pooling forgets.
        self.reduce = conv_bn_relu(c_in, config.channels, 3, stride=2)
        features = config.channels * ((grid + 1) // 2) ** 2
        self.M = nn.Parameter(torch.eye(features)) if shared_matrix else None
        # Not in the paper: 0.05, a start within a few pixels of the mean face.
        self.W_fc = nn.Parameter(torch.randn(features, outputs) * 0.05)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, hybrid: Float[Tensor, "B C_in n n"]) -> Float[Tensor, "B S"]:
        """The coordinates S, always in fp32: bf16 would round a landmark by up to a pixel."""
        X = self.reduce(hybrid).flatten(1)
        with torch.autocast(X.device.type, enabled=False):
            # Not in the paper: over sqrt(features), or one step of the optimiser moves a landmark by half a crop.
            X = X.float() * X.shape[1] ** -0.5
            if self.M is not None:
                X = X @ self.M
            return X @ self.W_fc + self.bias

    @torch.no_grad()
    def fold(self) -> None:
        """Multiply M into W_fc and drop it: the same function with one matrix, for inference."""
        if self.M is not None:
            self.W_fc.copy_((self.M.double() @ self.W_fc.double()).float())
            self.M = None
