"""The features before and behind the distillation module, which an exported network has but does not give."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import onnxruntime

from occlumark.errors import AnnotationError
from paper.inputs import need_package

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


class Features(NamedTuple):
    """Pathway C's features of n crops, and what P leaves of them; neither is below 0."""

    before: np.ndarray
    """(n, c, h, w) float32."""
    after: np.ndarray
    """(n, c, h, w) float32: P times `before`."""


def features(path: Path, crops: np.ndarray) -> Features:
    """Run an exported network up to its distillation module.

    Args:
        path: an ONNX file that `occlumark export` wrote.
        crops: (n, size, size, 3) uint8, RGB.

    Raises:
        MissingInputError: onnx is not installed.
        AnnotationError: the network has no distillation module.
    """
    need_package("onnx", "paper")
    import onnx

    model = onnx.load(path)
    product = _product(model, path)
    names = [next(name for name in product.input if name not in _sigmoids(model)), product.output[0]]
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # sums in one order, the same numbers every time
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return Features(*session.run(names, {"crops": crops}))


def _sigmoids(model: "ModelProto") -> set[str]:
    return {name for node in model.graph.node if node.op_type == "Sigmoid" for name in node.output}


def _product(model: "ModelProto", path: Path) -> "NodeProto":
    """The node that multiplies features by P: P is the one sigmoid that a product reads."""
    found = [node for node in model.graph.node if node.op_type == "Mul" and set(node.input) & _sigmoids(model)]
    if len(found) != 1:
        raise AnnotationError(f"{path}: {len(found)} products with a sigmoid; the distillation module is one")
    return found[0]
