"""The second look: fine features at each landmark found, read together, move it and tell how it stands.

Not in the paper: all of it (docs/paper.md, "Beyond the paper"). The landmarks of the three modules are the first guess.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from occlumark.markup import N_LANDMARKS
from occlumark.model.layers import conv_bn_relu


@dataclass(frozen=True)
class RefinementConfig:
    """Widths and depths. All ours."""

    width: int = 96
    """Channels of the fine map, at least 1."""
    token: int = 128
    """Numbers that stand for a landmark, a multiple of 4."""
    layers: int = 2
    """Rounds of a look in which the landmarks hear of one another, at least 1."""
    reach: int = 1
    """Cells around a landmark, to each side, whose features it sees, 0 to 3."""
    looks: int = 1
    """How often the landmarks are looked at, each time from where the look before put them, at least 1."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.token < 4 or self.token % 4 or self.layers < 1 or self.looks < 1:
            raise ValueError("width, layers and looks are at least 1, token is a multiple of 4")
        if not 0 <= self.reach <= 3:
            raise ValueError(f"reach is in 0..3, not {self.reach}")


class Refined(NamedTuple):
    """What the second look says. A cell is one of the fine map's."""

    landmarks: tuple[Float[Tensor, "B L 2"], ...]
    """After each look, in cells. No gradient flows from one look to the place that it started from."""
    hidden: Float[Tensor, "B L"]
    """Logit of the landmark being covered."""
    log_scale: Float[Tensor, "B L"]
    """Logarithm of the Laplace scale of its error, in cells."""
    occlusion: Float[Tensor, "B h w"]
    """Logit of each cell being covered."""


class Refinement(nn.Module):
    """A fine map of backbone and hybrid features, read at the landmarks by small transformers.

    Args:
        channels: of the backbone's maps at strides 8 and 16 and of the map at stride 32.
        config: widths and depths.
        n_landmarks: how many there are.
    """

    stride = 8
    """Crop pixels a cell."""

    def __init__(
        self, channels: tuple[int, int, int], config: RefinementConfig, n_landmarks: int = N_LANDMARKS
    ) -> None:
        super().__init__()
        self.laterals = nn.ModuleList([nn.Conv2d(c, config.width, 1) for c in channels])
        self.smooth = conv_bn_relu(config.width, config.width, 3)
        self.occlusion = nn.Conv2d(config.width, 1, 1)
        self.looks = nn.ModuleList([_Look(config, n_landmarks) for _ in range(config.looks)])

    def forward(
        self,
        maps: tuple[Float[Tensor, "B C8 h w"], Float[Tensor, "B C16 h2 w2"], Float[Tensor, "B C32 h4 w4"]],
        guess: Float[Tensor, "B L 2"],
    ) -> Refined:
        """Read the maps at the first guess, which is in cells and gets no gradient from here."""
        size = maps[0].shape[-2:]
        merged = self.laterals[0](maps[0])
        for lateral, features in zip(self.laterals[1:], maps[1:], strict=True):
            merged = merged + functional.interpolate(lateral(features), size=size, mode="bilinear")
        fine = self.smooth(merged)
        occlusion = self.occlusion(fine).squeeze(1).float()
        with torch.autocast(fine.device.type, enabled=False):
            fine, places = fine.float(), [guess]
            for look in self.looks:
                answer = look(fine, places[-1].detach())
                places.append(places[-1].detach() + answer[..., :2])
        return Refined(tuple(places[1:]), answer[..., 2], answer[..., 3], occlusion)


class _Look(nn.Module):
    """The fine map's features around every landmark, which then hear of one another.

    fp32 throughout: bf16 would round a landmark by up to a pixel.
    """

    def __init__(self, config: RefinementConfig, n_landmarks: int) -> None:
        super().__init__()
        seen = (2 * config.reach + 1) ** 2
        self.embed = nn.Linear(seen * config.width + 2, config.token)
        self.names = nn.Parameter(torch.randn(n_landmarks, config.token) * 0.02)
        self.rounds = nn.ModuleList([_Round(config.token) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(config.token)
        self.answer = nn.Linear(config.token, 4)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)
        steps = torch.arange(-config.reach, config.reach + 1).float()
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        self.offsets: Tensor
        self.register_buffer("offsets", torch.stack([x, y], -1).reshape(-1, 2), persistent=False)

    def forward(self, fine: Float[Tensor, "B C h w"], places: Float[Tensor, "B L 2"]) -> Float[Tensor, "B L 4"]:
        """Shift in cells, logit of being covered, logarithm of the error's scale; all 0 before training."""
        height, width = fine.shape[-2:]
        to_unit = places.new_tensor([2 / width, 2 / height])
        grid = (places.unsqueeze(2) + self.offsets) * to_unit - 1
        seen = functional.grid_sample(fine, grid, padding_mode="border", align_corners=False)
        seen = seen.permute(0, 2, 3, 1).flatten(2)
        tokens = self.embed(torch.cat([seen, places * to_unit - 1], -1)) + self.names
        for one in self.rounds:
            tokens = one(tokens)
        return self.answer(self.norm(tokens))


class _Round(nn.Module):
    """Self-attention among the landmarks and a two-layer perceptron, each after a layer norm and with a shortcut."""

    heads = 4

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Float[Tensor, "B L C"]) -> Float[Tensor, "B L C"]:
        """The landmarks after one round."""
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(self.norm1(tokens)).chunk(3, -1)
        )
        heard = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.out(heard)
        return tokens + self.mlp(self.norm2(tokens))
