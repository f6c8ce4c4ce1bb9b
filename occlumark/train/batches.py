"""One epoch's batches, in an order made from (seed, epoch), shared among the processes."""

import signal
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from occlumark.train.config import RunConfig
from occlumark.train.distributed import DistributedContext


def training_batches(
    samples: Dataset[Any], config: RunConfig, epoch: int, context: DistributedContext
) -> DataLoader[Any]:
    """One epoch's batches for one process; samples that fill no whole batch are left out of this epoch.

    Args:
        samples: the epoch's, by index.
        config: of the run: seed, optimiser.batch (over all processes) and workers.
        epoch: from 0.
        context: which of how many gets its share of each batch.
    """
    n_samples = len(samples)  # type: ignore[arg-type]  # torch's class leaves the length to its children
    order = np.random.default_rng((config.seed, epoch)).permutation(n_samples)
    share = config.optimiser.batch // context.world_size
    steps = n_samples // (share * context.world_size)
    mine = order[: steps * share * context.world_size].reshape(steps, context.world_size, share)[:, context.rank]
    return DataLoader(
        samples,
        batch_size=share,
        sampler=mine.reshape(-1).tolist(),
        num_workers=config.workers,
        worker_init_fn=_prepare_worker,
        prefetch_factor=4 if config.workers else None,
    )


def _prepare_worker(_worker: int) -> None:
    # Ctrl-C reaches every process of the terminal: the training process answers it, and its workers end with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
