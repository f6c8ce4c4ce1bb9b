"""The scripts of examples/, run as they are."""

import csv
import json
import re
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occlumark import Detector
from occlumark.demo import SAMPLES
from occlumark.face import to_pts
from occlumark.photo import read_photo

EXAMPLES = Path(__file__).parents[1] / "examples"
PORTRAIT = SAMPLES / "astronaut.jpg"


def run(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_without_arguments_an_example_says_how_it_is_used(name, monkeypatch):
    if "train" in name:
        pytest.importorskip("torch", reason="needs the train extra")
    with pytest.raises(SystemExit, match=f"usage: python examples/{name} [A-Z]"):
        run(name, monkeypatch)


def test_without_the_train_extra_training_says_what_it_needs():
    script = str(EXAMPLES / "train_on_own_photos.py")
    # as if torch were not there
    code = f"import runpy, sys; sys.modules['torch'] = None; runpy.run_path({script!r}, run_name='__main__')"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    said = r"training needs more packages: pip install '\.\[train\]' in a clone \(.*torch.*\)\n"
    assert re.fullmatch(said, ran.stderr)


def run_notebook(name: str) -> None:
    """Cell by cell in one namespace, as a kernel runs it; a notebook's last expression is its picture."""
    cells = json.loads((EXAMPLES / name).read_text("utf-8"))["cells"]
    codes = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in codes)
    names: dict[str, object] = {}
    for cell in codes:
        exec(compile("".join(cell["source"]), name, "exec"), names)


def test_the_photo_notebook_runs_and_holds_no_outputs(capsys):
    run_notebook("photo.ipynb")
    said = capsys.readouterr().out
    assert "1 face: Face(" in said and "(112, 112, 3)" in said
    shares = dict(re.findall(r"^(\w+): (\d+)%$", said, re.MULTILINE))
    assert int(shares["mouth"]) > 80 and int(shares["brows"]) < 20


@pytest.mark.slow
def test_the_notebook_of_own_points_trains_a_network(monkeypatch, tmp_path, capsys):
    """Its errors on the four views kept are a fifth of the eyes' distance at most; the table says the same mean."""
    pytest.importorskip("torch", reason="needs the train extra")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run_notebook("train_on_own_points.ipynb")
    said = capsys.readouterr().out
    errors = [float(error) for error in re.findall(r"^view \d+: ([\d.]+) %", said, re.MULTILINE)]
    assert len(errors) == 4 and max(errors) < 20
    table = re.search(r"^all +4 +([\d.]+)", said, re.MULTILINE)
    assert table and abs(float(table[1]) - np.mean(errors)) < 0.1


def test_a_folder_to_csv(tmp_path, monkeypatch, capsys):
    """A row a face, what Detector finds; a photo without a face has none, one that cannot be read is named."""
    (tmp_path / "photos" / "more").mkdir(parents=True)
    (tmp_path / "photos" / "more" / "portrait.jpg").write_bytes(PORTRAIT.read_bytes())
    Image.new("RGB", (200, 150), (90, 90, 90)).save(tmp_path / "photos" / "empty.png")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    run("folder_to_csv.py", monkeypatch, tmp_path / "photos", tmp_path / "faces.csv")
    with (tmp_path / "faces.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    (face,) = Detector().detect(PORTRAIT)
    assert row["photo"] == "more/portrait.jpg"
    found = [[float(row[f"x{i}"]), float(row[f"y{i}"]), float(row[f"visibility{i}"])] for i in range(68)]
    np.testing.assert_allclose(found, np.column_stack([face.landmarks, face.visibility]), atol=6e-3)
    np.testing.assert_allclose([float(row[f"box_{side}"]) for side in ("x0", "y0", "x1", "y1")], face.box, atol=6e-3)
    assert "broken.jpg" in capsys.readouterr().err


def test_an_own_face_detector(monkeypatch, capsys):
    """The landmarks in its boxes are those that occlumark finds by its own detector."""
    run("own_face_detector.py", monkeypatch, PORTRAIT)
    assert capsys.readouterr().out.startswith(str(PORTRAIT))
    face_finder = runpy.run_path(str(EXAMPLES / "own_face_detector.py"))["face_finder"]
    photo = read_photo(PORTRAIT)
    (mine,) = Detector(face_finder=face_finder).detect(photo)
    (packaged,) = Detector().detect(photo)
    assert mine.box.tolist() == face_finder(photo)[0][0].tolist() != packaged.box.tolist()
    inter_ocular = np.linalg.norm(packaged.landmarks[36] - packaged.landmarks[45])
    assert np.linalg.norm(mine.landmarks - packaged.landmarks, axis=1).mean() < 0.03 * inter_ocular
    assert Detector(face_finder=face_finder).detect(np.full((150, 200, 3), 90, np.uint8)) == []


@pytest.mark.slow
def test_training_on_own_photos(tmp_path, monkeypatch, capsys):
    """A step at a low rate on faces labelled by the packaged network leaves it about where it was; the .pts file
    without a photo is named."""
    pytest.importorskip("torch", reason="needs the train extra")
    photo = read_photo(PORTRAIT)
    (face,) = Detector().detect(photo)
    for i in range(8):
        (tmp_path / f"face{i}.pts").write_text(to_pts(face))
        if i:
            Image.fromarray(photo).save(tmp_path / f"face{i}.png")
    settings = ["workers=0", "validation_share=0.3", "optimiser.epochs=1", "optimiser.batch=2"]
    run("train_on_own_photos.py", monkeypatch, tmp_path, tmp_path / "mine.onnx", *settings)
    said = capsys.readouterr()
    assert "left out face0.pts" in said.err and "mine.onnx" in said.out
    detector = Detector(weights=tmp_path / "mine.onnx")
    assert detector.model == "mine"
    (tuned,) = detector.detect(photo)
    off = np.linalg.norm(tuned.landmarks - face.landmarks, axis=1).mean()
    assert 0 < off < 0.05 * np.linalg.norm(face.landmarks[36] - face.landmarks[45])
    assert np.isfinite(tuned.expected_error).all() and tuned.hidden().mean() < 0.05  # the hair at the temple
