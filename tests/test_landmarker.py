import hashlib
import json

import numpy as np
import onnxruntime
import pytest

from occlumark import landmarker
from occlumark.crop import CropConfig
from occlumark.errors import CheckpointError
from occlumark.landmarker import Landmarker, packaged_weights


def test_metadata_says_model_and_crop(dot_network):
    ours = Landmarker(dot_network, threads=1)
    assert ours.model == "dot" and ours.crop == CropConfig(224, 1.3)


@pytest.mark.parametrize("n", [1, 8, 9, 20])
def test_any_number_of_crops_in_order(dot_network, n):
    crops = np.zeros((n, 224, 224, 3), np.uint8)
    crops[..., 0] = np.arange(n)[:, None, None]
    landmarks, visibility, maps = Landmarker(dot_network, threads=1).predict(crops)
    assert landmarks.shape == (n, 68, 2) and maps.shape == (n, 7, 7)
    np.testing.assert_allclose(visibility[:, 0], np.arange(n) / 255, atol=1e-4)


def test_the_exported_form_is_named_once(dot_network):
    """What export writes by; the file here is written by hand."""
    session = onnxruntime.InferenceSession(dot_network)
    assert [output.name for output in session.get_outputs()] == list(landmarker.OUTPUTS)
    written = json.loads(session.get_modelmeta().custom_metadata_map[landmarker.METADATA_KEY])
    assert written["format"] == landmarker.FORMAT


def refused(path, **options) -> str:
    with pytest.raises(CheckpointError) as caught:
        Landmarker(path, **options)
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
    [
        ({}, "not ours"),
        ({"occlumark": "{"}, "broken metadata"),
        ({"occlumark": "[]"}, "broken metadata"),
        ({"occlumark": '{"format": 1, "markup": 68, "model": "odn"}'}, "broken metadata"),
        ({"occlumark": '{"format": 1, "markup": 68, "model": "odn", "crop": {"size": 5}}'}, "broken metadata"),
        ({"occlumark": '{"format": 1, "markup": 29, "model": "odn", "crop": {}}'}, "markup 29; expected 1 and 68"),
        ({"occlumark": '{"format": 2, "markup": 68, "model": "odn", "crop": {}}'}, "format 2"),
        ({"occlumark": '{"format": 1, "markup": 68, "model": "odn", "crop": {"size": 256}}'}, "wrong inputs"),
    ],
)
def test_foreign_networks(dot_network, tmp_path, metadata, message):
    assert message in refused(changed(dot_network, tmp_path / "foreign.onnx", metadata))


def test_sha256_is_checked(dot_network):
    right = hashlib.sha256(dot_network.read_bytes()).hexdigest()
    Landmarker(dot_network, sha256=right)
    assert "altered" in refused(dot_network, sha256="0" * 64)


@pytest.fixture
def package(tmp_path, monkeypatch, dot_network):
    monkeypatch.setattr(landmarker, "_PACKAGED", tmp_path)
    (tmp_path / "odn.onnx").write_bytes(dot_network.read_bytes())
    table = {"odn": {"file": "odn.onnx", "sha256": hashlib.sha256(dot_network.read_bytes()).hexdigest()}}
    (tmp_path / "weights.json").write_text(json.dumps(table))
    return tmp_path


def test_packaged_weights(package):
    path, sha256 = packaged_weights("odn")
    Landmarker(path, sha256=sha256)
    path.write_bytes(path.read_bytes() + b"\x08")
    assert "altered" in refused(path, sha256=sha256)


def test_unknown_model_names_the_known(package):
    with pytest.raises(CheckpointError, match="no packaged model 'odm'; there is odn"):
        packaged_weights("odm")


@pytest.mark.parametrize("text", ["{", "[]", '{"odn": {}}', '{"odn": 5}'])
def test_broken_table(package, text):
    (package / "weights.json").write_text(text)
    with pytest.raises(CheckpointError, match="broken; install the package again"):
        packaged_weights("odn")


def test_missing_table(package):
    (package / "weights.json").unlink()
    with pytest.raises(CheckpointError, match="cannot read weights"):
        packaged_weights("odn")
