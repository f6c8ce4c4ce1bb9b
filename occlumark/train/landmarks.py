"""Training the landmark network: a pack's faces, equation (3), and the error on faces kept apart."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from occlumark.data.cutouts import load_cutouts
from occlumark.data.pack import Pack
from occlumark.data.split import split_validation
from occlumark.errors import CheckpointError
from occlumark.metrics import nme
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.model.nuclear_norm import Spectrum, spectrum
from occlumark.model.objective import objective
from occlumark.train.batches import training_batches
from occlumark.train.checkpoint import read_imagenet
from occlumark.train.config import LandmarkConfig
from occlumark.train.faces import TrainingFaces, faces_digest, mean_face, validation_batches
from occlumark.train.processes import Processes
from occlumark.train.task import autocast


class LandmarkTask:
    """A run of the landmark network on a pack (task.Task says what each member is).

    Args:
        config: of the run.
        pack_path: what `occlumark pack` wrote.

    Raises:
        CheckpointError: the pack cannot be used.
        ConfigError: the folder of masks cannot be used.
    """

    kind = "landmarks"

    def __init__(self, config: LandmarkConfig, pack_path: Path) -> None:
        self.config = config
        self._pack = Pack.open(pack_path)
        self._training, self._validation = split_validation(
            self._pack.names, config.validation_share, config.validation_seed
        )
        occlude = config.augment.occlude
        if "mask" in occlude.kinds and occlude.probability:
            load_cutouts(occlude.masks)  # a wrong folder is told here, not by a loading process
        self.data_digest = faces_digest(self._pack)
        self._spectrum: Spectrum | None = None

    @property
    def training_size(self) -> int:
        """Faces of the training part."""
        return len(self._training)

    def build(self) -> OcclusionAdaptiveNetwork:
        """The network that predicts the training part's mean face at first.

        Raises:
            CheckpointError: the ImageNet weights cannot be used.
        """
        config = self.config
        mean = mean_face(self._pack, self._training, config.crop)
        network = OcclusionAdaptiveNetwork(config.network, config.crop.size, mean)
        if config.imagenet:
            try:
                network.load_imagenet(read_imagenet(Path(config.imagenet)))
            except KeyError as error:
                raise CheckpointError(f"{config.imagenet} is no ResNet-18: {error} is missing") from error
        return network

    def parameter_groups(self, network: OcclusionAdaptiveNetwork) -> list[dict[str, Any]]:
        """M apart from the other weights."""
        others = [parameter for parameter in network.parameters() if parameter is not network.M]
        groups: list[dict[str, Any]] = [{"params": others, "scale": 1.0}]
        if network.M is not None:
            groups.append({"params": [network.M], "scale": self.config.optimiser.matrix_rate})
        return groups

    def batches(self, epoch: int, processes: Processes) -> DataLoader[Any]:
        """(B, size, size, 3) uint8 crops and (B, 68, 2) float32 landmarks in crop pixels."""
        config = self.config
        faces = TrainingFaces(self._pack, self._training, config.crop, config.augment, config.seed, epoch)
        return training_batches(faces, config, epoch, processes)

    def terms(
        self,
        network: OcclusionAdaptiveNetwork,
        model: nn.Module,
        batch: tuple[Tensor, ...],
        step: int,
        device: torch.device,
    ) -> dict[str, Tensor]:
        """Equation (3), with a sub-gradient of M's nuclear norm that is renewed every objective.refresh_every steps."""
        if network.M is not None and step % self.config.objective.refresh_every == 0:
            self._spectrum = spectrum(network.M)
        crops, landmarks = (part.to(device) for part in batch)
        with autocast(self.config.optimiser, device):
            prediction = model(crops)
        polar = None if self._spectrum is None else self._spectrum.polar
        return objective(self.config.objective, network, prediction, landmarks, polar)

    def epoch_scalars(self) -> dict[str, float]:
        """M's spectrum, as last decomposed."""
        if self._spectrum is None:
            return {}
        return {
            "M/nuclear_norm": self._spectrum.nuclear_norm,
            "M/effective_rank": self._spectrum.effective_rank,
        }

    def validate(self, network: OcclusionAdaptiveNetwork, device: torch.device) -> dict[str, float]:
        """The error on the validation faces, cut from their official boxes: "validation/nme", inter-ocular."""
        if len(self._validation) == 0:
            return {}
        config, errors = self.config, []
        for crops, truth in validation_batches(self._pack, self._validation, config.crop, config.optimiser.batch):
            with autocast(config.optimiser, device):
                predicted = network(crops.to(device)).landmarks.cpu().numpy()
            errors.append(nme(predicted, truth, "inter_ocular"))
        return {"validation/nme": float(np.concatenate(errors).mean())}
