"""One step of training as occlumark/train makes it (no loading, augmentation or averaging), to be timed."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from occlumark.crop import CropConfig
from occlumark.data.augment import plain_crop
from occlumark.data.pack import Pack
from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.model.nuclear_norm import Spectrum, spectrum
from occlumark.model.objective import ObjectiveConfig, objective
from occlumark.train.config import LandmarkOptimiserConfig

PLAIN = NetworkConfig(geometry_aware=False, distillation=False, low_rank=False)


class Training:
    """A network with its optimiser.

    Args:
        config: the modules; PLAIN is ResNet-18 regression.
        precision: "bf16" or "fp32", both channels_last, or "fp32 NCHW", PyTorch's default layout.
        learning_rate: AdamW's.
    """

    def __init__(self, config: NetworkConfig, precision: str, learning_rate: float = 1e-3) -> None:
        torch.manual_seed(0)
        self.objective = ObjectiveConfig(data="l1")
        self.network = OcclusionAdaptiveNetwork(config).train()
        if precision == "fp32 NCHW":
            self.network.backbone.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(),))
        else:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.bf16 = precision == "bf16"
        M = self.network.M
        others = [parameter for parameter in self.network.parameters() if parameter is not M]
        groups: list[dict[str, Any]] = [{"params": others}]
        if M is not None:
            groups.append({"params": [M], "lr": learning_rate * LandmarkOptimiserConfig().matrix_rate})
        self.optimiser = torch.optim.AdamW(groups, learning_rate, weight_decay=0.0)
        self.polar: Tensor | None = None
        if M is not None:
            self.decompose()

    def decompose(self) -> Spectrum:
        """Take U V^T of M as it is now, for the steps to come."""
        assert self.network.M is not None
        found = spectrum(self.network.M)
        self.polar = found.polar
        return found

    def step(self, crops: Tensor, landmarks: Tensor) -> dict[str, Tensor]:
        """Forward, objective, backward, AdamW. Returns the objective's terms."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            prediction = self.network(crops)
        terms = objective(self.objective, self.network, prediction.landmarks, prediction.P, landmarks, self.polar)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        self.optimiser.step()
        return terms


def batch_of(size: int, rng: np.random.Generator, pack: Pack | None = None) -> tuple[Tensor, Tensor]:
    """Crops (size, 224, 224, 3) uint8 and landmarks (size, 68, 2): faces of a pack, or noise with random points."""
    if pack is None:
        crops = rng.integers(0, 256, (size, 224, 224, 3), np.uint8)
        landmarks = rng.normal(112, 40, (size, 68, 2))
    else:
        chosen = rng.choice(len(pack), size, replace=len(pack) < size)
        faces = [plain_crop(pack.crops[i], pack.landmarks[i], pack.tight_boxes[i], CropConfig()) for i in chosen]
        crops, landmarks = (np.stack(part) for part in zip(*faces, strict=True))
    return torch.from_numpy(crops), torch.from_numpy(landmarks.astype(np.float32))


def open_pack(path: str) -> Pack | None:
    """The pack at a path; None for an empty one."""
    return Pack.open(Path(path)) if path else None
