from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.cli.check_data import _NAMES
from occlumark.cli.main import main
from occlumark.data.check import CHECKS
from occlumark.photo import read_photo


@pytest.fixture
def wflw(tmp_path: Path) -> Path:
    """Two faces of 98 points."""
    points = np.column_stack([np.linspace(20, 80, 98), 50 + 30 * np.sin(np.arange(98))])
    for name in ("a", "b"):
        (tmp_path / f"{name}.pts").write_text("\n".join(f"{x} {y}" for x, y in points))
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), np.zeros((100, 100, 3), np.uint8))
    return tmp_path


def test_every_data_set_is_offered() -> None:
    assert set(_NAMES) == set(CHECKS)


def test_counts_beside_the_official_ones_and_a_sheet(
    wflw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "out" / "sheet.png"
    assert main(["check-data", "wflw", str(wflw), "--sheet", str(sheet)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["train       2 of  7,500  .pts files", "not complete", str(sheet)]
    assert read_photo(sheet).shape == (192, 2 * 192, 3)


def test_twenty_are_named_and_the_others_counted(
    wflw: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("occlumark.data.check._WFLW", {"train": 2})  # enough faces, but unusable ones beside them
    for number in range(23):
        (wflw / f"c{number:02d}.pts").write_text("1 1\n")
    assert main(["check-data", "wflw", str(wflw)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "missing or unusable: 23" and len(lines) == 2 + 20 + 2
    assert lines[2].startswith("  c00.pts: ") and lines[21].startswith("  c19.pts: ")
    assert lines[22:] == ["  and 3 more", "not complete"]


def test_complete_is_0(wflw: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("occlumark.data.check._WFLW", {"train": 2})
    assert main(["check-data", "wflw", str(wflw)]) == 0
    assert capsys.readouterr().out.splitlines() == ["train       2 of      2  .pts files", "complete"]


def test_a_photo_that_cannot_be_shown(
    wflw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("occlumark.data.check._WFLW", {"train": 2})
    (wflw / "b.jpg").write_bytes(b"torn")
    assert main(["check-data", "wflw", str(wflw), "--sheet", str(tmp_path / "sheet.png")]) == 1
    assert "not on the sheet: b.jpg: cannot read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["wflw", "none"], "none is no folder"),
        (["cofw68", "none"], "no cofw68_test_bboxes.mat in none"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check-data", *arguments]) == 1
    err = capsys.readouterr().err
    assert err.startswith("occlumark: ") and message in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["celeba", "."], "invalid choice: 'celeba'"),
        (["wflw", ".", "--sheet", "sheet.txt"], "argument --sheet: expected a name in .jpg"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check-data", *arguments])
    assert caught.value.code == 2 and message in capsys.readouterr().err
