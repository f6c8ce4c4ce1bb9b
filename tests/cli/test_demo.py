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


def test_a_network_of_another_markup_is_shown_under_the_same_occluders(write_dot_network, tmp_path):
    """An occluder lies where 68 landmarks say, whatever the network finds; drawn landmarks are few pixels."""
    for n in (5, 68):
        weights = str(write_dot_network(n)) if n == 5 else None
        chosen = ["--weights", weights] if weights else []
        assert main(["demo", "--out", str(tmp_path / str(n)), "--recrop", "never", *chosen]) == 0
    for name in OCCLUDERS:
        own, packaged = (read_photo(tmp_path / n / f"astronaut-{name}.jpg")[:, :512].astype(int) for n in ("5", "68"))
        alike = (abs(own - packaged).max(axis=2) < 60).mean()
        assert alike > 0.96, name  # without the occluder at most 0.95


def test_faces_are_found_as_the_options_say(dot_network, cell_finder, tmp_path, capsys):
    network = ["--out", str(tmp_path), "--weights", str(dot_network)]
    assert main(["demo", *network, "--min-face", "5000"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "occlumark: no face found in the sample photo astronaut.jpg; ask the face finder for more faces"
    assert list(tmp_path.iterdir()) == []
    assert main(["demo", *network, "--finder", str(cell_finder), "--score", "0.9"]) == 0  # a bright cell, no face
    assert (tmp_path / "demo.jpg").exists()
