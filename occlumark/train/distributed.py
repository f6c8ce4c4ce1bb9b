"""Which of several training processes this is, as torch's own launcher (torchrun) tells it."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import distributed

from occlumark.errors import ConfigError


@dataclass(frozen=True)
class Processes:
    """One process among `world`."""

    rank: int
    """0 to world - 1."""
    world: int
    """Number of processes, 1 without torchrun."""
    device: torch.device
    """Where this process computes."""

    @property
    def is_first(self) -> bool:
        """True for the one that validates, writes and shows progress."""
        return self.rank == 0

    @classmethod
    @contextlib.contextmanager
    def join(cls, device: str = "") -> Iterator["Processes"]:
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
            place = torch.device(device)
            torch.empty(0, device=place)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(f"no device '{device}': {str(error).splitlines()[0]}") from error
        if place.type == "cuda":
            torch.cuda.set_device(place)
        if world == 1:
            yield cls(rank, world, place)
            return
        distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
        try:
            yield cls(rank, world, place)
        finally:
            distributed.destroy_process_group()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            distributed.barrier()
