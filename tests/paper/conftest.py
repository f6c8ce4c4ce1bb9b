"""Small results of our own making."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from paper.inputs import Inputs
from paper.photo_errors import PhotoErrors


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """An empty folder for results, and research data that is not there."""
    return Inputs(tmp_path / "shared", tmp_path / "results")


@pytest.fixture
def write_errors() -> Callable[..., PhotoErrors]:
    """A function that writes errors of faces in named subsets, from boxes of 60 x 80."""

    def write(path: Path, errors: list[float], subsets: list[str], normaliser: str = "inter_ocular") -> PhotoErrors:
        n = len(errors)
        table = PhotoErrors(
            [f"{i:04d}.jpg" for i in range(n)],
            [frozenset(each.split()) for each in subsets],
            np.array(errors),
            normaliser,  # type: ignore[arg-type]
            np.full(n, 60.0),
            ["official" if np.isfinite(error) else "none" for error in errors],
            np.array([[60.0, 80.0] if np.isfinite(error) else [np.nan, np.nan] for error in errors]),
        )
        table.write(path)
        return table

    return write
