"""The geometry-aware module: two pathways of different reach, joined by a matrix product.

Paper: section 3.1 and Figure 2.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from jaxtyping import Float
from torch import Tensor, nn

from occlumark.config import Checked, Range
from occlumark.model.layers import conv_bn_relu, one_k_one


@dataclass(frozen=True)
class GeometryConfig(Checked):
    """Widths and reading of the geometry-aware module. Not in the paper: all of it (docs/paper.md)."""

    width: Annotated[int, Range(1, 2048)] = 128
    """Channels inside both pathways. Ours."""
    channels: Annotated[int, Range(1, 2048)] = 256
    """Channels of A, B and the geometric feature maps. Ours."""
    product: Literal["matrix", "transposed"] = "matrix"
    """A_c B_c, or A_c B_c^T: two readings of the paper's "matrix outer product"."""


def channel_product(
    A: Float[Tensor, "B C n n"], B: Float[Tensor, "B C n n"], reading: Literal["matrix", "transposed"]
) -> Float[Tensor, "B C n n"]:
    """G_c = A_c B_c (or A_c B_c^T), channel by channel, over sqrt(n).

    An element is then a weighted sum over the corresponding row and column. Paper: section 3.1, last paragraph.

    Args:
        A: output of Pathway A.
        B: output of Pathway B, as large.
        reading: "matrix" or "transposed".

    Not in the paper: the division. A sum of n independent products of unit variance has variance n.
    """
    if reading == "transposed":
        B = B.transpose(-1, -2)
    return (A @ B) * A.shape[-1] ** -0.5


class GeometryAware(nn.Module):
    """Pathway A (1-3-1) and Pathway B (1-5-1), their product, and a 1 x 1 convolution.

    Paper: section 3.1.

    Args:
        c_in: channels of Z.
        config: widths and product.
    """

    def __init__(self, c_in: int, config: GeometryConfig) -> None:
        super().__init__()
        self.product = config.product
        self.pathway_a = _pathway(c_in, config, kernel=3)
        self.pathway_b = _pathway(c_in, config, kernel=5)
        self.fuse = conv_bn_relu(config.channels, config.channels, 1)
        self.channels = config.channels

    def forward(self, Z: Float[Tensor, "B C_in n n"]) -> Float[Tensor, "B C n n"]:
        """The geometric representation, n x n like Z."""
        return self.fuse(channel_product(self.pathway_a(Z), self.pathway_b(Z), self.product))


def _pathway(c_in: int, config: GeometryConfig, kernel: int) -> nn.Sequential:
    # Batch norm without ReLU at the end: the product wants factors of zero mean and unit scale.
    return nn.Sequential(
        one_k_one(c_in, config.width, kernel),
        nn.Conv2d(config.width, config.channels, 1, bias=False),
        nn.BatchNorm2d(config.channels),
    )
