"""A PyTorch module as an ONNX graph that is small, quick and says nothing of where it was made."""

import json
import logging
import warnings
from collections.abc import Mapping
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from occlumark.network_file import METADATA_KEY


def to_graph(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    dynamic_shapes: Mapping[str, Any],
    outputs: tuple[str, ...],
    metadata: Mapping[str, Any],
    *,
    fp16: bool,
) -> onnx.ModelProto:
    """Export a module, checked by ONNX's own checker.

    Args:
        module: in evaluation mode.
        inputs: an example of each input, by the name of forward's argument, which the graph keeps.
        dynamic_shapes: as torch.onnx.export takes them.
        outputs: the outputs' names.
        metadata: what detection reads of the network, plain values.
        fp16: store the weights in half precision.
    """
    # The exporter tells of a missing torchvision and warns of its own deprecations: nothing a user could fix.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=dict(dynamic_shapes),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # dynamo=True always returns one
    model: onnx.ModelProto = program.model_proto
    forget_origin(model)
    flush_denormals(model)
    if fp16:
        halve_weights(model)
    entry = model.metadata_props.add()
    entry.key = METADATA_KEY
    entry.value = json.dumps(metadata)
    onnx.checker.check_model(model)
    return model


def forget_origin(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes at every node and value: stack traces with the paths of the machine it ran on."""
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, model.graph):
        del part.metadata_props[:]
        part.doc_string = ""
    for part in (*model.graph.input, *model.graph.output):
        del part.metadata_props[:]


def flush_denormals(model: onnx.ModelProto) -> None:
    """Set weights too small to matter (below 1e-20) to zero: CPUs compute with denormal numbers 20 times slower."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).copy()
            values[abs(values) < 1e-20] = 0
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def halve_weights(model: onnx.ModelProto) -> None:
    """Store large fp32 weights as fp16 behind a Cast, which a session folds away when it opens the file."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < 1024:
            continue
        stored = f"{tensor.name}.fp16"
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
        half = values.astype("float16")
        half[abs(half) < 6.2e-5] = 0  # below fp16's normal range
        tensor.CopyFrom(numpy_helper.from_array(half, stored))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
