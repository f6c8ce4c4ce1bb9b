"""The comparison with MediaPipe and dlib: their points as 68, the arithmetic, the pipe. Neither is installed here."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks.photo_size import fitted
from benchmarks.rival_faces import face_errors, inside, mesh_68, on_face, place_in
from benchmarks.rival_landmarks import RivalLandmarks, answer
from benchmarks.rival_points import INNER, MESH_TO_68, Adaptation, Frame
from benchmarks.rivals_report import Summary, draw, error_table, read_errors, summaries, time_table
from occlumark.data.sample import Sample
from occlumark.markup import REGIONS

#: The mesh's contours as MediaPipe's face_mesh_connections.py chains them, each from the first of the 68 points on.
OVAL = "234 93 132 58 172 136 150 149 176 148 152 377 400 378 379 365 397 288 361 323 454"
RINGS = {
    (0, 17): f"162 127 {OVAL} 356 389",
    (36, 42): "33 246 161 160 159 158 157 173 133 155 154 153 145 144 163 7",
    (42, 48): "362 398 384 385 386 387 388 466 263 249 390 373 374 380 381 382",
    (48, 60): "61 185 40 39 37 0 267 269 270 409 291 375 321 405 314 17 84 181 91 146",
    (60, 68): "78 191 80 81 82 13 312 311 310 415 308 324 318 402 317 14 87 178 88 95",
}


@pytest.fixture
def face() -> np.ndarray:
    """(68, 2) a face of no special shape, whose eyes are not level."""
    points = np.random.default_rng(0).uniform(100, 200, (68, 2))
    points[36:42] += [-40, -10]
    points[42:48] += [40, 0]
    return points


def sample_of(landmarks: np.ndarray) -> Sample:
    return Sample("one", None, landmarks)  # type: ignore[arg-type]


@pytest.mark.parametrize(("points", "ring"), RINGS.items())
def test_points_follow_the_meshs_contours_in_the_order_of_the_68(points, ring):
    places = [ring.split().index(str(vertex)) for vertex in MESH_TO_68[slice(*points)]]
    assert places == sorted(set(places)) and places[0] == 0


def test_no_vertex_stands_for_two_points_and_regions_are_as_in_the_markup():
    assert len(set(MESH_TO_68.tolist())) == 68 and MESH_TO_68.max() < 468
    assert (INNER.start, INNER.stop) == (max(REGIONS["jaw"]) + 1, 68)
    points = np.arange(2 * 478, dtype=float).reshape(1, 478, 2)
    assert mesh_68(points)[0, 33].tolist() == [4.0, 5.0]  # the nose's base is vertex 2
    assert mesh_68(np.empty((0, 468, 2))).shape == (0, 68, 2)


def test_a_frame_moves_turns_and_grows_with_its_face(face):
    angle, zoom = 0.7, 1.9
    turn = zoom * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    own = Frame.of(face).to_face(face)
    moved = face @ turn + [30, -8]
    assert np.allclose(Frame.of(moved).to_face(moved), own)
    assert np.allclose(Frame.of(face).to_photo(own), face)
    inner = own[INNER]
    assert np.allclose(inner.mean(axis=0), 0) and np.isclose((inner**2).sum(axis=1).mean(), 1)
    assert np.isclose(own[42:48, 1].mean(), own[36:42, 1].mean()) and own[42:48, 0].mean() > own[36:42, 0].mean()
    with pytest.raises(ValueError, match="both eyes are at one place"):
        Frame.of(np.ones((68, 2)))


@pytest.mark.parametrize(("ridge", "weight"), [(None, 0.0), (1e-9, 0.3)])
def test_a_difference_of_definition_is_found_and_taken_out(face, ridge, weight):
    """Truths made by a known offset and map of the face's own coordinates come out again on a face never seen."""
    random = np.random.default_rng(1)
    offset, matrix = random.normal(0, 0.1, 136), weight * random.normal(0, 0.1, (136, 136))
    faces = face + random.normal(0, 5, (400, 68, 2))
    mean = np.mean([Frame.of(f).to_face(f).ravel() for f in faces[:-1]], axis=0)

    def truth(points: np.ndarray) -> np.ndarray:
        own = Frame.of(points).to_face(points).ravel()
        return Frame.of(points).to_photo((own + offset + (own - mean) @ matrix).reshape(-1, 2))

    adaptation = Adaptation.fit(faces[:-1], np.stack([truth(f) for f in faces[:-1]]), ridge)
    assert np.abs(truth(faces[-1]) - faces[-1]).max() > 3
    assert np.abs(adaptation(faces[-1]) - truth(faces[-1])).max() < 0.01


def test_an_error_is_of_all_points_and_of_those_without_the_jaw(face):
    face[36], face[45] = [100, 100], [140, 130]  # 50 apart
    found = face.copy()
    found[:17] += [3, 4]
    found[17:] += [0, 1]
    assert face_errors(found[None], sample_of(face), given=True) == pytest.approx((136 / 68 / 50, 1 / 50))
    far = np.stack([found + 500, found])
    assert face_errors(far, sample_of(face), given=False) == pytest.approx((0.04, 0.02))
    assert np.isnan(face_errors(far[:1], sample_of(face), given=False)).all()
    assert on_face(np.empty((0, 68, 2)), sample_of(face)) is None


def test_a_box_lies_again_where_it_lay_in_another():
    outer, inner = np.array([10.0, 20, 110, 70]), np.array([20.0, 15, 100, 80])
    assert place_in(inner, outer).tolist() == [0.1, -0.1, 0.9, 1.2]
    assert np.allclose(inside(2 * outer + 7, place_in(inner, outer)), 2 * inner + 7)


@pytest.mark.parametrize(("shape", "zoom", "inside_px"), [((240, 240), 2, (480, 480)), ((100, 320), 2, (200, 640))])
def test_a_photo_is_brought_to_the_measured_size_with_its_box(shape, zoom, inside_px):
    photo, box = fitted(np.full((*shape, 3), 200, np.uint8), np.array([1.0, 2, 30, 40]))
    assert photo.shape == (480, 640, 3) and box.tolist() == [zoom, 2 * zoom, 30 * zoom, 40 * zoom]
    height, width = inside_px
    assert (photo[:height, :width] == 200).all() and photo.sum() == 200 * 3 * height * width


class Middle:
    """A system that finds one face, at the photo's middle, where it is not black."""

    def whole(self, photo):
        if not photo.any():
            return np.empty((0, 68, 2)), np.empty((0, 4))
        height, width = photo.shape[:2]
        return np.tile([width / 2, height / 2], (1, 68, 1)), np.array([[0, 0, width, height]])

    def given(self, photo, boxes):
        return np.tile(boxes[:, None, :2] + photo[0, 0, 0], (1, 68, 1))

    def timed_given(self, photo, boxes, repetitions):
        return [1.0, 9.0, 2.0][:repetitions]


def asked(photo: np.ndarray, boxes: list | None, repetitions: int) -> dict:
    head = {"height": photo.shape[0], "width": photo.shape[1], "boxes": boxes, "repetitions": repetitions}
    answers = io.BytesIO()
    answer(Middle(), io.BytesIO(json.dumps(head).encode() + b"\n" + photo.tobytes()), answers)
    return json.loads(answers.getvalue())


def test_a_rival_answers_by_its_own_finder_in_boxes_and_with_times():
    photo = np.full((4, 6, 3), 5, np.uint8)
    own = asked(photo, None, 0)
    assert own["points"][0][67] == [3.0, 2.0] and own["boxes"] == [[0, 0, 6, 4]] and own["given_s"] is None
    given = asked(photo, [[1, 2, 3, 4], [5, 6, 7, 8]], 0)
    assert given["points"][1][0] == [10.0, 11.0] and len(given["boxes"]) == 2
    timed = asked(photo, [[1, 2, 3, 4]], 3)
    assert timed["given_s"] == 2.0 and timed["whole_s"] >= 0 and timed["points"][0][0] == [3.0, 2.0]


def test_the_other_end_of_the_pipe_reads_the_same():
    code = (
        "import sys; from benchmarks.rival_landmarks import answer; from tests.test_rivals import Middle; "
        "answer(Middle(), sys.stdin.buffer, sys.stdout.buffer)"
    )
    rival = RivalLandmarks("middle", [sys.executable, "-c", code])
    found = rival(np.full((4, 6, 3), 5, np.uint8), np.array([[1.0, 2, 3, 4]]))
    assert found.points.shape == (1, 68, 2) and found.points[0, 9].tolist() == [6.0, 7.0]
    assert found.boxes.tolist() == [[1, 2, 3, 4]] and np.isnan(found.whole_s)
    assert rival(np.zeros((4, 6, 3), np.uint8)).points.shape == (0, 68, 2)
    rival.close()
    assert rival.process.returncode == 0


def test_means_over_the_own_and_over_the_shared_faces():
    nan = float("nan")
    rows = {"a": np.array([0.1, 0.2, 0.3, 0.9]), "b": np.array([0.5, nan, 0.1, nan]), "c": np.array([nan] * 4)}
    of = summaries({name: rows[name] for name in "ab"})
    assert of["a"] == pytest.approx(Summary(1.0, 0.375, 0.2)) and of["b"] == pytest.approx(Summary(0.5, 0.3, 0.3))
    assert summaries(rows)["c"] == Summary(0.0, None, None) and summaries(rows)["a"].shared is None


def test_the_tables_and_the_picture_come_from_the_files(tmp_path):
    pytest.importorskip("matplotlib", reason="needs the paper extra")
    systems = ("occlumark", "occlumark-fast", "odn", "dlib", "mesh", "mesh-refined")
    heads = ["name", "subset", *(f"{system} own" for system in systems)]
    for points, (a, b, c) in {"68": ("0.0300", "0.0500", "0.0600"), "51": ("0.0200", "0.0300", "0.0400")}.items():
        lines = [["a.jpg", "common", *[a] * 6], ["b.jpg", "common", *[b] * 5, ""], ["c.jpg", "challenging", *[c] * 6]]
        text = "\n".join(",".join(line) for line in [heads, *lines])
        (tmp_path / f"rivals-{points}.csv").write_text(text + "\n")
    errors = read_errors(tmp_path)
    table = error_table(errors)
    assert table[1][:4] == ["occlumark", "its own", "100.0", "100.0"]
    assert table[1][4:] == ["4.00 / 3.00", "6.00 / 6.00", "2.50 / 2.00", "4.00 / 4.00"]
    assert table[6][1:5] == ["its own", "50.0", "100.0", "3.00 / 3.00"]
    times = {"plain": (20.0, float("nan")), **{system: (5.0, 10.0) for system in systems}}
    assert time_table(times)[1][1:] == ["20.00", "1.000", "-", "-"]
    assert time_table(times)[2] == ["occlumark", "5.00", "0.250", "10.00", "0.500"]
    draw(errors, times, tmp_path / "rivals.png")
    with Image.open(tmp_path / "rivals.png") as picture:
        assert picture.size == (900, 540)


@pytest.mark.parametrize("linked", ["root", "subset", "none"])
def test_errors_are_named_by_300ws_folders_through_links_too(tmp_path, monkeypatch, linked):
    """Where 300W's own folder, or one inside it, is a link to another disk."""
    pytest.importorskip("torch", reason="needs the train extra")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))  # as a script finds its neighbours
    from benchmarks import rivals

    real, root = tmp_path / "disk", tmp_path / "300w"
    for i, folder in enumerate(("lfpw/testset", "helen/testset", "ibug")):
        (real / folder).mkdir(parents=True)
        Image.new("RGB", (90, 90)).save(real / folder / f"{i}.png")
        points = "\n".join(f"{10 + x} {20 + x % 7 * 9}" for x in range(68))
        (real / folder / f"{i}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{points}\n}}\n")
    (real / "detector_boxes.csv").write_text(
        "set,file,x0,y0,x1,y1\nlfpw/testset,0.png,9,9,80,80\nhelen/testset,1.png,9,9,80,80\nibug,2.png,9,9,80,80\n"
    )
    if linked == "subset":
        (real / "ibug").rename(tmp_path / "ibug")
        (real / "ibug").symlink_to(tmp_path / "ibug")
    if linked == "root":
        root.symlink_to(real)
    else:
        real.rename(root)

    class Points:
        def rows(self, photo, box):
            yield "ours official", np.zeros((1, 68, 2))

    rivals.measure(root, Points(), None, tmp_path)
    for points in ("rivals-68.csv", "rivals-51.csv"):
        lines = (tmp_path / points).read_text("utf-8").splitlines()
        assert [line.split(",")[:2] for line in lines[1:]] == [
            ["lfpw/testset/0.png", "common"],
            ["helen/testset/1.png", "common"],
            ["ibug/2.png", "challenging"],
        ]


def test_our_rows_are_measured_again_beside_the_rivals_as_they_are_written(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="needs the train extra")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    from benchmarks import rivals

    root, out = tmp_path / "300w", tmp_path / "out"
    out.mkdir()
    grid = np.array([(10 + x, 20 + x % 7 * 9) for x in range(68)], float)
    for folder in ("lfpw/testset", "helen/testset", "ibug"):
        (root / folder).mkdir(parents=True)
        Image.new("RGB", (90, 90)).save(root / folder / "a.png")
        points = "\n".join(f"{x + 0.5} {y + 0.5}" for x, y in grid)
        (root / folder / "a.pts").write_text(f"version: 1\nn_points: 68\n{{\n{points}\n}}\n")
    (root / "detector_boxes.csv").write_text(
        "set,file,x0,y0,x1,y1\nlfpw/testset,a.png,9,9,80,80\nhelen/testset,a.png,9,9,80,80\nibug,a.png,9,9,80,80\n"
    )
    for name in ("rivals-68.csv", "rivals-51.csv"):
        (out / name).write_text(
            "name,subset,ours official,ours own,dlib own\n"
            "lfpw/testset/a.png,common,0.5,0.5,0.0123\nibug/a.png,challenging,0.5,0.5,\n"
            "helen/testset/a.png,common,0.5,0.5,0.0456\n"
        )

    class Exact:
        def detect(self, photo, boxes=None):
            return [SimpleNamespace(landmarks=grid)] if boxes is not None else []

    rivals.measure(root, rivals.Ours({"ours": Exact()}), None, out)
    for name in ("rivals-68.csv", "rivals-51.csv"):
        assert (out / name).read_text("utf-8").splitlines() == [
            "name,subset,ours official,ours own,dlib own",
            "lfpw/testset/a.png,common,0.0000,,0.0123",
            "helen/testset/a.png,common,0.0000,,0.0456",
            "ibug/a.png,challenging,0.0000,,",
        ]
