"""What `import occlumark` offers: its names, their types, the examples in their docstrings, what is distributed."""

import doctest
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import occlumark
from occlumark.detect import Detector
from occlumark.evaluation.landmarks import evaluate
from occlumark.face import Face
from occlumark.video import Tracker

ROOT = Path(__file__).parents[1]


def test_every_public_name_is_there_and_documented():
    assert set(occlumark.__all__) <= set(dir(occlumark))
    for name in set(occlumark.__all__) - {"__version__", "MARKUPS"}:
        assert getattr(occlumark, name).__doc__, name
        assert name in occlumark.__doc__, name


def test_a_misspelt_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'occlumark' has no attribute 'Detecter'"):
        _ = occlumark.Detecter


@pytest.mark.slow
def test_a_misspelt_name_is_an_error_for_the_type_checker(tmp_path):
    pytest.importorskip("mypy", reason="needs mypy (the test extra)")
    (tmp_path / "snippet.py").write_text(
        "from occlumark import Detecter, Detector\n"
        "faces: int = Detector().detect('a.jpg')\nreveal_type(Detector.detect)\n"
    )
    options = ["--config-file=", f"--cache-dir={ROOT / '.mypy_cache' / 'snippet'}", "--follow-imports=silent"]
    untyped = ["--ignore-missing-imports", "--disable-error-code=import-untyped"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *untyped, "snippet.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )
    misspelt, wrong_type, revealed, count = done.stdout.splitlines()
    assert misspelt.startswith('snippet.py:1: error: Module "occlumark" has no attribute "Detecter"')
    assert wrong_type.startswith("snippet.py:2: error: Incompatible types in assignment") and "list[Face]" in wrong_type
    assert "-> list[occlumark.face.face.Face]" in revealed and "Any" not in revealed.split("photo:")[0]
    assert count.startswith("Found 2 errors")


@pytest.fixture
def in_a_folder_with_photos(tmp_path, monkeypatch):
    """Where the examples run: a portrait, and an annotated one in 300W's layout."""
    portrait = shutil.copy(ROOT / "occlumark/samples/astronaut.jpg", tmp_path / "portrait.jpg")
    annotated = tmp_path / "300w" / "ibug"
    annotated.mkdir(parents=True)
    shutil.copy(portrait, annotated / "a.jpg")
    (face,) = Detector("odn", threads=1).detect(portrait)
    points = "\n".join(f"{x} {y}" for x, y in face.landmarks + 0.5)  # a .pts counts pixels from 1
    (annotated / "a.pts").write_text(f"version: 1\nn_points: 68\n{{\n{points}\n}}\n")
    box = ",".join(f"{value:.1f}" for value in face.box)
    (tmp_path / "300w" / "detector_boxes.csv").write_text(f"set,file,x0,y0,x1,y1\nibug,a.jpg,{box}\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "documented", [Detector.detect, Face, Tracker, evaluate], ids=["Detector.detect", "Face", "Tracker", "evaluate"]
)
def test_the_examples_in_docstrings_run(documented, in_a_folder_with_photos):
    (example,) = doctest.DocTestFinder(recurse=False).find(documented, globs={})
    assert example.examples
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(example, out=report.append).failed == 0, "".join(report)


def test_the_source_distribution_brings_what_its_tests_need(tmp_path):
    """Every file under version control, so that an unpacked one can be tested, trained with and documented."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("needs git and its working copy to know the files")
    if int(metadata.version("setuptools").split(".")[0]) < 77:
        pytest.skip("needs setuptools 77, which builds the package")
    code = "from setuptools import setup; setup()"
    command = [sys.executable, "-W", "ignore", "-c", code, "-q", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    brought = set((tmp_path / "occlumark.egg-info" / "SOURCES.txt").read_text().splitlines())
    listed = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True, cwd=ROOT)
    missing = set(listed.stdout.splitlines()) - brought - {".gitignore", ".ci/run"}
    assert not missing, "name them in MANIFEST.in"
