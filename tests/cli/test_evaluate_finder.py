import csv
import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from occlumark.cli.main import build_parser
from occlumark.data.scenes import held_out, read_scenes
from occlumark.errors import AnnotationError, CheckpointError, OcclumarkError

FACE = np.array([10.0, 10, 30, 50])
#: Source, row in the table and grey of a scene: an exact face, an auto face, and none.
PHOTOS = [("w300", "manual,10,10,30,50", 255), ("mask", "auto,5,5,20,20", 0), ("other", "none,,,,", 0)]
MOVED = np.array([12.0, 10, 32, 50])


def occlumark(*words: str | Path) -> int:
    args = build_parser().parse_args(["evaluate-finder", *map(str, words)])
    return int(args.run(args))


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Stands in for the package's finder and answers white photos with the face, 2 to the right, at 0.9.

    Returns what the finder was made with."""
    options: dict[str, object] = {}

    class Finder:
        def __init__(self, **given: object) -> None:
            options.update(given)

        def __call__(self, photo: np.ndarray) -> list[tuple[np.ndarray, float]]:
            return [(MOVED, 0.9)] if photo.mean() > 200 else []

    monkeypatch.setattr("occlumark.finder.NetworkFinder", Finder)
    return options


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Sixty scenes: twenty with an exact face found, twenty with an auto face missed, twenty without a face."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    rows = ["file,kind,x0,y0,x1,y1"]
    for i in range(20):
        for source, row, grey in PHOTOS:
            name = f"{source}_{i}.png"
            rows.append(f"{name},{row}")
            cv2.imwrite(str(folder / name), np.full((60, 60, 3), grey, np.uint8))
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_json_of_the_held_out_photos(
    scenes: Path, finder: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert occlumark(scenes, "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    values = json.loads(line)
    _, other = held_out(read_scenes(scenes))
    assert values["part"] == "held-out" and values["photos"] == len(other) > 3
    assert values["parts"]["w300"]["at"]["default"]["exact"]["recall"] == 1
    assert values["parts"]["mask"]["at"]["default"]["auto"]["recall"] == 0
    assert finder == {"score": 0.02, "weights": None}


@pytest.mark.parametrize("part", ["training", "all"])
def test_other_parts(scenes: Path, finder: dict[str, object], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    occlumark(scenes, "--json", "--part", part, "--weights", "x.onnx")
    expected = {"training": len(held_out(read_scenes(scenes))[0]), "all": 60}
    assert json.loads(capsys.readouterr().out)["photos"] == expected[part]
    assert finder["weights"] == Path("x.onnx")


def test_the_report(scenes: Path, finder: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    occlumark(scenes, "--part", "all")
    few, default, sizes, boxes, end = capsys.readouterr().out.split("\n\n")
    title, head, *rows = few.splitlines()
    assert title == "at most 0.1 FPPI on `other`: any score"
    assert head.split("  ")[0] == "part" and "exact found %" in head and "FPPI" in head
    assert [row.split()[0] for row in rows] == ["mask", "other", "w300", "all"]
    # Wilson's interval of 20 of 20, 83.9 to 100.
    assert " ".join(rows[2].split()) == "w300 20 20 100.0 83.9 to 100.0 0 - - 0.000 100.0"
    assert rows[0].split()[2:5] == ["0", "-", "-"] and rows[0].split()[5:7] == ["20", "0.0"]
    assert default.startswith("default: score 0.")
    (band,) = [line for line in sizes.splitlines() if line.startswith("24 to 48")]
    assert band.split()[-3:] == ["20", "100.0", "100.0"]
    # The box is 2 of 40 to the right: 18 x 40 in common, of 22 x 40.
    assert boxes.splitlines()[1].split()[:6] == ["w300", "20", "0.818", "0.050", "+-", "0.000"]
    assert end.strip() == "photos: all; skipped: 0; faces missed at the default score: 20"


def test_the_table_of_faces(
    scenes: Path, finder: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    occlumark(scenes, "--part", "all", "--per-face", tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40 and rows[0]["photo"] == "mask_0.png" and rows[-1]["photo"] == "w300_9.png"
    missed, found = rows[0], rows[-1]
    assert missed["kind"] == "auto" and missed["score"] == missed["found_x0"] == missed["overlap"] == ""
    assert found["kind"] == "exact" and float(found["score"]) == 0.9
    corners = ("x0", "y0", "x1", "y1")
    assert [float(found[corner]) for corner in corners] == FACE.tolist()
    assert [float(found[f"found_{corner}"]) for corner in corners] == MOVED.tolist()
    assert float(found["overlap"]) == pytest.approx(18 / 22)


def test_a_photo_that_cannot_be_read(
    scenes: Path, finder: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    (scenes / "mask_0.png").write_bytes(b"no photo")
    assert occlumark(scenes, "--part", "all") == 1
    said = capsys.readouterr()
    assert "skipped: 1;" in said.out
    assert said.err.startswith("occlumark: skipped mask_0.png: cannot read")


def test_no_photo_in_the_part(tmp_path: Path, finder: dict[str, object]) -> None:
    (tmp_path / "boxes.csv").write_text("file,kind,x0,y0,x1,y1\nother_1.png,none,,,,\n")
    (tmp_path / "other_1.png").touch()
    (part,) = {"held-out", "training"} - {"held-out" if held_out(read_scenes(tmp_path))[1] else "training"}
    with pytest.raises(AnnotationError, match=f"none of the 1 photos in {tmp_path} is in the part {part}; choose"):
        occlumark(tmp_path, "--part", part)


def test_a_table_in_no_folder_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    table = tmp_path / "none" / "x.csv"
    with pytest.raises(OcclumarkError, match=f"cannot write {table}: no folder {table.parent}; make it first"):
        occlumark(tmp_path, "--per-face", table)


def test_weights_that_are_none(scenes: Path) -> None:
    with pytest.raises(CheckpointError):
        occlumark(scenes, "--weights", scenes / "none.onnx")


def test_present_measures_the_faces_that_detection_keeps(
    scenes: Path,
    finder: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A landmark network that calls every second face none halves the recall."""
    made: list[dict[str, object]] = []

    class Detector:
        def __init__(self, **given: object) -> None:
            made.append(given)
            self.count = 0

        def detect(self, photo: np.ndarray) -> list[SimpleNamespace]:
            found = [SimpleNamespace(box=box, score=score) for box, score in made[-1]["face_finder"](photo)]
            self.count += len(found)
            return found if self.count % 2 else []

    monkeypatch.setattr("occlumark.detect.Detector", Detector)
    assert occlumark(scenes, "--part", "all", "--json", "--present", "x.onnx") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parts"]["w300"]["at"]["default"]["exact"]["recall"] == pytest.approx(0.5)
    assert found["thresholds"]["default"] == 0 and finder["score"] is None  # detection decides, not a score
    assert set(made[0]) == {"weights", "face_finder"} and made[0]["weights"] == "x.onnx"
    assert occlumark(scenes, "--json", "--present", "occlumark") == 0
    assert made[1]["model"] == "occlumark"
