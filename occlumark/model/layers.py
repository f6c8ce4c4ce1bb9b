"""The 1-k-1 pathway that the geometry-aware and the distillation module share."""

from torch import nn


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
