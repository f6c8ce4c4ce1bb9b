"""The tests under other versions: `make test-matrix ROWS="oldest python3.13"`, or python robustness/matrix.py.

Each row is an environment of its own below .venv-matrix/, made by pip. A row whose Python is not on this machine is
named and left out, as is one for which the package index has no wheels; neither counts as passed. Results are added to
.venv-matrix/results.txt.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / ".venv-matrix"
_EXTRAS = "train,data,paper,test"


class Row(NamedTuple):
    """One environment."""

    python: str
    """The interpreter's name."""
    extras: str = _EXTRAS
    """Of pyproject.toml."""
    oldest: bool = False
    """Every dependency at its lower bound."""
    constraints: tuple[str, ...] = ()
    """Further bounds."""
    read_only: bool = False
    """Tested as a user who may write neither to the installed package nor to the tests, and has no home."""


ROWS = {
    "newest": Row("python3.11"),
    "oldest": Row("python3.11", oldest=True),
    "oldest-without-extras": Row("python3.11", "", oldest=True),
    "without-extras": Row("python3.11", ""),
    "numpy-1": Row("python3.11", constraints=("numpy<2",)),
    "opencv-4": Row("python3.11", constraints=("opencv-python-headless<5",)),
    "read-only": Row("python3.11", "", read_only=True),
    "python3.12": Row("python3.12"),
    "python3.12-without-extras": Row("python3.12", ""),
    "python3.13": Row("python3.13"),
    "python3.13-without-extras": Row("python3.13", ""),
    "python3.14": Row("python3.14"),
    "python3.14-without-extras": Row("python3.14", ""),
}


def lower_bounds(extras: str) -> list[str]:
    """pyproject.toml's dependencies, each held at its lower bound: `numpy>=1.26,<3` as `numpy==1.26.*`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in filter(None, extras.split(",")):
        wanted += [] if extra == "test" else project["optional-dependencies"][extra]
    bounds = {}
    for requirement in wanted:
        if match := re.match(r"([\w-]+)>=([\d.]+)", requirement):
            bounds[match[1]] = f"{match[1]}=={match[2]}.*"
    return sorted(bounds.values())


def interpreter(name: str, read_only: bool = False) -> str | None:
    """Where the first Python of this name is that runs; read_only: outside of folders that others may not enter."""
    for folder in os.environ["PATH"].split(os.pathsep):
        path = shutil.which(name, path=folder)
        if path and not subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode:
            code = "import sys; print(sys._base_executable)"
            real = subprocess.run([path, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
            if not read_only or all(folder.stat().st_mode & 0o001 for folder in Path(real).resolve().parents):
                return path
    return None


def as_another_user() -> list[str]:
    """What a command begins with that runs as the user nobody; nothing where this one is no superuser."""
    ids = ["--reuid=65534", "--regid=65534", "--clear-groups"]
    return ["setpriv", *ids] if sys.platform == "linux" and os.geteuid() == 0 else []


def test_read_only(python: Path, tests: list[str]) -> int:
    """Run tests in a copy of the repository that holds the installed package, and where this user may not write.

    Returns:
        pytest's exit code.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy, own = Path(folder, "copy"), Path(folder, "own")
        leave_out = shutil.ignore_patterns(".*", "__pycache__", "runs", "build", "occlumark*")
        shutil.copytree(ROOT, copy, ignore=leave_out)
        code = "import occlumark; print(occlumark.__path__[0])"
        where = subprocess.run([python, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
        (copy / "occlumark").symlink_to(where.stdout.strip())
        own.mkdir()
        subprocess.run(["chmod", "-R", "a+rX,a-w", folder, python.parents[1]], check=True)
        own.chmod(0o777)
        command: list[str | Path] = [*as_another_user(), python, "-m", "pytest", "-p", "no:cacheprovider"]
        command += ["--basetemp", own / "tmp", *tests]
        # No home, and no byte code beside the package.
        bare = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, cwd=copy, env=bare, check=False).returncode


def run(name: str, row: Row, tests: list[str]) -> str:
    """Make a row's environment where it is missing, and test in it.

    Returns:
        "passed", "failed", or why it was left out.
    """
    found = interpreter(row.python, row.read_only)
    if found is None:
        return f"left out: no {row.python} on this machine"
    python = ENVIRONMENTS / name / "bin" / "python"
    if not python.is_file():
        subprocess.run([found, "-m", "venv", "--clear", python.parents[1]], check=True)
    bounds = python.parents[1] / "constraints.txt"
    lines = [*(lower_bounds(row.extras) if row.oldest else ()), *row.constraints]
    bounds.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    package = f"{ROOT}[{row.extras}]" if row.extras else str(ROOT)
    pip: list[str | Path] = [
        python,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--quiet",
        "install",
        "--constraint",
        bounds,
    ]
    installed = subprocess.run(
        [*pip, "--only-binary", ":all:", "--no-binary", "occlumark", package, "pytest>=8.3,<10"],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode:
        return f"left out: {installed.stderr.strip().splitlines()[-1]}"
    code = "import cv2, numpy, onnxruntime, PIL; print(numpy.__version__, cv2.__version__, onnxruntime.__version__)"
    print(f"{name}: {subprocess.run([python, '-c', code], capture_output=True, text=True, check=True).stdout}", end="")
    if row.read_only:
        failed = test_read_only(python, tests)
    else:
        command: list[str | Path] = [python, "-m", "pytest", "-p", "no:cacheprovider", *tests]
        failed = subprocess.run(command, cwd=ROOT, check=False).returncode
    return "failed" if failed else "passed"


def main() -> int:
    """Run the rows; returns 1 where one failed."""
    ENVIRONMENTS.mkdir(exist_ok=True)
    parser = argparse.ArgumentParser(prog="python robustness/matrix.py", description=__doc__)
    parser.add_argument("--rows", nargs="*", choices=[*ROWS], default=[], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--tests", nargs="*", default=[], help="what pytest is given (default: all tests)")
    args = parser.parse_args()
    results = {}
    for name in args.rows or ROWS:
        results[name] = run(name, ROWS[name], args.tests)
        with (ENVIRONMENTS / "results.txt").open("a", encoding="utf-8") as file:
            file.write(f"{name}: {results[name]} ({' '.join(args.tests) or 'all tests'})\n")
    for name, result in results.items():
        print(f"{name}: {result}")
    return int("failed" in results.values())


if __name__ == "__main__":
    sys.exit(main())
