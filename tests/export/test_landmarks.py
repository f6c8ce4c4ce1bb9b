"""The exported file against the network it came from."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from occlumark.errors import OcclumarkError
from occlumark.export.landmarks import ForDetection, export, to_onnx
from occlumark.export.onnx_graph import halve_weights
from occlumark.model.layers import sample_map
from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.model.refinement import RefinementConfig
from occlumark.train.calibration import Calibration
from occlumark.train.checkpoint import Checkpoint, averaged_weights, load_checkpoint, save_checkpoint
from occlumark.train.config import LandmarkConfig


def trained_like(config: NetworkConfig) -> OcclusionAdaptiveNetwork:
    """Random weights, with batch-norm statistics of its own data so that landmarks vary by pixels."""
    torch.manual_seed(0)
    network = OcclusionAdaptiveNetwork(config, 224).train()
    with torch.no_grad():
        network.W_fc.mul_(4)
        if network.M is not None:
            network.M.add_(0.02 * torch.randn_like(network.M))
        for _ in range(3):
            network(crops(4))
    return network.eval()


def crops(n: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(n)
    coarse = torch.rand(n, 3, 9, 9, generator=generator) * 255
    smooth = torch.nn.functional.interpolate(coarse, size=(224, 224), mode="bilinear")
    return smooth.permute(0, 2, 3, 1).to(torch.uint8).contiguous()


def run(model: onnx.ModelProto, batch: torch.Tensor) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = ["landmarks", "visibility", "occlusion_map", "expected_error", "presence"]
    assert [output.name for output in session.get_outputs()] in (outputs[:3], outputs[:4], outputs)
    return session.run(None, {"crops": batch.numpy()})


@pytest.fixture(scope="module")
def network() -> OcclusionAdaptiveNetwork:
    return trained_like(NetworkConfig())


@pytest.fixture(scope="module")
def checkpoint(network, tmp_path_factory) -> Path:
    averaged = {f"module.{name}": tensor.clone() for name, tensor in network.state_dict().items()}
    averaged["n_averaged"] = torch.tensor(5)
    path = tmp_path_factory.mktemp("run") / "checkpoint.safetensors"
    save_checkpoint(path, Checkpoint("landmarks", LandmarkConfig(), 1, "", network.state_dict(), averaged, {}))
    return path


@pytest.fixture(scope="module")
def exported_file(checkpoint) -> Path:
    """The one file that these tests export: beside its checkpoint, in full precision."""
    path = checkpoint.with_name("odn.onnx")
    export(checkpoint, path, fp16=False)
    return path


@pytest.fixture(scope="module")
def exported(exported_file) -> onnx.ModelProto:
    return onnx.load(exported_file)


@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_agrees_with_torch_to_a_thousandth_of_a_pixel(network, exported, batch):
    with torch.no_grad():
        prediction = network(crops(batch))
    landmarks, visibility, occlusion_map = run(exported, crops(batch))
    assert prediction.landmarks.std() > 1
    np.testing.assert_allclose(landmarks, prediction.landmarks.numpy(), atol=1e-3)
    np.testing.assert_allclose(occlusion_map, 1 - prediction.P.squeeze(1).numpy(), atol=1e-5)
    expected = sample_map(prediction.P.squeeze(1), prediction.landmarks / 224)
    np.testing.assert_allclose(visibility, expected.numpy(), atol=1e-5)


@pytest.mark.slow
def test_the_refinement_speaks_for_itself():
    """Visibility, map and expected error are the refinement's, P is not among the outputs."""
    network = trained_like(NetworkConfig(refinement=True, rf=RefinementConfig(stages=2)))
    with torch.no_grad():
        for each in network.refinement.stages:
            each.head.weight.normal_(0, 0.2)
        predictions = {batch: network(crops(batch)) for batch in (1, 3)}
    model = to_onnx(network, LandmarkConfig(), fp16=False, calibration=Calibration(3.0, 0.5))
    metadata = json.loads(model.metadata_props[0].value)
    assert metadata["calibration"] == {"factor": 3.0, "power": 0.5, "logit_scale": 1.0, "logit_offset": 0.0}
    for batch, prediction in predictions.items():
        landmarks, visibility, occlusion_map, expected_error = run(model, crops(batch))
        refined = prediction.refined
        assert refined.occlusion_logit.std() > 0.05 and (prediction.landmarks - prediction.guess).abs().max() > 1
        np.testing.assert_allclose(landmarks, prediction.landmarks.numpy(), atol=2e-3)
        np.testing.assert_allclose(visibility, 1 - refined.occlusion_logit.sigmoid().numpy(), atol=1e-4)
        np.testing.assert_allclose(occlusion_map, refined.occlusion_map_logit.sigmoid().numpy(), atol=1e-4)
        assert occlusion_map.shape == (batch, 28, 28)
        np.testing.assert_allclose(expected_error, 3 * (8 * refined.log_scale.exp().numpy()) ** 0.5, rtol=1e-3)


@pytest.mark.slow
def test_presence_and_a_calibrated_visibility_are_among_the_outputs():
    config = NetworkConfig(refinement=True, presence=True, rf=RefinementConfig(detail=16))
    network = trained_like(config)
    with torch.no_grad():
        for stage in (network.refinement.stages[0], network.refinement.detail.stage):
            stage.head.weight.normal_(0, 0.2)
        network.presence.layers[-1].weight.normal_(0, 0.5)
        prediction = network(crops(3))
    calibration = Calibration(2.0, 1.0, logit_scale=0.5, logit_offset=-1.0)
    model = to_onnx(network, LandmarkConfig(), fp16=False, calibration=calibration)
    assert [output.name for output in model.graph.output][3:] == ["expected_error", "presence"]
    landmarks, visibility, _, _, presence = run(model, crops(3))
    np.testing.assert_allclose(landmarks, prediction.landmarks.numpy(), atol=2e-3)
    logit = 0.5 * prediction.refined.occlusion_logit - 1
    np.testing.assert_allclose(visibility, (-logit).sigmoid().numpy(), atol=1e-4)
    np.testing.assert_allclose(presence, prediction.presence.sigmoid().numpy(), atol=1e-4)


def test_no_weight_is_denormal_and_m_is_folded(exported):
    names = [tensor.name for tensor in exported.graph.initializer]
    assert not any(name.endswith("low_rank.M") for name in names)
    for tensor in exported.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            assert not ((values != 0) & (abs(values) < 1e-20)).any(), tensor.name


def test_nothing_tells_where_it_was_exported(exported):
    content = exported.SerializeToString()
    assert not any(name in content for name in (b"landmarks.py", b"site-packages", b"occlumark/model"))


def test_half_precision_halves_the_file_and_moves_landmarks_little(exported):
    halved = onnx.ModelProto()
    halved.CopyFrom(exported)
    halve_weights(halved)
    assert halved.ByteSize() < 0.51 * exported.ByteSize()
    difference = run(halved, crops(2))[0] - run(exported, crops(2))[0]
    assert 0 < np.abs(difference).max() < 0.1  # px of a 224 px crop


def test_metadata_tell_the_detector_what_it_needs(exported):
    metadata = {entry.key: entry.value for entry in exported.metadata_props}
    facts = json.loads(metadata["occlumark"])
    assert (facts["format"], facts["model"], facts["n_landmarks"]) == (1, "odn", 68)
    assert facts["crop"] == {"size": 224, "scale": LandmarkConfig().crop.scale}


def test_without_distillation_everything_counts_as_visible():
    model = ForDetection(trained_like(NetworkConfig(False, False, False)))
    with torch.no_grad():
        _, visibility, occlusion_map = model(crops(2))
    torch.testing.assert_close(visibility, torch.ones(2, 68))
    assert occlusion_map.shape == (2, 7, 7)
    assert not occlusion_map.any()


def test_sampling_is_bilinear_between_cell_centres():
    values = torch.arange(12.0).view(1, 3, 4)
    points = torch.tensor([[[0.125, 0.5 / 3], [0.25, 0.5], [0.5, 1 / 3], [-3.0, -3.0], [5.0, 5.0]]])
    by_hand = torch.tensor([[0.0, 4.5, 3.5, 0.0, 11.0]])
    torch.testing.assert_close(sample_map(values, points), by_hand)


def test_a_checkpoint_goes_through_the_command_and_back(network, checkpoint, exported_file):
    loaded = load_checkpoint(checkpoint)
    assert loaded.config == LandmarkConfig()
    weights = averaged_weights(loaded)
    assert all(torch.equal(weights[name], tensor) for name, tensor in network.state_dict().items())
    assert sorted(path.name for path in exported_file.parent.iterdir()) == ["checkpoint.safetensors", "odn.onnx"]


def test_a_file_that_cannot_be_written_is_named(checkpoint, exported, tmp_path, monkeypatch):
    monkeypatch.setattr("occlumark.export.landmarks.to_onnx", lambda *_, **__: exported)  # seconds, and not in question
    with pytest.raises(OcclumarkError, match=r"cannot write .*odn\.onnx"):
        export(checkpoint, tmp_path / "no" / "folder" / "odn.onnx")
    export(checkpoint, tmp_path / "odn.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["odn.onnx"]
