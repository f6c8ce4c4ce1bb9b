"""The tests under other versions: `make test-matrix ROWS="oldest python3.13"`, or python robustness/matrix.py.

Each row is an environment of its own below .venv-matrix/, made by pip. A row whose Python is not on this machine is
named and left out, as is one for which the package index has no wheels; neither counts as passed.
"""

import argparse
import re
import shutil
import subprocess
import sys
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


ROWS = {
    "newest": Row("python3.11"),
    "oldest": Row("python3.11", oldest=True),
    "oldest-without-extras": Row("python3.11", "", oldest=True),
    "without-extras": Row("python3.11", ""),
    "numpy-1": Row("python3.11", constraints=("numpy<2",)),
    "opencv-4": Row("python3.11", constraints=("opencv-python-headless<5",)),
    "python3.12": Row("python3.12"),
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


def run(name: str, row: Row, tests: list[str]) -> str:
    """Make a row's environment where it is missing, and test in it.

    Returns:
        "passed", "failed", or why it was left out.
    """
    interpreter = shutil.which(row.python)
    if interpreter is None or subprocess.run([interpreter, "-c", ""], capture_output=True, check=False).returncode:
        return f"left out: no {row.python} on this machine"
    python = ENVIRONMENTS / name / "bin" / "python"
    if not python.is_file():
        subprocess.run([interpreter, "-m", "venv", "--clear", python.parents[1]], check=True)
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
    done = subprocess.run([python, "-m", "pytest", "-p", "no:cacheprovider", *tests], cwd=ROOT, check=False)
    return "passed" if done.returncode == 0 else "failed"


def main() -> int:
    """Run the rows; returns 1 where one failed."""
    parser = argparse.ArgumentParser(prog="python robustness/matrix.py", description=__doc__)
    parser.add_argument("--rows", nargs="*", choices=[*ROWS], default=[], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--tests", nargs="*", default=[], help="what pytest is given (default: all tests)")
    args = parser.parse_args()
    results = {name: run(name, ROWS[name], args.tests) for name in args.rows or ROWS}
    for name, result in results.items():
        print(f"{name}: {result}")
    return int("failed" in results.values())


if __name__ == "__main__":
    sys.exit(main())
