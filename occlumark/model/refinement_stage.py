"""One stage of the refinement: features in a window around every landmark, then self-attention among the landmarks.

Not in the paper: all of it (docs/paper.md, "Beyond the paper").
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from occlumark.config import Checked, Range
from occlumark.model.layers import interpolated_windows


@dataclass(frozen=True)
class RefinementConfig(Checked):
    """Widths and depths. All ours."""

    width: Annotated[int, Range(1, 2048)] = 96
    """Channels of the fine map."""
    token: Annotated[int, Range(4, 2048, multiple_of=4)] = 128
    """Numbers that stand for a landmark."""
    layers: Annotated[int, Range(1, 32)] = 2
    """Transformer blocks of a stage, self-attention among the landmarks."""
    window_radius: Annotated[int, Range(0, 3)] = 1
    """Cells around a landmark, to each side, whose features are read."""
    stages: Annotated[int, Range(1, 16)] = 1
    """Refinement stages, each from the landmarks of the one before."""
    detail: Annotated[int, Range(0, 2048)] = 0
    """Channels of the map at stride 4 that the last stage reads; 0: there is no such stage."""
    detail_radius: Annotated[int, Range(0, 3)] = 2
    """As window_radius, in cells of that map."""
    whole_cells: bool = False
    """One stage that reads whole cells of the maps at strides 8 and 4, without interpolation (light_refinement)."""

    RENAMED: ClassVar = {"looks": "stages", "reach": "window_radius"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.whole_cells and (self.detail == 0 or self.stages != 1):
            raise ValueError("whole_cells reads two maps in one stage: detail is at least 1 and stages is 1")


class Refined(NamedTuple):
    """What the refinement predicts. A cell is one of the fine map's, 8 crop pixels wide and high."""

    landmarks: tuple[Float[Tensor, "B L 2"], ...]
    """After each stage, in cells. No gradient flows from a stage to the landmarks that it started from."""
    occlusion_logit: Float[Tensor, "B L"]
    """Of each landmark being occluded."""
    log_scale: Float[Tensor, "B L"]
    """Logarithm of the Laplace scale of its error, in cells."""
    occlusion_map_logit: Float[Tensor, "B h w"]
    """Of each cell being occluded."""


class RefinementStage(nn.Module):
    """The fine map's features in a window around every landmark, then self-attention among the landmarks.

    fp32 throughout: bf16 would round a landmark by up to a pixel.

    Args:
        config: widths and depths.
        n_landmarks: how many there are.
    """

    def __init__(self, config: RefinementConfig, n_landmarks: int) -> None:
        super().__init__()
        window = (2 * config.window_radius + 1) ** 2
        self.embed = nn.Linear(window * config.width + 2, config.token)
        self.landmark_embedding = nn.Parameter(torch.randn(n_landmarks, config.token) * 0.02)
        self.blocks = nn.ModuleList([TransformerBlock(config.token) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(config.token)
        self.head = nn.Linear(config.token, 4)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.radius = config.window_radius

    def forward(self, fine: Float[Tensor, "B C h w"], landmarks: Float[Tensor, "B L 2"]) -> Float[Tensor, "B L 4"]:
        """Shift in cells, logit of being occluded, logarithm of the error's scale; all 0 before training."""
        height, width = fine.shape[-2:]
        to_unit = landmarks.new_tensor([2 / width, 2 / height])
        features = interpolated_windows(fine, landmarks, self.radius)
        tokens = self.embed(torch.cat([features, landmarks * to_unit - 1], -1)) + self.landmark_embedding
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens))


class TransformerBlock(nn.Module):
    """Self-attention among the landmarks and a two-layer perceptron, each after a layer norm and with a shortcut.

    Args:
        width: of a landmark's token.
    """

    heads = 4

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Float[Tensor, "B L C"]) -> Float[Tensor, "B L C"]:
        """The tokens after the block."""
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(self.norm1(tokens)).chunk(3, -1)
        )
        attended = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.out(attended)
        return tokens + self.mlp(self.norm2(tokens))
