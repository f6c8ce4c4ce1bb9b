"""Checkpoints: whole or refused, in one line."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from occlumark.errors import CheckpointError, OcclumarkError
from occlumark.train.checkpoint import (
    Checkpoint,
    built,
    load_checkpoint,
    load_weights,
    read_imagenet,
    save_checkpoint,
)
from occlumark.train.config import LandmarkConfig
from occlumark.train.optimiser_state import flat_optimiser, restore_optimiser


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
        *(
            ({"epoch": epoch}, "a damaged header: its epoch is in 0..60, not ")
            for epoch in (-1, 61, 10**9, 10**400, 1.5, "3", None, True, [1])
        ),
        ({"config": []}, "config '' is a section, not []"),
        ({"config": "x" * 10_000}, "is a section, not 'xxx"),
        ({"config": {"crop": [224]}}, "config 'crop' is a section, not [224]"),
        ({"config": {"crop": {"size": 320_000}}}, "size is in 32..1_024, a multiple of 32, not 320000"),
        ({"format": [[]] * 10_000}, "checkpoint format [[], [], [], [], [], [], ...], this version reads 1"),
        ({"n_landmarks": 10**400}, "a damaged header: 1000"),
        ({"tensors": {"network": 2, "averaged": 0, "optimiser": 0}}, "is damaged: it was written with {'averaged': 0"),
        ({"tensors": 7}, "is damaged: it was written with 7 tensors"),
    ],
)
def test_another_kind(path, change, expected):
    header = {"format": 1, "markup": 68, "epoch": 1, "config": {}} | change
    save_file({"network:x": torch.ones(1)}, path, metadata={"occlumark": json.dumps(header)})
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert expected in one_line(caught) and len(one_line(caught)) < 500


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[1]",
        "{",
        '{"format": 1, "markup": 68, "epoch": 2}',
        '{"format":' * 100_000,
        '{"epoch": NaN}',
        "9" * 5_000,
    ],
)
def test_a_damaged_header(path, text):
    save_file({"network:x": torch.ones(1)}, path, metadata={"occlumark": text})
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "damaged header" in one_line(caught)


@pytest.mark.parametrize("part", ["network", "averaged", "optimiser"])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_numbers_that_are_not_finite(path, part, wrong, dtype):
    parts = {name: {"a.weight": torch.ones(6)} for name in ("network", "averaged", "optimiser")}
    parts[part]["b.weight"] = torch.tensor([1.0, wrong], dtype=dtype)
    save_checkpoint(path, Checkpoint("landmarks", LandmarkConfig(), 3, "", **parts))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert f"holds numbers that are not finite, in {part}:b.weight" in one_line(caught)


@pytest.mark.parametrize("part", ["network", "averaged", "optimiser"])
def test_an_emptied_part(path, part):
    """Every part's number of tensors is written down."""
    parts = {name: {"a.weight": torch.ones(6)} for name in ("network", "averaged", "optimiser")}
    save_checkpoint(path, Checkpoint("landmarks", LandmarkConfig(), 3, "", **parts))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        rest = {name: file.get_tensor(name) for name in file.keys() if not name.startswith(part)}  # noqa: SIM118
    save_file(rest, path, metadata)
    with pytest.raises(CheckpointError, match="is damaged: it was written with"):
        load_checkpoint(path)


def stepped() -> tuple[torch.optim.AdamW, torch.nn.Module]:
    module = torch.nn.Linear(2, 3)
    optimiser = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    return optimiser, module


def test_the_optimisers_state_comes_back(path):
    flat = flat_optimiser(*stepped())
    optimiser, module = stepped()
    restore_optimiser(optimiser, module, flat, path)
    assert set(flat) == {
        f"{name}/{entry}" for name in ("weight", "bias") for entry in ("step", "exp_avg", "exp_avg_sq")
    }
    assert torch.equal(flat_optimiser(optimiser, module)["weight/exp_avg"], flat["weight/exp_avg"])


@pytest.mark.parametrize(
    "change",
    [
        lambda flat: flat.clear(),
        lambda flat: flat.pop("bias/step"),
        lambda flat: flat.update({"bias/exp_avg": torch.ones(4)}),
        lambda flat: flat.update({"other/exp_avg": torch.ones(4)}),
        lambda flat: flat.update({"bias": torch.ones(3)}),
        lambda flat: flat.update({"bias/step": torch.ones(2)}),
    ],
)
def test_a_damaged_optimiser_state_is_refused(path, change):
    optimiser, module = stepped()
    flat = flat_optimiser(optimiser, module)
    change(flat)
    with pytest.raises(CheckpointError, match="has a damaged optimiser state"):
        restore_optimiser(optimiser, module, flat, path)


def test_a_network_is_built_when_its_weights_fit(path):
    """What a header asks for takes no memory before the weights are there."""
    made = []

    def build():
        made.append(torch.nn.Linear(1_000_000, 1_000_000))  # 4 TB, but on no device
        return made[-1]

    with pytest.raises(CheckpointError, match=r"does not fit this network: missing weight; missing bias"):
        built(build, {}, path)
    assert len(made) == 1 and made[0].weight.device.type == "meta"
    weights = {"weight": torch.ones(3, 2), "bias": torch.ones(3)}
    assert torch.equal(built(lambda: torch.nn.Linear(2, 3), weights, path).weight, torch.ones(3, 2))


def test_weights_of_another_type_are_named(path):
    weights = {"weight": torch.ones(3, 2, dtype=torch.int64), "bias": torch.ones(3)}
    with pytest.raises(CheckpointError, match=r"weight is torch.int64, expected torch.float32"):
        load_weights(torch.nn.Linear(2, 3), weights, path)


def test_a_null_byte_in_the_name(path):
    for read in (load_checkpoint, read_imagenet):
        with pytest.raises(CheckpointError, match="no such"):
            read(Path("a\0b"))


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
