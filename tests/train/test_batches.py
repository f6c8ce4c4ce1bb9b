"""The order of an epoch's samples."""

import torch
from torch.utils.data import TensorDataset

from occlumark.train.batches import training_batches
from occlumark.train.config import OptimiserConfig, RunConfig
from occlumark.train.distributed import DistributedContext

ALONE = DistributedContext(0, 1, torch.device("cpu"))


def order(seed: int, epoch: int, context: DistributedContext = ALONE) -> list[list[int]]:
    config = RunConfig(name="order", seed=seed, workers=0, optimiser=OptimiserConfig(batch=4))
    return [batch.tolist() for (batch,) in training_batches(TensorDataset(torch.arange(22)), config, epoch, context)]


def test_the_order_is_made_from_seed_and_epoch_and_what_fills_no_batch_is_left_out():
    first = order(0, 0)
    assert [len(batch) for batch in first] == [4] * 5
    assert len({sample for batch in first for sample in batch}) == 20
    assert order(0, 0) == first
    assert len({str(order(*of)) for of in ((0, 0), (0, 1), (1, 0), (1, 1))}) == 4


def test_processes_split_each_batch():
    halves = [order(0, 2, DistributedContext(rank, 2, torch.device("cpu"))) for rank in (0, 1)]
    assert [left + right for left, right in zip(*halves, strict=True)] == order(0, 2)
