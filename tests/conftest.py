"""Shapes are checked while testing: every jaxtyping annotation of the network becomes a runtime check."""

import importlib.util
import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

if importlib.util.find_spec("torch"):
    from jaxtyping import install_import_hook

    install_import_hook(
        ["occlumark.model", "occlumark.export.landmarks", "occlumark.export.finder"], "beartype.beartype"
    )

# Whoever starts the tests in the background has Ctrl-C ignored, and so would the programs that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def shared() -> Path:
    """The research data beside the repository; the test is skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the research data in {SHARED.name}/ beside the repository")
    return SHARED


@pytest.fixture(scope="session")
def dot_network(write_dot_network: Callable[[int], Path]) -> Path:
    """What write_dot_network writes for 68 landmarks."""
    return write_dot_network(68)


@pytest.fixture(scope="session")
def write_dot_network(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A function of the number of landmarks: an ONNX file of the exported form, its answers to be worked out by hand.

    All landmarks lie at the centre of the crop's red light, the visibility is the crop's mean red, 0..1, and the
    occlusion map is the mean red of each of 7 x 7 cells.
    """
    return lambda n: _write_dot_network(tmp_path_factory.mktemp("dot_network") / "dot.onnx", n)


def _write_dot_network(path: Path, n: int) -> Path:
    onnx = pytest.importorskip("onnx", reason="needs onnx (the train extra) to write a network")
    helper, floats, size = onnx.helper, onnx.TensorProto.FLOAT, 224

    def constant(name: str, values: list, kind: str = "int64") -> onnx.TensorProto:
        return onnx.numpy_helper.from_array(np.array(values, dtype=kind), name)

    centres = np.arange(size) + 0.5
    constants = [
        constant("white", 255, "float32"),
        constant("tiny", 1e-6, "float32"),
        constant("xs", centres.reshape(1, 1, -1, 1), "float32"),
        constant("ys", centres.reshape(1, -1, 1, 1), "float32"),
        constant("rows_and_columns", [1, 2]),
        constant("zero", [0]),
        constant("one", [1]),
        constant("channels", [3]),
        constant("points", [1, n, 1]),
        constant("values", [1, n]),
    ]
    nodes = [
        helper.make_node("Slice", ["crops", "zero", "one", "channels"], ["red_bytes"]),
        helper.make_node("Cast", ["red_bytes"], ["red_numbers"], to=floats),
        helper.make_node("Div", ["red_numbers", "white"], ["red"]),
        helper.make_node("ReduceSum", ["red", "rows_and_columns"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "tiny"], ["light"]),
        helper.make_node("Mul", ["red", "xs"], ["red_x"]),
        helper.make_node("Mul", ["red", "ys"], ["red_y"]),
        helper.make_node("ReduceSum", ["red_x", "rows_and_columns"], ["sum_x"], keepdims=0),
        helper.make_node("ReduceSum", ["red_y", "rows_and_columns"], ["sum_y"], keepdims=0),
        helper.make_node("Concat", ["sum_x", "sum_y"], ["sums"], axis=1),
        helper.make_node("Div", ["sums", "light"], ["centre"]),
        helper.make_node("Unsqueeze", ["centre", "one"], ["one_point"]),
        helper.make_node("Tile", ["one_point", "points"], ["landmarks"]),
        helper.make_node("ReduceMean", ["red", "rows_and_columns"], ["mean"], keepdims=0),
        helper.make_node("Tile", ["mean", "values"], ["visibility"]),
        helper.make_node("Transpose", ["red"], ["red_plane"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["red_plane"], ["cells"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Squeeze", ["cells", "one"], ["occlusion_map"]),
    ]
    graph = helper.make_graph(
        nodes,
        "dot",
        [helper.make_tensor_value_info("crops", onnx.TensorProto.UINT8, ["batch", size, size, 3])],
        [
            helper.make_tensor_value_info("landmarks", floats, ["batch", n, 2]),
            helper.make_tensor_value_info("visibility", floats, ["batch", n]),
            helper.make_tensor_value_info("occlusion_map", floats, ["batch", 7, 7]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    metadata = {"format": 1, "model": "dot", "markup": n, "crop": {"size": size, "scale": 1.3}}
    helper.set_model_props(model, {"occlumark": json.dumps(metadata)})
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def error_network(dot_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dot_network with an expected error as well: 64 crop pixels times the crop's mean red, minus 8."""
    import onnx

    model = onnx.load(dot_network)
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    for name, value in (("scale", 64), ("shift", 8)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, dtype="float32"), name))
    model.graph.node.append(helper.make_node("Mul", ["visibility", "scale"], ["scaled"]))
    model.graph.node.append(helper.make_node("Sub", ["scaled", "shift"], ["expected_error"]))
    model.graph.output.append(helper.make_tensor_value_info("expected_error", floats, ["batch", 68]))
    path = tmp_path_factory.mktemp("error_network") / "error.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def cell_finder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file of the face finder's exported form whose answers can be worked out by hand.

    Every cell of 8 x 8 pixels is a box, and its score is the cell's mean red, 0..1.
    """
    onnx = pytest.importorskip("onnx", reason="needs onnx (the train extra) to write a network")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT

    def constant(name: str, values: list, kind: str = "int64") -> onnx.TensorProto:
        return onnx.numpy_helper.from_array(np.array(values, dtype=kind), name)

    constants = [
        constant("zero", [0]),
        constant("one", [1]),
        constant("channels", [3]),
        constant("across", 3),
        constant("down", 2),
        constant("white", 255, "float32"),
        constant("side", 8, "float32"),
        constant("nothing", 0, "float32"),
        constant("unit", 1, "float32"),
        constant("row", [1, -1]),
        constant("boxes_shape", [1, -1, 4]),
    ]
    nodes = [
        helper.make_node("Slice", ["photos", "zero", "one", "channels"], ["red_bytes"]),
        helper.make_node("Cast", ["red_bytes"], ["red_numbers"], to=floats),
        helper.make_node("Div", ["red_numbers", "white"], ["red"]),
        helper.make_node("Transpose", ["red"], ["plane"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["plane"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Reshape", ["cells", "row"], ["scores"]),
        helper.make_node("Mul", ["cells", "nothing"], ["empty"]),
        helper.make_node("Add", ["empty", "unit"], ["ones"]),
        helper.make_node("CumSum", ["ones", "across"], ["columns"]),
        helper.make_node("CumSum", ["ones", "down"], ["rows"]),
        helper.make_node("Mul", ["columns", "side"], ["x1"]),
        helper.make_node("Mul", ["rows", "side"], ["y1"]),
        helper.make_node("Sub", ["x1", "side"], ["x0"]),
        helper.make_node("Sub", ["y1", "side"], ["y0"]),
        helper.make_node("Concat", ["x0", "y0", "x1", "y1"], ["planes"], axis=1),
        helper.make_node("Transpose", ["planes"], ["corners"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["corners", "boxes_shape"], ["boxes"]),
    ]
    graph = helper.make_graph(
        nodes,
        "cells",
        [helper.make_tensor_value_info("photos", onnx.TensorProto.UINT8, [1, "rows", "columns", 3])],
        [
            helper.make_tensor_value_info("scores", floats, [1, "n"]),
            helper.make_tensor_value_info("boxes", floats, [1, "n", 4]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"occlumark": json.dumps({"format": 1, "kind": "finder", "model": "cells"})})
    path = tmp_path_factory.mktemp("cell_finder") / "cells.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture
def symmetric_face() -> np.ndarray:
    """(68, 2) landmarks of a face seen from the front, in a 224 px crop, symmetric about x = 112."""
    around = np.deg2rad(np.linspace(180, 0, 17))
    jaw = np.column_stack([112 + 88 * np.cos(around), 90 + 110 * np.sin(around)])
    rest = [
        *((36, 66), (48, 58), (62, 54), (77, 56), (91, 62), (133, 62), (147, 56), (162, 54), (176, 58), (188, 66)),
        *((112, 84), (112, 98), (112, 112), (112, 126)),
        *((94, 134), (103, 138), (112, 141), (121, 138), (130, 134)),
        *((54, 86), (62, 80), (75, 80), (84, 87), (75, 91), (62, 91)),
        *((140, 87), (149, 80), (162, 80), (170, 86), (162, 91), (149, 91)),
        *((76, 160), (88, 154), (102, 151), (112, 153), (122, 151), (136, 154)),
        *((148, 160), (136, 170), (122, 176), (112, 177), (102, 176), (88, 170)),
        *((82, 161), (102, 159), (112, 160), (122, 159), (142, 161), (122, 165), (112, 166), (102, 165)),
    ]
    return np.concatenate([jaw, np.array(rest, float)])
