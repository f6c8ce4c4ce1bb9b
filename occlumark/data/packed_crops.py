"""The crops of a pack, which stay on the disk."""

import math
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from occlumark.errors import CheckpointError


class PackedCrops:
    """The crops of a pack, which stay on the disk: `crops[i]` is read when it is asked for.

    Not a memory map: reading a map of a file that somebody cuts short ends the process.

    Args:
        path: the pack.
        start: where in the file the crops begin, bytes.
        shape: (n, size, size, 3).

    Raises:
        CheckpointError: the file is gone, or another one than when it was opened.
    """

    def __init__(self, path: Path, start: int, shape: tuple[int, int, int, int]) -> None:
        self.start, self.shape = start, shape
        self._path = path.absolute()
        with self._open() as file:
            self._identity = _identity(file)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> np.ndarray:
        """A crop, (size, size, 3) uint8, RGB, the caller's own."""
        index = range(len(self))[index]
        wanted = math.prod(self.shape[1:])
        with self._open() as file:
            file.seek(self.start + index * wanted)
            content = file.read(wanted)
            if len(content) != wanted or _identity(file) != self._identity:
                raise CheckpointError(f"pack {self._path} was changed while it was read; start again")
        return np.frombuffer(bytearray(content), np.uint8).reshape(self.shape[1:])

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise CheckpointError(f"cannot read pack {self._path}: {error.strerror or error}") from error


def _identity(file: BinaryIO) -> tuple[int, ...]:
    """What changes with a file's content: which file it is, its size and when it was written."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
