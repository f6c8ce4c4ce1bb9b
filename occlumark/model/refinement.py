"""The refinement: fine features at each landmark move it and predict its occlusion and its error.

Not in the paper: all of it (docs/paper.md, "Beyond the paper"). It starts from the landmarks of the three modules.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from occlumark.markup import N_LANDMARKS
from occlumark.model.detail import Detail
from occlumark.model.layers import conv_bn_relu, merged
from occlumark.model.refinement_stage import Refined, RefinementConfig, RefinementStage


class Refinement(nn.Module):
    """A fine map of backbone and hybrid features, read at the landmarks by small transformers.

    Args:
        channels: of the backbone's maps at strides 4, 8 and 16 and of the map at stride 32.
        config: widths and depths.
        n_landmarks: how many there are.
    """

    stride = 8
    """Crop pixels a cell."""

    def __init__(
        self, channels: tuple[int, int, int, int], config: RefinementConfig, n_landmarks: int = N_LANDMARKS
    ) -> None:
        super().__init__()
        self.laterals = nn.ModuleList([nn.Conv2d(c, config.width, 1) for c in channels[1:]])
        self.smooth = conv_bn_relu(config.width, config.width, 3)
        self.occlusion = nn.Conv2d(config.width, 1, 1)
        self.stages = nn.ModuleList([RefinementStage(config, n_landmarks) for _ in range(config.stages)])
        self.detail = Detail(channels[0], config, n_landmarks) if config.detail else None

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
        """Refine the first guess, which is in cells and gets no gradient from here."""
        fine = self.smooth(merged(self.laterals, maps[1:]))
        occlusion_map_logit = self.occlusion(fine).squeeze(1).float()
        with torch.autocast(fine.device.type, enabled=False):
            landmarks = [guess]
            for stage in self.stages:
                output = stage(fine.float(), landmarks[-1].detach())
                landmarks.append(landmarks[-1].detach() + output[..., :2])
        refined = Refined(tuple(landmarks[1:]), output[..., 2], output[..., 3], occlusion_map_logit)
        return refined if self.detail is None else self.detail(maps[0], fine, refined)
