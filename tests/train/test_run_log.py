"""The log of a run."""

import json
import threading
import time

import pytest

from occlumark.errors import CheckpointError
from occlumark.train.run_log import RunLog


def told(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_resuming_drops_what_came_after_the_checkpoint(tmp_path):
    """Of a checkpoint of an older version, which has no lines: the file's are kept."""
    with RunLog.open(tmp_path, resume_after=0, write=True) as log:
        for epoch in (1, 2, 3):
            log.add(epoch, {"a": epoch / 3})
            log.write()
    with RunLog.open(tmp_path, resume_after=1, write=True) as log:
        log.add(2, {"a": 9.0})
        log.write()
    assert told(tmp_path) == [{"epoch": 1, "a": 0.333333}, {"epoch": 2, "a": 9.0}]


def test_the_checkpoints_lines_are_the_ones(tmp_path):
    """The file lacks the second epoch, as its run ended between the two files; the first is of an older version."""
    (tmp_path / "log.jsonl").write_text('{"epoch": 1}\n')
    with RunLog.open(tmp_path, 2, True, ['{"epoch": 2}']) as log:
        assert log.lines == ['{"epoch": 1}', '{"epoch": 2}']
    assert told(tmp_path) == [{"epoch": 1}, {"epoch": 2}]
    (tmp_path / "log.jsonl").write_bytes(b"\xff half a li")
    with RunLog.open(tmp_path, 2, True, log.lines):
        assert told(tmp_path) == [{"epoch": 1}, {"epoch": 2}]


def test_the_other_processes_write_nothing(tmp_path):
    with RunLog.open(tmp_path / "run", resume_after=0, write=False) as log:
        log.add(1, {"a": 1.0})
        log.write()
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(CheckpointError, match="cannot write the run's folder"),
        RunLog.open(tmp_path / "file" / "run", resume_after=0, write=True),
    ):
        pass


def test_what_tensorboard_cannot_write_is_raised_and_no_traceback_of_its_thread(tmp_path, monkeypatch, capsys):
    """As where a folder becomes read-only: its thread fails, and the run's next line says so."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    def refuse(*_):
        raise PermissionError(13, "Permission denied", "events")

    before = threading.excepthook
    with pytest.raises(PermissionError), RunLog.open(tmp_path, resume_after=0, write=True) as log:
        monkeypatch.setattr(RecordWriter, "write", refuse)
        for epoch in range(1, 100):
            log.add(epoch, {"a": 1.0})
            log.write()
            time.sleep(0.01)
    assert capsys.readouterr().err == "" and threading.excepthook is before
