"""The first convolution read in cells of bytes, beside the same one on normalised colours."""

import numpy as np
import onnx
import onnxruntime
import pytest

from occlumark.export.byte_crops import read_in_cells
from occlumark.export.int8 import quantized
from occlumark.onnx_check import check_onnx

RNG = np.random.default_rng(0)
CROPS = RNG.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
CROPS[0, 0, :2] = [[0] * 3, [255] * 3]  # black and white are in the ranges
ONE = ([128.0], [64.0])
EACH = ([120.0, 116.0, 99.0], [58.0, 57.0, 50.0])


def network(
    side: int, mean: list[float], std: list[float], *, stride: int = 2, perm: tuple[int, ...] = (0, 3, 1, 2)
) -> onnx.ModelProto:
    """Crops to planes, colours normalised, one convolution with a bias; as export writes a network's beginning."""
    make, floats = onnx.helper.make_node, onnx.TensorProto.FLOAT
    weights = {
        "network.backbone.conv1.weight": RNG.normal(0, 0.1, (8, 3, side, side)),
        "network.backbone.conv1.bias": RNG.normal(0, 1, 8),
        "mean": np.reshape(mean, (1, -1, 1, 1)) if len(mean) > 1 else np.array(mean[0]),
        "std": np.reshape(std, (1, -1, 1, 1)) if len(std) > 1 else np.array(std[0]),
    }
    nodes = [
        make("Transpose", ["crops"], ["planes"], "planes", perm=perm),
        make("Cast", ["planes"], ["numbers"], "numbers", to=floats),
        make("Sub", ["numbers", "mean"], ["centred"], "centred"),
        make("Div", ["centred", "std"], ["normal"], "normal"),
        make(
            "Conv",
            ["normal", "network.backbone.conv1.weight", "network.backbone.conv1.bias"],
            ["answer"],
            "answer",
            pads=[side // 2] * 4,
            strides=[stride] * 2,
            kernel_shape=[side] * 2,
        ),
    ]
    crops = onnx.helper.make_tensor_value_info("crops", onnx.TensorProto.UINT8, ["batch", 16, 16, 3])
    answer = onnx.helper.make_tensor_value_info("answer", floats, ["batch", 8, 16 // stride, 16 // stride])
    tensors = [onnx.numpy_helper.from_array(np.float32(values), name) for name, values in weights.items()]
    graph = onnx.helper.make_graph(nodes, "first", [crops], [answer], tensors)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def answers(model: onnx.ModelProto) -> np.ndarray:
    content = model.SerializeToString()
    check_onnx(content)
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"crops": CROPS})[0]


@pytest.mark.parametrize("side", [3, 5, 7])
@pytest.mark.parametrize("colours", [ONE, EACH], ids=["alike", "one by one"])
def test_cells_answer_as_pixels_do(side, colours):
    """At every place, the border's included; means that are whole bytes leave nothing to round."""
    model = network(side, *colours)
    cells = copy_of(model)
    read_in_cells(cells)
    weight = next(tensor for tensor in cells.graph.initializer if tensor.name == "network.backbone.conv1.weight")
    assert list(weight.dims) == [8, 12, *[side // 2 + 1] * 2]
    np.testing.assert_allclose(answers(cells), answers(model), atol=2e-4)


def test_a_mean_between_two_bytes_is_rounded_beyond_the_border_alone():
    model = network(3, [120.5, 116.25, 99.75], EACH[1])
    cells = copy_of(model)
    read_in_cells(cells)
    off = np.abs(answers(cells) - answers(model))
    assert off[:, :, 1:, 1:].max() < 2e-4 < off[:, :, 0].max() < 0.02


@pytest.mark.parametrize("colours", [ONE, EACH], ids=["alike", "one by one"])
def test_in_8_bits_the_bytes_go_in_as_they_are(colours):
    model = network(7, *colours)
    eight = quantized(model, CROPS, ("first",))
    assert not {"Sub", "Div"} & {node.op_type for node in eight.graph.node}
    read = {name for node in eight.graph.node for name in node.input}
    assert {tensor.name for tensor in eight.graph.initializer} <= read
    exact = answers(model)
    assert 0 < np.abs(answers(eight) - exact).mean() < 0.02 * exact.std()


@pytest.mark.parametrize("other", [{"stride": 1}, {"perm": (0, 3, 2, 1)}], ids=["stride 1", "turned"])
def test_networks_that_begin_otherwise_stay_as_they_are(other):
    model = network(3, *ONE, **other)
    same = copy_of(model)
    read_in_cells(same)
    assert same.SerializeToString() == model.SerializeToString()
