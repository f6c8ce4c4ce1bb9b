"""The whole configuration of a training run: what a TOML file in configs/ holds and a checkpoint carries."""

from dataclasses import dataclass, field
from typing import Literal

from occlumark.crop import CropConfig
from occlumark.data.augment import AugmentConfig
from occlumark.model.network import NetworkConfig
from occlumark.model.objective import ObjectiveConfig


@dataclass(frozen=True)
class OptimiserConfig:
    """How the weights move. Not in the paper: all of it (docs/paper.md, "Optimiser and schedule")."""

    epochs: int = 60
    """Passes over the training part, at least 1."""
    batch: int = 32
    """Faces a step, over all processes, at least 2."""
    learning_rate: float = 1e-3
    """AdamW's peak rate, above 0; linear warm-up, then a cosine down to 0."""
    matrix_rate: float = 0.1
    """Learning rate of M over that of the other weights, above 0: its thousand inputs to a feature add up."""
    warm_up: float = 0.05
    """Share of all steps spent warming up, 0 to 1."""
    ema_decay: float = 0.995
    """Of the averaged weights that are validated and exported, a step, 0 (no averaging) to below 1."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """bf16 autocast of the convolutions, or fp32 throughout."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise ValueError(f"at least 1 epoch and 2 faces a batch, not {self.epochs} and {self.batch}")
        if min(self.learning_rate, self.matrix_rate) <= 0 or not 0 <= self.warm_up <= 1 or not 0 <= self.ema_decay < 1:
            raise ValueError("learning rates are above 0, warm_up in 0..1, ema_decay in 0..1")


@dataclass(frozen=True)
class RunConfig:
    """A training run, whole."""

    name: str = "odn"
    """Name of the model, carried into the exported file."""
    seed: int = 0
    """Of the weights' start, the order of faces and augmentation, at least 0."""
    validation_seed: int = 0
    """Of the choice of the validation photos, which stays the same for any `seed`."""
    imagenet: str = ""
    """safetensors file of ImageNet's ResNet-18 by torchvision's names; empty: random weights. Paper: section 5."""
    validation_share: float = 0.05
    """Share of the pack's photos kept out of training for validation, 0 to 0.5."""
    workers: int = 1
    """Processes that augment faces beside the training; 0: none."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The modules."""
    crop: CropConfig = field(default_factory=CropConfig)
    """The crop that the network sees."""
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    """Equation (3)."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """What is done to a training face before the network sees it."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """AdamW and its schedule."""

    def __post_init__(self) -> None:
        if self.seed < 0 or self.workers < 0 or not 0 <= self.validation_share <= 0.5:
            raise ValueError("seed and workers are at least 0, validation_share in 0..0.5")
