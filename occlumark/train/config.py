"""The whole configuration of a training run: what a TOML file in configs/ holds and a checkpoint carries.

What every run has comes first (OptimiserConfig, RunConfig), then one configuration a kind of network, then KINDS.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from occlumark.crop import CropConfig
from occlumark.data.augment import AugmentConfig
from occlumark.data.scene_augment import SceneAugmentConfig
from occlumark.markup import MARKUPS, N_LANDMARKS
from occlumark.model.face_finder import FinderNetworkConfig
from occlumark.model.finder_objective import FinderObjectiveConfig
from occlumark.model.network import NetworkConfig
from occlumark.model.objective import ObjectiveConfig
from occlumark.model.refinement_objective import RefinementObjectiveConfig
from occlumark.occluders.occlude import WITHOUT_LANDMARKS


@dataclass(frozen=True)
class OptimiserConfig:
    """How the weights move. Not in the paper: all of it (docs/paper.md, "Optimiser and schedule")."""

    epochs: int = 60
    """Passes over the training part, at least 1."""
    batch: int = 32
    """Samples a step, over all processes, at least 2."""
    learning_rate: float = 1e-3
    """AdamW's peak rate, above 0; linear warm-up, then a cosine down to 0."""
    weight_decay: float = 0.0
    """AdamW's own decay, at least 0. Landmarks: 0, as equation (3) has it as terms of the objective."""
    warm_up: float = 0.05
    """Share of all steps spent warming up, 0 to 1."""
    ema_decay: float = 0.995
    """Of the averaged weights that are validated and exported, a step, 0 (no averaging) to below 1."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """bf16 autocast of the convolutions, or fp32 throughout."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise ValueError(f"at least 1 epoch and 2 samples a batch, not {self.epochs} and {self.batch}")
        if self.learning_rate <= 0 or not 0 <= self.warm_up <= 1 or not 0 <= self.ema_decay < 1:
            raise ValueError("learning_rate is above 0, warm_up in 0..1, ema_decay in 0..1")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay is at least 0, not {self.weight_decay}")


@dataclass(frozen=True)
class RunConfig:
    """What every training run has, whatever it trains."""

    name: str
    """Name of the model, carried into the exported file."""
    seed: int = 0
    """Of the weights' start, the order of samples and augmentation, at least 0."""
    validation_seed: int = 0
    """Of the choice of the validation photos, which stays the same for any `seed`."""
    validation_share: float = 0.05
    """Share of the photos kept out of training for validation, 0 to 0.5."""
    workers: int = 1
    """DistributedContext that make samples beside the training; 0: none."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """AdamW and its schedule."""

    def __post_init__(self) -> None:
        if self.seed < 0 or self.workers < 0 or not 0 <= self.validation_share <= 0.5:
            raise ValueError("seed and workers are at least 0, validation_share in 0..0.5")


@dataclass(frozen=True)
class LandmarkOptimiserConfig(OptimiserConfig):
    """How the landmark network's weights move."""

    matrix_rate: float = 0.1
    """Learning rate of M over that of the other weights, above 0: its thousand inputs to a feature add up."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.matrix_rate <= 0:
            raise ValueError(f"matrix_rate is above 0, not {self.matrix_rate}")
        if self.weight_decay:
            raise ValueError("weight_decay is 0 for landmarks: the objective's gamma, alpha and lambda_ decay weights")


@dataclass(frozen=True)
class LandmarkConfig(RunConfig):
    """A training run of the landmark network, whole."""

    name: str = "odn"
    """Name of the model, carried into the exported file."""
    optimiser: LandmarkOptimiserConfig = field(default_factory=LandmarkOptimiserConfig)
    """AdamW and its schedule."""
    imagenet: str = ""
    """safetensors file of ImageNet's ResNet-18 by torchvision's names; empty: random weights. Paper: section 5."""
    start: str = ""
    """Checkpoint of an earlier run, whose averaged weights this one starts from instead of ImageNet's. That network
    may lack the refinement, which then starts at random. Ours."""
    n_landmarks: int = N_LANDMARKS
    """How many landmarks a face has: 68, 29, 19 or 98, as the pack. Paper: 68 on 300W, 19 on AFLW."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The modules."""
    crop: CropConfig = field(default_factory=CropConfig)
    """The crop that the network sees."""
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    """Equation (3)."""
    refinement: RefinementObjectiveConfig = field(default_factory=RefinementObjectiveConfig)
    """What a network with a refinement is trained for besides."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """What is done to a training face before the network sees it."""

    RENAMED: ClassVar = {"markup": "n_landmarks"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.imagenet and self.start:
            raise ValueError("a run starts from imagenet or from start, not from both")
        if self.n_landmarks not in MARKUPS:
            raise ValueError(f"n_landmarks is one of {', '.join(map(str, MARKUPS))}, not {self.n_landmarks}")
        occlude = self.augment.occlude
        drawn = sorted(set(occlude.kinds) - set(WITHOUT_LANDMARKS)) if occlude.probability else []
        if drawn and self.n_landmarks != N_LANDMARKS:
            free = ", ".join(f'"{kind}"' for kind in WITHOUT_LANDMARKS)
            raise ValueError(
                f"the occluder kinds {', '.join(drawn)} are drawn from {N_LANDMARKS} landmarks, n_landmarks "
                f"is {self.n_landmarks}; set augment.occlude.kinds=[{free}], which need none, or "
                "augment.occlude.probability=0"
            )


@dataclass(frozen=True)
class FinderConfig(RunConfig):
    """A training run of the face finder, whole. Not in the paper: all of it (docs/paper.md, "Face boxes")."""

    name: str = "finder"
    """Name of the model, carried into the exported file."""
    start: str = ""
    """Checkpoint of an earlier run, whose averaged weights this one starts from; empty: random weights."""
    canvases: int = 4
    """Canvases an epoch that begin with the same scene, at least 1."""
    optimiser: OptimiserConfig = field(default_factory=lambda: OptimiserConfig(weight_decay=0.02))
    """AdamW and its schedule."""
    network: FinderNetworkConfig = field(default_factory=FinderNetworkConfig)
    """Widths and depths."""
    objective: FinderObjectiveConfig = field(default_factory=FinderObjectiveConfig)
    """The terms' weights and how anchor points are assigned to faces."""
    augment: SceneAugmentConfig = field(default_factory=SceneAugmentConfig)
    """How scenes become canvases."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.canvases < 1:
            raise ValueError(f"canvases is at least 1, not {self.canvases}")


KINDS: dict[str, type[RunConfig]] = {"landmarks": LandmarkConfig, "finder": FinderConfig}
"""The configuration of each kind of run, by the kind's name in a checkpoint's header (Task.kind)."""
