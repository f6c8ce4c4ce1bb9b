"""The matrix of versions: what its rows install."""

import tomllib

import pytest

from robustness.matrix import ROOT, ROWS, Row, lower_bounds, run


def test_lower_bounds_are_pyprojects() -> None:
    bounds = lower_bounds("train,data,paper,test")
    assert {"numpy==1.26.*", "onnxruntime==1.20.*", "opencv-python-headless==4.10.*", "torch==2.6.*"} <= set(bounds)
    assert not [bound for bound in lower_bounds("") if bound.startswith(("torch", "scipy"))]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert len(lower_bounds("")) == len(project["dependencies"])  # each has a lower bound


def test_every_supported_python_has_a_row() -> None:
    assert {f"python3.{minor}" for minor in range(11, 15)} <= {row.python for row in ROWS.values()}
    assert not any(row.extras for name, row in ROWS.items() if name.endswith("without-extras"))


def test_a_python_that_is_not_there_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("x", Row("python9.9"), []) == "left out: no python9.9 on this machine"
