from pathlib import Path

from occlumark.cli.main import main
from occlumark.demo import OCCLUDERS
from occlumark.photo import read_photo


def test_writes_pictures_and_says_where(dot_network, tmp_path, capsys):
    out = tmp_path / "pictures"
    assert main(["demo", "--out", str(out), "--weights", str(dot_network), "--threads", "1"]) == 0
    printed = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(printed) == sorted(out.iterdir())
    assert {path.name for path in printed} == {"demo.jpg", *(f"astronaut-{name}.jpg" for name in OCCLUDERS)}
    assert read_photo(out / "demo.jpg").shape == (512, 512 * len(OCCLUDERS), 3)
    assert read_photo(out / "astronaut-mask.jpg").shape == (512, 1024, 3)


def test_a_folder_that_cannot_be_made(dot_network, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["demo", "--out", str(tmp_path / "file"), "--weights", str(dot_network)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("occlumark: cannot write ")
