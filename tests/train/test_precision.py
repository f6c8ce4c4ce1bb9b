"""Convolutions are computed as the configuration says, or as the device does it faster."""

import platform
from pathlib import Path

import pytest
import torch

from occlumark.train import precision
from occlumark.train.config import OptimiserConfig
from occlumark.train.precision import autocast, computes_bf16_faster

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("configured", "faster", "expected"),
    [
        ("bf16", False, torch.bfloat16),
        ("fp32", True, torch.float32),
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
    ],
)
def test_convolutions_are_computed_so(configured, faster, expected, monkeypatch):
    monkeypatch.setattr(precision, "computes_bf16_faster", {"cpu": faster}.get)
    with autocast(OptimiserConfig(precision=configured), CPU):
        assert torch.nn.Conv2d(3, 2, 1)(torch.ones(1, 3, 4, 4)).dtype == expected


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_is_timed_where_no_gradients_are_kept(context):
    computes_bf16_faster.cache_clear()
    with context():
        assert computes_bf16_faster("cpu") in (True, False)


def test_the_timing_agrees_with_what_the_cpu_has():
    """bf16 of its own is told by Linux; without AVX-512 it is emulated on x86."""
    info = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not info.exists():
        pytest.skip("no list of the CPU's instructions to compare with")
    flags = set(next(line for line in info.read_text().splitlines() if line.startswith("flags")).split())
    if not flags.isdisjoint({"avx512_bf16", "amx_bf16"}):
        assert computes_bf16_faster("cpu")
    elif "avx512f" not in flags:
        assert not computes_bf16_faster("cpu")
    else:
        pytest.skip("AVX-512 without bf16: either may be faster")
