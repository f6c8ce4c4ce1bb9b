"""occlumark train: what a user can get wrong is one line and exit code 1."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from occlumark.cli.main import main

CONFIG = Path(__file__).parents[2] / "configs" / "odn.toml"
FINDER_CONFIG = CONFIG.with_name("finder.toml")


def failing(capsys, *arguments: str) -> str:
    """Run a command that has to fail; its one line."""
    assert main(["train", *map(str, arguments)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("occlumark: ")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("optimiser.epoch=3", "unknown config key 'optimiser.epoch'; the nearest known one is 'epochs'"),
        ("network.lowrank=false", "the nearest known one is 'low_rank'"),
        ("optimiser.epochs=many", "'optimiser.epochs' is int"),
        ("optimiser.matrix_rate=0", "matrix_rate is above 0 and at most 1_000, not 0"),
        ("optimiser.weight_decay=0.1", "weight_decay is 0 for landmarks"),
        ("seed=-1", "seed is in 0..9_223_372_036_854_775_807, not -1"),
        ("objective.data=l3", "one of l2, l1, wing"),
        ("crop.size=100", "multiple of 32"),
    ],
)
def test_a_wrong_configuration_is_named(override, expected, tmp_path, capsys):
    assert expected in failing(capsys, CONFIG, "--set", override, "--pack", tmp_path / "p", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_missing_pack_is_named_and_no_folder_is_made(tmp_path, capsys):
    assert "no.pack" in failing(capsys, "--pack", tmp_path / "no.pack", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_truncated_pack_is_named(tmp_path, capsys):
    (tmp_path / "half.pack").write_bytes(b"\x00" * 100)
    assert "half.pack" in failing(capsys, "--pack", tmp_path / "half.pack", "--out", tmp_path / "run")


def test_the_committed_configuration_is_the_papers_network_and_weights():
    from occlumark.config import load
    from occlumark.model.network import NetworkConfig
    from occlumark.model.objective import ObjectiveConfig
    from occlumark.train.config import LandmarkConfig

    config = load(LandmarkConfig, CONFIG)
    assert config.network == NetworkConfig()
    assert config.objective == ObjectiveConfig(data="l1")
    assert config.crop.size == 224


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("augment.mosiac=0", "unknown config key 'augment.mosiac'; the nearest known one is 'mosaic'"),
        ("crop.size=64", "unknown config key 'crop'"),
        ("canvases=0", "canvases is in 1..1_000, not 0"),
        ("augment.size=100", "size is in 64..2_048, a multiple of 32, not 100"),
        (
            "network.widths=[8, 8]",
            "widths and blocks are five numbers each, for strides 4, 8, 16, 32 and 64, not 2 and 5",
        ),
        ("network.neck=0", "neck is in 1..2_048, not 0"),
        ("objective.centre_radius=0", "centre_radius is in 0.5..100, not 0"),
        ("augment.occlude.masks=", "the occluder kind 'mask' needs a folder"),
    ],
)
def test_a_wrong_configuration_of_the_face_finder_is_named(override, expected, tmp_path, capsys):
    out = tmp_path / "run"
    assert expected in failing(capsys, FINDER_CONFIG, "--set", override, "--scenes", tmp_path, "--out", out)
    assert not out.exists()


def test_a_folder_without_boxes_is_named_and_no_folder_is_made(tmp_path, capsys):
    message = failing(capsys, "--scenes", tmp_path, "--out", tmp_path / "run")
    assert "expected photos with a boxes.csv" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("data", [[], ["--pack", "a.pack", "--scenes", "scenes"]])
def test_a_run_is_of_one_kind(data, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", *data, "--out", str(tmp_path / "run")])
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert "--pack" in told and "--scenes" in told


def test_a_face_finder_is_trained_on_scenes(tmp_path, capsys):
    import numpy as np
    from PIL import Image

    from occlumark.train.checkpoint import load_checkpoint

    rows = ["file,kind,x0,y0,x1,y1"]
    for i in range(12):
        Image.fromarray(np.full((64, 64, 3), 9 * i, np.uint8)).save(tmp_path / f"drawn_{i}.png")
        rows.append(f"drawn_{i}.png,manual,10,10,40,40")
    (tmp_path / "boxes.csv").write_text("\n".join(rows))
    settings = (
        "workers=0",
        "optimiser.epochs=1",
        "optimiser.batch=4",
        "canvases=1",
        "augment.size=64",
        "network.neck=8",
    )
    overrides = [part for setting in settings for part in ("--set", setting)]
    out = tmp_path / "run"
    assert main(["train", *overrides, "--scenes", str(tmp_path), "--out", str(out), "--device", "cpu"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.parent == out
    checkpoint = load_checkpoint(path)
    assert checkpoint.kind == "finder" and checkpoint.config.network.neck == 8


def test_the_committed_configuration_of_the_face_finder_is_the_default_network():
    from occlumark.config import load
    from occlumark.model.face_finder import FinderNetworkConfig
    from occlumark.model.finder_objective import FinderObjectiveConfig
    from occlumark.train.config import FinderConfig

    config = load(FinderConfig, FINDER_CONFIG)
    assert (config.network, config.objective) == (FinderNetworkConfig(), FinderObjectiveConfig())
    assert config.augment.face_sides[1] <= config.augment.size
    assert "mask" in config.augment.occlude.kinds
