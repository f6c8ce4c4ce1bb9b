"""The face finder's network: where in a photo faces are, at every anchor point of four grids.

Not in the paper, which takes the boxes that come with the data sets (docs/paper.md, "Face boxes"). Anchor-free with
depthwise convolutions, in the manner of YuNet and SCRFD.
"""

from dataclasses import dataclass
from math import log
from typing import Annotated, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from occlumark.config import Checked, Range
from occlumark.model.layers import conv_bn_relu

#: Pixels between the anchor points of each grid. A photo's sides are padded to a multiple of the third.
STRIDES = (8, 16, 32, 64)
#: Bound of the log of a box's side over its grid's stride: from a seventh to 33 strides.
_LOG_SIDES = (-2.0, 3.5)
#: Share of anchor points that hold a face at the start of training, for the bias of the scores (RetinaNet's prior).
_PRIOR = 0.01


@dataclass(frozen=True)
class FinderNetworkConfig(Checked):
    """Widths and depths. All ours."""

    stem: Annotated[int, Range(1, 2048)] = 16
    """Channels at stride 2."""
    widths: Annotated[tuple[int, ...], Range(1, 2048)] = (32, 64, 128, 160, 160)
    """Channels at strides 4, 8, 16, 32 and 64."""
    blocks: Annotated[tuple[int, ...], Range(1, 64)] = (2, 4, 4, 4, 2)
    """Depthwise blocks at these strides, each at least 1."""
    neck: Annotated[int, Range(1, 2048)] = 64
    """Channels of the merged maps that the head reads."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) != 5 or len(self.blocks) != 5:
            raise ValueError(
                "widths and blocks are five numbers each, for strides 4, 8, 16, 32 and 64, "
                f"not {len(self.widths)} and {len(self.blocks)}"
            )


class FinderOutput(NamedTuple):
    """What the network predicts at the N anchor points of all grids, those of stride 8 first, row by row."""

    logits: Float[Tensor, "B N"]
    """Of the score: how well the point's box fits a face, its overlap with the true box; far below 0: no face."""
    boxes: Float[Tensor, "B N 4"]
    """x0, y0, x1, y1 in pixels; they may leave the photo."""


class Depthwise(nn.Module):
    """A depthwise 3 x 3 and a 1 x 1 convolution, with a shortcut where the shape stays (MobileNet)."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.spatial = nn.Sequential(
            nn.Conv2d(c_in, c_in, 3, stride, 1, groups=c_in, bias=False), nn.BatchNorm2d(c_in), nn.ReLU(inplace=True)
        )
        self.mixing = conv_bn_relu(c_in, c_out, 1)
        self.has_shortcut = stride == 1 and c_in == c_out

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """The block's output."""
        y = self.mixing(self.spatial(x))
        return x + y if self.has_shortcut else y


class FinderNetwork(nn.Module):
    """Five stages, merged from the coarsest down, and one head for all grids.

    Args:
        config: widths and depths.
    """

    def __init__(self, config: FinderNetworkConfig) -> None:
        super().__init__()
        self.stem = conv_bn_relu(3, config.stem, 3, stride=2)
        stages, c_in = [], config.stem
        for width, blocks in zip(config.widths, config.blocks, strict=True):
            stages.append(
                nn.Sequential(Depthwise(c_in, width, 2), *(Depthwise(width, width) for _ in range(blocks - 1)))
            )
            c_in = width
        self.stages = nn.ModuleList(stages)
        self.laterals = nn.ModuleList([conv_bn_relu(width, config.neck, 1) for width in config.widths[1:]])
        self.smooth = nn.ModuleList([Depthwise(config.neck, config.neck) for _ in STRIDES])
        self.head = Depthwise(config.neck, config.neck)
        self.score = nn.Conv2d(config.neck, 1, 1)
        self.box = nn.Conv2d(config.neck, 4, 1)
        self._start()

    def _start(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.normal_(self.box.weight, std=0.01)
        assert self.score.bias is not None and self.box.bias is not None
        nn.init.constant_(self.score.bias, log(_PRIOR / (1 - _PRIOR)))
        with torch.no_grad():
            # A face is at first three strides wide, in the middle of its grid's range.
            self.box.bias.copy_(torch.tensor([0.0, 0.0, 1.1, 1.1]))

    def forward(self, photos: UInt8[Tensor, "B H W 3"]) -> FinderOutput:
        """Scores and boxes of RGB photos whose sides are multiples of 32."""
        x = photos.permute(0, 3, 1, 2).float()  # of any scale: the stem's batch norm makes it one
        x = self.stages[0](self.stem(x))
        maps = []
        for stage, lateral in zip(self.stages[1:], self.laterals, strict=True):
            x = stage(x)
            maps.append(lateral(x))
        merged = [maps[-1]]
        for finer in reversed(maps[:-1]):
            coarser = functional.interpolate(merged[0], size=finer.shape[-2:], mode="nearest")
            merged.insert(0, finer + coarser)
        heads = [self.head(smooth(features)) for smooth, features in zip(self.smooth, merged, strict=True)]
        logits = torch.cat([self.score(head).flatten(1) for head in heads], 1).float()
        boxes = [decode_boxes(self.box(head).float(), stride) for head, stride in zip(heads, STRIDES, strict=True)]
        return FinderOutput(logits, torch.cat(boxes, 1))


def decode_boxes(raw: Float[Tensor, "B 4 h w"], stride: int) -> Float[Tensor, "B h*w 4"]:
    """The boxes that one grid's raw numbers mean.

    Args:
        raw: centre's offset from the anchor point in strides, x and y, and the log of width and height in strides.
        stride: pixels between anchor points; the first is at half a stride.

    Returns:
        x0, y0, x1, y1 in pixels, row by row.
    """
    height, width = raw.shape[-2:]
    x = torch.arange(width, device=raw.device) + 0.5
    y = torch.arange(height, device=raw.device)[:, None] + 0.5
    half = raw[:, 2:].clamp(*_LOG_SIDES).exp() / 2
    centre_x, centre_y = raw[:, 0] + x, raw[:, 1] + y
    sides = [centre_x - half[:, 0], centre_y - half[:, 1], centre_x + half[:, 0], centre_y + half[:, 1]]
    return torch.stack(sides, -1).flatten(1, 2) * stride


def anchor_points(height: int, width: int) -> Float[Tensor, "N 3"]:
    """Where the anchor points of all grids are, in the order of FinderOutput: x, y and the grid's stride, pixels.

    Args:
        height: of the photo, a multiple of 32.
        width: of it.
    """
    grids = []
    for stride in STRIDES:
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
        grids.append(torch.stack([x, y, torch.ones_like(x)], -1).flatten(0, 1) * stride)
    return torch.cat(grids)
