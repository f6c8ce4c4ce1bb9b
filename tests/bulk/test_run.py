"""The driver on a local cluster: killed workers, resumed runs, and what is refused."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("ray", reason="needs the bulk extra (ray)")
pytest.importorskip("pyarrow", reason="needs the bulk extra (pyarrow)")

import pyarrow.parquet as pq

from occlumark.bulk import run as run_module
from occlumark.bulk.plan import Plan
from occlumark.bulk.run import run_bulk
from occlumark.bulk.storage import Storage
from occlumark.bulk.worker import ShardWorker, WorkerOptions, shard_file
from occlumark.cli.main import main
from occlumark.errors import OcclumarkError
from occlumark.files import owned_folder

PORTRAIT = Path(__file__).parents[2] / "occlumark" / "samples" / "astronaut.jpg"


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    portrait = Image.open(PORTRAIT)
    for i in range(12):
        portrait.resize((160 + 4 * i, 160 + 4 * i)).save(folder / f"{i:02}.png")
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff no")
    return folder


def options(out: Path) -> WorkerOptions:
    return WorkerOptions(str(out), detector={"threads": 1}, finder={"threads": 1})


def rows(out: Path):
    return pq.read_table(out).sort_by([("photo", "ascending"), ("face", "ascending")])


def killer(out: Path) -> threading.Thread:
    """Kills one of Ray's workers that detect, once the first shard is there."""

    def kill() -> None:
        while not list(out.glob("shard-*.parquet")):
            time.sleep(0.02)
        for status in Path("/proc").glob("[0-9]*/cmdline"):
            if status.read_bytes().startswith(b"ray::ShardWorker") and _is_ours(status.parent):
                os.kill(int(status.parent.name), signal.SIGKILL)
                return

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def _is_ours(process: Path) -> bool:
    """Whether we are its grandparent: another test run may have workers of its own."""
    while process.name not in ("0", "1"):
        if process.name == str(os.getpid()):
            return True
        process = Path("/proc") / next(
            line.split()[1] for line in (process / "status").read_text().splitlines() if line.startswith("PPid")
        )
    return False


@pytest.mark.slow
def test_two_workers_one_killed_in_the_middle_then_resumed(photos, tmp_path, capsys, monkeypatch):
    """The same rows as one worker's in this process, which no Ray has touched."""
    monkeypatch.setenv("RAY_worker_niceness", "0")  # on a busy machine they would hardly run
    alone = ShardWorker(options(tmp_path / "alone"))
    paths = [(str(path), -1) for path in sorted(photos.iterdir())]
    for shard in range(7):
        alone.run(shard, paths[2 * shard : 2 * shard + 2])
    out = tmp_path / "faces.parquet"
    thread = killer(out)
    totals = run_bulk(str(photos), options(out), {}, workers=2, photos_in_shard=2)
    thread.join(10)
    assert (totals.photos, totals.unreadable, totals.shards, totals.done_now) == (13, 1, 7, 13)
    assert "a worker was lost; shard" in capsys.readouterr().err
    assert rows(out).equals(rows(tmp_path / "alone"))
    (out / shard_file(3)).unlink()
    (photos / "99.png").write_bytes(b"")  # what came since is not in the plan
    monkeypatch.setattr(run_module, "_LOST", ())
    assert run_bulk(str(photos), options(out), {}, workers=2, photos_in_shard=2).done_now == 2
    assert rows(out).equals(rows(tmp_path / "alone"))
    monkeypatch.setattr(run_module, "_connect", None)  # a finished run starts no cluster
    assert run_bulk(str(photos), options(out), {}, photos_in_shard=2).done_now == 0
    with pytest.raises(OcclumarkError, match="was begun with photos_in_shard 2, not 3"):
        run_bulk(str(photos), options(out), {}, photos_in_shard=3)
    (out / shard_file(3)).write_bytes((out / shard_file(3)).read_bytes()[:200])
    with pytest.raises(OcclumarkError, match=f"{shard_file(3)} is damaged; remove it and run again"):
        run_bulk(str(photos), options(out), {}, photos_in_shard=2)


def test_a_network_that_cannot_be_used_is_told_before_any_cluster_starts(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_module, "_connect", None)
    (tmp_path / "no.onnx").write_bytes(b"no")
    assert main(["bulk", str(photos), str(tmp_path / "out"), "--weights", str(tmp_path / "no.onnx")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("occlumark: ") and err.count("\n") == 1


def test_a_cluster_that_is_not_there_is_one_line(photos, tmp_path, capsys):
    assert main(["bulk", str(photos), str(tmp_path / "out"), "--address", "127.0.0.1:1"]) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[-1].startswith("occlumark: cannot reach the cluster at 127.0.0.1:1: ")


OWNING = (
    "import sys; from pathlib import Path; from occlumark.files import owned_folder\n"
    "with owned_folder(Path(sys.argv[1])):\n"
    "    print('ready', flush=True); sys.stdin.read()\n"
)


def test_a_second_driver_is_one_line_and_a_killed_one_hinders_nobody(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_module, "_detect", lambda plan, shards, *_: 0)
    monkeypatch.setattr(run_module, "_connect", lambda *_: None)
    monkeypatch.setattr(run_module, "_totals", lambda out, plan, done_now: run_module.Totals(13, 0, 1, 1, done_now))
    out = tmp_path / "faces.parquet"
    command = [sys.executable, "-c", OWNING, str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None and first.stdout.readline() == "ready\n"
        assert main(["bulk", str(photos), str(out), "--workers", "1"]) == 1
        captured = capsys.readouterr()
        assert captured.err.startswith(f"occlumark: {out} is in use by process {first.pid} on ")
        assert captured.err.count("\n") == 1 and captured.out == "" and len(list(out.iterdir())) == 1
        first.kill()
    assert main(["bulk", str(photos), str(out), "--workers", "1"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["_about.json", "_plan.parquet"]


def test_a_finished_run_is_counted_while_somebody_else_has_the_folder(photos, tmp_path, monkeypatch):
    """So it is where nothing can be written any more."""
    out = tmp_path / "faces.parquet"
    alone = ShardWorker(options(out))
    alone.run(0, [(str(path), -1) for path in sorted(photos.iterdir())])
    Plan.of(str(photos), 13).write(Storage(str(out)), {"source": str(photos), "photos_in_shard": 13})
    monkeypatch.setattr(run_module, "_connect", None)
    with owned_folder(out):
        totals = run_bulk(str(photos), options(out), {}, photos_in_shard=13)
    assert (totals.photos, totals.unreadable, totals.done_now) == (13, 1, 0)
