"""The Dockerfile, without Docker: what it copies is let through, and is enough to install and run the command line."""

import fnmatch
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text("utf-8")
COPIED = [name for line in re.findall(r"^COPY (.+) \S+$", TEXT, re.MULTILINE) for name in line.split()]


def test_all_that_is_copied_is_let_through():
    lines = (ROOT / ".dockerignore").read_text("utf-8").split()
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert lines[0] == "*" and "occlumark" in COPIED
    assert [name for name in COPIED if not any(fnmatch.fnmatch(name, pattern) for pattern in allowed)] == []


@pytest.mark.slow
def test_what_is_copied_installs_and_detects(tmp_path):
    source, target = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    for name in COPIED:
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copyfile
        copy(path, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", target, source], check=True, cwd=tmp_path)
    script = (
        f"import sys; sys.path.insert(0, {str(target)!r}); import occlumark; from occlumark.__main__ import start; "
        f"assert occlumark.__file__.startswith({str(target)!r}); start()"
    )
    photo = ROOT / "occlumark" / "samples" / "astronaut.jpg"
    run = subprocess.run(
        [sys.executable, "-c", script, "detect", photo, "--json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert '"landmarks"' in run.stdout
