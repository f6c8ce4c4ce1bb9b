"""A checkpoint and its pack become a file of 8 bits that detection opens, and that answers as the one of 32."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from occlumark.cli.main import main
from occlumark.config import from_mapping
from occlumark.data.pack import Pack
from occlumark.landmarker import Landmarker
from occlumark.model.backbone import BackboneConfig
from occlumark.model.low_rank import LowRankConfig
from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.model.refinement_stage import RefinementConfig
from occlumark.train.checkpoint import Checkpoint, save_checkpoint
from occlumark.train.config import LandmarkConfig
from occlumark.train.face_dataset import faces_digest, validation_batches

#: As configs/occlumark-fast.toml has it, with fewer channels.
SMALL = NetworkConfig(
    geometry_aware=False,
    distillation=False,
    low_rank=False,
    flattened_head=True,
    refinement=True,
    presence=True,
    backbone=BackboneConfig(16, 3, (16, 32, 64, 128), (1, 1, 1, 1), imagenet_colours=False),
    lm=LowRankConfig(stride=1),
    rf=RefinementConfig(32, 32, 1, 0, detail=16, detail_radius=1, whole_cells=True),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modules", "numbers"),
    [(NetworkConfig(refinement=True, presence=True), 10e6), (SMALL, 0.5e6)],
    ids=["odn", "small"],
)
def test_export_in_8_bits(modules, numbers, pack_path, tmp_path, capsys):
    # the crops of training alone are not there where it is exported
    augment = {"no_face": {"share": 0.1, "background": "gone.npy"}, "scene_faces": {"share": 0.1, "crops": "gone.npy"}}
    settings = {"crop": {"size": 64}, "validation_share": 0.3, "augment": augment}
    config = replace(
        from_mapping(LandmarkConfig, settings | {"network": {"presence": True, "refinement": True}}), network=modules
    )
    pack = Pack.open(pack_path)
    crops = np.concatenate([batch for batch, _ in validation_batches(pack, np.arange(len(pack)), config.crop, 8)])
    torch.manual_seed(0)
    network = OcclusionAdaptiveNetwork(config.network, 64, np.full((68, 2), 34.0)).train()
    with torch.no_grad():
        if modules is SMALL:
            # guesses near a cell's centre: at the edge of two, 8 bits choose the other, which training evens out
            network.head.W_fc.mul_(0.1)
            network.refinement.head.weight.normal_(std=0.05)
        for _ in range(20):  # statistics of its own data
            network(torch.from_numpy(crops))
    weights = network.state_dict()
    averaged = {f"module.{name}": tensor.clone() for name, tensor in weights.items()} | {"n_averaged": torch.tensor(5)}
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, Checkpoint("landmarks", config, 1, faces_digest(pack), weights, averaged, {}))
    answers = []
    for name, options in (("fp16.onnx", []), ("int8.onnx", ["--int8"])):
        command = ["export", str(path), "--out", str(tmp_path / name), "--pack", str(pack_path), *options]
        assert main(command) == 0, capsys.readouterr().err
        answers.append(Landmarker(tmp_path / name, threads=1).predict(crops))
    wide, narrow = answers
    assert 0 < np.abs(wide.landmarks - narrow.landmarks).max() < 1  # of 64 pixels
    assert np.abs(wide.visibility - narrow.visibility).max() < 0.05
    assert np.abs(wide.presence - narrow.presence).max() < 0.05
    assert (tmp_path / "int8.onnx").stat().st_size < 0.75 * (tmp_path / "fp16.onnx").stat().st_size
    whole = [tensor for tensor in onnx.load(tmp_path / "int8.onnx").graph.initializer if tensor.data_type == 3]
    # ResNet-18 and its last unit, and nothing of the regression
    names = {tensor.name for tensor in whole}
    assert any("last_unit.pathway_c.conv2" in name for name in names) and not any(".head." in name for name in names)
    assert sum(np.prod(tensor.dims) for tensor in whole) > numbers
