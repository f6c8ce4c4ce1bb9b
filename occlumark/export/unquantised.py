"""A network in 8 bits whose activations are floating point again, its weights kept in 8: for WebAssembly.

There ONNX Runtime rounds activations of 8 bits otherwise than outside, by pixels in the landmarks. Needs onnx alone,
not torch.

Not in the paper.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def unquantised(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a network in 8 bits that computes in floating point.

    An activation that was put into 8 bits and back is only clipped to what those can say: quantisation has left out
    the ReLUs that its ranges made needless. Weights stay in 8 bits, as whole numbers times a scale, which a session
    works out when it opens the file.

    Args:
        model: as int8.quantized makes it; of one without anything in 8 bits comes a plain copy.

    Raises:
        ValueError: a scale is not in the file, or QuantizeLinear's values are read by others than DequantizeLinear.
    """
    done = onnx.ModelProto()
    done.CopyFrom(model)
    numbers = {tensor.name: numpy_helper.to_array(tensor) for tensor in done.graph.initializer}
    quantizing = {node.output[0]: node for node in done.graph.node if node.op_type == "QuantizeLinear"}
    read = {name for node in done.graph.node if node.op_type != "DequantizeLinear" for name in node.input}
    if wrong := sorted(quantizing.keys() & (read | {output.name for output in done.graph.output})):
        raise ValueError(f"{wrong[0]} is in 8 bits, and not only DequantizeLinear reads it")
    nodes: list[onnx.NodeProto] = []
    for node in done.graph.node:
        if node.op_type == "DequantizeLinear":
            source = quantizing.get(node.input[0])
            made = _clip(source, node, numbers) if source is not None else _scaled(node, numbers)
            for part in made:
                (nodes if isinstance(part, onnx.NodeProto) else done.graph.initializer).append(part)
        elif node.op_type != "QuantizeLinear":
            nodes.append(node)
    del done.graph.node[:]
    done.graph.node.extend(nodes)
    _forget_unread(done)
    onnx.checker.check_model(done)
    return done


def _clip(
    quantize: onnx.NodeProto, dequantize: onnx.NodeProto, numbers: Mapping[str, np.ndarray]
) -> Iterator[onnx.NodeProto | TensorProto]:
    """In place of both: the range that they leave."""
    scale, zero = _scale_and_zero(quantize, numbers)
    if scale.size != 1:
        raise ValueError(f"{quantize.output[0]}: an activation's scale is one number, not {scale.size}")
    (out,) = dequantize.output
    ends = np.iinfo(zero.dtype)
    for name, end in (("low", ends.min), ("high", ends.max)):
        yield numpy_helper.from_array(np.array((end - float(zero.item())) * scale.item(), np.float32), f"{out}/{name}")
    yield helper.make_node("Clip", [quantize.input[0], f"{out}/low", f"{out}/high"], [out])


def _scaled(node: onnx.NodeProto, numbers: Mapping[str, np.ndarray]) -> Iterator[onnx.NodeProto | TensorProto]:
    """In place of a weight's or an input's DequantizeLinear: (x - zero) * scale in floating point."""
    scale, zero = _scale_and_zero(node, numbers)
    (out,) = node.output
    value = numbers.get(node.input[0])
    if value is not None and scale.size > 1:
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
        shape = [-1 if i == axis % value.ndim else 1 for i in range(value.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    yield helper.make_node("Cast", [node.input[0]], [f"{out}/number"], to=TensorProto.FLOAT)
    yield numpy_helper.from_array(scale.astype(np.float32), f"{out}/scale")
    name = f"{out}/number"
    if zero.any():
        yield numpy_helper.from_array(zero.astype(np.float32), f"{out}/zero")
        yield helper.make_node("Sub", [name, f"{out}/zero"], [f"{out}/from_zero"])
        name = f"{out}/from_zero"
    yield helper.make_node("Mul", [name, f"{out}/scale"], [out])


def _scale_and_zero(node: onnx.NodeProto, numbers: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    try:
        return numbers[node.input[1]], numbers[node.input[2]]
    except (KeyError, IndexError) as error:
        raise ValueError(f"the scale or the zero of {node.input[0]} is not in the file") from error


def _forget_unread(model: onnx.ModelProto) -> None:
    """Leave out numbers that no operator reads any more, and what was noted of values that are gone."""
    read = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    made = {name for node in model.graph.node for name in node.output}
    noted = [value for value in model.graph.value_info if value.name in made]
    del model.graph.value_info[:]
    model.graph.value_info.extend(noted)
