"""The network's head: the low-rank module, from the hybrid features to landmarks through the shared matrix M.

Paper: section 3.3, S = W_fc^T M^T X. And BRNet's head, which has the global average for X and no M.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn

from occlumark.config import Checked, Range
from occlumark.model.layers import conv_bn_relu


@dataclass(frozen=True)
class LowRankConfig(Checked):
    """How the hybrid features become the vector X. Not in the paper: all of it (docs/paper.md)."""

    channels: Annotated[int, Range(1, 512)] = 64
    """Channels after the down-sampling convolution; X has channels * ceil(n / stride)^2 elements. Ours."""
    stride: Annotated[int, Range(1, 2)] = 2
    """Of the down-sampling convolution: 1 where the features' grid is coarse already. Ours."""


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
        self.reduce = conv_bn_relu(c_in, config.channels, 3, stride=config.stride)
        features = config.channels * (-(-grid // config.stride)) ** 2
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


class AveragePooledHead(nn.Module):
    """ResNet-18's own head: the features' global average, then a fully connected layer.

    Args:
        c_in: channels of the features.
        outputs: coordinates to predict, 2 * landmarks.
    """

    M = None
    """There is no shared matrix."""

    def __init__(self, c_in: int, outputs: int) -> None:
        super().__init__()
        self.regression = nn.Linear(c_in, outputs)
        # As small a start as LowRank's, whose X is scaled by this factor.
        nn.init.normal_(self.regression.weight, std=c_in**-0.5 * 0.05)

    @property
    def W_fc(self) -> Tensor:
        """The regression coefficients."""
        return self.regression.weight

    @property
    def bias(self) -> Tensor:
        """What is predicted where all features are 0."""
        return self.regression.bias

    def forward(self, hybrid: Float[Tensor, "B C_in n n"]) -> Float[Tensor, "B S"]:
        """The coordinates S in fp32, as LowRank's."""
        pooled = hybrid.mean((2, 3))
        with torch.autocast(pooled.device.type, enabled=False):
            return self.regression(pooled.float())

    def fold(self) -> None:
        """Nothing to fold."""
