import json

import numpy as np
import onnxruntime
import pytest

from occlumark import landmarker, network_file
from occlumark.crop import CropConfig, CropTransform
from occlumark.demo import SAMPLES
from occlumark.errors import CheckpointError
from occlumark.landmarker import Landmarker
from occlumark.markup import MARKUPS
from occlumark.packaged import packaged_weights
from occlumark.photo import read_photo


def test_metadata_says_model_and_crop(dot_network):
    ours = Landmarker(dot_network, threads=1)
    assert ours.model == "dot" and ours.crop == CropConfig(224, 1.3)
    assert ours.markup is MARKUPS[68]


@pytest.mark.parametrize("n", [19, 29, 98])
def test_networks_of_other_markups(write_dot_network, n):
    ours = Landmarker(write_dot_network(n), threads=1)
    prediction = ours.predict(np.full((2, 224, 224, 3), 255, np.uint8))
    assert ours.markup is MARKUPS[n]
    np.testing.assert_allclose(prediction.landmarks, np.full((2, n, 2), 112), atol=1e-3)
    assert prediction.visibility.shape == prediction.expected_errors.shape == (2, n)


@pytest.mark.parametrize("word", ["markup", "n_landmarks"])
def test_the_older_word_for_the_number_of_landmarks(word, tmp_path):
    metadata = {"format": 1, "model": "dot", "crop": {"size": 224, "scale": 1.3}, word: 29}
    assert landmarker._read_metadata(tmp_path, metadata)[1] is MARKUPS[29]


@pytest.mark.parametrize("n", [1, 8, 9, 20])
def test_any_number_of_crops_in_order(dot_network, n):
    crops = np.zeros((n, 224, 224, 3), np.uint8)
    crops[..., 0] = np.arange(n)[:, None, None]
    landmarks, visibility, maps, errors, presence = Landmarker(dot_network, threads=1).predict(crops)
    assert np.isnan(errors).all() and errors.shape == (n, 68)
    assert np.isnan(presence).all() and presence.shape == (n,)
    assert landmarks.shape == (n, 68, 2) and maps.shape == (n, 7, 7)
    np.testing.assert_allclose(visibility[:, 0], np.arange(n) / 255, atol=1e-4)


def test_an_expected_error_is_read_where_the_network_tells_one(dot_network, error_network):
    assert not Landmarker(dot_network, threads=1).has_expected_error
    ours = Landmarker(error_network, threads=1)
    assert ours.has_expected_error
    crops = np.zeros((10, 224, 224, 3), np.uint8)
    crops[..., 0] = np.linspace(0, 255, 10).astype(np.uint8)[:, None, None]
    prediction = ours.predict(crops)
    assert prediction.expected_errors.dtype == np.float32
    by_hand = np.maximum(crops[:, 0, 0, 0] / 255 * 64 - 8, 0)  # a distance is never below 0
    np.testing.assert_allclose(prediction.expected_errors, np.tile(by_hand[:, None], 68), atol=0.01)
    np.testing.assert_array_equal(prediction.visibility, Landmarker(dot_network, threads=1).predict(crops).visibility)


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
        (
            {"occlumark": '{"format": 1, "markup": 67, "model": "odn", "crop": {}}'},
            "67 landmarks; expected 1 and one of",
        ),
        ({"occlumark": '{"format": 1, "markup": 29, "model": "odn", "crop": {}}'}, "wrong output 'landmarks'"),
        ({"occlumark": '{"format": 1, "markup": [68], "model": "odn", "crop": {}}'}, "broken metadata"),
        ({"occlumark": '{"format": 2, "markup": 68, "model": "odn", "crop": {}}'}, "format 2"),
        ({"occlumark": '{"format": 1, "markup": 68, "model": "odn", "crop": {"size": 256}}'}, "wrong input 'crops'"),
    ],
)
def test_foreign_networks(dot_network, tmp_path, metadata, message):
    assert message in refused(changed(dot_network, tmp_path / "foreign.onnx", metadata))


def test_a_face_finder_is_no_landmark_network(cell_finder):
    assert "is a face finder, no landmark network; name it as the finder (--finder)" in refused(cell_finder)


def test_an_expected_error_of_another_shape(error_network, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(error_network)
    (output,) = (output for output in model.graph.output if output.name == "expected_error")
    model.graph.output.remove(output)
    model.graph.node[-1].output[0] = "flat"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "second"))
    model.graph.node.append(onnx.helper.make_node("Unsqueeze", ["flat", "second"], ["expected_error"]))
    wide = onnx.helper.make_tensor_value_info("expected_error", onnx.TensorProto.FLOAT, ["batch", 1, 68])
    model.graph.output.append(wide)
    onnx.save(model, tmp_path / "wide.onnx")
    assert "wrong output 'expected_error': expected float ['?', 68], came float ['batch', 1, 68]" in refused(
        tmp_path / "wide.onnx"
    )


@pytest.mark.parametrize("model", ["odn", "occlumark-fast"])
def test_mirrored_as_well_a_mirrored_crop_has_the_mirrored_answer(model):
    """And the answer is the mean of both: of an asymmetric picture the two differ."""
    path, _ = packaged_weights(model)
    plain, ours = Landmarker(path, threads=1), Landmarker(path, threads=1, mirror=True)
    crops = CropTransform.from_box(np.array([180.0, 88, 272, 179]), ours.crop).cut(
        read_photo(SAMPLES / "astronaut.jpg")
    )
    crops = np.stack([crops, np.roll(crops, 9, axis=1), crops[::-1]])
    found, mirrored = ours.predict(crops), ours.predict(crops[:, :, ::-1])
    size, back = ours.crop.size, MARKUPS[68].mirror
    np.testing.assert_allclose(size - mirrored.landmarks[:, back, 0], found.landmarks[..., 0], atol=1e-3)
    np.testing.assert_allclose(mirrored.landmarks[:, back, 1], found.landmarks[..., 1], atol=1e-3)
    np.testing.assert_allclose(mirrored.visibility[:, back], found.visibility, atol=1e-5)
    np.testing.assert_allclose(mirrored.occlusion_maps[:, :, ::-1], found.occlusion_maps, atol=1e-5)
    np.testing.assert_allclose(mirrored.expected_errors[:, back], found.expected_errors, atol=1e-3)
    np.testing.assert_allclose(mirrored.presence, found.presence, atol=1e-5)
    once, other = plain.predict(crops), plain.predict(crops[:, :, ::-1])
    np.testing.assert_allclose(
        found.landmarks[..., 1], (once.landmarks + other.landmarks[:, back])[..., 1] / 2, atol=1e-3
    )
    assert np.abs(once.landmarks - found.landmarks).max() > 0.05
