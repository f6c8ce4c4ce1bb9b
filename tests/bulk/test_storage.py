"""Files below a place, by path or URL: whole or not at all, whoever else writes them."""

import threading
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="needs the bulk extra")

from pyarrow import fs

from occlumark.bulk import storage as storage_module
from occlumark.bulk.storage import Storage
from occlumark.errors import OcclumarkError


def renaming(folder: Path) -> Storage:
    """A place that is written as HDFS is: no local one, but with names that can be given at once."""
    storage = Storage(str(folder))
    storage._files = fs.SubTreeFileSystem("/", fs.LocalFileSystem())
    return storage


@pytest.mark.parametrize("make", [lambda folder: Storage(str(folder)), renaming], ids=["disk", "renaming"])
def test_many_writers_of_one_file_never_mix(tmp_path, monkeypatch, make):
    monkeypatch.setattr(storage_module, "_renames", lambda files: True)
    contents = [bytes([i]) * 300_000 for i in range(4)]
    start, problems = threading.Barrier(len(contents)), []

    def write(content: bytes) -> None:
        place = make(tmp_path)
        start.wait()
        try:
            for _ in range(25):
                place.write("shard.parquet", content)
                assert place.read("shard.parquet") in contents
        except (OcclumarkError, AssertionError) as error:
            problems.append(str(error)[:200])

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == [] and [path.name for path in tmp_path.iterdir()] == ["shard.parquet"]


@pytest.mark.parametrize("make", [lambda folder: Storage(str(folder)), renaming], ids=["disk", "renaming"])
def test_what_cannot_take_its_name_leaves_nothing(tmp_path, monkeypatch, make):
    monkeypatch.setattr(storage_module, "_renames", lambda files: True)
    (tmp_path / "shard.parquet" / "mine").mkdir(parents=True)
    with pytest.raises(OcclumarkError, match=r"shard\.parquet"):
        make(tmp_path).write("shard.parquet", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["shard.parquet"]
