"""ResNet-18 up to and including the first block of layer4: the feature maps Z of the paper's Figure 1.

Parameter names are torchvision's, so that published ImageNet weights load by name.
"""

from dataclasses import dataclass
from math import log
from typing import Annotated

from jaxtyping import Float
from torch import Tensor, nn

from occlumark.config import Checked, Range


@dataclass(frozen=True)
class BackboneConfig(Checked):
    """Widths and depths. The defaults are ResNet-18's, which are the paper's; smaller ones are ours."""

    stem: Annotated[int, Range(4, 512)] = 64
    """Channels of the first convolution."""
    stem_kernel: Annotated[int, Range(3, 7)] = 7
    """Its side in pixels, an odd number."""
    channels: Annotated[tuple[int, int, int, int], Range(4, 2048)] = (64, 128, 256, 512)
    """Of the maps at strides 4, 8, 16 and 32."""
    units: Annotated[tuple[int, int, int, int], Range(1, 8)] = (2, 2, 2, 1)
    """Residual units of each; one more follows: the distillation module's, or ResNet-18's last as it is."""
    imagenet_colours: bool = True
    """Normalise each colour by ImageNet's mean and deviation, as its weights want it; False: all alike, which is
    quicker."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stem_kernel % 2 == 0:
            raise ValueError(f"stem_kernel is odd, not {self.stem_kernel}")


class BasicBlock(nn.Module):
    """ResNet-18's residual unit: two 3 x 3 convolutions and a shortcut (He et al., 2016).

    Args:
        c_in: channels of the input.
        c_out: channels of the output.
        stride: of the first convolution and the shortcut.
        squeeze_excitation: weigh the channels after the second batch norm. Not in the paper.
    """

    def __init__(self, c_in: int, c_out: int, stride: int = 1, squeeze_excitation: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
        self.excite: nn.Module | None = SqueezeExcitation(c_out) if squeeze_excitation else None

    def forward(self, x: Float[Tensor, "B C_in H W"]) -> Float[Tensor, "B C_out h w"]:
        """The unit's output, after the last ReLU."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        if self.excite is not None:
            x = self.excite(x)
        return self.relu(x + shortcut)


class SqueezeExcitation(nn.Module):
    """Channels weighted by what their means say together (Hu et al., CVPR 2018). Not in the paper.

    Args:
        channels: of the features, a multiple of 16.
    """

    reduction = 16
    """Channels over units of the inner layer, as published."""
    initial_weight = 0.9
    """Ours: at the start ImageNet's weights find the features nearly as they left them, as with P."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Linear(channels // self.reduction, channels)
        nn.init.constant_(last.bias, log(self.initial_weight / (1 - self.initial_weight)))
        self.weights = nn.Sequential(
            nn.Linear(channels, channels // self.reduction), nn.ReLU(inplace=True), last, nn.Sigmoid()
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """The features, each channel times its weight in 0..1."""
        return x * self.weights(x.mean((2, 3)))[:, :, None, None]


class Backbone(nn.Module):
    """Everything of ResNet-18 before its last residual unit.

    Paper: section 3, "we modify the last residual unit of ResNet-18".

    Args:
        config: widths and depths; None: ResNet-18's.
        squeeze_excitation: in every residual unit. Not in the paper.
    """

    stride = 32

    def __init__(self, config: BackboneConfig | None = None, squeeze_excitation: bool = False) -> None:
        super().__init__()
        config = config or BackboneConfig()
        self.conv1 = nn.Conv2d(3, config.stem, config.stem_kernel, 2, config.stem_kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(config.stem)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        widths = (config.stem, *config.channels)
        layers = [
            _units(c_in, c_out, units, 1 if first else 2, squeeze_excitation)
            for c_in, c_out, units, first in zip(widths, widths[1:], config.units, (True, *[False] * 3), strict=False)
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = layers

    def forward(
        self, x: Float[Tensor, "B 3 H W"]
    ) -> tuple[
        Float[Tensor, "B C4 H/4 W/4"],
        Float[Tensor, "B C8 H/8 W/8"],
        Float[Tensor, "B C16 H/16 W/16"],
        Float[Tensor, "B C32 H/32 W/32"],
    ]:
        """Maps of layer1, layer2 and layer3, and Z, from crops normalised by ImageNet's mean and standard deviation."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        shallow = self.layer1(x)
        middle = self.layer2(shallow)
        coarse = self.layer3(middle)
        return shallow, middle, coarse, self.layer4(coarse)


def _units(c_in: int, c_out: int, count: int, stride: int, squeeze_excitation: bool) -> nn.Sequential:
    """So many residual units, the first with the stride."""
    first = BasicBlock(c_in, c_out, stride, squeeze_excitation)
    return nn.Sequential(first, *(BasicBlock(c_out, c_out, 1, squeeze_excitation) for _ in range(count - 1)))
