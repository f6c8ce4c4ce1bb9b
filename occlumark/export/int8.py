"""An exported landmark network with convolutions in 8 bits: a third of the time, for a little of the accuracy.

Static quantisation by ONNX Runtime: the range of each activation is that seen on given crops, each output channel of a
convolution has a scale of its own, and QuantizeLinear and DequantizeLinear stand around what runs in whole numbers.

Not in the paper.
"""

import logging
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from occlumark.export.byte_crops import read_bytes, read_in_cells
from occlumark.export.onnx_graph import forget_origin, halve_weights

#: The network's parts that can be in 8 bits; "first" is the first convolution, which sees the crop itself.
PARTS = ("first", "backbone", "distillation", "geometry", "low_rank", "refinement")
#: Those that are: all but the regression's down-sampling, which would move landmarks the most and save nothing
#: (docs/experiments/speed.md, "8 bits").
INT8_PARTS = ("first", "backbone", "distillation", "geometry", "refinement")

#: The parts of the network's modules that have other names; files exported before have the parts' own.
_OF_MODULE = {"last_unit": "distillation", "head": "low_rank"}
_OPERATORS = ("Conv", "Relu", "Add")
#: Of the refinement, whose sums are of tokens and maps at once: 8 bits would round a landmark's place.
_OPERATORS_OF_REFINEMENT = ("Conv", "Relu")
_CROPS_PER_RUN = 4


def quantized(
    model: onnx.ModelProto, crops: Iterable[np.ndarray], parts: Collection[str] = INT8_PARTS
) -> onnx.ModelProto:
    """A copy of an exported landmark network with some of its parts in 8 bits.

    Args:
        model: as landmarks.to_onnx makes it, in fp32 or fp16.
        crops: (size, size, 3) uint8 each, as in use: faces in their boxes; a hundred do.
        parts: of PARTS; those that the network does not have are passed over.

    Raises:
        ValueError: an unknown part, or nothing of the network is in those parts.
    """
    if unknown := sorted(set(parts) - set(PARTS)):
        raise ValueError(f"no part {unknown[0]!r} of a network; there is {', '.join(PARTS)}")
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    widen_weights(wide)
    if "first" in parts:
        read_in_cells(wide)
    names = [node.name for node, part in _parts(wide) if part in parts and node.op_type in _operators(part)]
    if not names:
        raise ValueError(f"nothing of the network is in {', '.join(parts) or 'no part'}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        logging.disable(logging.WARNING)  # of a preparation that our exporter has done already
        try:
            quantize_static(
                wide,
                path,
                _Crops(crops),
                op_types_to_quantize=list(_OPERATORS),
                nodes_to_quantize=names,
                per_channel=True,
                # 7 bits of weights: CPUs without VNNI add products of 8 and 8 bits in 16, which would overflow.
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.disable(logging.NOTSET)
        done = onnx.load(path)
    forget_origin(done)
    del done.metadata_props[:]  # ONNX Runtime adds its own
    done.metadata_props.extend(model.metadata_props)
    read_bytes(done)
    attributes = (attribute.t for node in done.graph.node for attribute in node.attribute if attribute.HasField("t"))
    for tensor in (*done.graph.initializer, *attributes):
        tensor.ClearField("data_location")  # it was in another file meanwhile, and is not now
    halve_weights(done)
    onnx.checker.check_model(done)
    return done


def widen_weights(model: onnx.ModelProto) -> None:
    """Undo onnx_graph.halve_weights: weights kept in fp16 behind a Cast are fp32 again, without it."""
    halves = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    kept = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in halves:
            tensor = halves[node.input[0]]
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float32"), node.output[0]))
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _operators(part: str) -> tuple[str, ...]:
    return _OPERATORS_OF_REFINEMENT if part == "refinement" else _OPERATORS


def _parts(model: onnx.ModelProto) -> Iterator[tuple[onnx.NodeProto, str]]:
    """Each operator and the part that it is in: by its weights' name, or, without any, that of what it reads."""
    of_value: dict[str, str] = {}
    for tensor in model.graph.initializer:
        path = tensor.name.split(".")
        if len(path) > 2 and path[0] == "network":
            of_value[tensor.name] = "first" if path[1:3] == ["backbone", "conv1"] else _OF_MODULE.get(path[1], path[1])
    weights = set(of_value)
    for node in model.graph.node:
        own = [of_value[name] for name in node.input if name in weights]
        read = [of_value[name] for name in node.input if name in of_value]
        part = (own or read or [""])[0]
        of_value.update(dict.fromkeys(node.output, part))
        yield node, part


class _Crops(CalibrationDataReader):
    """Hands crops to ONNX Runtime's calibration, a few at a time."""

    def __init__(self, crops: Iterable[np.ndarray]) -> None:
        self._crops = iter(crops)

    def get_next(self) -> dict[str, Any] | None:
        batch = [crop for _, crop in zip(range(_CROPS_PER_RUN), self._crops, strict=False)]
        return {"crops": np.stack(batch)} if batch else None
