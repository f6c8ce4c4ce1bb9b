"""occlumark export: only a whole checkpoint of ours becomes a file."""

import pytest

pytest.importorskip("torch", reason="needs the train extra")

import torch
from safetensors.torch import save_file

from occlumark.cli.main import main


def exported(tmp_path, capsys) -> str:
    """Export a checkpoint that has to be refused; the one line."""
    assert main(["export", str(tmp_path / "c.safetensors"), "--out", str(tmp_path / "odn.onnx")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.glob("odn.onnx*"))
    return captured.err


def test_a_missing_checkpoint(tmp_path, capsys):
    assert "no such checkpoint" in exported(tmp_path, capsys)


def test_a_half_written_checkpoint(tmp_path, capsys):
    save_file({"x": torch.ones(100)}, tmp_path / "c.safetensors", metadata={"occlumark": "{}"})
    content = (tmp_path / "c.safetensors").read_bytes()
    (tmp_path / "c.safetensors").write_bytes(content[:-50])
    assert "truncated" in exported(tmp_path, capsys)


def test_somebody_elses_checkpoint(tmp_path, capsys):
    save_file({"x": torch.ones(3)}, tmp_path / "c.safetensors")
    assert "no checkpoint of occlumark train" in exported(tmp_path, capsys)
