import copy
import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from occlumark.errors import CheckpointError
from occlumark.network_file import MOST_BYTES, open_network


def test_metadata(dot_network):
    session, metadata = open_network(dot_network, threads=1)
    assert metadata["model"] == "dot" and session.get_inputs()[0].name == "crops"


def test_a_copy_opens_the_file_again_unless_it_was_altered(dot_network, tmp_path, monkeypatch):
    path = tmp_path / "dot.onnx"
    path.write_bytes(dot_network.read_bytes())
    monkeypatch.chdir(tmp_path)
    session, _ = open_network(Path("dot.onnx"), threads=1)
    monkeypatch.chdir("/")
    crops = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    content = pickle.dumps(session)
    assert len(content) < 1000
    for again in (pickle.loads(content), copy.deepcopy(session)):
        assert again.get_session_options().intra_op_num_threads == 1
        np.testing.assert_array_equal(again.run(None, {"crops": crops})[0], session.run(None, {"crops": crops})[0])
    path.write_bytes(dot_network.read_bytes() + b" ")
    with pytest.raises(CheckpointError, match="is altered"):
        pickle.loads(content)


@pytest.mark.parametrize("threads", [0, -1, 1025, 99_999_999_999_999])
def test_threads(threads):
    with pytest.raises(ValueError, match=rf"threads is in 1\.\.1024, not {threads}"):
        open_network(None, threads=threads)


def refused(path, shown=None, **options) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_network(Path(path), **options)
    assert "\n" not in str(caught.value) and (shown or str(path)) in str(caught.value)
    return str(caught.value)


def test_missing_and_folder(tmp_path):
    assert "No such file" in refused(tmp_path / "none.onnx")
    assert "cannot read" in refused(tmp_path)


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_truncated(dot_network, tmp_path, kept):
    path = tmp_path / "part.onnx"
    path.write_bytes(dot_network.read_bytes()[:kept] if kept else b"")
    refused(path)


def test_text(tmp_path):
    path = tmp_path / "text.onnx"
    path.write_text("not a network\n")
    assert "no ONNX file" in refused(path)


def changed(dot_network, path, metadata):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(dot_network)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "not ours"),
        ({"occlumark": "{"}, "broken metadata"),
        ({"occlumark": "[]"}, "broken metadata"),
        ({"occlumark": '{"a":' * 100_000}, "broken metadata (metadata: JSON nested too deeply)"),
        ({"occlumark": '{"a": ' + "9" * 5_000 + "}"}, "broken metadata"),
    ],
)
def test_foreign_networks(dot_network, tmp_path, metadata, message):
    assert message in refused(changed(dot_network, tmp_path / "foreign.onnx", metadata))


def test_sha256_is_checked(dot_network):
    right = hashlib.sha256(dot_network.read_bytes()).hexdigest()
    open_network(dot_network, sha256=right)
    assert "altered" in refused(dot_network, sha256="0" * 64)


def test_a_file_that_is_known_by_its_sha256_is_not_read_twice(dot_network, monkeypatch):
    """The packaged networks open as quickly as before."""

    def not_called(content):
        raise AssertionError

    monkeypatch.setattr("occlumark.network_file.check_onnx", not_called)
    open_network(dot_network, sha256=hashlib.sha256(dot_network.read_bytes()).hexdigest())
    with pytest.raises(AssertionError):
        open_network(dot_network)


def test_a_null_byte_in_the_name():
    assert "cannot read weights" in refused("a\0.onnx", shown="a\\x00.onnx")


def test_a_file_too_large(tmp_path):
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert "larger than 256 MB" in refused(tmp_path / "large.onnx")


@pytest.fixture
def edited(dot_network, tmp_path):
    """Write dot_network with its graph changed by a function of the model."""
    onnx = pytest.importorskip("onnx")

    def write(change):
        model = onnx.load(dot_network)
        change(model)
        onnx.save(model, tmp_path / "edited.onnx")
        return tmp_path / "edited.onnx"

    return write


CROPS = {"crops": ("uint8", [None, 224, 224, 3])}
LANDMARKS = {"landmarks": ("float", [None, 68, 2])}


def misfit(path, inputs=CROPS, outputs=LANDMARKS) -> str:
    session, _ = open_network(path, threads=1)
    with pytest.raises(CheckpointError) as caught:
        session.check_forms(inputs, outputs)
    return str(caught.value)


def test_forms(dot_network, edited):
    open_network(dot_network)[0].check_forms(CROPS, LANDMARKS)
    open_network(dot_network)[0].check_forms(CROPS, {"occlusion_map": ("float", [None, "any", "any"])})

    def with_another_input(model):
        model.graph.input.add().CopyFrom(model.graph.input[0])
        model.graph.input[1].name = "more"

    assert "an input too many, 'more'" in misfit(edited(with_another_input))


def test_forms_that_do_not_fit(dot_network):
    assert "wrong input 'crops': expected float ['?', 224, 224, 3], came uint8 ['batch', 224, 224, 3]" in misfit(
        dot_network, {"crops": ("float", [None, 224, 224, 3])}
    )
    assert "wrong input 'crops': expected uint8 [1, 224, 224, 3], came" in misfit(
        dot_network, {"crops": ("uint8", [1, 224, 224, 3])}
    )
    assert "wrong output 'boxes': expected float ['?', 4], came none" in misfit(
        dot_network, outputs={"boxes": ("float", [None, 4])}
    )
    assert "wrong output 'occlusion_map': expected float ['?', 1, 7, 7], came float ['batch', 7, 7]" in misfit(
        dot_network, outputs={"occlusion_map": ("float", [None, 1, 7, 7])}
    )
    assert "wrong output 'occlusion_map': expected float ['?', '?', 7], came" in misfit(
        dot_network, outputs={"occlusion_map": ("float", [None, None, 7])}
    )


def answers(path, outputs=("landmarks",)) -> str:
    session, _ = open_network(path, threads=1)
    with pytest.raises(CheckpointError) as caught:
        session.outputs(outputs, {"crops": np.zeros((2, 224, 224, 3), np.uint8)})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_answer_that_is_not_finite(edited):
    def divide_by_zero(model):
        (tiny,) = (tensor for tensor in model.graph.initializer if tensor.name == "tiny")
        tiny.CopyFrom(onnx.numpy_helper.from_array(np.float32(0), "tiny"))

    onnx = pytest.importorskip("onnx")
    assert "answers with numbers that are not finite (landmarks)" in answers(edited(divide_by_zero))


def test_an_answer_in_another_shape_than_declared(edited):
    def lie(model):
        for output in model.graph.output:
            if output.name == "occlusion_map":
                output.type.tensor_type.shape.dim[1].dim_value = 8
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "rows"  # else it is seen when it is opened

    assert "answers with occlusion_map of shape [2, 7, 7], not ['batch', 8, 7]" in answers(
        edited(lie), ("occlusion_map",)
    )


def test_a_network_that_fails_while_it_runs(dot_network):
    session, _ = open_network(dot_network, threads=1)
    with pytest.raises(CheckpointError, match=r"dot\.onnx fails while it runs: .*Got invalid dimensions"):
        session.outputs(["landmarks"], {"crops": np.zeros((1, 100, 224, 3), np.uint8)})


def test_names_that_are_no_text(dot_network, tmp_path, capfd):
    # Made under one name and read under another: what ONNX Runtime says of it holds the name.
    damaged = dot_network.read_bytes().replace(b"red_bytes", b"red\xff\xfe\xff\xfe\xff\xfe", 1)
    (tmp_path / "x.onnx").write_bytes(damaged)
    assert "is no ONNX file, or a damaged one" in refused(tmp_path / "x.onnx")
    assert capfd.readouterr() == ("", "")


def test_damaged_files_are_one_line(dot_network, tmp_path):
    """A byte changed anywhere: the network answers as before, or the file is refused in one line."""
    content = dot_network.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.onnx"
    refusals = 0
    for _ in range(150):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            session, _ = open_network(path, threads=1)
            session.check_forms(CROPS, LANDMARKS)
            session.outputs(["landmarks"], {"crops": np.zeros((1, 224, 224, 3), np.uint8)})
        except CheckpointError as error:
            assert "\n" not in str(error)
            refusals += 1
    assert refusals > 20
