"""MATLAB's files: those of version 7.3 are HDF5, the older ones a format of their own."""

import importlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from occlumark.errors import AnnotationError, OcclumarkError

# What scipy's reader raises for bytes that are not what they promise, beside its own error.
_BROKEN = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, NameError),
    *(MemoryError, RecursionError, struct.error, zlib.error),
)


def read_mat(path: Path) -> dict[str, np.ndarray]:
    """Read a .mat file older than version 7.3.

    Returns:
        Its variables by name.

    Raises:
        AnnotationError: no such file, or not such a file.
        OcclumarkError: scipy is not installed.
    """
    io = _extra("scipy.io", path)
    if not path.is_file():
        raise AnnotationError(f"cannot read {path}: no such file")
    try:
        variables: dict[str, np.ndarray] = io.loadmat(path, appendmat=False)
    except NotImplementedError as error:  # scipy's answer to 7.3
        raise AnnotationError(f"{path} is a .mat file of version 7.3; expected an older one, as published") from error
    except (*_BROKEN, io.matlab.MatReadError) as error:
        raise AnnotationError(f"cannot read {path} as a .mat file: {_one_line(error)}") from error
    return variables


@contextmanager
def open_mat73(path: Path) -> Iterator[Any]:
    """Open a .mat file of version 7.3 for reading, as an h5py.File. MATLAB's arrays have their axes reversed in it.

    Raises:
        AnnotationError: no such file, or not such a file.
        OcclumarkError: h5py is not installed.
    """
    h5py = _extra("h5py", path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = "no such file" if not path.exists() else _one_line(error)
        raise AnnotationError(f"cannot read {path} as a .mat file of version 7.3: {reason}") from error
    with file:
        yield file


def variable(path: Path, variables: dict[str, np.ndarray], name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """A file's variable of that name, checked for its shape.

    Args:
        path: named in the message.
        variables: of read_mat.
        name: the variable's.
        shape: None where any length will do.

    Raises:
        AnnotationError: it is missing or has another shape.
    """
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


def _extra(module: str, path: Path) -> Any:
    """A module that is no dependency of detection."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        raise OcclumarkError(f"reading {path} needs {package}; install it: pip install 'occlumark[data]'") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
