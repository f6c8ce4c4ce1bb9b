"""Checkpoints: whole or refused, in one line."""

import json

import pytest
import torch
from safetensors.torch import save_file

from occlumark.errors import CheckpointError, OcclumarkError
from occlumark.train.checkpoint import Checkpoint, load_checkpoint, load_weights, read_imagenet, save_checkpoint
from occlumark.train.config import LandmarkConfig


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    parts = {"network": {"a.weight": torch.arange(6.0)}, "averaged": {"a.weight": torch.ones(6)}, "optimiser": {}}
    save_checkpoint(path, Checkpoint("landmarks", config=LandmarkConfig(seed=7), epoch=3, data_digest="f", **parts))
    return path


def one_line(caught) -> str:
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_is_saved_is_loaded(path):
    checkpoint = load_checkpoint(path)
    assert (checkpoint.epoch, checkpoint.config, checkpoint.data_digest) == (3, LandmarkConfig(seed=7), "f")
    assert torch.equal(checkpoint.network["a.weight"], torch.arange(6.0))
    assert torch.equal(checkpoint.averaged["a.weight"], torch.ones(6))


def test_every_field_of_the_configuration_is_in_the_header(path):
    head = path.read_bytes()
    header = json.loads(head[8 : 8 + int.from_bytes(head[:8], "little")])
    config = json.loads(header["__metadata__"]["occlumark"])["config"]
    assert config["objective"]["lambda_"] == 1e-5
    assert config["network"]["gm"]["product"] == "matrix"


def test_truncated(path):
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "truncated" in one_line(caught)


def test_not_safetensors(path):
    path.write_text("hello")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "no checkpoint" in one_line(caught)


def test_somebody_elses(path):
    save_file({"x": torch.ones(1)}, path)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "no checkpoint of occlumark train" in one_line(caught)


def test_missing(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"n_landmarks": 29}, "a damaged header: 29 landmarks, its configuration says 68"),
        ({"format": 9}, "checkpoint format 9, this version reads 1"),
        ({"config": {"sed": 1}}, "nearest known one is 'seed'"),
        ({"log": ["{}", 5]}, "its log is no list of lines"),
        ({"log": "{}"}, "its log is no list of lines"),
        ({"kind": "ears"}, "a checkpoint of 'ears', this version knows landmarks"),
        ({"kind": ["landmarks"]}, "a checkpoint of ['landmarks'], this version knows landmarks"),
    ],
)
def test_another_kind(path, change, expected):
    header = {"format": 1, "markup": 68, "epoch": 1, "config": {}} | change
    save_file({"network:x": torch.ones(1)}, path, metadata={"occlumark": json.dumps(header)})
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert expected in one_line(caught)


@pytest.mark.parametrize("text", ["{}", "[1]", "{", '{"format": 1, "markup": 68, "epoch": 2}'])
def test_a_damaged_header(path, text):
    save_file({"network:x": torch.ones(1)}, path, metadata={"occlumark": text})
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "damaged header" in one_line(caught)


def test_a_failed_write_leaves_the_old_checkpoint_and_no_other_file(path, monkeypatch):
    def full_disk(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OcclumarkError, match="No space left"):
        save_checkpoint(path, Checkpoint("landmarks", LandmarkConfig(), 4, "", {}, {}, {}))
    assert load_checkpoint(path).epoch == 3
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_weights_of_another_network_are_named(path):
    module = torch.nn.Linear(2, 3)
    weights = {"weight": torch.ones(3, 5), "extra": torch.ones(1)}
    with pytest.raises(CheckpointError) as caught:
        load_weights(module, weights, path)
    message = one_line(caught)
    assert "missing bias" in message
    assert "extra extra" in message
    assert "weight is (3, 5), expected (3, 2)" in message


def test_imagenet_weights_come_as_fp32(tmp_path):
    save_file({"conv1.weight": torch.full((2,), 0.5, dtype=torch.float16)}, tmp_path / "r.safetensors")
    assert read_imagenet(tmp_path / "r.safetensors")["conv1.weight"].dtype == torch.float32
    (tmp_path / "r.safetensors").write_bytes(b"x" * 20)
    with pytest.raises(CheckpointError, match="truncated"):
        read_imagenet(tmp_path / "r.safetensors")


def test_a_checkpoint_older_than_its_kind_entry_is_of_landmarks(path):
    header = {"format": 1, "markup": 68, "epoch": 5, "faces": "digest", "config": {"seed": 2}}
    save_file({"network:x": torch.ones(1)}, path, metadata={"occlumark": json.dumps(header)})
    checkpoint = load_checkpoint(path)
    assert (checkpoint.kind, checkpoint.epoch, checkpoint.data_digest) == ("landmarks", 5, "digest")
    assert checkpoint.config == LandmarkConfig(seed=2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("distillation.pathway_d.1.weight", "last_unit.pathway_d.1.weight"),
        ("last_unit.conv1.weight", "last_unit.pathway_c.conv1.weight"),
        ("last_unit.pathway_c.conv1.weight", "last_unit.pathway_c.conv1.weight"),
        ("low_rank.M", "head.M"),
        ("regression.bias", "head.regression.bias"),
        ("refinement.looks.1.names", "refinement.stages.1.landmark_embedding"),
        ("refinement.looks.0.rounds.1.qkv.weight", "refinement.stages.0.blocks.1.qkv.weight"),
        ("refinement.looks.0.answer.bias", "refinement.stages.0.head.bias"),
        ("refinement.stages.0.head.bias", "refinement.stages.0.head.bias"),
        ("backbone.layer4.0.conv1.weight", "backbone.layer4.0.conv1.weight"),
    ],
)
def test_weights_under_older_names_are_found_in_all_three_parts(path, old, new):
    checkpoint = Checkpoint(
        "landmarks",
        LandmarkConfig(),
        1,
        "",
        network={old: torch.ones(1)},
        averaged={f"module.{old}": torch.ones(1)},
        optimiser={f"{old}/exp_avg": torch.ones(1)},
    )
    save_checkpoint(path, checkpoint)
    loaded = load_checkpoint(path)
    assert [*loaded.network, *loaded.averaged, *loaded.optimiser] == [new, f"module.{new}", f"{new}/exp_avg"]


def test_a_header_in_older_words(path):
    config = {"markup": 29, "network": {"rf": {"looks": 2, "reach": 0}}, "augment": {"occlude": {"probability": 0}}}
    config["refinement"] = {"shown": "trusted", "trust": 2.0, "taught": 0.5, "hidden": 3.0}
    header = {"format": 1, "markup": 29, "epoch": 5, "config": config}
    save_file({"network:x": torch.ones(1)}, path, metadata={"occlumark": json.dumps(header)})
    found = load_checkpoint(path).config
    assert found.n_landmarks == 29 and (found.network.rf.stages, found.network.rf.window_radius) == (2, 0)
    objective = found.refinement
    assert (objective.negatives, objective.confidence_power) == ("confident", 2.0)
    assert (objective.P_supervision, objective.occluded) == (0.5, 3.0)
