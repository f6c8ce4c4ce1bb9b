"""Activations in floating point, weights in 8 bits: numbers worked by hand, and the packaged network's answers."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from occlumark import Detector
from occlumark.demo import OCCLUDERS, SAMPLES
from occlumark.export.unquantised import unquantised
from occlumark.packaged import packaged_weights
from occlumark.photo import read_photo


def graph(nodes: list[onnx.NodeProto], numbers: dict[str, np.ndarray], output: str = "out") -> onnx.ModelProto:
    """Bytes (n, 2, 1, 1) in, `output` out."""
    read = [helper.make_tensor_value_info("bytes", TensorProto.UINT8, [None, 2, 1, 1])]
    kind = TensorProto.UINT8 if output == "mid.8" else TensorProto.FLOAT
    told = [helper.make_tensor_value_info(output, kind, [None, None, None, None])]
    initial = [numpy_helper.from_array(value, name) for name, value in numbers.items()]
    made = helper.make_graph(nodes, "test", read, told, initial)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def small() -> onnx.ModelProto:
    """A convolution of bytes less 100, halved, by weights with a scale each; then a range of 0 to 25.5."""
    byte, tiny = np.uint8, np.int8
    numbers = {
        "half": np.float32(0.5),
        "hundred": byte(100),
        "weight.8": np.array([[[[2]], [[0]]], [[[0]], [[-4]]]], tiny),
        "weight.scale": np.array([0.25, 2], np.float32),
        "weight.zero": np.zeros(2, tiny),
        "tenth": np.float32(0.1),
        "none": byte(0),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["bytes", "half", "hundred"], ["light"]),
        helper.make_node("DequantizeLinear", ["weight.8", "weight.scale", "weight.zero"], ["weight"], axis=0),
        helper.make_node("Conv", ["light", "weight"], ["mid"]),
        helper.make_node("QuantizeLinear", ["mid", "tenth", "none"], ["mid.8"]),
        helper.make_node("DequantizeLinear", ["mid.8", "tenth", "none"], ["out"]),
    ]
    return graph(nodes, numbers)


def run(model: onnx.ModelProto, name: str, values: np.ndarray, outputs: list[str] | None = None) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(outputs, {name: values})


def test_numbers_are_those_worked_by_hand():
    wide = unquantised(small())
    bytes_in = np.array([[101, 99], [103, 110], [90, 90], [220, 80]], np.uint8).reshape(4, 2, 1, 1)
    (out,) = run(wide, "bytes", bytes_in)
    # Halves of the distances from 100, times 0.5 and -8, nothing below 0 or above 25.5, and not rounded to tenths.
    by_hand = [[0.25, 4], [0.75, 0], [0, 25.5], [25.5, 25.5]]
    np.testing.assert_allclose(out.reshape(4, 2), by_hand, atol=1e-6)
    assert out.reshape(4, 2)[0, 0] != pytest.approx(run(small(), "bytes", bytes_in)[0].reshape(4, 2)[0, 0], abs=1e-3)


def test_weights_stay_in_8_bits_and_nothing_is_put_into_them():
    wide = unquantised(small())
    assert {node.op_type for node in wide.graph.node} == {"Cast", "Sub", "Mul", "Conv", "Clip"}
    types = {tensor.name: tensor.data_type for tensor in wide.graph.initializer}
    assert types["weight.8"] == TensorProto.INT8 and "tenth" not in types


def test_it_works_on_a_copy():
    model = small()
    before = model.SerializeToString()
    unquantised(model)
    assert model.SerializeToString() == before


def test_what_is_not_in_8_bits_stays_as_it_is():
    model = graph([helper.make_node("Cast", ["bytes"], ["out"], to=TensorProto.FLOAT)], {})
    assert unquantised(model) == model


def test_8_bits_that_go_elsewhere_are_refused():
    model = small()
    nodes = [node for node in model.graph.node if node.output[0] != "out"]
    numbers = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    with pytest.raises(ValueError, match=r"mid\.8 is in 8 bits"):
        unquantised(graph(nodes, numbers, "mid.8"))


def test_a_scale_that_is_computed_is_refused():
    model = small()
    model.graph.node[1].input[1] = "light"
    with pytest.raises(ValueError, match=r"weight\.8 is not in the file"):
        unquantised(model)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple]:
    """Pairs of faces, of the packaged small network and of its floating form, in one box each."""
    path, packaged = tmp_path_factory.mktemp("unquantised") / "float.onnx", packaged_weights("occlumark-fast")[0]
    onnx.save(unquantised(onnx.load(packaged)), path)
    assert path.stat().st_size < packaged.stat().st_size  # its weights are still in 8 bits
    narrow, wide = Detector("occlumark-fast", threads=1), Detector(weights=path, threads=1)
    photo = read_photo(SAMPLES / "astronaut.jpg")
    (face,) = narrow.detect(photo)
    photos = [photo, *(occlude(photo.copy(), face) for occlude in OCCLUDERS.values())]
    return [(*narrow.detect(pixels, face.box), *wide.detect(pixels, face.box)) for pixels in photos]


def test_the_small_networks_answers_stay(answers):
    """Landmarks move by a ninth of a pixel of the crop's 128 in the mean on 300W's faces (docs/browser.md)."""
    for narrow, wide in answers:
        distances = np.linalg.norm(narrow.landmarks - wide.landmarks, axis=1) * narrow.crop.zoom
        assert 0 < distances.mean() < 0.4
        np.testing.assert_allclose(wide.presence, narrow.presence, atol=0.02)
