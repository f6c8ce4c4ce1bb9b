"""Whether the crop shows a face at all: what a face finder takes for one is often none.

Not in the paper (docs/paper.md, "Beyond the paper").
"""

from jaxtyping import Float
from torch import Tensor, nn


class Presence(nn.Module):
    """A small perceptron on the mean of the hybrid features.

    Args:
        channels: of the hybrid features.
    """

    width = 64
    initial = 3.0
    """Logit before training: a face, as nearly every crop shows one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Linear(self.width, 1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, self.initial)
        self.layers = nn.Sequential(nn.Linear(channels, self.width), nn.ReLU(inplace=True), last)

    def forward(self, hybrid: Float[Tensor, "B C n n"]) -> Float[Tensor, "B"]:
        """Logit of a face being there."""
        return self.of_means(hybrid.mean((2, 3)))

    def of_means(self, means: Float[Tensor, "B C"]) -> Float[Tensor, "B"]:
        """The same from the means of the hybrid features."""
        return self.layers(means).squeeze(1).float()
