import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from occlumark.export.landmarks import export
from occlumark.export.onnx_graph import halve_weights
from occlumark.finder import NetworkFinder
from occlumark.model.face_finder import FinderNetwork, FinderNetworkConfig
from occlumark.train.checkpoint import Checkpoint, save_checkpoint
from occlumark.train.config import FinderConfig

SMALL = FinderNetworkConfig(stem=4, widths=(4, 8, 8, 8, 8), blocks=(1, 2, 1, 1, 1), neck=8)


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8))


@pytest.fixture(scope="module")
def network() -> FinderNetwork:
    """Random weights, with batch-norm statistics of its own, and scores that differ from place to place."""
    torch.manual_seed(0)
    network = FinderNetwork(SMALL).train()
    with torch.no_grad():
        network.score.weight.mul_(100)
        network.box.weight.mul_(30)
        for _ in range(3):
            network(noise(2, 128, 128))
    return network.eval()


@pytest.fixture(scope="module")
def checkpoint(network, tmp_path_factory):
    averaged = {f"module.{name}": tensor.clone() for name, tensor in network.state_dict().items()}
    path = tmp_path_factory.mktemp("finder") / "checkpoint.safetensors"
    config = FinderConfig(network=SMALL)
    save_checkpoint(path, Checkpoint("finder", config, 1, "", network.state_dict(), averaged, {}))
    return path


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "finder.onnx"
    export(checkpoint, out, fp16=False)
    return out


@pytest.mark.parametrize("side", [(32, 32), (96, 160), (64, 352), (224, 32)])
def test_onnx_agrees_with_torch_at_any_size(network, exported, side):
    photos = noise(1, *side)
    with torch.no_grad():
        logits, expected = network(photos)
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    scores, boxes = session.run(["scores", "boxes"], {"photos": photos.numpy()})
    assert logits.std() > 0.1
    np.testing.assert_allclose(scores, logits.sigmoid(), atol=1e-5)
    np.testing.assert_allclose(boxes, expected, atol=1e-2)


def test_no_batch_norm_is_left_and_no_path_of_the_machine(exported):
    model = onnx.load(exported)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert b"export_finder.py" not in exported.read_bytes() and b"site-packages" not in exported.read_bytes()


def test_the_finder_runs_what_was_exported(exported):
    faces = NetworkFinder(weights=exported, score=0.0, max_faces=3)(noise(100, 70).numpy())
    assert len(faces) == 3 and all(box.shape == (4,) and 0 <= score <= 1 for box, score in faces)


def test_half_precision_moves_scores_little(exported):
    halved = onnx.load(exported)
    halve_weights(halved)
    photos = {"photos": noise(1, 96, 96).numpy()}
    scores = [
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(["scores"], photos)[0]
        for content in (halved.SerializeToString(), exported.read_bytes())
    ]
    assert 0 <= np.abs(scores[0] - scores[1]).max() < 0.01
