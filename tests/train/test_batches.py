"""The order of an epoch's samples."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from occlumark.train.batches import report_unless_left_alone, training_batches
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


class Signals(Dataset[int]):
    """Whether the process that reads a sample never gets Ctrl-C."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, _: int) -> int:
        return int(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs signals that can be blocked")
@pytest.mark.parametrize("workers", [0, 1])
def test_workers_leave_an_interrupt_to_the_training_process(workers: int):
    config = RunConfig(name="interrupt", workers=workers, optimiser=OptimiserConfig(batch=4))
    (batch,) = training_batches(Signals(), config, 0, ALONE)
    assert batch.tolist() == [int(workers > 0)] * 4
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])  # it comes again


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_an_interrupt_while_workers_make_batches_is_one_line(tmp_path: Path, pack_path: Path):
    """As a terminal does, to every process of the group; after the first epoch, at three moments."""
    sets = ["crop.size=64", "optimiser.epochs=1000", "optimiser.batch=4", "workers=2", "validation_share=0.25"]
    command = [sys.executable, "-m", "occlumark", "train", "--pack", str(pack_path), "--device", "cpu"]
    command += [argument for value in sets for argument in ("--set", value)]
    for delay in (0, 0.1, 0.35):
        out = tmp_path / f"run{delay}"
        process = subprocess.Popen(
            [*command, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        )
        while process.poll() is None and not (out / "log.jsonl").exists():
            time.sleep(0.05)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        try:
            _, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            pytest.fail("training goes on")
        assert process.returncode == 130 and re.split(r"[\r\n]+", err.rstrip())[-1] == "occlumark: interrupted", err
        assert "Traceback" not in err and "Error" not in err
        with pytest.raises(ProcessLookupError):  # nobody of the group is left
            os.killpg(process.pid, 0)


@pytest.mark.parametrize(
    ("error", "said"), [(ConnectionResetError("gone"), ""), (EOFError(), ""), (KeyError("x"), "KeyError: 'x'")]
)
def test_a_worker_whose_training_has_ended_says_nothing(error, said, capsys):
    report_unless_left_alone(type(error), error, None)
    assert capsys.readouterr().err.strip() == said
