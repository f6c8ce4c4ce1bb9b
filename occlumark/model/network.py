"""The occlusion-adaptive deep network: the paper's Figure 1, whole, with the switches of its Table 4."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from occlumark.markup import N_LANDMARKS
from occlumark.model.backbone import Backbone, BackboneConfig, SqueezeExcitation
from occlumark.model.distillation import Distillation, DistillationConfig, PlainUnit
from occlumark.model.geometry import GeometryAware, GeometryConfig
from occlumark.model.light_refinement import LightRefinement
from occlumark.model.low_rank import AveragePooledHead, LowRank, LowRankConfig
from occlumark.model.presence import Presence
from occlumark.model.refinement import Refinement
from occlumark.model.refinement_stage import Refined, RefinementConfig

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
#: Of the values 0 to 255 of all channels, where they are not normalised one by one.
MIDDLE, SPREAD = 127.5, 64.0
#: What colours normalised one by one are brought to in files of 8 bits: whole numbers, which bytes hold as they are.
CELL_MIDDLE, CELL_SPREAD = 128.0, 64.0


@dataclass(frozen=True)
class NetworkConfig:
    """Which modules the network has. All three: the paper's ODN; none: its BRNet, plain ResNet-18 regression."""

    geometry_aware: bool = True
    """The geometry-aware module (GM)."""
    distillation: bool = True
    """The distillation module (DM). Without it the last residual unit stays as ResNet-18 has it."""
    low_rank: bool = True
    """The low-rank module's matrix M (LM). Without it the hybrid features are regressed by W_fc alone."""
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    """Widths and depths of ResNet-18's part."""
    gm: GeometryConfig = field(default_factory=GeometryConfig)
    """Widths of the geometry-aware module."""
    dm: DistillationConfig = field(default_factory=DistillationConfig)
    """Widths of the distillation module."""
    lm: LowRankConfig = field(default_factory=LowRankConfig)
    """Down-sampling before M."""
    squeeze_excitation: bool = False
    """Channel weights in every residual unit (Hu et al., CVPR 2018): a control of the ablation. Ours."""
    flattened_head: bool = False
    """BRNet with the head that the other networks have, down-sampling, flattening and W_fc, in place of the global
    average, which forgets where a feature stood: a control of the ablation. Ours."""
    refinement: bool = False
    """Refine each landmark and predict its visibility and expected error. Ours."""
    rf: RefinementConfig = field(default_factory=RefinementConfig)
    """Widths of the refinement."""
    presence: bool = False
    """Whether the crop shows a face at all. Ours."""

    def __post_init__(self) -> None:
        if self.flattened_head and not self.is_plain:
            raise ValueError("flattened_head is BRNet's: a network with one of the three modules has that head anyway")
        if self.refinement and self.averages:
            raise ValueError("refinement reads the hybrid features: it needs one of the three modules")
        if self.presence and not self.refinement:
            raise ValueError("presence is told beside what the refinement tells: it needs refinement = true")
        if self.squeeze_excitation and any(width % SqueezeExcitation.reduction for width in self.backbone.channels):
            channels = ", ".join(map(str, self.backbone.channels))
            raise ValueError(f"squeeze_excitation needs channels that are multiples of 16, not {channels}")

    @property
    def is_plain(self) -> bool:
        """True for BRNet, the baseline without any module."""
        return not (self.geometry_aware or self.distillation or self.low_rank)

    @property
    def averages(self) -> bool:
        """True where the head reads the global average of the features, as ResNet-18's does."""
        return self.is_plain and not self.flattened_head


class NetworkOutput(NamedTuple):
    """What the network predicts for a batch of crops."""

    landmarks: Float[Tensor, "B L 2"]
    """In crop pixels."""
    P: Float[Tensor, "B 1 H W"] | None
    """How likely the face shows, place by place; None without the distillation module."""
    guess: Float[Tensor, "B L 2"]
    """What the three modules predict, before the refinement; the same as the landmarks without one."""
    refined: Refined | None
    """What the refinement predicts; None without one."""
    presence: Float[Tensor, "B"] | None = None
    """Logit of the crop showing a face; None where the network does not tell."""


class OcclusionAdaptiveNetwork(nn.Module):
    """ODN.

    Args:
        config: the modules.
        crop_size: side of the square input in pixels, a multiple of 32. Paper: 224.
        mean_face: (L, 2), crop pixels; the output for X = 0 at the start of training.
            Not in the paper: without a start value the bias has to travel the whole crop first.
        n_landmarks: L, how many a face has.
    """

    def __init__(
        self,
        config: NetworkConfig,
        crop_size: int = 224,
        mean_face: np.ndarray | None = None,
        n_landmarks: int = N_LANDMARKS,
    ) -> None:
        super().__init__()
        self.config, self.crop_size, self.n_landmarks = config, crop_size, n_landmarks
        excited = config.squeeze_excitation
        self.backbone = Backbone(config.backbone, excited)
        fine = config.backbone.channels[:3]
        channels, grid = config.backbone.channels[3], crop_size // Backbone.stride
        self.geometry = GeometryAware(channels, config.gm) if config.geometry_aware else None
        self.last_unit: Distillation | PlainUnit
        if config.distillation:
            self.last_unit = Distillation(channels, config.dm, excited)
        else:
            self.last_unit = PlainUnit(channels, excited)
        hybrid = channels + (config.gm.channels if config.geometry_aware else 0)
        self.refinement: Refinement | LightRefinement | None = None
        if config.refinement:
            kind = LightRefinement if config.rf.whole_cells else Refinement
            self.refinement = kind((*fine, hybrid + int(config.distillation)), config.rf, n_landmarks)
        self.presence = Presence(hybrid) if config.presence else None
        self.head: LowRank | AveragePooledHead
        if config.averages:
            self.head = AveragePooledHead(hybrid, 2 * n_landmarks)
        else:
            self.head = LowRank(hybrid, grid, 2 * n_landmarks, config.lm, shared_matrix=config.low_rank)
        if mean_face is None:
            mean_face = np.full((n_landmarks, 2), crop_size / 2)
        with torch.no_grad():
            self.head.bias.copy_(torch.as_tensor(mean_face.reshape(-1) / crop_size, dtype=torch.float32))
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1) * 255, persistent=False)

    def forward(self, crops: UInt8[Tensor, "B H W 3"]) -> NetworkOutput:
        """Landmarks and P of RGB crops, as they come from CropTransform.cut."""
        shallow, middle, coarse, Z = self.backbone(self.normalised(crops))
        clean, P = self.last_unit(Z)
        hybrid = clean if self.geometry is None else torch.cat([self.geometry(Z), clean], 1)
        guess = self.head(hybrid).unflatten(1, (self.n_landmarks, 2)) * self.crop_size
        P = None if P is None else P.float()
        presence = None if self.presence is None else self.presence(hybrid)
        if self.refinement is None:
            return NetworkOutput(guess, P, guess, None, presence)
        known = hybrid if P is None else torch.cat([hybrid, P.to(hybrid.dtype)], 1)
        refined = self.refinement((shallow, middle, coarse, known), guess / Refinement.stride)
        return NetworkOutput(refined.landmarks[-1] * Refinement.stride, P, guess, refined, presence)

    def normalised(self, crops: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B 3 H W"]:
        """The crops' colours as the backbone wants them."""
        # NHWC bytes, permuted, are channels_last already: the layout that the CPU's bf16 kernels want.
        pixels = crops.permute(0, 3, 1, 2).float()
        if self.config.backbone.imagenet_colours:
            return (pixels - self.mean) / self.std
        return (pixels - MIDDLE) / SPREAD

    @property
    def M(self) -> nn.Parameter | None:
        """The shared structural matrix, or None without the low-rank module."""
        return self.head.M

    @property
    def W_fc(self) -> Tensor:
        """The regression coefficients of the fully connected layer."""
        return self.head.W_fc

    def load_imagenet(self, weights: dict[str, Tensor]) -> None:
        """Start from ImageNet: the backbone, and layer4.1 for Pathway C (or the last residual unit).

        Args:
            weights: ResNet-18's state dict by torchvision's names.

        Raises:
            KeyError: a name is missing.
        """
        _load_prefixed(self.backbone, weights, "")
        _load_prefixed(self.last_unit.pathway_c, weights, "layer4.1.")


def _load_prefixed(module: nn.Module, weights: dict[str, Tensor], prefix: str) -> None:
    own = module.state_dict()
    # num_batches_tracked is a counter that nothing here reads, and files leave it out; ImageNet's network has no excite
    kept = {name for name in own if "num_batches" in name or "excite." in name}
    module.load_state_dict({name: own[name] if name in kept else weights[prefix + name] for name in own})
