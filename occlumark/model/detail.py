"""The last refinement: features at stride 4, where eyelids and lips have edges, move each landmark once more.

Not in the paper: all of it (docs/paper.md, "Beyond the paper").
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from occlumark.markup import N_LANDMARKS
from occlumark.model.layers import conv_bn_relu
from occlumark.model.refinement_stage import Refined, RefinementConfig, RefinementStage


class Detail(nn.Module):
    """A map of layer1's features and the refinement's fine map, read around the refined landmarks.

    Before training it changes nothing.

    Args:
        channels: of layer1's map.
        config: detail, its width, and detail_radius; the rest as the refinement's stages have it.
        n_landmarks: how many there are.
    """

    over_fine = 2
    """Cells of this map over one of the refinement's, each way."""

    def __init__(self, channels: int, config: RefinementConfig, n_landmarks: int = N_LANDMARKS) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(channels, config.detail, 1)
        self.coarser = nn.Conv2d(config.width, config.detail, 1)
        self.smooth = conv_bn_relu(config.detail, config.detail, 3)
        own = replace(config, width=config.detail, window_radius=config.detail_radius)
        self.stage = RefinementStage(own, n_landmarks)

    def forward(self, shallow: Float[Tensor, "B C4 H W"], fine: Float[Tensor, "B C8 h w"], refined: Refined) -> Refined:
        """The refinement's answer, refined once more; gradients do not flow to the places that it starts from.

        Args:
            shallow: layer1's map, stride 4.
            fine: the refinement's map, stride 8.
            refined: its answer.
        """
        wider = functional.interpolate(self.coarser(fine), size=shallow.shape[-2:], mode="bilinear")
        detailed = self.smooth(self.lateral(shallow) + wider)
        with torch.autocast(detailed.device.type, enabled=False):
            places = refined.landmarks[-1].detach()
            output = self.stage(detailed.float(), places * self.over_fine)
        moved = places + output[..., :2] / self.over_fine
        return refined._replace(
            landmarks=(*refined.landmarks, moved),
            occlusion_logit=refined.occlusion_logit + output[..., 2],
            log_scale=refined.log_scale + output[..., 3],
        )
