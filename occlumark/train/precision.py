"""In which arithmetic a run computes its convolutions."""

import contextlib
import functools
import statistics
import time

import torch

from occlumark.train.config import OptimiserConfig

#: How many times each arithmetic is timed; the medians are compared.
_TURNS = 5


def autocast(config: OptimiserConfig, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """The context in which a network of a run is called on a device: bf16 autocast, or none for fp32."""
    if uses_bf16(config, device):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def uses_bf16(config: OptimiserConfig, device: torch.device) -> bool:
    """Whether a run's convolutions are in bf16 on a device."""
    if config.precision == "auto":
        return computes_bf16_faster(device.type)
    return config.precision == "bf16"


@functools.cache
@torch.inference_mode(mode=False)
@torch.enable_grad()
def computes_bf16_faster(device_type: str) -> bool:
    """Whether a device has arithmetic of its own for bf16; once a process.

    A CPU is timed, forward and backward through one convolution: where it computes bf16 itself that takes about half
    the time of fp32; where it has to emulate it, as x86 does without AVX-512, ten times as long.
    """
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    device = torch.device(device_type)
    layer = torch.nn.Conv2d(64, 64, 3, padding=1, device=device)
    layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.ones(4, 64, 28, 28, device=device).to(memory_format=torch.channels_last).requires_grad_()
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(1 + _TURNS):
        for bf16, taken in seconds.items():
            began = time.perf_counter()
            with torch.autocast(device_type, torch.bfloat16, enabled=bf16):
                result = layer(images)
            result.backward(torch.ones_like(result))
            if turn:  # the first one also chooses its algorithm
                taken.append(time.perf_counter() - began)
    return statistics.median(seconds[True]) < statistics.median(seconds[False])
