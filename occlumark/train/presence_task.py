"""Training presence alone: the network is run once over augmented crops, and its head trained on what it made of them.

Not in the paper. The rest of the network stays as it is, so that its features of a crop are always the same: an epoch
then takes a second instead of minutes.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from occlumark.errors import ConfigError
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.model.refinement_objective import presence_loss
from occlumark.train.batches import training_batches
from occlumark.train.config import LandmarkConfig
from occlumark.train.distributed import DistributedContext
from occlumark.train.face_dataset import TrainingFaces
from occlumark.train.landmark_task import LandmarkTask
from occlumark.train.precision import autocast
from occlumark.train.validation import presence_scores


class PresenceBatch(NamedTuple):
    """What the network made of crops; without the first axis it is one."""

    features: Float[Tensor, "B C"]
    """Means of the hybrid features."""
    presence: Float[Tensor, "B"]
    """1 where the crop shows the face that it was cut for, 0 where it shows none."""


class SeenCrops(Dataset[PresenceBatch]):
    """Features of crops, held in memory.

    Args:
        features: (n, C).
        presence: (n,).
    """

    def __init__(self, features: Tensor, presence: Tensor) -> None:
        self.features, self.presence = features, presence

    def __len__(self) -> int:
        return len(self.presence)

    def __getitem__(self, index: int) -> PresenceBatch:
        """One crop's."""
        return PresenceBatch(self.features[index], self.presence[index])


class PresenceTask(LandmarkTask):
    """A run of presence alone (LandmarkConfig.train_only) on a pack; task.Task says what each member is.

    Raises:
        ConfigError: no crop of an epoch is without a face (augment.no_face.share).
    """

    def __init__(self, config: LandmarkConfig, pack_path: Path) -> None:
        super().__init__(config, pack_path)
        if not config.augment.no_face.share:
            raise ConfigError("presence is trained on crops with and without a face: set augment.no_face.share")
        self._seen: SeenCrops | None = None
        self._network: OcclusionAdaptiveNetwork | None = None

    @property
    def training_size(self) -> int:
        """Crops of one epoch: those of all passes."""
        return sum(len(self._faces_of(each)) for each in range(self.config.presence_passes))

    def build(self, *, is_resumed: bool = False) -> OcclusionAdaptiveNetwork:
        """The network that the run starts from."""
        self._network = super().build(is_resumed=is_resumed)
        return self._network

    def parameter_groups(self, network: OcclusionAdaptiveNetwork) -> list[dict[str, Any]]:
        """Presence's own; the others take no gradient."""
        assert network.presence is not None  # by the configuration
        network.requires_grad_(False)
        network.presence.requires_grad_(True)
        return [{"params": list(network.presence.parameters()), "scale": 1.0}]

    def batches(self, epoch: int, context: DistributedContext) -> DataLoader[Any]:
        """PresenceBatch: the crops of all passes, in another order each epoch."""
        if context.world_size > 1:
            raise ConfigError("presence alone is trained by one process: its gradients are not shared among several")
        if self._seen is None:
            assert self._network is not None  # built before it is trained
            self._seen = self._see(self._network, context.device)
        return training_batches(self._seen, self.config, epoch, context)

    def terms(
        self, network: OcclusionAdaptiveNetwork, model: nn.Module, batch: Any, step: int, device: torch.device
    ) -> dict[str, Tensor]:
        """Presence's cross entropy."""
        network.eval()  # statistics stay, too
        assert network.presence is not None
        logit = network.presence.of_means(batch.features.to(device))
        return {"presence": presence_loss(self.config.refinement, logit, batch.presence.to(device))}

    def validate(self, network: OcclusionAdaptiveNetwork, device: torch.device) -> dict[str, float]:
        """How well crops with and without a face are told apart (validation.presence_scores)."""
        return presence_scores(network, self._presence_faces(), self.config, device) if len(self.validation) else {}

    @torch.no_grad()
    def _see(self, network: OcclusionAdaptiveNetwork, device: torch.device) -> SeenCrops:
        config = self.config
        features, presence = [], []
        # only what comes before presence is asked for
        refinement, network.refinement = network.refinement, None
        try:
            network.eval()
            for each in tqdm(range(config.presence_passes), "seeing crops", unit="pass", disable=None):
                faces = TrainingFaces(self._told, self._faces_of(each), config.crop, config.augment, config.seed, each)
                for batch in DataLoader(faces, batch_size=config.optimiser.batch, num_workers=config.workers):
                    with autocast(config.optimiser, device):
                        features.append(hybrid_means(network, batch.crops.to(device)).cpu())
                    presence.append(batch.presence)
        finally:
            network.refinement = refinement
        return SeenCrops(torch.cat(features), torch.cat(presence))


def hybrid_means(network: OcclusionAdaptiveNetwork, crops: Tensor) -> Float[Tensor, "B C"]:
    """What presence is told from: the means of the hybrid features of crops (B, size, size, 3) uint8."""
    assert network.presence is not None
    kept: list[Tensor] = []
    hook = network.presence.register_forward_pre_hook(lambda _module, inputs: kept.append(inputs[0].mean((2, 3))))
    network(crops)
    hook.remove()
    return kept[0].float()
