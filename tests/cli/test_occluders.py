from occlumark.cli.main import main
from occlumark.photo import read_photo


def test_a_sheet_over_the_sample_portrait(tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert main(["occluders", "--out", str(out), "--kinds", "cup,shades", "--columns", "2", "--alpha"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    height, width, _ = read_photo(out).shape
    assert height == 2 * 224 and width > 2 * 224


def test_user_mistakes_are_one_line(tmp_path, capsys):
    out = ["occluders", "--out", str(tmp_path / "sheet.png")]
    for extra, said in (
        (["--kinds", "cup,beard"], "no occluder is called 'beard'; there are medical_mask"),
        (["--kinds", ""], "no occluder is called ''"),
        (["--seed", "-1"], "a seed is at least 0, not -1"),
        (["--faces", str(tmp_path)], "no .pts file below"),
    ):
        assert main([*out, *extra]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("occlumark: ") and said in line, line
    assert list(tmp_path.iterdir()) == []
