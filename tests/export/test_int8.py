"""8 bits against 32, on a tiny network whose parts are told by the names of its weights, as in an exported one."""

import numpy as np
import onnx
import onnxruntime
import pytest

from occlumark.cli.main import main
from occlumark.export.int8 import PARTS, quantized, widen_weights
from occlumark.export.onnx_graph import halve_weights
from occlumark.onnx_check import check_onnx

RNG = np.random.default_rng(0)
CROPS = RNG.integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> onnx.ModelProto:
    """first - backbone (a residual unit) - refinement, 12 channels, answers of a few units."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT

    def weight(path: str, *shape: int) -> onnx.TensorProto:
        values = RNG.normal(0, np.prod(shape[1:]) ** -0.5, shape) * RNG.uniform(0.2, 5, (shape[0], 1, 1, 1))
        return onnx.numpy_helper.from_array(values.astype(np.float32), f"network.{path}.weight")

    weights = [
        weight("backbone.conv1", 12, 3, 3, 3),
        weight("backbone.layer1.0.conv1", 12, 12, 3, 3),
        weight("refinement.occlusion", 2, 12, 3, 3),
        onnx.numpy_helper.from_array(np.float32(255), "white"),
    ]

    def conv(read: str, number: int, written: str) -> onnx.NodeProto:
        return helper.make_node("Conv", [read, weights[number].name], [written], written, pads=[1, 1, 1, 1])

    nodes = [
        helper.make_node("Cast", ["crops"], ["numbers"], "numbers", to=floats),
        helper.make_node("Div", ["numbers", "white"], ["light"], "light"),
        helper.make_node("Transpose", ["light"], ["planes"], "planes", perm=[0, 3, 1, 2]),
        conv("planes", 0, "first"),
        helper.make_node("Relu", ["first"], ["first_relu"], "first_relu"),
        conv("first_relu", 1, "unit"),
        helper.make_node("Add", ["unit", "first_relu"], ["sum"], "sum"),
        helper.make_node("Relu", ["sum"], ["sum_relu"], "sum_relu"),
        conv("sum_relu", 2, "answer"),
    ]
    crops = helper.make_tensor_value_info("crops", onnx.TensorProto.UINT8, ["batch", 16, 16, 3])
    answer = helper.make_tensor_value_info("answer", floats, ["batch", 2, 16, 16])
    graph = helper.make_graph(nodes, "tiny", [crops], [answer], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {"occlumark": "{}"})
    return model


def answers(model: onnx.ModelProto) -> np.ndarray:
    content = model.SerializeToString()
    check_onnx(content)
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"crops": CROPS})[0]


def in_8_bits(model: onnx.ModelProto) -> set[str]:
    """The convolutions whose weights come from whole numbers."""
    whole = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return {node.name for node in model.graph.node if node.op_type == "Conv" and node.input[1] in whole}


@pytest.mark.parametrize(
    ("parts", "convolutions"),
    [
        (("backbone", "distillation"), {"unit"}),
        (("first", "backbone"), {"first", "unit"}),
        (PARTS, {"first", "unit", "answer"}),
    ],
)
def test_the_named_parts_are_in_8_bits_and_answer_as_in_32(network, parts, convolutions):
    model = quantized(network, CROPS, parts)
    assert in_8_bits(model) == convolutions
    assert [entry.key for entry in model.metadata_props] == ["occlumark"]
    exact = answers(network)
    error = answers(model) - exact
    # A step of 8 bits is 1/255 of a range, of 7 bits 1/127: a few of them, uncorrelated, are below 3 % of the spread.
    assert 0 < error.std() < 0.03 * exact.std()


def test_each_channel_has_a_scale_of_its_own(network):
    model = quantized(network, CROPS, ("backbone",))
    shapes = {tuple(tensor.dims) for tensor in model.graph.initializer if tensor.name.endswith("weight_scale")}
    assert shapes == {(12,)}


def test_what_is_stored_in_half_precision_is_widened_first(network):
    half = onnx.ModelProto()
    half.CopyFrom(network)
    halve_weights(half)
    assert any(node.input[0].endswith(".fp16") for node in half.graph.node)
    widen_weights(half)
    assert [node.name for node in half.graph.node] == [node.name for node in network.graph.node]
    np.testing.assert_allclose(answers(half), answers(network), atol=0.02)
    assert in_8_bits(quantized(half, CROPS, ("backbone",))) == {"unit"}


def test_parts_that_are_not_there(network):
    with pytest.raises(ValueError, match="no part 'nose' of a network; there is first, backbone"):
        quantized(network, CROPS, ("nose",))
    with pytest.raises(ValueError, match="nothing of the network is in geometry"):
        quantized(network, CROPS, ("geometry",))


@pytest.mark.parametrize(("option", "message"), [([], "goes with --pack FILE"), (["--fp32"], "exclude each other")])
def test_wrong_usage(tmp_path, capsys, option, message):
    pack = ["--pack", "a.pack"] if option else []
    command = ["export", "c.safetensors", "--out", str(tmp_path / "a.onnx"), "--int8", *pack, *option]
    try:
        code = main(command)
    except SystemExit as ended:
        code = ended.code
    assert code == 2 and message in capsys.readouterr().err


def normalised_alike(network: onnx.ModelProto) -> onnx.ModelProto:
    """The same network on (crops - 127.5) / 64, the crops turned to planes before."""
    model = onnx.ModelProto()
    model.CopyFrom(network)
    make = onnx.helper.make_node
    for name, value in (("middle", 127.5), ("spread", 64.0)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(value), name))
    first = [
        make("Transpose", ["crops"], ["bytes"], "bytes", perm=[0, 3, 1, 2]),
        make("Cast", ["bytes"], ["numbers"], "numbers", to=onnx.TensorProto.FLOAT),
        make("Sub", ["numbers", "middle"], ["centred"], "centred"),
        make("Div", ["centred", "spread"], ["planes"], "planes"),
    ]
    nodes = [*first, *model.graph.node[3:]]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def test_colours_normalised_all_alike_are_read_as_bytes(network):
    wide = normalised_alike(network)
    crops = CROPS.copy()
    crops[:, 0, :2] = [[0] * 3, [255] * 3]
    model = quantized(wide, crops)
    operators = {node.op_type for node in model.graph.node}
    assert (
        not operators & {"Sub", "Div"} and next(n for n in model.graph.node if n.name == "bytes").op_type == "Transpose"
    )
    exact, error = answers(wide), answers(model) - answers(wide)
    assert 0 < np.abs(error).mean() < 0.05 * np.abs(exact).mean()


def test_colours_that_calibration_saw_in_part_alone_stay_numbers(network):
    model = quantized(normalised_alike(network), CROPS // 2)
    assert {"Sub", "Div"} <= {node.op_type for node in model.graph.node}
