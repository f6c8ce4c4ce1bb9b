"""What a training run changes as it goes, and how it becomes a checkpoint and comes back from one."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from occlumark.errors import CheckpointError, ConfigError
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.train.checkpoint import (
    Checkpoint,
    flat_optimiser,
    load_checkpoint,
    load_weights,
    read_imagenet,
    restore_optimiser,
)
from occlumark.train.config import RunConfig


@dataclass
class RunState:
    """The weights, their average, the optimiser and how far the run is."""

    config: RunConfig
    """Of the run; it does not change."""
    network: OcclusionAdaptiveNetwork
    """The weights as trained."""
    averaged: AveragedModel
    """Their moving average, what is validated and exported."""
    optimiser: torch.optim.AdamW
    """Of the network's weights."""
    faces: str
    """Digest of the pack's faces (faces.faces_digest)."""
    epoch: int = 0
    """Epochs finished."""

    @classmethod
    def start(cls, config: RunConfig, mean_face: np.ndarray, faces: str, device: torch.device) -> "RunState":
        """A run before its first step, the same for the same seed.

        Args:
            config: the run.
            mean_face: (68, 2), crop pixels, what the network predicts at first.
            faces: digest of the pack's faces.
            device: where the network lives.

        Raises:
            CheckpointError: the ImageNet weights cannot be used.
        """
        with _seeded(config.seed):
            network = OcclusionAdaptiveNetwork(config.network, config.crop.size, mean_face)
        if config.imagenet:
            try:
                network.load_imagenet(read_imagenet(Path(config.imagenet)))
            except KeyError as error:
                raise CheckpointError(f"{config.imagenet} is no ResNet-18: {error} is missing") from error
        network.to(device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        averaged = AveragedModel(network, multi_avg_fn=moving_average(config.optimiser.ema_decay), use_buffers=True)
        others = [parameter for parameter in network.parameters() if parameter is not network.M]
        groups = [{"params": others, "scale": 1.0}]
        if network.M is not None:
            groups.append({"params": [network.M], "scale": config.optimiser.matrix_rate})
        # No decay of AdamW's own: equation (3) has it, as terms of the objective.
        optimiser = torch.optim.AdamW(groups, config.optimiser.learning_rate, weight_decay=0.0)
        return cls(config, network, averaged, optimiser, faces)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same configuration and pack.

        Raises:
            CheckpointError: it cannot be read or does not fit.
            ConfigError: it was trained with another configuration or on another pack.
        """
        checkpoint = load_checkpoint(path)
        if checkpoint.config != self.config:
            raise ConfigError(f"{path} was trained with another configuration; resume with the same one")
        if checkpoint.faces != self.faces:
            raise ConfigError(f"{path} was trained on another pack; resume with the same one")
        load_weights(self.network, checkpoint.network, path)
        load_weights(self.averaged, checkpoint.averaged, path)
        restore_optimiser(self.optimiser, self.network, checkpoint.optimiser)
        self.epoch = checkpoint.epoch

    def checkpoint(self) -> Checkpoint:
        """Everything that resume needs, on the CPU."""
        return Checkpoint(
            config=self.config,
            epoch=self.epoch,
            faces=self.faces,
            network=_cpu(self.network.state_dict()),
            averaged=_cpu(self.averaged.state_dict()),
            optimiser=_cpu(flat_optimiser(self.optimiser, self.network)),
        )


def moving_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """An exponential moving average for AveragedModel that forgets the start faster than `decay` would.

    Not in the paper. After n steps the decay is the smaller of `decay` and (1 + n) / (10 + n). Counters are copied.
    """

    @torch.no_grad()
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], steps: Tensor | int) -> None:
        steps = int(steps)
        weight = 1 - min(decay, (1 + steps) / (10 + steps))
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, weight)
            else:
                mean.copy_(value)

    return update


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """PyTorch's start weights come from its global generator only; leave that as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in tensors.items()}
