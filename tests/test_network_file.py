import copy
import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from occlumark.errors import CheckpointError
from occlumark.network_file import open_network


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


def test_threads():
    with pytest.raises(ValueError, match="threads is at least 1, not 0"):
        open_network(None, threads=0)


def refused(path, **options) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_network(path, **options)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
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
    [({}, "not ours"), ({"occlumark": "{"}, "broken metadata"), ({"occlumark": "[]"}, "broken metadata")],
)
def test_foreign_networks(dot_network, tmp_path, metadata, message):
    assert message in refused(changed(dot_network, tmp_path / "foreign.onnx", metadata))


def test_sha256_is_checked(dot_network):
    right = hashlib.sha256(dot_network.read_bytes()).hexdigest()
    open_network(dot_network, sha256=right)
    assert "altered" in refused(dot_network, sha256="0" * 64)
