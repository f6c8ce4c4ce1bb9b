"""occlumark train: what a user can get wrong is one line and exit code 1."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from occlumark.cli.main import main

CONFIG = Path(__file__).parents[2] / "configs" / "odn.toml"


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
        ("optimiser.matrix_rate=0", "matrix_rate is above 0, not 0"),
        ("optimiser.weight_decay=0.1", "weight_decay is 0 for landmarks"),
        ("seed=-1", "seed and workers are at least 0"),
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
