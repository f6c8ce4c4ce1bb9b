import shutil

import pytest

from occlumark.cli.main import main
from occlumark.demo import SAMPLES
from occlumark.photo import read_photo


def test_a_sheet_over_the_sample_portrait(tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert main(["occluders", "--out", str(out), "--kinds", "cup,shades", "--columns", "2", "--alpha"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    height, width, _ = read_photo(out).shape
    assert height == 2 * 224 and width > 2 * 224


def test_a_folder_without_faces_is_one_line(tmp_path, capsys):
    assert main(["occluders", "--out", str(tmp_path / "sheet.png"), "--faces", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("occlumark: no .pts file below")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kinds", "cup,beard"], "no occluder is called 'beard'; there are medical_mask"),
        (["--kinds", ""], "no occluder is called ''"),
        (["--seed", "-1"], "expected 0..9223372036854775807, not -1"),
        (["--seed", "99999999999999999999"], "expected 0..9223372036854775807, not 99999999999999999999"),
    ],
)
def test_wrong_usage(tmp_path, capsys, arguments, said):
    with pytest.raises(SystemExit, match="2"):
        main(["occluders", "--out", str(tmp_path / "sheet.png"), *arguments])
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_faces_that_cannot_be_used_are_named(tmp_path, capsys):
    shutil.copy(SAMPLES / "astronaut.jpg", tmp_path / "a.jpg")
    points = "\n".join(f"{180 + 2 * (i % 10)} {80 + 2 * i}" for i in range(68))
    (tmp_path / "a.pts").write_text(f"version: 1\nn_points: 68\n{{\n{points}\n}}\n")
    (tmp_path / "b.pts").write_text("")
    assert main(["occluders", "--out", str(tmp_path / "sheet.png"), "--faces", str(tmp_path), "--kinds", "cup"]) == 1
    assert "occlumark: left out b.pts: " in capsys.readouterr().err and (tmp_path / "sheet.png").is_file()


def test_a_picture_that_cannot_be_written_is_wrong_usage(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["occluders", "--out", str(tmp_path / "sheet.gif")])
    err = capsys.readouterr().err
    assert "argument --out: expected a name in " in err and err.rstrip().endswith("sheet.gif")
