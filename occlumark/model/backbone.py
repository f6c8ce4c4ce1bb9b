"""ResNet-18 up to and including the first block of layer4: the feature maps Z of the paper's Figure 1.

Parameter names are torchvision's, so that published ImageNet weights load by name.
"""

from math import log

from jaxtyping import Float
from torch import Tensor, nn


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
        squeeze_excitation: in every residual unit. Not in the paper.
    """

    channels = 512
    stride = 32

    def __init__(self, squeeze_excitation: bool = False) -> None:
        super().__init__()
        excited = squeeze_excitation
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1, excited), BasicBlock(64, 64, 1, excited))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2, excited), BasicBlock(128, 128, 1, excited))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2, excited), BasicBlock(256, 256, 1, excited))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2, excited))

    def forward(
        self, x: Float[Tensor, "B 3 H W"]
    ) -> tuple[
        Float[Tensor, "B 64 H/4 W/4"],
        Float[Tensor, "B 128 H/8 W/8"],
        Float[Tensor, "B 256 H/16 W/16"],
        Float[Tensor, "B 512 H/32 W/32"],
    ]:
        """Maps of layer1, layer2 and layer3, and Z, from crops normalised by ImageNet's mean and standard deviation."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        shallow = self.layer1(x)
        middle = self.layer2(shallow)
        coarse = self.layer3(middle)
        return shallow, middle, coarse, self.layer4(coarse)
