"""A refinement for small networks: whole cells at strides 8 and 4 around each landmark, read once.

Where the other one interpolates a window about every landmark, stage by stage, this one looks up cells as they are,
which takes a tenth of the time, and counts a landmark's place from the centre of its cell.

Not in the paper: all of it (docs/paper.md, "Beyond the paper").
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from occlumark.markup import N_LANDMARKS
from occlumark.model.layers import conv_bn_relu, merged
from occlumark.model.refinement_stage import Refined, RefinementConfig, TransformerBlock


class LightRefinement(nn.Module):
    """One stage on two maps; arguments and answers as refinement.Refinement's.

    Args:
        channels: of the backbone's maps at strides 4, 8 and 16 and of the map at stride 32.
        config: widths; detail is at least 1, and there is one stage.
        n_landmarks: how many there are.
    """

    stride = 8
    over_fine = 2
    """Cells of the map at stride 4 over one at stride 8, each way."""

    def __init__(
        self, channels: tuple[int, int, int, int], config: RefinementConfig, n_landmarks: int = N_LANDMARKS
    ) -> None:
        super().__init__()
        self.radii = (config.window_radius, config.detail_radius)
        self.laterals = nn.ModuleList([nn.Conv2d(c, config.width, 1) for c in channels[1:]])
        self.smooth = conv_bn_relu(config.width, config.width, 3)
        self.occlusion = nn.Conv2d(config.width, 1, 1)
        self.detail = conv_bn_relu(channels[0], config.detail, 1)
        near, close = ((2 * radius + 1) ** 2 for radius in self.radii)
        self.embed = nn.Linear(near * config.width + close * config.detail + 2, config.token)
        self.landmark_embedding = nn.Parameter(torch.randn(n_landmarks, config.token) * 0.02)
        self.blocks = nn.ModuleList([TransformerBlock(config.token) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(config.token)
        self.head = nn.Linear(config.token, 4)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(
        self,
        maps: tuple[
            Float[Tensor, "B C4 H W"],
            Float[Tensor, "B C8 h w"],
            Float[Tensor, "B C16 h2 w2"],
            Float[Tensor, "B C32 h4 w4"],
        ],
        guess: Float[Tensor, "B L 2"],
    ) -> Refined:
        """Refine the first guess, which is in cells of stride 8 and gets no gradient from here."""
        size = maps[1].shape[-2:]
        fine = self.smooth(merged(self.laterals, maps[1:]))
        detailed = self.detail(maps[0])
        occlusion_map_logit = self.occlusion(fine).squeeze(1).float()
        with torch.autocast(fine.device.type, enabled=False):
            cells = cell_of(guess.detach(), size[0])
            close_cells = cell_of(guess.detach() * self.over_fine, detailed.shape[-1])
            centres = (close_cells + 0.5) / self.over_fine
            read = [
                windows(fine.float(), cells, self.radii[0]),
                windows(detailed.float(), close_cells, self.radii[1]),
                centres * (2 / size[0]) - 1,
            ]
            tokens = self.embed(torch.cat(read, -1)) + self.landmark_embedding
            for block in self.blocks:
                tokens = block(tokens)
            output = self.head(self.norm(tokens))
        return Refined((centres + output[..., :2],), output[..., 2], output[..., 3], occlusion_map_logit)


def cell_of(places: Float[Tensor, "B L 2"], cells: int) -> Int[Tensor, "B L 2"]:
    """The cell, x and y, that each place lies in; of those outside, the nearest one."""
    return places.floor().long().clamp(0, cells - 1)


def windows(values: Float[Tensor, "B C h w"], cells: Int[Tensor, "B L 2"], radius: int) -> Float[Tensor, "B L N"]:
    """What stands in the square of cells around each cell, row by row, all channels of a cell together; 0 outside.

    Args:
        values: of each cell.
        cells: x and y, within the map.
        radius: cells to each side.
    """
    padded = functional.pad(values, (radius,) * 4) if radius else values
    height, width = padded.shape[-2:]
    steps = torch.arange(2 * radius + 1, device=values.device)
    around = (steps[:, None] * width + steps).flatten()
    # the padding moves a window's first cell to the cell's own numbers
    inner = (cells[..., 1] * width + cells[..., 0])[..., None] + around
    first = torch.arange(values.shape[0], device=values.device)[:, None] * (height * width)
    rows = padded.permute(0, 2, 3, 1).reshape(-1, values.shape[1])
    found = rows.index_select(0, (inner.flatten(1) + first).flatten())
    return found.reshape(values.shape[0], cells.shape[1], -1)
