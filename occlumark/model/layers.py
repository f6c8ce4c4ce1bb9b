"""What several modules share: the 1-k-1 pathway, merging maps of several strides, reading a map at the landmarks."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def conv_bn_relu(c_in: int, c_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size (but for its stride), batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(inplace=True),
    )


def one_k_one(c_in: int, width: int, kernel: int) -> nn.Sequential:
    """The first two convolutions of a 1-k-1 pathway; each module adds the last 1 x 1 as it needs it.

    Paper: section 3.1, "a 1 x 1 conv. layer at the front and rear".
    """
    return nn.Sequential(conv_bn_relu(c_in, width, 1), conv_bn_relu(width, width, kernel))


def sample_map(values: Float[Tensor, "B h w"], points: Float[Tensor, "B L 2"]) -> Float[Tensor, "B L"]:
    """The map's bilinear value at each point; beyond the outermost cells' centres, the nearest cell's.

    Args:
        values: one value a cell; the cells tile the unit square.
        points: x, y in 0..1 of that square.
    """
    height, width = values.shape[-2:]
    columns = _hat(points[..., 0] * width, width)
    rows = _hat(points[..., 1] * height, height)
    return torch.einsum("bly,blx,byx->bl", rows, columns, values)


def _hat(position: Float[Tensor, "B L"], cells: int) -> Float[Tensor, "B L cells"]:
    """Linear interpolation weights of the cells whose centres stand at 0.5, 1.5, ..."""
    position = position.clamp(0.5, cells - 0.5)
    centres = torch.arange(cells, device=position.device) + 0.5
    return (1 - (position.unsqueeze(-1) - centres).abs()).clamp_min(0)


def merged(laterals: nn.ModuleList, maps: Sequence[Tensor]) -> Float[Tensor, "B D h w"]:
    """Maps of several strides as one of the first one's size: each by its own lateral, enlarged, and summed.

    Not in the paper.

    Args:
        laterals: a convolution a map, all to the same channels.
        maps: the finest first.
    """
    total = laterals[0](maps[0])
    for lateral, features in zip(laterals[1:], maps[1:], strict=True):
        total = total + functional.interpolate(lateral(features), size=maps[0].shape[-2:], mode="bilinear")
    return total


def interpolated_windows(
    values: Float[Tensor, "B C h w"], points: Float[Tensor, "B L 2"], radius: int
) -> Float[Tensor, "B L N"]:
    """A map's bilinear values in the square of steps of one cell around each point, row by row, all channels together.

    What functional.grid_sample reads with its padding "border", in an eighth of the time on a CPU: all places of a
    window lie alike between their cells, so each cell is read once, all channels together, and weighed.

    Args:
        values: of each cell; the cells tile the map.
        points: x, y in cells; beyond the outermost cells' centres, the nearest cells' values.
        radius: steps to each side; N is (2 * radius + 1)^2 * C.
    """
    batch, channels, height, width = values.shape
    corner = points - 0.5
    first = corner.floor()
    share = (corner - first)[:, :, None, None, :]
    steps = torch.arange(-radius, radius + 2, device=values.device)
    x, y = (
        (first[..., axis].clamp(-radius - 2, cells + radius + 1).long()[..., None] + steps).clamp(0, cells - 1)
        for axis, cells in ((0, width), (1, height))
    )
    face = torch.arange(batch, device=values.device)[:, None, None, None] * (height * width)
    cells = face + (y * width)[..., :, None] + x[..., None, :]
    rows = values.permute(0, 2, 3, 1).reshape(-1, channels)
    read = rows.index_select(0, cells.flatten()).unflatten(0, cells.shape)
    upper, lower = read[:, :, :-1], read[:, :, 1:]
    read = upper + (lower - upper) * share[..., 1:]
    left, right = read[:, :, :, :-1], read[:, :, :, 1:]
    return (left + (right - left) * share[..., :1]).flatten(2)
