import json

import numpy as np
import onnxruntime
import pytest

from occlumark import landmarker, network_file
from occlumark.crop import CropConfig
from occlumark.errors import CheckpointError
from occlumark.landmarker import Landmarker


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
    written = json.loads(session.get_modelmeta().custom_metadata_map[network_file.METADATA_KEY])
    assert written["format"] == landmarker.FORMAT


def refused(path, **options) -> str:
    with pytest.raises(CheckpointError) as caught:
        Landmarker(path, **options)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


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
        ({"occlumark": '{"format": 1, "markup": 68, "model": "odn"}'}, "broken metadata"),
        ({"occlumark": '{"format": 1, "markup": 68, "model": "odn", "crop": {"size": 5}}'}, "broken metadata"),
        ({"occlumark": '{"format": 1, "markup": 29, "model": "odn", "crop": {}}'}, "markup 29; expected 1 and 68"),
        ({"occlumark": '{"format": 2, "markup": 68, "model": "odn", "crop": {}}'}, "format 2"),
        ({"occlumark": '{"format": 1, "markup": 68, "model": "odn", "crop": {"size": 256}}'}, "wrong inputs"),
    ],
)
def test_foreign_networks(dot_network, tmp_path, metadata, message):
    assert message in refused(changed(dot_network, tmp_path / "foreign.onnx", metadata))
