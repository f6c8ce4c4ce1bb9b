"""`occlumark background`, with a face finder that finds nothing."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.cli.main import main
from occlumark.data.scenes import held_out, read_scenes


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve photos without a face; the first of those to train on is no photo."""

    class Nothing:
        def __init__(self, score: float) -> None:
            pass

        def __call__(self, photo: np.ndarray) -> list[tuple[np.ndarray, float]]:
            return []

    monkeypatch.setattr("occlumark.finder.NetworkFinder", Nothing)
    folder = tmp_path / "scenes"
    folder.mkdir()
    with (folder / "boxes.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "kind", "x0", "y0", "x1", "y1"])
        for i in range(12):
            cv2.imwrite(str(folder / f"other_{i:05}.png"), np.full((80, 100, 3), 20 * i, np.uint8))
            rows.writerow([f"other_{i:05}.png", "none", "", "", "", ""])
    usable, _ = held_out(read_scenes(folder))
    usable[0].photo.write_bytes(b"no photo")
    return folder


def test_crops_are_written_and_unreadable_scenes_told(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usable, _ = held_out(read_scenes(scenes))
    out = tmp_path / "background.npy"
    assert main(["background", str(scenes), "--out", str(out), "--size", "64", "--per-scene", "2"]) == 1
    said = capsys.readouterr()
    crops = np.load(out)
    assert crops.shape == (2 * (len(usable) - 1), 64, 64, 3)
    assert said.err.startswith(f"occlumark: left out {usable[0].name}: ") and said.err.count("\n") == 1
    assert said.out == f"{len(crops)} crops of 64 x 64 pixels without a face into {out}\n"


def test_faces_asked_for_and_not_found_leave_no_file(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["background", str(scenes), "--out", str(tmp_path / "a.npy"), "--faces", str(tmp_path / "b.npy")]
    assert main(arguments) == 1
    assert "--faces: the face finder found none of the faces in " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["scenes"]


@pytest.mark.parametrize("option", ["--out", "--faces"])
def test_a_place_that_cannot_be_written_is_told_before_the_cutting(
    option: str, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("occlumark.data.background.scene_crops", None)
    out, nowhere = tmp_path / "a.npy", tmp_path / "nowhere" / "b.npy"
    assert main(["background", str(scenes), "--out", str(out), option, str(nowhere)]) == 1
    assert capsys.readouterr().err == f"occlumark: cannot write {nowhere}: No such file or directory\n"
    assert [path.name for path in tmp_path.iterdir()] == ["scenes"]


def test_scenes_of_which_none_can_be_read(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for photo in scenes.glob("*.png"):
        photo.write_bytes(b"")
    assert main(["background", str(scenes), "--out", str(tmp_path / "a.npy")]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("occlumark: no crop without a face can be cut from the ") and last.endswith(str(scenes))


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--seed", "-1", "expected 0.."),
        ("--sheet", "x.gif", "expected a name in "),
        ("--leave-out", "1", "expected a number from 0 on and below 1, not 1"),
        ("--per-scene", "0", "expected 1.."),
        ("--faces", "./a.npy", "files of their own, not one of them twice"),
    ],
)
def test_wrong_usage(option: str, value: str, said: str, scenes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["background", str(scenes), "--out", "a.npy", option, value])
    assert said in capsys.readouterr().err
