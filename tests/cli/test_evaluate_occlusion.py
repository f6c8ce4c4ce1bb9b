import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.cli.main import build_parser
from occlumark.errors import AnnotationError, CheckpointError


def occlumark(*words: str | Path) -> int:
    args = build_parser().parse_args([str(word) for word in words])
    return int(args.run(args))


@pytest.fixture
def photos(tmp_path: Path, symmetric_face: np.ndarray) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    np.savetxt(folder / "a.pts", 0.4 * symmetric_face + 60.5)
    cv2.imwrite(str(folder / "a.png"), np.random.default_rng(0).integers(0, 256, (220, 220, 3), np.uint8))
    (folder / "detector_boxes.csv").write_text("set,file,x0,y0,x1,y1\n.,a.png,70,80,140,150\n")
    return folder


def test_models_side_by_side(
    photos: Path, dot_network: Path, error_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert occlumark("evaluate-occlusion", photos, "--models", dot_network, error_network) == 0
    first, clean, kinds, expected, notes = capsys.readouterr().out.split("\n\n")
    rows = [line.split() for line in first.splitlines()[1:]]
    assert [row[:3] for row in rows] == [
        [share, model, n]
        for share, n in (("10%", "1"), ("25%", "1"), ("40%", "1"), ("all", "3"))
        for model in ("dot", "error")
    ]
    assert len({len(row) for row in rows}) == 1
    # one finds the same dot in crops turned by quarters: what it says of its errors makes it doubt
    assert list(map(float, rows[0][3:])) == pytest.approx(list(map(float, rows[1][3:])), abs=0.05)
    assert float(rows[0][5]) == pytest.approx(float(rows[0][4]) / float(rows[0][3]), abs=0.01)
    assert [line.split()[0] for line in clean.splitlines()[1:]] == ["dot", "error"]
    assert kinds.startswith("kind") and expected.startswith("error: px") and len(expected.splitlines()) == 12
    assert notes.startswith("seed 0; boxes: official; errors x10^-2 over inter_ocular")


def test_json_and_the_per_photo_table(
    photos: Path, dot_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "x.csv"
    words = ("--seed", 7, "--weights", dot_network, "--box", "tight", "--json", "--per-photo", table)
    assert occlumark("evaluate-occlusion", photos, *words) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["n"], values["seed"], values["box"], values["skipped"]) == (1, 7, "tight", 0)
    (numbers,) = values["models"].values()
    assert list(numbers["shares"]) == ["0.10", "0.25", "0.40"]
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["share"] for row in rows] == ["0.0", "0.1", "0.25", "0.4"]
    assert float(rows[2]["error"]) == pytest.approx(numbers["shares"]["0.25"]["nme"])


def test_models_of_one_name_keep_their_paths(
    photos: Path, dot_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = tmp_path / dot_network.name
    twin.write_bytes(dot_network.read_bytes())
    occlumark("evaluate-occlusion", photos, "--json", "--models", dot_network, twin)
    assert list(json.loads(capsys.readouterr().out)["models"]) == [str(dot_network), str(twin)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "odn", "odn"], "one network twice"),
        (["--models", "odn", "--model", "odn"], "in place of --model"),
    ],
)
def test_options_that_do_not_go_together(
    photos: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        occlumark("evaluate-occlusion", photos, *words)
    assert message in capsys.readouterr().err


def test_an_unknown_model_and_a_negative_seed(photos: Path) -> None:
    with pytest.raises(CheckpointError, match="nonesuch"):
        occlumark("evaluate-occlusion", photos, "--models", "nonesuch")
    with pytest.raises(SystemExit, match="2"):
        occlumark("evaluate-occlusion", photos, "--seed", "-1")


def test_a_face_that_is_skipped_is_listed(photos: Path, dot_network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "b.pts").write_bytes((photos / "a.pts").read_bytes())
    assert occlumark("evaluate-occlusion", photos, "--weights", dot_network) == 1
    captured = capsys.readouterr()
    assert "skipped, excluded from all statistics: 1" in captured.out
    assert "occlumark: skipped b.pts" in captured.err


def test_a_sheet_of_the_first_model(
    photos: Path, dot_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "new" / "sheet.png"
    assert occlumark("evaluate-occlusion", photos, "--weights", dot_network, "--sheet", sheet) == 0
    assert cv2.imread(str(sheet)).shape[1] == 6 * 256
    with pytest.raises(SystemExit, match="2"):
        occlumark("evaluate-occlusion", photos, "--weights", dot_network, "--sheet", tmp_path / "sheet.txt")
    assert "argument --sheet: expected a name in .jpg" in capsys.readouterr().err


def test_the_old_form_is_taken_with_one_line(
    photos: Path, dot_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert occlumark("evaluate-occlusion", photos, "--seed", 7, "--weights", dot_network, "--json") == 0
    new = capsys.readouterr()
    assert occlumark("evaluate", photos, "--occlude", 7, "--models", dot_network, "--json") == 0
    old = capsys.readouterr()
    assert json.loads(old.out)["seed"] == 7
    assert list(json.loads(old.out)["models"].values()) == list(json.loads(new.out)["models"].values())
    assert [line for line in old.err.splitlines() if line.startswith("occlumark:")] == [
        "occlumark: evaluate --occlude 7 is called evaluate-occlusion --seed 7 now"
    ]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--rotate", "30", "--rotate does not go with --occlude"),
        ("--list", "a.txt", "--list does not go with --occlude"),
        ("--sheet", "s.txt", "argument --sheet: expected a name in .jpg"),
    ],
)
def test_the_old_form_takes_no_more_than_it_did(
    photos: Path, option: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        occlumark("evaluate", photos, "--occlude", 7, option, value)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--models", "--sheet"])
def test_what_the_plain_command_no_longer_takes(photos: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        occlumark("evaluate", photos, option, "x.png")
    assert f"{option} goes with `occlumark evaluate-occlusion`" in capsys.readouterr().err


def test_no_official_box_names_the_tight_one(photos: Path, dot_network: Path) -> None:
    (photos / "detector_boxes.csv").unlink()
    with pytest.raises(AnnotationError, match=r"no official box .* --box tight"):
        occlumark("evaluate-occlusion", photos, "--weights", dot_network)
