"""What an ONNX file may hold: every refusal, made with the onnx package."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from occlumark.onnx_check import MOST_OPERATORS, OPERATORS, check_onnx
from occlumark.packaged import packaged_finder, packaged_weights

onnx = pytest.importorskip("onnx", reason="needs onnx (the train extra) to write networks")
helper = onnx.helper


@pytest.mark.parametrize("path", [packaged_weights("occlumark")[0], packaged_weights("odn")[0], packaged_finder()[0]])
def test_the_packages_networks_pass(path: Path) -> None:
    content = path.read_bytes()
    check_onnx(content)
    used = {node.op_type for node in onnx.load_from_string(content).graph.node}
    assert used <= OPERATORS


def model(change: Callable[[Any], object] | None = None) -> Any:
    """y = x + w, with a tensor among an operator's attributes as well."""
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in ("x", "y")]
    constant = onnx.numpy_helper.from_array(np.array([1, 2], np.float32), "c")
    nodes = [helper.make_node("Constant", [], ["c"], value=constant), helper.make_node("Add", ["x", "w"], ["y"])]
    weights = [onnx.numpy_helper.from_array(np.array([1, 2], np.float32), "w")]
    whole = helper.make_model(helper.make_graph(nodes, "add", values[:1], values[1:], weights))
    if change:
        change(whole)
    return whole


def test_a_small_network_passes() -> None:
    check_onnx(model().SerializeToString())


def body() -> Any:
    return helper.make_graph([], "body", [], [])


def tensor(values: object, kind: str, *, raw: bool = True) -> Any:
    array = np.array(values, kind)
    if raw:
        return onnx.numpy_helper.from_array(array, "w")
    return helper.make_tensor("w", helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, array.tolist())


def external(whole: Any) -> None:
    onnx.external_data_helper.set_external_data(whole.graph.initializer[0], location="/etc/passwd")


def located(whole: Any) -> None:
    whole.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL


def function(whole: Any) -> None:
    whole.functions.append(helper.make_function("own", "f", [], [], [], []))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.graph.node.append(helper.make_node("Loop", ["", ""], ["z"], body=body())), "it runs 'Loop', "),
        (lambda m: m.graph.node.append(helper.make_node("Add", ["x"], ["z"], body=body())), "a graph within the graph"),
        (lambda m: m.graph.node.append(helper.make_node("Add", ["x"], ["z"], b=[body()])), "a graph within the graph"),
        (lambda m: m.graph.node.append(helper.make_node("RandomNormal", [], ["z"], shape=[9])), "runs 'RandomNormal'"),
        (lambda m: m.graph.node.append(helper.make_node("Add", ["x"], ["z"], domain="com.microsoft")), "'com.micros"),
        (lambda m: m.graph.node.append(helper.make_node("\x1b[31m" + "x" * 900, [], ["z"])), r"runs '\x1b[31mxxx"),
        (lambda m: m.graph.node.extend([m.graph.node[1]] * MOST_OPERATORS), "runs more than 5,000 operators"),
        (lambda m: m.graph.sparse_initializer.add(), "it holds sparse tensors"),
        (function, "it holds functions"),
        (lambda m: m.training_info.add(), "it holds training"),
        (external, "numbers kept in another file"),
        (located, "numbers kept in another file"),
        *(
            (lambda m, t=t: m.graph.initializer.append(t), message)
            for t, message in [
                (tensor([1, np.nan], "float32"), "weights that are not finite"),
                (tensor([1, np.inf], "float16"), "weights that are not finite"),
                (tensor([-np.inf], "float64"), "weights that are not finite"),
                (tensor([np.nan], "float32", raw=False), "weights that are not finite"),
                (tensor([np.nan], "float64", raw=False), "weights that are not finite"),
                (tensor([1], "float16", raw=False), "half-precision numbers in another form"),
                (tensor([1j], "complex64"), "something else than numbers"),
                (
                    onnx.TensorProto(data_type=onnx.TensorProto.STRING, string_data=[b"a"]),
                    "an unknown part of a tensor",
                ),
                (onnx.TensorProto(data_type=1, raw_data=b"abc"), "half a number"),
                (onnx.TensorProto(raw_data=b"abcd"), "something else than numbers"),
            ]
        ),
        (lambda m: m.graph.node[0].attribute[0].t.CopyFrom(tensor([np.nan], "float32")), "weights that are not finite"),
    ],
)
def test_what_no_export_of_ours_holds_is_refused(change: Callable[[Any], object], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_onnx(model(change).SerializeToString())
    assert message in str(caught.value) and len(str(caught.value)) < 200


def test_whole_numbers_of_any_value_pass() -> None:
    check_onnx(model(lambda m: m.graph.initializer.append(tensor([-1, 0x7F800000], "int32"))).SerializeToString())


@pytest.mark.parametrize(
    "content",
    [
        b"not a network\n",
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a number of more than ten bytes
        b"\x3a\xff\xff\xff\xff\x0f",  # a graph of 4 GB
        b"\x3a",
        b"\x38\x01",  # a graph that is a number
        b"\x0b\x0c",  # a group, which ONNX has none of
        b"\x00",
    ],
)
def test_what_is_no_protocol_buffer_of_onnx(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no ONNX file$|an unknown part of a model$"):
        check_onnx(content)


def test_every_truncation_ends() -> None:
    content = model().SerializeToString()
    for length in range(1, len(content)):
        try:
            check_onnx(content[:length])
        except ValueError:
            continue
        assert length < len(content)
