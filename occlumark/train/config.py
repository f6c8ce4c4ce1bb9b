"""The whole configuration of a training run: what a TOML file in configs/ holds and a checkpoint carries.

What every run has comes first (OptimiserConfig, RunConfig), then one configuration a kind of network, then KINDS.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from occlumark.config import MOST_SEED, Checked, Range
from occlumark.crop import CropConfig
from occlumark.data.augment import AugmentConfig
from occlumark.data.scene_augment import SceneAugmentConfig
from occlumark.markup import MOST_LANDMARKS, N_LANDMARKS
from occlumark.model.face_finder import FinderNetworkConfig
from occlumark.model.finder_objective import FinderObjectiveConfig
from occlumark.model.network import NetworkConfig
from occlumark.model.objective import ObjectiveConfig
from occlumark.model.refinement_objective import RefinementObjectiveConfig
from occlumark.occluders.occlude import WITHOUT_LANDMARKS

#: M is then 1 GB, and training keeps five of that size.
_MOST_FEATURES = 16_384


@dataclass(frozen=True)
class OptimiserConfig(Checked):
    """How the weights move. Not in the paper: all of it (docs/paper.md, "Optimiser and schedule")."""

    epochs: Annotated[int, Range(1, 100_000)] = 60
    """Passes over the training part."""
    batch: Annotated[int, Range(2, 65_536)] = 32
    """Samples a step, over all processes."""
    learning_rate: Annotated[float, Range(above=0, most=10)] = 1e-3
    """AdamW's peak rate; linear warm-up, then a cosine down to 0."""
    weight_decay: Annotated[float, Range(0, 1)] = 0.0
    """AdamW's own decay. Landmarks: 0, as equation (3) has it as terms of the objective."""
    warm_up: Annotated[float, Range(0, 1)] = 0.05
    """Share of all steps spent warming up."""
    ema_decay: Annotated[float, Range(0, below=1)] = 0.995
    """Of the averaged weights that are validated and exported, a step; 0: no averaging."""
    validate_every: Annotated[int, Range(1, 100_000)] = 1
    """Epochs from one validation to the next; the last epoch is always validated."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """bf16 autocast of the convolutions, fp32 throughout, or whichever the device computes faster."""


@dataclass(frozen=True)
class RunConfig(Checked):
    """What every training run has, whatever it trains."""

    name: str
    """Name of the model, carried into the exported file."""
    seed: Annotated[int, Range(0, MOST_SEED)] = 0
    """Of the weights' start, the order of samples and augmentation."""
    validation_seed: Annotated[int, Range(0, MOST_SEED)] = 0
    """Of the choice of the validation photos, which stays the same for any `seed`."""
    validation_share: Annotated[float, Range(0, 0.5)] = 0.05
    """Share of the photos kept out of training for validation."""
    workers: Annotated[int, Range(0, 256)] = 1
    """Processes that make samples beside the training; 0: none."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """AdamW and its schedule."""


@dataclass(frozen=True)
class LandmarkOptimiserConfig(OptimiserConfig):
    """How the landmark network's weights move."""

    matrix_rate: Annotated[float, Range(above=0, most=1000)] = 0.1
    """Learning rate of M over that of the other weights: its thousand inputs to a feature add up."""

    def __post_init__(self) -> None:
        super().__post_init__()
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
    """Where this run's weights come from instead of ImageNet's: a checkpoint of an earlier run (its averaged weights),
    an exported .onnx file, or the name of a packaged network. It may lack modules of the refinement, which then start
    at random, as does what belongs to single landmarks where it finds others. Ours."""
    visibility_only: Annotated[float, Range(0, 1)] = 0.33
    """Of the training faces whose places are too rough to train landmarks, the share that an epoch takes for their
    visibility. Ours."""
    train_only: Literal["", "presence"] = ""
    """The one part of the network whose weights move, its other weights and statistics staying those of `start`; empty:
    all of it. Ours."""
    presence_passes: Annotated[int, Range(1, 1000)] = 3
    """Passes over the faces, each augmented anew, whose crops one epoch of presence alone takes. Ours."""
    real_labels: bool = True
    """Whether training is told what something real occludes, where the pack knows it; if not, all of that is unknown,
    and faces that only tell visibility are left out. Validation knows it anyway. Ours."""
    n_landmarks: Annotated[int, Range(2, MOST_LANDMARKS)] = N_LANDMARKS
    """How many landmarks a face has, as the pack: the markup travels there. Paper: 68 on 300W, 19 on AFLW."""
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
        if self.train_only and not (self.start and self.network.presence):
            raise ValueError("train_only is 'presence' for a network with presence = true that starts from another run")
        reduction = self.network.lm
        features = reduction.channels * math.ceil(self.crop.size / (32 * reduction.stride)) ** 2
        if features > _MOST_FEATURES:
            side = "network.lm.channels * ceil(crop.size / (32 * network.lm.stride))^2"
            raise ValueError(f"{side}, the side of M, is at most {_MOST_FEATURES:_}, not {features:_}")
        if self.n_landmarks != N_LANDMARKS:
            self.check_occluders(f"n_landmarks is {self.n_landmarks}")

    def check_occluders(self, came: str) -> None:
        """Refuse occluders that are drawn from 300W's landmarks, for faces that have others.

        Raises:
            ValueError: some are; `came` says of the faces what they have.
        """
        occlude = self.augment.occlude
        drawn = sorted(set(occlude.kinds) - set(WITHOUT_LANDMARKS)) if occlude.probability else []
        if drawn:
            free = ", ".join(f'"{kind}"' for kind in WITHOUT_LANDMARKS)
            raise ValueError(
                f"the occluder kinds {', '.join(drawn)} are drawn from {N_LANDMARKS} landmarks, {came}; "
                f"set augment.occlude.kinds=[{free}], which need none, or augment.occlude.probability=0"
            )


@dataclass(frozen=True)
class FinderConfig(RunConfig):
    """A training run of the face finder, whole. Not in the paper: all of it (docs/paper.md, "Face boxes")."""

    name: str = "finder"
    """Name of the model, carried into the exported file."""
    start: str = ""
    """Where this run's weights come from: a checkpoint of an earlier run (its averaged weights), an exported .onnx
    file, or "finder", the packaged one; empty: random weights."""
    canvases: Annotated[int, Range(1, 1000)] = 4
    """Canvases an epoch that begin with the same scene."""
    optimiser: OptimiserConfig = field(default_factory=lambda: OptimiserConfig(weight_decay=0.02))
    """AdamW and its schedule."""
    network: FinderNetworkConfig = field(default_factory=FinderNetworkConfig)
    """Widths and depths."""
    objective: FinderObjectiveConfig = field(default_factory=FinderObjectiveConfig)
    """The terms' weights and how anchor points are assigned to faces."""
    augment: SceneAugmentConfig = field(default_factory=SceneAugmentConfig)
    """How scenes become canvases."""


KINDS: dict[str, type[RunConfig]] = {"landmarks": LandmarkConfig, "finder": FinderConfig}
"""The configuration of each kind of run, by the kind's name in a checkpoint's header (Task.kind)."""
