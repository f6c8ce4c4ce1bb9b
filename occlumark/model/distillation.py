"""The distillation module: features weighted, place by place, by how likely the face shows there.

Paper: section 3.2.
"""

from dataclasses import dataclass
from math import log
from typing import Annotated

from jaxtyping import Float
from torch import Tensor, nn

from occlumark.config import Checked, Range
from occlumark.model.backbone import BasicBlock
from occlumark.model.layers import one_k_one


@dataclass(frozen=True)
class DistillationConfig(Checked):
    """Pathway D. Not in the paper, which only says that it "needs less channels" (docs/paper.md)."""

    width: Annotated[int, Range(1, 2048)] = 64
    """Channels inside Pathway D. Ours."""

    initial_visibility: Annotated[float, Range(above=0, below=1)] = 0.9
    """P at the start of training: features pass until there is a reason to weaken them. Ours."""


class Distillation(nn.Module):
    """Pathway C, a residual block giving A, and Pathway D, a thin 1-3-1 giving the map P.

    Paper: section 3.2.

    Args:
        c_in: channels of Z, and of the output.
        config: Pathway D.
        squeeze_excitation: in Pathway C. Not in the paper.
    """

    def __init__(self, c_in: int, config: DistillationConfig, squeeze_excitation: bool = False) -> None:
        super().__init__()
        self.pathway_c = BasicBlock(c_in, c_in, 1, squeeze_excitation)
        last = nn.Conv2d(config.width, 1, 1)
        nn.init.constant_(last.bias, log(config.initial_visibility / (1 - config.initial_visibility)))  # type: ignore[arg-type]
        self.pathway_d = nn.Sequential(one_k_one(c_in, config.width, 3), last, nn.Sigmoid())

    def forward(self, Z: Float[Tensor, "B C H W"]) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B 1 H W"]]:
        """Weigh the features.

        Args:
            Z: feature maps of the backbone.

        Returns:
            The clean features P * A, and P in 0..1, high where the face shows.
        """
        P = self.pathway_d(Z)
        return P * self.pathway_c(Z), P


class PlainUnit(nn.Module):
    """ResNet-18's last residual unit as it is, in the place of the distillation module: Pathway C alone.

    Args:
        c_in: channels of Z, and of the output.
        squeeze_excitation: as in Distillation.
    """

    def __init__(self, c_in: int, squeeze_excitation: bool = False) -> None:
        super().__init__()
        self.pathway_c = BasicBlock(c_in, c_in, 1, squeeze_excitation)

    def forward(self, Z: Float[Tensor, "B C H W"]) -> tuple[Float[Tensor, "B C H W"], None]:
        """The features A, and no P."""
        return self.pathway_c(Z), None
