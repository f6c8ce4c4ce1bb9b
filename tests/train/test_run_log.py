"""The log of a run."""

import json

import pytest

from occlumark.errors import CheckpointError
from occlumark.train.run_log import RunLog


def test_resuming_drops_what_came_after_the_checkpoint(tmp_path):
    with RunLog.open(tmp_path, resume_after=0, write=True) as log:
        for epoch in (1, 2, 3):
            log.write(epoch, {"a": epoch / 3})
    with RunLog.open(tmp_path, resume_after=1, write=True) as log:
        log.write(2, {"a": 9.0})
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [{"epoch": 1, "a": 0.333333}, {"epoch": 2, "a": 9.0}]


def test_the_other_processes_write_nothing(tmp_path):
    with RunLog.open(tmp_path / "run", resume_after=0, write=False) as log:
        log.write(1, {"a": 1.0})
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(CheckpointError, match="cannot write the run's folder"),
        RunLog.open(tmp_path / "file" / "run", resume_after=0, write=True),
    ):
        pass
