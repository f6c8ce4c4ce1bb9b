"""The first convolution of an exported network on the crops' bytes as they are, for networks in 8 bits.

Two rewrites before quantisation, one after it; what the network answers stays the same but for rounding of the colours
beyond the crop's border. A convolution of stride 2 over three colours is read in cells of 2 x 2 pixels, twelve numbers
side by side, which CPUs multiply in less than half of the time.

Not in the paper.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

from occlumark.model.network import CELL_MIDDLE, CELL_SPREAD

_FIRST = "network.backbone.conv1.weight"


class _First(NamedTuple):
    """The first convolution and what brings the crops to it."""

    turn: onnx.NodeProto
    chain: list[onnx.NodeProto]
    """What divides, subtracts and widens."""
    convolution: onnx.NodeProto
    mean: np.ndarray
    std: np.ndarray
    """(1,) or, of each colour, (3,)."""


def read_in_cells(model: onnx.ModelProto) -> None:
    """Read a first convolution of stride 2 in cells of 2 x 2 pixels, and colours normalised one by one all alike.

    Then the means and deviations are in the convolution's weights and bias, and what stands beyond the crop's border
    is each colour's mean, rounded to a byte. Networks that begin otherwise stay as they are. Weights are fp32.
    """
    first = _first(model)
    if first is None:
        return
    numbers = _numbers(model)
    weight = numbers[_FIRST]
    radius = weight.shape[2] // 2
    before, after = (radius + 1) // 2, radius // 2
    inputs = first.convolution.input
    bias = numbers[inputs[2]] if len(inputs) > 2 else np.zeros(len(weight), np.float32)
    size = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value // 2
    _add(model, "shape_of_pixels", np.array([0, size, 2, size, 2, 3]))
    _add(model, "shape_of_cells", np.array([0, size, size, 12]))
    nodes = [
        helper.make_node("Reshape", ["crops", "shape_of_pixels"], ["pixels"], "pixels"),
        helper.make_node("Transpose", ["pixels"], ["cells_of_pixels"], "cells_of_pixels", perm=[0, 1, 3, 2, 4, 5]),
        helper.make_node("Reshape", ["cells_of_pixels", "shape_of_cells"], ["cells"], "cells"),
    ]
    last, pads = "cells", [before, before, after, after]
    if first.mean.size > 1:
        bias = bias + np.einsum("oikl,i->o", weight, (CELL_MIDDLE - first.mean) / first.std)
        weight = weight * (CELL_SPREAD / first.std)[:, None, None]
        nodes += _bordered(model, first.mean, size, before, after)
        last, pads = "cells_and_border", [0] * 4
        _set(model, first.chain[1].input[1], np.array(CELL_MIDDLE, np.float32))
        _set(model, first.chain[0].input[1], np.array(CELL_SPREAD, np.float32))
    _set(model, _FIRST, _of_cells(weight, before, after).astype(np.float32))
    if len(inputs) == 2:
        inputs.append(f"{_FIRST}_bias")
        model.graph.initializer.append(numpy_helper.from_array(bias, inputs[2]))
    _set(model, inputs[2], bias.astype(np.float32))
    first.turn.input[0] = last
    for attribute in [a for a in first.convolution.attribute if a.name in ("strides", "pads", "kernel_shape")]:
        first.convolution.attribute.remove(attribute)
    first.convolution.attribute.append(helper.make_attribute("pads", pads))
    del model.graph.value_info[:]  # shapes, of which some are others now; each tool infers them again
    all_nodes = [*nodes, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(all_nodes)


def read_bytes(model: onnx.ModelProto) -> None:
    """Leave out what only brings the crops' bytes to numbers and back: (x - m) / s, put into 8 bits again, is x.

    So it is where colours are normalised all alike and the calibration saw black and white; elsewhere nothing changes.
    """
    made_by, numbers = _made_by(model), _numbers(model)
    for quantize in [node for node in model.graph.node if node.op_type == "QuantizeLinear"]:
        found = list(_chain(made_by, quantize.input[0]))
        if len(found) < 3:
            continue
        values = [numbers.get(name) for name in (found[0].input[1], found[1].input[1], *quantize.input[1:])]
        if any(value is None or value.size != 1 for value in values):
            continue
        spread, middle, scale, zero = (float(value.item()) for value in values if value is not None)
        if abs(scale * spread - 1) < 1e-3 and abs(zero - middle) <= 0.5:
            for node in model.graph.node:
                node.input[:] = [found[2].input[0] if name == quantize.output[0] else name for name in node.input]
            for node in (quantize, *found):
                model.graph.node.remove(node)
    read = {name for node in model.graph.node for name in node.input}
    for unread in [tensor for tensor in model.graph.initializer if tensor.name not in read]:
        model.graph.initializer.remove(unread)  # ONNX Runtime would warn of each


def _first(model: onnx.ModelProto) -> _First | None:
    """The first convolution as our networks have it; None: it is another."""
    numbers, made_by = _numbers(model), _made_by(model)
    (convolution,) = [node for node in model.graph.node if _FIRST in node.input] or [None]
    if convolution is None:
        return None
    have = {attribute.name: helper.get_attribute_value(attribute) for attribute in convolution.attribute}
    radius = numbers[_FIRST].shape[2] // 2
    found = list(_chain(made_by, convolution.input[0]))
    turn = made_by.get(found[2].input[0]) if len(found) == 3 else None
    sides = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim][1:3]
    if (
        turn is None
        or turn.op_type != "Transpose"
        or turn.input[0] != "crops"
        or list(helper.get_attribute_value(turn.attribute[0])) != [0, 3, 1, 2]
        or have.get("strides") != [2, 2]
        or have.get("pads") != [radius] * 4
        or any(side % 2 for side in sides)
    ):
        return None
    std, mean = (numbers[node.input[1]].reshape(-1).astype(np.float64) for node in found[:2])
    return _First(turn, found, convolution, mean, std)


def _of_cells(weight: np.ndarray, before: int, after: int) -> np.ndarray:
    """(O, 3, k, k) of stride 2 as (O, 12, n, n) of stride 1, over cells whose pixels lie row by row."""
    outputs, colours, side, _ = weight.shape
    cells, start = before + after + 1, 2 * before - side // 2
    wide = np.zeros((outputs, colours, 2 * cells, 2 * cells), weight.dtype)
    wide[:, :, start : start + side, start : start + side] = weight
    parts = wide.reshape(outputs, colours, cells, 2, cells, 2).transpose(0, 3, 5, 1, 2, 4)
    return np.ascontiguousarray(parts.reshape(outputs, 4 * colours, cells, cells))


def _bordered(model: onnx.ModelProto, mean: np.ndarray, size: int, before: int, after: int) -> list[onnx.NodeProto]:
    """Cells of the mean colour, as bytes, around those of the crop."""
    _add(model, "mean_cell", np.tile(np.round(mean), 4).astype(np.uint8))
    nodes = [helper.make_node("Shape", ["crops"], ["crop_count"], "crop_count", start=0, end=1)]
    width = before + size + after
    for name, rows, columns in (
        ("above", before, width),
        ("below", after, width),
        ("left", size, before),
        ("right", size, after),
    ):
        _add(model, f"{name}_size", np.array([rows, columns, 12]))
        shape = f"{name}_shape"
        nodes.append(helper.make_node("Concat", ["crop_count", f"{name}_size"], [shape], shape, axis=0))
        nodes.append(helper.make_node("Expand", ["mean_cell", shape], [name], name))
    rows_of = helper.make_node("Concat", ["left", "cells", "right"], ["cell_rows"], "cell_rows", axis=2)
    whole = helper.make_node(
        "Concat", ["above", "cell_rows", "below"], ["cells_and_border"], "cells_and_border", axis=1
    )
    return [*nodes, rows_of, whole]


def _add(model: onnx.ModelProto, name: str, values: np.ndarray) -> None:
    model.graph.initializer.append(numpy_helper.from_array(values, name))


def _set(model: onnx.ModelProto, name: str, values: np.ndarray) -> None:
    (tensor,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def _numbers(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _made_by(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    return {name: node for node in model.graph.node for name in node.output}


def _chain(made_by: dict[str, onnx.NodeProto], name: str) -> Iterator[onnx.NodeProto]:
    """What divides, subtracts and widens a value, from the last on, as far as it does."""
    for operator in ("Div", "Sub", "Cast"):
        node = made_by.get(name)
        if node is None or node.op_type != operator:
            return
        yield node
        name = node.input[0]
