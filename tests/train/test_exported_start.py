"""A network that starts from an exported file answers as the file does, and trains as any other."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from occlumark.errors import CheckpointError
from occlumark.model.face_finder import FinderNetwork, FinderNetworkConfig
from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.model.refinement_stage import RefinementConfig
from occlumark.packaged import packaged_finder, packaged_weights
from occlumark.train.exported_start import read_exported, unfold

PATH = packaged_weights("occlumark")[0]


@pytest.fixture(scope="module")
def crops() -> "torch.Tensor":
    """Blurred noise: statistics of any pictures do."""
    small = torch.rand(12, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    large = torch.nn.functional.interpolate(small, size=224, mode="bicubic").clamp(0, 1) * 255
    return large.permute(0, 2, 3, 1).to(torch.uint8).contiguous()


@pytest.fixture(scope="module")
def network(crops) -> OcclusionAdaptiveNetwork:
    config = NetworkConfig(refinement=True, rf=RefinementConfig(detail=64), presence=True)
    network = OcclusionAdaptiveNetwork(config)
    unfold(network, read_exported(PATH), crops, PATH)
    return network


def test_it_answers_as_the_file(network, crops):
    with torch.no_grad():
        output = network.eval()(crops[:4])
    session = onnxruntime.InferenceSession(str(PATH))
    answers = session.run(["landmarks", "visibility", "presence"], {"crops": crops[:4].numpy()})
    fitted = json.loads(session.get_modelmeta().custom_metadata_map["occlumark"])["calibration"]
    logit = fitted["logit_scale"] * output.refined.occlusion_logit + fitted["logit_offset"]
    np.testing.assert_allclose(output.landmarks.numpy(), answers[0], atol=0.01)
    np.testing.assert_allclose((-logit).sigmoid().numpy(), answers[1], atol=1e-3)
    np.testing.assert_allclose(output.presence.sigmoid().numpy(), answers[2], atol=1e-3)


def test_in_training_mode_it_answers_nearly_the_same_on_the_crops_of_its_statistics(network, crops):
    with torch.no_grad():
        evaluated, trained = network.eval()(crops).landmarks, network.train()(crops).landmarks
    assert (evaluated - trained).abs().max() < 0.05
    assert torch.equal(network.M, torch.eye(len(network.M)))


def test_modules_that_the_file_lacks_keep_their_start(crops):
    path = packaged_weights("odn")[0]
    network = OcclusionAdaptiveNetwork(NetworkConfig(refinement=True))
    unfold(network, read_exported(path), crops[:2], path)
    assert (network.refinement.stages[0].head.weight == 0).all()
    with torch.no_grad():
        landmarks = network.eval()(crops[:1]).landmarks.numpy()
    expected = onnxruntime.InferenceSession(str(path)).run(["landmarks"], {"crops": crops[:1].numpy()})[0]
    np.testing.assert_allclose(landmarks, expected, atol=0.01)


def test_a_face_finder_comes_back_too():
    path = packaged_finder()[0]
    photos = torch.randint(0, 256, (6, 96, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    network = FinderNetwork(FinderNetworkConfig())
    unfold(network, read_exported(path), photos, path)
    with torch.no_grad():
        output = network.eval()(photos[:1])
    scores, boxes = onnxruntime.InferenceSession(str(path)).run(None, {"photos": photos[:1].numpy()})
    np.testing.assert_allclose(output.logits.sigmoid().numpy(), scores, atol=1e-4)
    np.testing.assert_allclose(output.boxes.numpy(), boxes, atol=1e-2)
    stem = network.stem[1]  # its statistics are those of what it is given
    given = network.stem[0](photos.permute(0, 3, 1, 2).float())
    torch.testing.assert_close(stem.running_mean, given.mean((0, 2, 3)), rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(stem.running_var, given.var((0, 2, 3), unbiased=False), rtol=1e-3, atol=1e-2)


def test_another_network_or_no_network_is_refused(tmp_path: Path, crops):
    with pytest.raises(CheckpointError, match=r"does not fit this network: .*refinement"):
        unfold(OcclusionAdaptiveNetwork(NetworkConfig()), read_exported(PATH), crops, PATH)
    (tmp_path / "none.onnx").write_bytes(b"no network")
    with pytest.raises(CheckpointError, match=r"no network of ours: it is (no ONNX file|truncated)"):
        read_exported(tmp_path / "none.onnx")
    with pytest.raises(CheckpointError, match="No such file"):
        read_exported(tmp_path / "missing.onnx")
