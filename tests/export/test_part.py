"""Exchanging the part that a run trained alone: that part's answers change, every other bit stays."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from occlumark.cli.main import main
from occlumark.crop import CropConfig
from occlumark.errors import CheckpointError
from occlumark.export.landmarks import to_onnx
from occlumark.export.part import export_part
from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.train.checkpoint import Checkpoint, save_checkpoint
from occlumark.train.config import LandmarkConfig

SIZE = 64


def _network() -> OcclusionAdaptiveNetwork:
    torch.manual_seed(0)
    network = OcclusionAdaptiveNetwork(NetworkConfig(refinement=True, presence=True), SIZE).eval()
    torch.nn.init.normal_(network.presence.layers[2].weight)
    return network


def _config(train_only: str) -> LandmarkConfig:
    return LandmarkConfig(
        start="occlumark",
        train_only=train_only,
        network=NetworkConfig(refinement=True, presence=True),
        crop=CropConfig(size=SIZE),
    )


def _save(path, network: OcclusionAdaptiveNetwork, train_only: str):
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    averaged = {f"module.{name}": value.clone() for name, value in weights.items()}
    save_checkpoint(path, Checkpoint("landmarks", _config(train_only), 0, "faces", weights, averaged, {}))
    return path


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("part") / "whole.onnx"
    path.write_bytes(to_onnx(_network(), _config(""), fp16=True).SerializeToString())
    return path


def _answers(path) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    crops = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    return dict(
        zip([output.name for output in session.get_outputs()], session.run(None, {"crops": crops}), strict=True)
    )


def test_the_part_is_exchanged_and_all_else_stays(exported, tmp_path):
    network = _network()
    with torch.no_grad():
        network.presence.layers[0].weight.mul_(-2)
        network.presence.layers[2].bias.add_(0.5)
        for parameter in network.head.parameters():  # what a run of the part alone does not move, and must not come in
            parameter.zero_()
    checkpoint = _save(tmp_path / "c.safetensors", network, "presence")
    out = tmp_path / "new.onnx"
    assert main(["export", str(checkpoint), "--into", str(exported), "--out", str(out)]) == 0
    before, after = _answers(exported), _answers(out)
    for name in before.keys() - {"presence"}:
        np.testing.assert_array_equal(before[name], after[name])
    crops = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8))
    with torch.no_grad():
        expected = network(crops).presence.sigmoid().numpy()
    assert abs(after["presence"] - before["presence"]).max() > 0.01
    np.testing.assert_allclose(after["presence"], expected, atol=2e-3)  # the larger weights are of 16 bits
    old, new = onnx.load(exported), onnx.load(out)
    assert old.graph.node == new.graph.node and old.metadata_props == new.metadata_props


def test_what_cannot_be_exchanged_is_refused(exported, tmp_path):
    whole = _save(tmp_path / "whole.safetensors", _network(), "")
    with pytest.raises(CheckpointError, match="trained all of its network"):
        export_part(whole, exported, tmp_path / "new.onnx")
    part = _save(tmp_path / "part.safetensors", _network(), "presence")
    with pytest.raises(CheckpointError, match="the run is of another network"):
        export_part(part, "odn", tmp_path / "new.onnx")
    with pytest.raises(SystemExit):
        main(["export", str(part), "--into", str(exported), "--fp32", "--out", str(tmp_path / "new.onnx")])
    assert not (tmp_path / "new.onnx").exists()
