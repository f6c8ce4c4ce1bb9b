"""The plan: every photo of a source once, in shards of a fixed order; what resuming follows and refuses."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow", reason="needs the bulk extra")

import pyarrow.parquet as pq  # noqa: E402

from occlumark.bulk import plan as plan_module  # noqa: E402
from occlumark.bulk.plan import Plan  # noqa: E402
from occlumark.bulk.storage import Storage  # noqa: E402
from occlumark.errors import OcclumarkError  # noqa: E402
from occlumark.packaged import packaged_weights  # noqa: E402


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for name in ("b.jpg", "a.png", "below/c.webp", "notes.txt", ".hidden.jpg"):
        (folder / name).write_bytes(b"x")
    return folder


def rows(plan: Plan) -> list[tuple[int, str, int]]:
    return [tuple(row.values()) for row in plan.table.to_pylist()]


def test_a_folder_in_shards(photos):
    plan = Plan.of(str(photos), 2)
    a, b, c = (str(photos / name) for name in ("a.png", "b.jpg", "below/c.webp"))
    assert rows(plan) == [(0, a, -1), (0, b, -1), (1, c, -1)] and plan.shards == 2
    assert (plan.count_of(0), plan.count_of(1)) == (2, 1)
    assert plan.photos_of(0) == [(a, -1), (b, -1)] and plan.photos_of(1) == [(c, -1)]


def test_a_folder_by_url_and_a_list(photos, tmp_path, monkeypatch):
    url = photos.as_uri()
    assert [name for _, name, _ in rows(Plan.of(url, 9))] == [f"{url}/a.png", f"{url}/b.jpg", f"{url}/below/c.webp"]
    (tmp_path / "list.txt").write_text(f"{url}/b.jpg\n\n/none.jpg\n{url}/b.jpg\n")  # named twice, taken once
    monkeypatch.chdir(photos)
    (tmp_path / "here.txt").write_text("b.jpg\n")
    assert rows(Plan.of(str(tmp_path / "here.txt"), 1)) == [(0, str(photos / "b.jpg"), -1)]
    assert rows(Plan.of(str(tmp_path / "list.txt"), 1)) == [(0, f"{url}/b.jpg", -1), (1, "/none.jpg", -1)]


def test_any_name_below_a_url_can_be_read(tmp_path):
    names = ["a b.jpg", "c#d.jpg", "e%20f.jpg", "g?h.jpg", "ü (1).jpg"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    places = [place for _, place, _ in rows(Plan.of(tmp_path.as_uri(), 9))]
    assert sorted(Storage(place).read().decode() for place in places) == sorted(names)


def test_what_lies_below_a_url_stands_before_its_query():
    assert (
        plan_module._below("s3://b/photos/?endpoint_override=h", "a b.jpg")
        == "s3://b/photos/a%20b.jpg?endpoint_override=h"
    )


def test_a_run_among_the_photos_is_none_of_them(photos):
    (photos / "out").mkdir()
    (photos / "out" / "_about.json").write_text("{}")
    pq.write_table(pa.table({"photo": ["a"]}), photos / "out" / "shard-0000000.parquet")
    assert len(rows(Plan.of(str(photos), 9))) == 3
    pq.write_table(pa.table({"bytes": [b"1"]}), photos / "more.pq")
    with pytest.raises(
        OcclumarkError, match=r"holds photos and Parquet files, as a\.png and more\.pq; name the folder"
    ):
        Plan.of(str(photos), 9)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are UTF-8")
def test_a_name_that_is_not_utf_8_is_a_row_that_cannot_be_read(photos, tmp_path):
    (photos / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    names = [name for _, name, _ in rows(Plan.of(str(photos), 9))]
    assert str(photos / "caf\\xe9.jpg") in names and len(names) == 4
    with pytest.raises(OcclumarkError, match="its name is not UTF-8"):
        Storage(str(photos / os.fsdecode(b"caf\xe9.jpg"))).read()


def test_a_list_of_notepads(photos, tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + str(photos / "b.jpg").encode())
    assert rows(Plan.of(str(tmp_path / "list.txt"), 9)) == [(0, str(photos / "b.jpg"), -1)]


def test_parquet_files_are_cut_at_their_row_groups(tmp_path):
    table = pa.table({"bytes": [b"1", b"2", b"3", b"4", b"5"]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    pq.write_table(table.slice(0, 1), tmp_path / "b.parquet")
    (tmp_path / "_about.parquet").write_bytes(b"no")
    a, b = str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")
    expected = [(0, a, 0), (0, a, 1), (1, a, 2), (2, a, 3), (2, a, 4), (3, b, 0)]
    assert rows(Plan.of(str(tmp_path), 2)) == expected
    assert rows(Plan.of(b, 2)) == [(0, b, 0)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none", "no such file or folder: "),
        ("none.txt", "no such file or folder: "),
        ("empty.txt", "no photo in "),
        ("x.parquet", "is no Parquet file"),
    ],
)
def test_a_source_that_cannot_be_used_is_one_line(source, message, tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(OcclumarkError, match=message) as caught:
        Plan.of(str(tmp_path / source), 2)
    assert "\n" not in str(caught.value)


def test_a_url_of_no_store_is_one_line():
    with pytest.raises(OcclumarkError, match="cannot use nowhere://x"):
        Storage("nowhere://x")


def test_a_run_that_has_begun_is_followed(photos, tmp_path):
    out, about = Storage(str(tmp_path / "out")), {"source": "s", "photos_in_shard": 2}
    assert Plan.begun(out, about) is None
    plan = Plan.of(str(photos), 2)
    plan.write(out, about)
    (photos / "new.jpg").write_bytes(b"x")
    assert rows(Plan.begun(out, about)) == rows(plan)
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_another_source_or_damage_is_refused(photos, tmp_path):
    out, about = Storage(str(tmp_path / "out")), {"source": "s", "photos_in_shard": 2}
    Plan.of(str(photos), 2).write(out, about)
    with pytest.raises(OcclumarkError, match="was begun with photos_in_shard 2, not 3: resume with the same"):
        Plan.begun(out, about | {"photos_in_shard": 3})
    content = io.BytesIO()
    pq.write_table(Plan.of(str(photos), 1).table, content)
    out.write("_plan.parquet", content.getvalue())
    with pytest.raises(OcclumarkError, match="is damaged: the plan is another one"):
        Plan.begun(out, about)
    (tmp_path / "out" / "_about.json").write_text(json.dumps([]))
    with pytest.raises(OcclumarkError, match="is damaged"):
        Plan.begun(out, about)


def test_another_network_is_told_by_its_name(photos, tmp_path):
    out, about = Storage(str(tmp_path / "out")), {"landmarks": packaged_weights("occlumark")[1]}
    Plan.of(str(photos), 2).write(out, about)
    said = r"was begun with landmarks occlumark \(\w{12}\.\.\.\), not occlumark-fast \(\w{12}\.\.\.\): resume"
    with pytest.raises(OcclumarkError, match=said):
        Plan.begun(out, {"landmarks": packaged_weights("occlumark-fast")[1]})


def test_a_folder_of_others_files_is_left_alone(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "mine.parquet")
    with pytest.raises(OcclumarkError, match="holds files that are of no run"):
        Plan.begun(Storage(str(tmp_path)), {})


def test_a_folder_of_photos_is_no_place_for_shards(photos):
    """Read as one table it would fail on them."""
    with pytest.raises(OcclumarkError, match="holds files that are of no run"):
        Plan.begun(Storage(str(photos)), {})
