"""What the training loop trains: a network with its samples, objective and validation."""

from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from occlumark.markup import Markup
from occlumark.train.config import RunConfig
from occlumark.train.distributed import DistributedContext

Network = TypeVar("Network", bound=nn.Module)


class Task(Protocol[Network]):
    """A kind of network and the data for one run of it; the loop, its state and its checkpoints know no more."""

    @property
    def kind(self) -> str:
        """Name of the kind of network, in the checkpoint's header: a key of config.KINDS."""

    @property
    def config(self) -> RunConfig:
        """Of the run."""

    @property
    def data_digest(self) -> str:
        """Names the data: a run goes on with the same only."""

    @property
    def markup(self) -> Markup | None:
        """Of the landmarks that it is trained to find; None: it finds none."""

    @property
    def training_size(self) -> int:
        """Samples of one epoch, over all processes."""

    def build(self, *, is_resumed: bool = False) -> Network:
        """The network before its first step, on the CPU.

        Random weights come from torch's global generator, which the caller has seeded.

        Args:
            is_resumed: its weights come from the run's own checkpoint: what the run started from is not read.
        """

    def parameter_groups(self, network: Network) -> list[dict[str, Any]]:
        """AdamW's groups of parameters.

        Returns:
            Of each group its "params", its "scale" (its learning rate over optimiser.learning_rate), and, where it is
            not optimiser.weight_decay, its "weight_decay".
        """

    def batches(self, epoch: int, context: DistributedContext) -> DataLoader[Any]:
        """One epoch's batches for this process, at least one.

        Args:
            epoch: from 0; with the seed, all that its samples and their order depend on.
            context: which of how many gets them; each gets as many (batches.training_batches).

        Returns:
            Named tuples of tensors on the CPU, samples along the first axis of each.
        """

    def terms(
        self, network: Network, model: nn.Module, batch: Any, step: int, device: torch.device
    ) -> dict[str, Tensor]:
        """The objective's terms for a batch, by name; their sum is what training minimises.

        Args:
            network: whose weights are trained.
            model: the same network as it is called in training, perhaps wrapped for several processes.
            batch: one of `batches`, still on the CPU.
            step: of the epoch, from 0. What a task carries from step to step begins anew at 0, so that a resumed run
                meets the same.
            device: where the network lives.
        """

    def epoch_scalars(self) -> dict[str, float]:
        """What the log tells of the epoch just trained besides the means of its terms."""

    def validate(self, network: Network, device: torch.device) -> dict[str, float]:
        """How well the network does on what training does not see.

        Args:
            network: in evaluation mode; the caller keeps no gradients.
            device: where it lives.

        Returns:
            By name "validation/..."; empty where nothing was kept out of training.
        """
