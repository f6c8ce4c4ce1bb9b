import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.cli.main import build_parser, main
from occlumark.errors import AnnotationError, CheckpointError, OcclumarkError


def occlumark(*words: str | Path) -> int:
    args = build_parser().parse_args([str(word) for word in words])
    return int(args.run(args))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two faces: every point 30 off the dot that the dot network finds, the outer eye corners 60 apart."""
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    angles[36], angles[45] = np.pi, 0
    photo = np.zeros((200, 220, 3), np.uint8)
    photo[88:92, 98:102, 2] = 255
    for name in ("one/a", "two/b"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True)
        np.savetxt(path.with_suffix(".pts"), [100.5, 90.5] + 30 * np.stack([np.cos(angles), np.sin(angles)], 1))
        cv2.imwrite(str(path.with_suffix(".png")), photo)
    rows = ["one,a.png,70.5,60.5,130.5,120.5", "two,b.png,70.5,60.5,130.5,120.5"]
    (tmp_path / "photos" / "detector_boxes.csv").write_text("\n".join(["set,file,x0,y0,x1,y1", *rows]))
    return tmp_path / "photos"


def test_json_is_one_object(photos: Path, dot_network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert occlumark("evaluate", photos, "--weights", dot_network, "--box", "tight", "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    values = json.loads(line)
    assert values["n"] == 2 and values["skipped"] == 0 and values["skipped_photos"] == []
    assert values["nme"] == pytest.approx(0.5, abs=1e-4)
    assert (values["box"], values["normaliser"]) == ("tight", "inter_ocular")
    assert {"failure_rate_08", "failure_rate_10", "auc_08", "auc_10", "missed", "fallback", "sets"} <= values.keys()


def test_the_table_has_a_row_per_set_and_its_units(
    photos: Path, dot_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    occlumark("evaluate", photos / "one", photos / "two", "--weights", dot_network)
    head, one, two, everything, note = capsys.readouterr().out.splitlines()
    assert "NME x10^-2" in head and "FR.08 %" in head
    assert one.split()[:3] == [str(photos / "one"), "1", "50.00"] and two.startswith(str(photos / "two"))
    assert everything.split() == ["all", "2", "50.00", "50.00", "to", "50.00", "100.00", "100.00", "0.00", "0.00", "0"]
    assert note == "boxes: official; errors over inter_ocular"


def test_the_per_photo_table_is_exact(
    photos: Path, dot_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    occlumark("evaluate", photos, "--weights", dot_network, "--per-photo", tmp_path / "x.csv", "--json")
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["one/a.png", "two/b.png"]
    assert np.mean([float(row["error"]) for row in rows]) == json.loads(capsys.readouterr().out)["nme"]
    np.testing.assert_allclose([float(rows[0][key]) for key in ("x0", "y0", "x1")], [70, 60, 130], atol=0.01)


def test_a_table_that_cannot_be_written_costs_no_result(
    photos: Path, dot_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(OcclumarkError, match=r"cannot write .*x.csv"):
        occlumark("evaluate", photos, "--weights", dot_network, "--json", "--per-photo", tmp_path / "x.csv")
    assert json.loads(capsys.readouterr().out)["n"] == 2


def test_a_table_in_no_folder_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    table = tmp_path / "none" / "x.csv"
    with pytest.raises(OcclumarkError, match=f"cannot write {table}: no folder {table.parent}; make it first"):
        occlumark("evaluate", tmp_path, "--weights", tmp_path / "none.onnx", "--per-photo", table)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda face: face.with_suffix(".pts").write_text("1 2\n" * 67), "expected 68 points, came 67"),
        (lambda face: face.with_suffix(".pts").write_text("nan 2\n" * 68), "not finite"),
        (lambda face: face.with_suffix(".png").unlink(), "no photo beside it"),
        (lambda face: face.with_suffix(".png").write_bytes(b""), "the file is empty"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(
    photos: Path, dot_network: Path, capsys: pytest.CaptureFixture[str], damage: object, reason: str
) -> None:
    damage(photos / "two" / "b")  # type: ignore[operator]
    assert occlumark("evaluate", photos, "--weights", dot_network, "--json") == 1
    captured = capsys.readouterr()
    values = json.loads(captured.out)
    assert (values["n"], values["skipped"]) == (1, 1) and reason in values["skipped_photos"][0]["reason"]
    (line,) = [line for line in captured.err.splitlines() if line.startswith("occlumark:")]
    assert reason in line
    with pytest.raises(AnnotationError, match=reason):
        occlumark("evaluate", photos / "two", "--weights", dot_network)


def test_weights_that_are_none(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_text("x")
    with pytest.raises(CheckpointError):
        occlumark("evaluate", photos, "--weights", tmp_path / "x.onnx")


def test_wrong_usage(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--box", "best"], ["--limit", "0"], ["--recrop", "x"]):
        with pytest.raises(SystemExit, match="2"):
            occlumark("evaluate", photos, *words)


def test_help_carries_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        occlumark("evaluate", "--help")
    assert "occlumark evaluate 300w/ibug --box finder --json" in capsys.readouterr().out


def test_rotate_turns_the_photos_with_their_points(tmp_path, dot_network, capsys):
    """The dot network finds the dot in any direction, and a similarity changes no error over the eyes' distance."""
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    np.savetxt(tmp_path / "a.pts", 100.5 + 30 * np.column_stack([np.cos(angles), np.sin(angles)]), fmt="%.6f")
    photo = np.zeros((200, 240, 3), np.uint8)
    photo[98:102, 98:102, 2] = 255
    cv2.imwrite(str(tmp_path / "a.png"), photo)
    errors = []
    for degrees in ("0", "77", "-150"):
        command = ["evaluate", str(tmp_path), "--box", "tight", "--weights", str(dot_network), "--rotate", degrees]
        assert main([*command, "--recrop", "never", "--json"]) == 0
        errors.append(json.loads(capsys.readouterr().out)["nme"])
    assert errors[1:] == pytest.approx([errors[0]] * 2, rel=0.01) and errors[0] > 0.1
    with pytest.raises(SystemExit) as stop:
        main([*command[:-1], "720"])
    assert stop.value.code == 2
    assert "expected degrees in -360..360" in capsys.readouterr().err
