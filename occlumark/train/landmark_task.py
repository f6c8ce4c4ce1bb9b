"""Training the landmark network: a pack's faces, equation (3), and the error on faces kept apart."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from occlumark.data.no_face import load_background
from occlumark.data.pack import BY_NETWORK, UNKNOWN, Pack
from occlumark.data.split import split_validation, whole_photo
from occlumark.errors import CheckpointError, ConfigError
from occlumark.landmarker import Landmarker
from occlumark.markup import MARKUPS, W300, Markup
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.model.nuclear_norm import Spectrum, spectrum
from occlumark.model.objective import objective
from occlumark.model.refinement_objective import OcclusionTargets, refinement_objective
from occlumark.occluders.occlude import check_folders
from occlumark.packaged import packaged_names, packaged_weights
from occlumark.train.batches import training_batches
from occlumark.train.checkpoint import averaged_weights, load_checkpoint, load_weights, read_imagenet
from occlumark.train.config import LandmarkConfig
from occlumark.train.distributed import DistributedContext
from occlumark.train.exported_start import read_exported, unfold
from occlumark.train.face_dataset import (
    LandmarkBatch,
    TrainingFaces,
    faces_digest,
    mean_face,
    official_box,
    validation_box,
)
from occlumark.train.precision import autocast
from occlumark.train.validation import presence_scores, real_occlusion_scores, scores

#: Training faces whose statistics a network from an exported file starts with.
_FACES_FOR_STATISTICS = 256
#: The weights that belong to single landmarks, and M before them.
_PER_LANDMARK = re.compile(r"^head\.(M|W_fc|bias|regression\.\w+)$|\.landmark_embedding$")


class LandmarkTask:
    """A run of the landmark network on a pack (task.Task says what each member is).

    Args:
        config: of the run.
        pack_path: what `occlumark pack` wrote.

    Raises:
        CheckpointError: the pack cannot be used.
        ConfigError: the folder of masks cannot be used, or occluders are drawn from other landmarks than the pack's.

    Attributes:
        pack: the faces.
        validation: (n,) indices of those that the run is judged by.
    """

    kind = "landmarks"

    def __init__(self, config: LandmarkConfig, pack_path: Path) -> None:
        self.config = config
        self.pack = Pack.open(pack_path)
        if self.pack.n_landmarks != config.n_landmarks:
            raise CheckpointError(
                f"{pack_path} holds faces of {self.pack.n_landmarks} landmarks, "
                f"the configuration says {config.n_landmarks}: "
                f"--set n_landmarks={self.pack.n_landmarks}, or another pack"
            )
        if self.markup != W300:
            try:
                config.check_occluders(f"the pack's are of markup '{self.markup.name}'")
            except ValueError as error:
                raise ConfigError(str(error)) from error
        self._training, self.validation = split_validation(
            self.pack.names, config.validation_share, config.validation_seed, self.pack.groups
        )
        self._training, self.validation = self._without_network_labels(self._training, self.validation)
        #: Validation faces of which it is known what something real occludes.
        self.labelled = self.validation[(self.pack.exact[self.validation] == 1).any(axis=1)]
        known = (self.pack.occlusion[self.labelled] != UNKNOWN).any(axis=1)
        self.labelled = self.labelled[known]
        self.validation = self.validation[(self.pack.exact[self.validation] == 1).any(axis=1)]
        boxed = [i for i in self.validation if official_box(self.pack, i) is not None]
        if boxed:  # faces of other data sets in the pack must not blur the one number that runs are compared by
            self.validation = np.array(boxed)
        if config.augment.no_face.share:
            load_background(config.augment.no_face.background)
        if config.augment.scene_faces.share:
            load_background(config.augment.scene_faces.crops, "crops")
        check_folders(config.augment.occlude)
        self._told = self.pack
        if not config.real_labels:
            self._told = replace(self.pack, occlusion=np.full_like(self.pack.occlusion, UNKNOWN))
        self.data_digest = faces_digest(self.pack)
        self._spectrum: Spectrum | None = None

    def _without_network_labels(self, training: np.ndarray, validation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Faces that a network labelled judge no run: they are trained on, unless their photo has others that judge."""
        by_network = (self.pack.exact[validation] == BY_NETWORK).any(axis=1)
        names, groups = np.array(self.pack.names), np.array(self.pack.groups)
        rest = validation[~by_network]
        photos = {whole_photo(name) for name in names[rest]}
        is_judged = [whole_photo(names[i]) in photos or (groups[i] and groups[i] in groups[rest]) for i in validation]
        moved = validation[by_network & ~np.array(is_judged, dtype=bool)]
        return np.sort(np.concatenate([training, moved])), rest

    @property
    def markup(self) -> Markup:
        """The pack's."""
        return self.pack.markup

    @property
    def training(self) -> np.ndarray:
        """(n,) indices of the faces that are not held out."""
        return self._training

    @property
    def training_size(self) -> int:
        """Faces of one epoch."""
        return len(self._faces_of(0))

    def _faces_of(self, epoch: int) -> np.ndarray:
        """The training part, with so many of those faces that only tell visibility, others each epoch."""
        exact = (self.pack.exact[self._training] > 0).any(axis=1)
        others = self._training[~exact]
        rng = np.random.default_rng((self.config.seed, epoch))
        share = self.config.visibility_only if self.config.real_labels else 0
        chosen = rng.permutation(len(others))[: round(share * len(others))]
        return np.sort(np.concatenate([self._training[exact], others[chosen]]))

    def build(self, *, is_resumed: bool = False) -> OcclusionAdaptiveNetwork:
        """The network that predicts the training part's mean face at first, unless it starts from another run.

        See train.task.Task.

        Raises:
            CheckpointError: the weights to start from cannot be used.
        """
        config = self.config
        exact = (self.pack.exact[self._training] == 1).any(axis=1)
        if not exact.any():  # a network's labels alone
            exact = (self.pack.exact[self._training] > 0).any(axis=1)
        # The tight box of a markup of one's own may be another than the face's, from which detection starts.
        own = self.markup != MARKUPS.get(self.markup.n) or "jaw" not in self.markup.regions
        boxes = np.stack([validation_box(self.pack, i) for i in range(len(self.pack))]) if own else None
        mean = mean_face(self.pack, self._training[exact], config.crop, boxes)
        if np.isnan(mean).any():
            never = ", ".join(map(str, np.flatnonzero(np.isnan(mean).any(1))))
            raise CheckpointError(f"no training face of the pack has landmark {never}; pack faces that have it")
        network = OcclusionAdaptiveNetwork(config.network, config.crop.size, mean, config.n_landmarks)
        if config.start and not is_resumed:
            self._start(network, config.start)
        if config.imagenet and not is_resumed:
            try:
                network.load_imagenet(read_imagenet(Path(config.imagenet)))
            except KeyError as error:
                raise CheckpointError(f"{config.imagenet} is no ResNet-18: {error} is missing") from error
            except RuntimeError as error:
                raise CheckpointError(f"{config.imagenet} is no ResNet-18: its weights have other shapes") from error
        if network.presence is not None:
            network.presence.requires_grad_(self._trains_presence)
        return network

    def _start(self, network: OcclusionAdaptiveNetwork, start: str) -> None:
        """Load the weights of a checkpoint, or of an exported file or packaged network.

        What belongs to single landmarks stays as it is where the other network finds others.
        """
        path = packaged_weights(start)[0] if start in packaged_names() else Path(start)
        if path.suffix != ".onnx":
            checkpoint = load_checkpoint(path)
            kept = self._kept(averaged_weights(checkpoint), checkpoint.markup)
            load_weights(network, network.state_dict() | kept, path)
            return
        faces = TrainingFaces(self.pack, self._training, self.config.crop, self.config.augment, self.config.seed, 0)
        chosen = np.linspace(0, len(faces) - 1, min(len(faces), _FACES_FOR_STATISTICS)).round().astype(int)
        crops = torch.stack([faces[int(i)].crops for i in chosen])
        unfold(network, self._kept(read_exported(path), Landmarker(path, threads=1).markup), crops, path)

    def _kept(self, weights: dict[str, Tensor], markup: Markup | None) -> dict[str, Tensor]:
        """The weights to start from, of a network that finds the landmarks of `markup`."""
        if markup in (None, self.markup):
            return weights
        return {name: value for name, value in weights.items() if not _PER_LANDMARK.search(name)}

    def parameter_groups(self, network: OcclusionAdaptiveNetwork) -> list[dict[str, Any]]:
        """M apart from the other weights."""
        moved = [parameter for parameter in network.parameters() if parameter.requires_grad]
        others = [parameter for parameter in moved if parameter is not network.M]
        groups: list[dict[str, Any]] = [{"params": others, "scale": 1.0}]
        if network.M is not None:
            groups.append({"params": [network.M], "scale": self.config.optimiser.matrix_rate})
        return groups

    def batches(self, epoch: int, context: DistributedContext) -> DataLoader[Any]:
        """LandmarkBatch, of TrainingFaces' faces."""
        config = self.config
        faces = TrainingFaces(self._told, self._faces_of(epoch), config.crop, config.augment, config.seed, epoch)
        return training_batches(faces, config, epoch, context)

    def terms(
        self,
        network: OcclusionAdaptiveNetwork,
        model: nn.Module,
        batch: LandmarkBatch,
        step: int,
        device: torch.device,
    ) -> dict[str, Tensor]:
        """Equation (3), with a sub-gradient of M's nuclear norm that is renewed every objective.refresh_every steps."""
        if network.M is not None and step % self.config.objective.refresh_every == 0:
            self._spectrum = spectrum(network.M)
        crops, landmarks, occluded, occlusion, presence = (part.to(device) for part in batch)
        with autocast(self.config.optimiser, device):
            prediction = model(crops)
        polar = None if self._spectrum is None else self._spectrum.polar
        terms = objective(self.config.objective, network, prediction.guess, prediction.P, landmarks, polar)
        if network.refinement is not None:
            terms |= refinement_objective(
                self.config.refinement,
                network.crop_size,
                prediction,
                landmarks,
                OcclusionTargets(occluded, occlusion, presence if self._trains_presence else None),
            )
        return terms

    @property
    def _trains_presence(self) -> bool:
        """Told of faces alone, presence would come to say that everything is one: then it stays as it is."""
        config = self.config
        return bool(config.network.presence and config.refinement.presence and config.augment.no_face.share)

    def epoch_scalars(self) -> dict[str, float]:
        """M's spectrum, as last decomposed."""
        if self._spectrum is None:
            return {}
        return {
            "M/nuclear_norm": self._spectrum.nuclear_norm,
            "M/effective_rank": self._spectrum.effective_rank,
        }

    def validate(self, network: OcclusionAdaptiveNetwork, device: torch.device) -> dict[str, float]:
        """Errors on the validation faces as they are and under drawn occluders (validation.scores), and what is told of
        real occlusion and of presence."""
        if len(self.validation) == 0:
            return {}
        found = presence_scores(network, self._presence_faces(), self.config, device)
        found |= scores(network, self.pack, self.validation, self.config, device)
        return found | real_occlusion_scores(network, self.pack, self.labelled, self.config, device)

    def _presence_faces(self) -> TrainingFaces | None:
        """The validation faces as training augments them, the same each epoch; None where no crop is without a face."""
        config = self.config
        if not (config.network.presence and config.augment.no_face.share):
            return None
        return TrainingFaces(self.pack, self.validation, config.crop, config.augment, config.seed, 0)
