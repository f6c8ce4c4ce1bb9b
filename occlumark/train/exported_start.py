"""Starting a run from an exported file: what export folded is put back.

Not in the paper. A folded batch norm comes back as one that changes nothing, with the statistics of training faces, so
that the network answers as the file does and yet trains as any other; M comes back as the identity before the matrix
that it was folded into.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor, nn

from occlumark.errors import CheckpointError
from occlumark.model.network import CELL_MIDDLE, CELL_SPREAD, IMAGENET_MEAN, IMAGENET_STD
from occlumark.network_file import read_checked
from occlumark.train.checkpoint import todays_name

_PREFIX = "network."  # of the exported module that holds the network
_FIRST, _WHOLE = "network.backbone.conv1.weight", "_quantized"
_FOLDED_BIAS = ".weight_bias"  # what ONNX's optimiser calls the bias of a convolution that took in a batch norm


def read_exported(path: Path) -> dict[str, Tensor]:
    """The weights of an exported network by the names of its parameters, as fp32.

    What is kept in 8 bits is widened, and a first convolution over cells of pixels is one over pixels again.
    A convolution that took in a batch norm has a `bias` besides, which the network's own has not (unfold takes it).

    Raises:
        CheckpointError: missing, no ONNX file, or none that export wrote.
    """
    content = read_checked(path)
    try:
        graph = onnx.load_from_string(content).graph
        held = {tensor.name.removesuffix(".fp16"): numpy_helper.to_array(tensor) for tensor in graph.initializer}
        held |= dict(_of_8_bits(held))
        held |= _of_pixels(held)
        linear = dict(_linear_weights(graph, held))
    except (DecodeError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise CheckpointError(f"{path} is truncated or no ONNX file") from error
    found = {
        name.removeprefix(_PREFIX).replace(_FOLDED_BIAS, ".bias"): value
        for name, value in held.items()
        if name.startswith(_PREFIX) and value.dtype.kind == "f" and not name.endswith("_scale")
    }
    found |= {name.removeprefix(_PREFIX): weight for name, weight in linear.items()}
    found = {todays_name(name): value for name, value in found.items()}
    if not found:
        raise CheckpointError(f"{path} was not written by occlumark export: it holds no weight of a network")
    return {name: torch.from_numpy(np.array(value, np.float32)) for name, value in found.items()}


def _of_8_bits(held: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Weights and biases kept in whole numbers, each output channel with its scale: what they stand for."""
    for name, whole in held.items():
        if name.startswith(_PREFIX) and name.endswith(_WHOLE):
            value = name.removesuffix(_WHOLE)
            scale = held[f"{value}_scale"] if f"{value}_scale" in held else held[f"{name}_scale"]
            yield value, whole * scale.reshape(-1, *[1] * (whole.ndim - 1))


def _of_pixels(held: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The first convolution over pixels, where the file has it over cells of 2 x 2 (export.byte_crops)."""
    weight = held.get(_FIRST)
    if weight is None or weight.shape[1] != 12:
        return {}
    outputs, _, cells, _ = weight.shape
    side, start = 2 * cells - 1, cells // 2 * 2 - (cells - 1)
    parts = weight.reshape(outputs, 2, 2, 3, cells, cells).transpose(0, 3, 4, 1, 5, 2)
    wide = parts.reshape(outputs, 3, 2 * cells, 2 * cells)
    weight = np.ascontiguousarray(wide[:, :, start : start + side, start : start + side])
    if "mean_cell" not in held:
        return {_FIRST: weight}
    bias = next(name for name in (f"{_FIRST}_bias", f"{_FIRST.removesuffix('weight')}bias") if name in held)
    mean, std = 255 * np.array(IMAGENET_MEAN), 255 * np.array(IMAGENET_STD)
    weight = weight * (std / CELL_SPREAD)[:, None, None]
    moved = np.einsum("oikl,i->o", weight, (CELL_MIDDLE - mean) / std)
    return {_FIRST: weight, bias: held[bias] - moved}


def _linear_weights(graph: onnx.GraphProto, held: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Weights of linear layers, which the exporter transposes and renames: each is found by the bias added after it."""
    products = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        for value, bias in (tuple(node.input), tuple(node.input)[::-1]):
            weight = products.get(value, "")
            if (
                bias.startswith(_PREFIX)
                and bias.endswith(".bias")
                and weight in held
                and not weight.startswith(_PREFIX)
            ):
                yield bias.removesuffix("bias") + "weight", held[weight].T


@torch.no_grad()
def unfold(network: nn.Module, weights: Mapping[str, Tensor], crops: Tensor, path: Path) -> None:
    """Load exported weights into a network as it is before export.

    Args:
        network: what gets the weights. Modules that the file lacks keep theirs.
        weights: by read_exported.
        crops: (B, size, size, 3) uint8, training faces, whose statistics the batch norms get.
        path: the file, for the message.

    Raises:
        CheckpointError: the file is of another network.
    """
    network.eval()
    pairs = _batch_norms(network, crops[:1])
    own, wrong = network.state_dict(), []
    biases: dict[str, Tensor] = {}
    for name, value in weights.items():
        folded = name.removesuffix(".bias")
        if name not in own and name.endswith(".bias") and folded in pairs:
            biases[folded] = value
        elif name in ("mean", "std") or name.endswith(".offsets"):
            continue  # made anew by the network itself
        elif name not in own or own[name].shape != value.shape:
            wrong.append(
                f"{name} is {tuple(value.shape)}, expected {tuple(own[name].shape) if name in own else 'none'}"
            )
        else:
            own[name].copy_(value)
    if wrong:
        raise CheckpointError(f"{path} does not fit this network: {'; '.join(wrong[:4])}")
    matrix = getattr(network, "M", None)
    if isinstance(matrix, nn.Parameter):
        nn.init.eye_(matrix)
    present = {conv: norm for conv, norm in pairs.items() if conv in biases}
    for conv, norm in present.items():
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.weight.fill_(1)
        norm.bias.copy_(biases[conv])
    for norm, (mean, variance) in _statistics(network, present, crops).items():
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)


def _batch_norms(network: nn.Module, crops: Tensor) -> dict[str, nn.BatchNorm2d]:
    """The batch norm behind each convolution, by the convolution's name."""
    made_by: dict[int, str] = {}
    pairs: dict[str, nn.BatchNorm2d] = {}
    kept: list[Tensor] = []  # so that no number is given twice
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):

            def note(_module: nn.Module, _inputs: object, output: Tensor, name: str = name) -> None:
                kept.append(output)
                made_by[id(output)] = name

            hooks.append(module.register_forward_hook(note))
        elif isinstance(module, nn.BatchNorm2d):

            def pair(norm: nn.Module, inputs: tuple[Tensor]) -> None:
                if id(inputs[0]) in made_by and isinstance(norm, nn.BatchNorm2d):
                    pairs[made_by[id(inputs[0])]] = norm

            hooks.append(module.register_forward_pre_hook(pair))
    network(crops)
    for hook in hooks:
        hook.remove()
    return pairs


def _statistics(
    network: nn.Module, pairs: Mapping[str, nn.BatchNorm2d], crops: Tensor
) -> dict[nn.BatchNorm2d, tuple[Tensor, Tensor]]:
    """Mean and variance of what each batch norm is given, over all crops."""
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {}

    def add(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        x = inputs[0].double()
        assert isinstance(norm, nn.BatchNorm2d)
        count = x.new_tensor(x.numel() // x.shape[1])  # a module may be called several times, on maps of several sizes
        entry = [x.sum((0, 2, 3)), x.square().sum((0, 2, 3)), count]
        sums[norm] = [a + b for a, b in zip(sums[norm], entry, strict=True)] if norm in sums else entry

    hooks = [norm.register_forward_pre_hook(add) for norm in pairs.values()]
    for part in crops.split(16):
        network(part)
    for hook in hooks:
        hook.remove()
    means = {norm: total / count for norm, (total, _, count) in sums.items()}
    return {
        norm: (means[norm].float(), (square / count - means[norm].square()).clamp_min(0).float())
        for norm, (_, square, count) in sums.items()
    }
