"""What a training run changes as it goes, and how it becomes a checkpoint and comes back from one."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from occlumark.config import shown
from occlumark.errors import ConfigError
from occlumark.train.checkpoint import Checkpoint, is_same_data, load_checkpoint, load_weights
from occlumark.train.config import RunConfig
from occlumark.train.optimiser_state import flat_optimiser, restore_optimiser
from occlumark.train.task import Network, Task

# So many keys that differ fit a line that is read.
_NAMED_KEYS = 8
# What may change where a run goes on: neither its samples nor its schedule depend on them.
_FREE_KEYS = ("optimiser.precision", "optimiser.validate_every", "workers")


@dataclass
class RunState(Generic[Network]):
    """The weights, their average, the optimiser and how far the run is."""

    task: Task[Network]
    """What is trained."""
    network: Network
    """The weights as trained."""
    averaged: AveragedModel
    """Their moving average, what is validated and exported."""
    optimiser: torch.optim.AdamW
    """Of the network's weights."""
    epoch: int = 0
    """Epochs finished."""
    log: tuple[str, ...] = ()
    """Of the checkpoint that was resumed: its lines of log.jsonl."""

    @classmethod
    def start(cls, task: Task[Network], device: torch.device, *, is_resumed: bool = False) -> "RunState[Network]":
        """A run before its first step, the same for the same seed.

        Args:
            task: what is trained.
            device: where the network lives.
            is_resumed: its weights will come from the run's own checkpoint.

        Raises:
            CheckpointError: the weights to start from cannot be used.
        """
        config = task.config.optimiser
        with _seeded(task.config.seed):
            network = task.build(is_resumed=is_resumed)
        network.to(device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        averaged = AveragedModel(network, multi_avg_fn=moving_average(config.ema_decay), use_buffers=True)
        groups = task.parameter_groups(network)
        optimiser = torch.optim.AdamW(groups, config.learning_rate, weight_decay=config.weight_decay)
        return cls(task, network, averaged, optimiser)

    @property
    def averaged_network(self) -> Network:
        """The network that holds the averaged weights."""
        return cast(Network, self.averaged.module)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same kind, configuration and data; more epochs and _FREE_KEYS are free.

        A run that is lengthened so goes on as one of so many epochs from the start would from there on: its learning
        rate is that of the longer schedule, above where the shorter one had fallen to.

        Raises:
            CheckpointError: it cannot be read or does not fit.
            ConfigError: it is of another kind, configuration (its keys are named) or data.
        """
        checkpoint = load_checkpoint(path)
        if checkpoint.kind != self.task.kind:
            raise ConfigError(f"{path} is a run of {checkpoint.kind}, this is one of {self.task.kind}")
        _check_config(path, checkpoint.config, self.task.config)
        if not is_same_data(checkpoint.data_digest, self.task.data_digest):
            raise ConfigError(f"{path} was trained on other data; resume with the same")
        load_weights(self.network, checkpoint.network, path)
        load_weights(self.averaged, checkpoint.averaged, path)
        restore_optimiser(self.optimiser, self.network, checkpoint.optimiser, path)
        self.epoch = checkpoint.epoch
        self.log = checkpoint.log

    def checkpoint(self, log: Sequence[str] = ()) -> Checkpoint:
        """Everything that resume needs, on the CPU.

        Args:
            log: the run's log, a line an epoch.
        """
        return Checkpoint(
            kind=self.task.kind,
            config=self.task.config,
            epoch=self.epoch,
            data_digest=self.task.data_digest,
            network=_cpu(self.network.state_dict()),
            averaged=_cpu(self.averaged.state_dict()),
            optimiser=_cpu(flat_optimiser(self.optimiser, self.network)),
            log=tuple(log),
            markup=self.task.markup,
        )


def _check_config(path: Path, trained: RunConfig, wanted: RunConfig) -> None:
    """Refuse to go on with another configuration, but for more epochs and what _FREE_KEYS names.

    Raises:
        ConfigError: names the keys that differ, with both values.
    """
    found = {key: values for key, values in _differences(trained, wanted).items() if key not in _FREE_KEYS}
    before, now = found.pop("optimiser.epochs", (0, 0))
    if not found and before <= now:
        return
    if before > now:
        found["optimiser.epochs"] = (before, now)
    told = [f"{key} is {shown(was)} there, {shown(is_)} here" for key, (was, is_) in sorted(found.items())]
    more = f" and {len(told) - _NAMED_KEYS} more" if len(told) > _NAMED_KEYS else ""
    raise ConfigError(
        f"{path} was trained with another configuration: {'; '.join(told[:_NAMED_KEYS])}{more}; resume with the same "
        "one (optimiser.epochs may be raised, precision and validate_every changed), or name another --out"
    )


def _differences(first: object, second: object, at: str = "") -> dict[str, tuple[Any, Any]]:
    """The keys, as `a.b`, whose values differ between two configurations of one class, with both values."""
    found: dict[str, tuple[Any, Any]] = {}
    for field in dataclasses.fields(first):  # type: ignore[arg-type]
        key, one, other = f"{at}{field.name}", getattr(first, field.name), getattr(second, field.name)
        if dataclasses.is_dataclass(one):
            found |= _differences(one, other, f"{key}.")
        elif one != other:
            found[key] = (one, other)
    return found


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
