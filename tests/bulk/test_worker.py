"""A worker's rows: those of Detector, typed; a row for each photo without a face or that cannot be read."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pa = pytest.importorskip("pyarrow", reason="needs the bulk extra")

import pyarrow.parquet as pq  # noqa: E402

from occlumark.bulk.worker import ShardWorker, WorkerOptions, shard_file  # noqa: E402
from occlumark.detect import Detector  # noqa: E402
from occlumark.errors import OcclumarkError  # noqa: E402
from occlumark.photo import read_photo  # noqa: E402

PORTRAIT = Path(__file__).parents[2] / "occlumark" / "samples" / "astronaut.jpg"


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[Path]:
    """A face, nothing, damage, a file that is not there, and the face again, smaller."""
    folder = tmp_path_factory.mktemp("photos")
    Image.open(PORTRAIT).resize((256, 256)).save(folder / "small.png")
    Image.new("RGB", (64, 48)).save(folder / "black.png")
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff no")
    return [PORTRAIT, folder / "black.png", folder / "bad.jpg", folder / "none.jpg", folder / "small.png"]


@pytest.fixture(scope="module")
def worker(tmp_path_factory) -> ShardWorker:
    options = {"threads": 1}
    return ShardWorker(WorkerOptions(str(tmp_path_factory.mktemp("out")), detector=options, finder=options))


def ran(worker: ShardWorker, shard: int, photos: list[tuple[str, int]]):
    assert worker.run(shard, photos) == (shard, len(photos))
    return pq.read_table(Path(worker.options.out) / shard_file(shard))


def test_a_row_a_face_and_one_for_every_other_photo(worker, photos):
    table = ran(worker, 0, [(str(path), -1) for path in photos])
    rows = table.to_pylist()
    status = ["face", "no_face", "unreadable", "unreadable", "face"]
    assert [(row["photo"], row["status"]) for row in rows] == list(zip(map(str, photos), status, strict=True))
    assert rows[2]["error"] == "cannot read a photo of 6 bytes: no marker found"
    assert "no such file" in rows[3]["error"] and rows[0]["error"] is None
    assert (rows[1]["width"], rows[1]["height"], rows[1]["landmarks"]) == (64, 48, None)
    (face,) = Detector(threads=1).detect(read_photo(PORTRAIT))
    row = rows[0]
    assert (row["face"], row["width"], row["height"]) == (1, 512, 512)
    for name in ("box", "landmarks", "visibility", "expected_error", "eye_openness"):
        np.testing.assert_allclose(row[name], getattr(face, name), rtol=1e-5, atol=1e-5, err_msg=name)
    np.testing.assert_allclose([row["yaw_deg"], row["pitch_deg"], row["roll_deg"]], face.pose, rtol=1e-5)
    assert row["hidden_regions"] == pytest.approx(face.hidden_regions(), rel=1e-6)
    np.testing.assert_array_equal(np.array(row["occlusion_map"]), np.round(255 * face.occlusion_map))
    np.testing.assert_array_equal(np.reshape(row["crop_matrix"], (2, 3)), face.crop.matrix)
    types = {field.name: str(field.type) for field in table.schema}
    assert types["landmarks"] == "list<element: fixed_size_list<element: float>[2]>"
    assert (types["face"], types["score"], types["width"]) == ("int16", "float", "int32")
    assert table.schema.metadata[b"markup"] == b"300w"


def test_a_place_that_cannot_be_opened_is_a_row(worker):
    rows = ran(worker, 5, [("https://example.org/face.jpg", -1), (str(PORTRAIT), -1)]).to_pylist()
    assert [row["status"] for row in rows] == ["unreadable", "face"]


def test_the_same_photos_give_the_same_file(worker, photos):
    shard = [(str(path), -1) for path in photos[1:]]
    assert ran(worker, 1, shard).equals(ran(worker, 2, shard))


@pytest.mark.parametrize("nested", [False, True])
def test_photos_in_parquet(worker, photos, nested, tmp_path):
    contents = [photos[4].read_bytes(), None, photos[1].read_bytes(), photos[2].read_bytes()]
    column = [{"bytes": content, "path": None} for content in contents] if nested else contents
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"image": column, "name": ["a", "b", None, "d"]}), path, row_group_size=2)
    rows = ran(worker, 3, [(str(path), 2), (str(path), 3)]).to_pylist()
    assert [(row["photo"], row["status"]) for row in rows] == [(f"{path}#2", "no_face"), ("d", "unreadable")]
    assert ran(worker, 3, [(str(path), 3)]).to_pylist()[0]["photo"] == "d"
    rows = ran(worker, 4, [(str(path), 0), (str(path), 1)]).to_pylist()
    assert [(row["photo"], row["status"]) for row in rows] == [("a", "face"), ("b", "unreadable")]
    assert rows[1]["error"] == "its row holds no bytes"


def test_a_photo_is_no_name_and_names_may_be_bytes(worker, photos, tmp_path, monkeypatch):
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"photo": [photos[4].read_bytes()], "name": [b"a.jpg"]}), path)
    monkeypatch.setattr(worker, "options", replace(worker.options, bytes_column="photo"))
    assert [row["photo"] for row in ran(worker, 3, [(str(path), 0)]).to_pylist()] == ["a.jpg"]


def test_parquet_without_photos_names_its_columns(worker, tmp_path):
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "in.parquet")
    with pytest.raises(
        OcclumarkError, match=r"has no column bytes or image or .* of bytes; it has text \(string\); --b"
    ):
        worker.run(5, [(str(tmp_path / "in.parquet"), 0)])


@pytest.mark.parametrize("value", [str(PORTRAIT), [255, 216], 7, {"path": str(PORTRAIT)}])
def test_a_column_of_anything_but_bytes_is_no_photo(worker, value, tmp_path):
    """A path in it would be opened on the worker."""
    pq.write_table(pa.table({"image": [value]}), tmp_path / "in.parquet")
    with pytest.raises(OcclumarkError, match=r"of bytes; it has image \("):
        worker.run(5, [(str(tmp_path / "in.parquet"), 0)])


def test_a_damaged_page_is_one_line(worker, tmp_path):
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"image": [PORTRAIT.read_bytes()]}), path)
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 56 + content[60:])
    with pytest.raises(OcclumarkError, match="cannot read"):
        worker.run(5, [(str(path), 0)])


def test_networks_of_ones_own_travel_as_their_content(dot_network, photos, tmp_path):
    options = WorkerOptions(str(tmp_path), detector={"recrop": "never"}, weights=dot_network.read_bytes())
    assert ShardWorker(options).detector.model == Detector(weights=dot_network).model
    with pytest.raises(OcclumarkError, match=r"landmarks\.onnx"):
        ShardWorker(WorkerOptions(str(tmp_path), weights=io.BytesIO(b"no").getvalue()))


def test_large_photos_are_read_reduced_where_large_faces_are_asked_for(tmp_path, monkeypatch):
    Image.open(PORTRAIT).resize((2048, 2048), Image.Resampling.BICUBIC).save(tmp_path / "large.jpg", quality=92)
    rows = []
    for most in (True, False):
        if not most:
            monkeypatch.setattr(Detector, "most_reduction", lambda self: 1)
        options = WorkerOptions(
            str(tmp_path / str(most)), detector={"threads": 1}, finder={"min_face": 350, "threads": 1}
        )
        rows += ran(ShardWorker(options), 0, [(str(tmp_path / "large.jpg"), -1)]).to_pylist()
    for row in rows:
        assert (row["status"], row["width"], row["height"]) == ("face", 2048, 2048)
    here, there = (np.array(row["landmarks"]) for row in rows)
    assert 0 < np.abs(here - there).max() < 5
