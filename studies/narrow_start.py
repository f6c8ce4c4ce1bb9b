"""Weights for a narrower backbone to start from: each convolution fitted to what the packaged network's features are.

    python studies/narrow_start.py configs/occlumark-fast.toml --pack real.pack --out runs/narrow.safetensors

Of every map the channels that matter the most are kept. Convolution by convolution, from the crop on, the narrow
network's weights are those that bring its own features nearest to these channels, by least squares over training crops;
the packaged network sees the same crops in its own size, and its maps are averaged down to the narrow one's grid. So a
run begins with features of faces, which random weights would have to find first.
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from occlumark.config import from_mapping, load
from occlumark.crop import CropConfig
from occlumark.data.augment import AugmentConfig
from occlumark.data.pack import Pack
from occlumark.data.split import split_validation
from occlumark.model.backbone import BasicBlock
from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.network_file import METADATA_KEY
from occlumark.packaged import packaged_weights
from occlumark.train.checkpoint import Checkpoint, save_checkpoint
from occlumark.train.config import LandmarkConfig
from occlumark.train.exported_start import read_exported, unfold
from occlumark.train.face_dataset import TrainingFaces

#: Places that a convolution is fitted on, over all crops; more of them than it has numbers.
_PLACES = 60_000
_RIDGE = 1e-3
_BATCH = 16


def teacher_of(crops: Tensor, name: str = "occlumark") -> OcclusionAdaptiveNetwork:
    """A packaged network as it is in training."""
    path, _ = packaged_weights(name)
    properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    metadata = json.loads(properties[METADATA_KEY])
    network = OcclusionAdaptiveNetwork(from_mapping(NetworkConfig, metadata["network"]), metadata["crop"]["size"])
    unfold(network, read_exported(path), crops[:_BATCH], path)
    return network.eval()


def layers(network: OcclusionAdaptiveNetwork) -> list[list[BasicBlock]]:
    """The residual units of each stride, finest first; the last unit stands with those of stride 32."""
    own = network.backbone
    found = [[*layer] for layer in (own.layer1, own.layer2, own.layer3, own.layer4)]
    return [*found[:3], [*found[3], network.last_unit.pathway_c]]


def matched(units: list[list[BasicBlock]], wider: list[list[BasicBlock]]) -> list[int]:
    """For each unit the number of the wide network's that it stands for: of each stride the last ones."""
    found, before = [], 0
    for own, theirs in zip(units, wider, strict=True):
        if len(own) > len(theirs):
            raise SystemExit(f"the narrow network has {len(own)} units where the packaged one has {len(theirs)}")
        found += [before + len(theirs) - len(own) + i for i in range(len(own))]
        before += len(theirs)
    return found


class Maps:
    """What the teacher's first convolution and its units say before their ReLU, over all crops, on the narrow grids."""

    def __init__(self, teacher: OcclusionAdaptiveNetwork, crops: Tensor, narrow_size: int) -> None:
        units = [unit for layer in layers(teacher) for unit in layer]
        kept: dict[str, list[Tensor]] = {}
        share = narrow_size / crops.shape[1]

        def keep(name: str, values: Tensor) -> None:
            size = round(values.shape[-1] * share)
            kept.setdefault(name, []).append(functional.interpolate(values, size=(size, size), mode="area").half())

        hooks = [teacher.backbone.bn1.register_forward_hook(lambda _m, _i, out: keep("stem", out))]
        for number, unit in enumerate(units):
            hooks.append(unit.bn1.register_forward_hook(lambda _m, _i, out, n=number: keep(f"middle {n}", out)))
            hooks.append(unit.bn2.register_forward_hook(lambda _m, _i, out, n=number: self._sum(n, out)))
            hooks.append(unit.register_forward_pre_hook(lambda m, i, n=number: self._short(m, i[0], n)))
            hooks.append(unit.register_forward_hook(lambda _m, _i, _o, n=number: keep(f"out {n}", self._whole[n])))
        self._shortcuts: dict[int, Tensor] = {}
        self._whole: dict[int, Tensor] = {}
        for batch in crops.split(_BATCH):
            teacher(batch)
        for hook in hooks:
            hook.remove()
        self.values = {name: torch.cat(parts) for name, parts in kept.items()}

    def _short(self, unit: nn.Module, x: Tensor, number: int) -> None:
        assert isinstance(unit, BasicBlock)
        self._shortcuts[number] = x if unit.downsample is None else unit.downsample(x)

    def _sum(self, number: int, branch: Tensor) -> None:
        self._whole[number] = branch + self._shortcuts[number]


def chosen(values: Tensor, count: int, weight: Tensor | None = None) -> Tensor:
    """The channels whose ReLU varies the most, ascending; `weight` (C,) says how much is made of each."""
    some = values[:: max(1, len(values) // 64)].float().relu()
    matter = some.var(dim=(0, 2, 3)) * (1 if weight is None else weight)
    return matter.argsort(descending=True)[:count].sort().values


def fit(
    inputs: list[tuple[Tensor, nn.Conv2d]], target: Tensor, norm: nn.BatchNorm2d, others: list[nn.BatchNorm2d]
) -> float:
    """Weights of convolutions whose sum comes nearest to a target, by least squares; the batch norms follow.

    Returns:
        The share of the target's variance that is explained.
    """
    places = target.shape[-1] ** 2
    count = min(len(target), max(math.ceil(_PLACES / places), 64))
    products: Tensor | float = 0.0
    for start in range(0, count, _BATCH):
        part = slice(start, min(start + _BATCH, count))
        rows = [
            functional.unfold(x[part], conv.kernel_size, padding=conv.padding, stride=conv.stride)  # type: ignore[arg-type]
            for x, conv in inputs
        ]
        wanted = target[part].float().flatten(2)
        table = torch.cat([*rows, torch.ones_like(wanted[:, :1]), wanted], 1).transpose(0, 1).flatten(1)
        products = products + (table @ table.T).double()
    assert isinstance(products, Tensor)
    n = products.shape[0] - target.shape[1]
    left, right = products[:n, :n], products[:n, n:]
    ridge = torch.eye(n, dtype=torch.double) * _RIDGE * left.diagonal()[:-1].mean()
    ridge[-1, -1] = 0
    solution = torch.linalg.solve(left + ridge, right)
    total = products[n:, n:].diagonal()
    rest = total - 2 * (solution * right).sum(0) + (solution * (left @ solution)).sum(0)
    spread = total - right[-1].square() / left[-1, -1]
    begin = 0
    for _, conv in inputs:
        size = conv.weight[0].numel()
        conv.weight.copy_(solution[begin : begin + size].T.reshape(conv.weight.shape).float())
        begin += size
    for (x, conv), own in zip(inputs, [norm, *others], strict=True):
        # As long as random ones are, or the optimiser's steps would be short beside them; the batch norm undoes it.
        length = conv.weight.flatten(1).norm(dim=1).clamp_min(1e-6) / math.sqrt(2)
        conv.weight.div_(length[:, None, None, None])
        y = conv(x[:count])
        mean, variance = y.mean((0, 2, 3)), y.var((0, 2, 3))
        assert own.running_mean is not None and own.running_var is not None
        own.running_mean.copy_(mean)
        own.running_var.copy_(variance)
        own.weight.copy_(length * (variance + own.eps).sqrt())
        own.bias.copy_(length * mean)
    norm.bias.add_(solution[-1].float())
    return float(1 - rest.sum() / spread.sum())


def narrow(network: OcclusionAdaptiveNetwork, teacher: OcclusionAdaptiveNetwork, crops: Tensor) -> Iterator[str]:
    """Fit a network's backbone to the teacher's; yields a line for each unit.

    Args:
        network: with no more units of a stride than the teacher.
        teacher: in evaluation mode.
        crops: (B, size, size, 3) uint8, in the teacher's size.
    """
    maps = Maps(teacher, crops, network.crop_size).values
    own, theirs = layers(network), layers(teacher)
    numbers = matched(own, theirs)
    wide_units = [unit for layer in theirs for unit in layer]
    ends = [numbers[sum(map(len, own[: i + 1])) - 1] for i in range(len(own))]
    kept = [chosen(maps[f"out {end}"], layer[-1].conv2.out_channels) for end, layer in zip(ends, own, strict=True)]
    small = np.stack([cv2.resize(c, (network.crop_size,) * 2, interpolation=cv2.INTER_AREA) for c in crops.numpy()])
    backbone = network.backbone
    x = network.normalised(torch.from_numpy(small))
    explained = fit([(x, backbone.conv1)], maps["stem"][:, kept[0]], backbone.bn1, [])
    yield f"first convolution: {explained:.1%} of the variance"
    x = torch.cat([backbone.maxpool(backbone.relu(backbone.bn1(backbone.conv1(b)))) for b in x.split(_BATCH)])
    streams = [stream for stream, layer in zip(kept, own, strict=True) for _ in layer]
    for number, unit, stream in zip(numbers, (unit for layer in own for unit in layer), streams, strict=True):
        made_of = wide_units[number].conv2.weight.square().sum((0, 2, 3))
        middle = chosen(maps[f"middle {number}"], unit.conv1.out_channels, made_of)
        first = fit([(x, unit.conv1)], maps[f"middle {number}"][:, middle], unit.bn1, [])
        inner = torch.cat([unit.relu(unit.bn1(unit.conv1(b))) for b in x.split(_BATCH)])
        target = maps[f"out {number}"][:, stream].float()
        if unit.downsample is None:
            second = fit([(inner, unit.conv2)], target - x, unit.bn2, [])
        else:
            conv, norm = unit.downsample.children()
            assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            second = fit([(inner, unit.conv2), (x, conv)], target, unit.bn2, [norm])
        x = torch.cat([unit(b) for b in x.split(_BATCH)])
        yield f"unit {number}: {first:.1%}, {second:.1%} of the variance"


def write_start(config: LandmarkConfig, pack_path: Path, out: Path, n_crops: int = 512) -> Iterator[str]:
    """Write a checkpoint of no epoch, for a run's `start`; yields a line for each unit.

    Args:
        config: of the narrow network's run, with an empty `start`.
        pack_path: the training faces.
        out: the checkpoint.
        n_crops: training crops that the weights are fitted on.
    """
    pack = Pack.open(pack_path)
    training, _ = split_validation(pack.names, config.validation_share, config.validation_seed, pack.groups)
    some = training[np.linspace(0, len(training) - 1, n_crops).astype(int)]
    faces = TrainingFaces(pack, some, CropConfig(scale=config.crop.scale), AugmentConfig(), 0, 0)
    crops = torch.stack([faces[i].crops for i in range(len(some))])
    torch.manual_seed(0)
    with torch.no_grad():
        network = OcclusionAdaptiveNetwork(config.network, config.crop.size).eval()
        yield from narrow(network, teacher_of(crops), crops)
    own = {name: value for name, value in network.state_dict().items() if name.startswith(("backbone", "last_unit"))}
    save_checkpoint(
        out,
        Checkpoint(
            kind="landmarks",
            config=config,
            epoch=0,
            data_digest="",
            network={},
            averaged={f"module.{name}": value.clone() for name, value in own.items()},
            optimiser={},
        ),
    )


def main() -> None:
    """Write the checkpoint, say how much of each layer is explained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--crops", type=int, default=512)
    args = parser.parse_args()
    config = load(LandmarkConfig, args.config, ['start=""'])
    for line in write_start(config, args.pack, args.out, args.crops):
        print(line, flush=True)


if __name__ == "__main__":
    main()
