"""One epoch's batches, in an order made from (seed, epoch), shared among the processes."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
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
    return _Batches(
        samples,
        batch_size=share,
        sampler=mine.reshape(-1).tolist(),
        num_workers=config.workers,
        worker_init_fn=_begin_worker,
        prefetch_factor=4 if config.workers else None,
    )


class _Batches(DataLoader[Any]):
    """Batches whose workers leave Ctrl-C to the training process, to which it comes when they are made or ended.

    It reaches every process of a terminal. While Python forks a process or ends an object, an exception is printed and
    lost, so that training would go on.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch's class is named for its iterator
        with _interrupts_wait():
            iterator = super().__iter__()
        try:
            yield from iterator
        finally:
            with _interrupts_wait():
                del iterator


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Ctrl-C comes at the end; a process that is forked meanwhile never gets it."""
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield  # Windows has no masks, and Python interrupts its main thread alone
        return
    came: list[int] = []
    # The mask is this thread's, for what is forked: another thread may take the signal, and Python then calls here.
    handler = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _begin_worker(_worker: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    sys.excepthook = report_unless_left_alone


def report_unless_left_alone(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Python's excepthook in a worker: says nothing where the training process has ended while it took a batch."""
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, traceback)
