"""Which of several training processes this is, as torch's own launcher (torchrun) tells it."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import distributed

from occlumark.errors import ConfigError


@dataclass(frozen=True)
class DistributedContext:
    """One process among `world_size`."""

    rank: int
    """0 to world_size - 1."""
    world_size: int
    """Number of processes, 1 without torchrun."""
    device: torch.device
    """Where this process computes."""

    @property
    def is_main(self) -> bool:
        """True for the one that validates, writes and shows progress."""
        return self.rank == 0

    @classmethod
    @contextlib.contextmanager
    def join(cls, device: str = "") -> Iterator["DistributedContext"]:
        """Join the group that torchrun's environment variables describe; alone without them.

        Args:
            device: "cpu", "cuda" (this process' own GPU), "cuda:1"; empty: a GPU where there is one.

        Raises:
            ConfigError: there is no such device.
        """
        world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if device == "cuda":
            device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        try:
            target = torch.device(device)
            torch.empty(0, device=target)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(f"no device '{device}': {str(error).splitlines()[0]}") from error
        if target.type == "cuda":
            torch.cuda.set_device(target)
        if world == 1:
            yield cls(rank, world, target)
            return
        distributed.init_process_group("nccl" if target.type == "cuda" else "gloo")
        try:
            yield cls(rank, world, target)
        finally:
            distributed.destroy_process_group()

    def means(self, values: dict[str, float]) -> dict[str, float]:
        """Each value's mean over all processes, which all have the same names in the same order."""
        if self.world_size == 1:
            return values
        total = torch.tensor(list(values.values()), device=self.device)
        distributed.all_reduce(total)
        return dict(zip(values, (total / self.world_size).tolist(), strict=True))

    def barrier(self) -> None:
        """Until all processes are here."""
        if self.world_size > 1:
            distributed.barrier()
