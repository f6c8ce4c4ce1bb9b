"""MATLAB's files: those of version 7.3 are HDF5, the older ones a format of their own."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from occlumark.data.mat5 import MAX_BYTES, parse_mat5
from occlumark.errors import AnnotationError, OcclumarkError, one_line

#: What h5py raises, at any moment, for bytes that are not what they promise.
BROKEN_HDF5 = (OSError, LookupError, ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError)


def read_mat(path: Path) -> dict[str, np.ndarray]:
    """Read a .mat file older than version 7.3.

    Returns:
        Its variables of numbers, texts and cells by name, as parse_mat5 says.

    Raises:
        AnnotationError: no such file, or not such a file.
    """
    if not path.is_file():
        raise AnnotationError(f"cannot read {path}: no such file")
    try:
        with path.open("rb") as file:
            return parse_mat5(file.read(MAX_BYTES + 1))
    except (OSError, ValueError, zlib.error) as error:
        raise AnnotationError(
            f"cannot read {path} as a .mat file: {one_line(str(error) or type(error).__name__)}"
        ) from error


@contextmanager
def open_mat73(path: Path) -> Iterator[Any]:
    """Open a .mat file of version 7.3 for reading, as an h5py.File. MATLAB's arrays have their axes reversed in it.

    Raises:
        AnnotationError: no such file, or not such a file, also where reading it fails later.
        OcclumarkError: h5py is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise OcclumarkError(f"reading {path} needs h5py; install it: pip install '.[data]' in a clone") from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = "no such file" if not path.exists() else one_line(str(error) or type(error).__name__)
        raise AnnotationError(f"cannot read {path} as a .mat file of version 7.3: {reason}") from error
    with file:
        try:
            yield file
        except BROKEN_HDF5 as error:
            raise AnnotationError(
                f"cannot read {path} as a .mat file of version 7.3: {one_line(str(error) or type(error).__name__)}"
            ) from error


def variable(path: Path, variables: dict[str, np.ndarray], name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """A file's variable of numbers of that name, checked for its shape.

    Args:
        path: named in the message.
        variables: of read_mat.
        name: the variable's.
        shape: None where any length will do.

    Raises:
        AnnotationError: it is missing, holds no numbers or has another shape.
    """
    found = _shaped(path, variables, name, shape)
    if found.dtype.kind not in "iuf":
        raise AnnotationError(f"{path}: {name} holds no numbers")
    return found


def texts(path: Path, variables: dict[str, np.ndarray], name: str, n: int) -> list[str]:
    """The n texts of a file's variable of that name, n x 1 cells.

    Raises:
        AnnotationError: it is missing, has another shape or holds something else.
    """
    found = _shaped(path, variables, name, (n, 1))
    for i, cell in enumerate(found[:, 0]):
        if not isinstance(cell, np.ndarray) or cell.dtype.kind != "U" or cell.shape != (1,):
            raise AnnotationError(f"{path}: cell {i + 1} of {name} is no line of text")
    return [str(cell[0]) for cell in found[:, 0]]


def _shaped(path: Path, variables: dict[str, np.ndarray], name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    expected = " x ".join("n" if length is None else str(length) for length in shape)
    if name not in variables:
        raise AnnotationError(f"{path} has no variable {name}; expected one of {expected}")
    found = variables[name]
    if found.ndim != len(shape) or any(
        want not in (None, length) for want, length in zip(shape, found.shape, strict=True)
    ):
        came = " x ".join(map(str, found.shape))
        raise AnnotationError(f"{path}: {name} is {came}; expected {expected}")
    return found
