"""A network that starts from an exported file answers as the file does, and trains as any other."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from occlumark import Detector
from occlumark.crop import CropConfig, CropTransform
from occlumark.demo import SAMPLES
from occlumark.errors import CheckpointError
from occlumark.export.int8 import quantized
from occlumark.export.landmarks import to_onnx
from occlumark.model.backbone import BackboneConfig
from occlumark.model.face_finder import FinderNetwork, FinderNetworkConfig
from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.model.refinement_stage import RefinementConfig
from occlumark.packaged import packaged_finder, packaged_weights
from occlumark.photo import read_photo
from occlumark.train.config import LandmarkConfig
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


def test_it_answers_as_the_file(network):
    """The packaged file is in 8 bits, and the network rounds nothing: the same to a fraction of a pixel."""
    photo = read_photo(SAMPLES / "astronaut.jpg")
    face = Detector("odn").detect(photo)[0]
    crop = CropTransform.from_box(face.box, CropConfig()).cut(photo)[None]
    with torch.no_grad():
        output = network.eval()(torch.from_numpy(crop))
    session = onnxruntime.InferenceSession(str(PATH))
    answers = session.run(["landmarks", "visibility", "presence"], {"crops": crop})
    fitted = json.loads(session.get_modelmeta().custom_metadata_map["occlumark"])["calibration"]
    logit = fitted["logit_scale"] * output.refined.occlusion_logit + fitted["logit_offset"]
    assert np.linalg.norm(output.landmarks.numpy() - answers[0], axis=2).mean() < 0.3
    np.testing.assert_allclose((-logit).sigmoid().numpy(), answers[1], atol=0.05)
    np.testing.assert_allclose(output.presence.sigmoid().numpy(), answers[2], atol=1e-3)


def test_from_32_bits_it_answers_as_the_file(crops):
    path = packaged_weights("odn")[0]
    odn = OcclusionAdaptiveNetwork(NetworkConfig())
    unfold(odn, read_exported(path), crops, path)
    with torch.no_grad():
        landmarks = odn.eval()(crops[:4]).landmarks.numpy()
    (answers,) = onnxruntime.InferenceSession(str(path)).run(["landmarks"], {"crops": crops[:4].numpy()})
    np.testing.assert_allclose(landmarks, answers, atol=0.01)


@pytest.mark.parametrize("imagenet_colours", [True, False])
def test_weights_in_8_bits_come_back_to_half_a_step(tmp_path, imagenet_colours):
    """The first convolution's too, which such a file has over cells of pixels."""
    torch.manual_seed(0)
    backbone = BackboneConfig(stem=8, channels=(8, 8, 8, 8), imagenet_colours=imagenet_colours)
    config = LandmarkConfig(network=NetworkConfig(backbone=backbone), crop=CropConfig(64))
    network = OcclusionAdaptiveNetwork(config.network, 64).eval()
    for norm in [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]:
        torch.nn.init.normal_(norm.bias)
    exact = to_onnx(network, config, fp16=False)
    faces = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    found = []
    for name, model in (("32", exact), ("8", quantized(exact, faces))):
        (tmp_path / name).write_bytes(model.SerializeToString())
        found.append(read_exported(tmp_path / name))
    assert found[1].keys() == found[0].keys() - {"mean", "std"} or not imagenet_colours
    assert found[1]["backbone.conv1.weight"].shape == (8, 3, 7, 7)
    for name, weight in found[0].items():
        if name in ("mean", "std"):
            continue
        if weight.ndim == 4:
            step = weight.abs().amax((1, 2, 3), keepdim=True) / 63  # 7 bits
            assert ((found[1][name] - weight).abs() <= 0.53 * step).all()
        else:
            torch.testing.assert_close(found[1][name], weight, atol=5e-3, rtol=1e-3)


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
