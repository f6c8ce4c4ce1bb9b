"""MATLAB's files of versions 5 to 7.2: arrays of numbers, texts and cells, with every length checked before it is used.

A file is a header of 128 bytes and a list of elements: a tag (type and bytes), the data, padding to 8 bytes. An array
is an element of elements: its class, its shape, its name, its data. A compressed one is the same through zlib. scipy
reads these files too, but ends the process on damaged ones. The format: "MAT-File Format", The MathWorks. Not in the
paper.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

#: Bytes of a file, and of what its compressed arrays hold together; AFLW's list has 12 million.
MAX_BYTES = 1 << 27
#: Cells within cells.
MAX_DEPTH = 16
#: Cells and rows of text of a file in all: one of 8 bytes in it is an object of 100 in memory.
MAX_CELLS = 1 << 20
#: Characters of a text.
MAX_CHARACTERS = 1 << 20

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "utf-8", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _CHAR = 1, 4
_CLASSES_OF_NUMBERS = range(6, 16)
_COMPLEX = 0x800


class _Element(NamedTuple):
    kind: int
    data: memoryview


class _Array(NamedTuple):
    name: str
    values: np.ndarray | None
    """None: a structure, a sparse or complex matrix, an object, a function."""


def parse_mat5(content: bytes) -> dict[str, np.ndarray]:
    """Read a file's variables.

    Args:
        content: the whole file.

    Returns:
        By name: arrays of numbers, of the type that they have in the file (whole numbers below 256 are often uint8,
        whatever their class), texts as a (rows,) array of str, cells as arrays of objects. Variables of other classes
        are left out. Arrays of numbers are views of the content.

    Raises:
        ValueError: it is not such a file, or damaged, or larger than the limits of this module.
    """
    if len(content) < _HEADER or content[126:128] not in (b"IM", b"MI"):
        raise ValueError("it is no .mat file of version 5 to 7.2")
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES >> 20} MB")
    order = "<" if content[126:128] == b"IM" else ">"
    (version,) = struct.unpack_from(f"{order}H", content, 124)
    if version == 0x200:
        raise ValueError("it is of version 7.3 (HDF5); expected an older one, as published")
    if version != 0x100:
        raise ValueError(f"it is of version {version >> 8}.{version & 255} of the format; expected 1.0")
    reader = _Reader(order)
    arrays = [reader.variable(element) for element in reader.elements(memoryview(content)[_HEADER:])]
    return {array.name: array.values for array in arrays if array.values is not None}


class _Reader:
    """What is counted over a whole file."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.bytes_left, self.cells_left = MAX_BYTES, MAX_CELLS

    def elements(self, data: memoryview) -> Iterator[_Element]:
        """The elements that lie in these bytes, one after another."""
        at = 0
        while at < len(data):
            if len(data) - at < 8:
                raise ValueError("it ends within an element's tag")
            kind, size = struct.unpack_from(f"{self.order}II", data, at)
            if kind >> 16:  # up to four bytes lie in the tag itself
                kind, size, start, step = kind & 0xFFFF, kind >> 16, at + 4, 8
                if size > 4:
                    raise ValueError(f"an element of {size} bytes in four")
            else:
                start, step = at + 8, 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)
            if start + size > len(data):
                raise ValueError(f"an element of {size} bytes where {len(data) - start} are left")
            yield _Element(kind, data[start : start + size])
            at += step

    def variable(self, element: _Element) -> _Array:
        """A file's variable, compressed or not."""
        if element.kind == _COMPRESSED:
            element = self._decompressed(element.data)
        if element.kind != _MATRIX:
            raise ValueError(f"an element of type {element.kind} where a variable was expected")
        return self._array(element.data, 0)

    def _decompressed(self, data: memoryview) -> _Element:
        stream = zlib.decompressobj()
        tag = stream.decompress(data, 8)
        if len(tag) < 8:
            raise ValueError("a compressed variable without data")
        kind, size = struct.unpack(f"{self.order}II", tag)
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise ValueError(f"its variables have more than {MAX_BYTES >> 20} MB")
        found = b"" if not size else stream.decompress(stream.unconsumed_tail, size)
        if len(found) < size:
            raise ValueError(f"a compressed variable of {len(found)} bytes instead of {size}")
        return _Element(kind, memoryview(found))

    def _array(self, data: memoryview, depth: int) -> _Array:
        if depth > MAX_DEPTH:
            raise ValueError(f"cells more than {MAX_DEPTH} deep")
        if not data:
            return _Array("", np.empty((0, 0)))
        parts = self.elements(data)
        flags = self._numbers(next(parts, None), "u4")
        shape = self._numbers(next(parts, None), "i4")
        name = bytes(self._numbers(next(parts, None), "i1").tobytes()).decode("utf-8", "replace")
        if len(flags) != 2 or not 2 <= len(shape) <= 32 or (shape < 0).any():
            raise ValueError("a variable without its class or shape")
        kind, size = int(flags[0]) & 0xFF, math.prod(shape.tolist())
        values: np.ndarray | None = None
        if kind in _CLASSES_OF_NUMBERS and not flags[0] & _COMPLEX:
            values = self._numbers(next(parts, None))
            if len(values) != size:
                raise ValueError(f"{len(values)} numbers where {size} were expected")
            values = values.reshape(shape, order="F")
        elif kind == _CHAR:
            values = self._texts(next(parts, None), shape)
        elif kind == _CELL:
            values = self._cells(parts, size, depth).reshape(shape, order="F")
        return _Array(name, values)

    def _numbers(self, element: _Element | None, expected: str = "") -> np.ndarray:
        form = _NUMBERS.get(element.kind) if element else None
        if element is None or form is None or expected not in ("", form):
            raise ValueError(f"an element of type {element.kind if element else 'none'} where numbers were expected")
        if len(element.data) % int(form[1]):
            raise ValueError(f"{len(element.data)} bytes of numbers that have {form[1]} each")
        return np.frombuffer(element.data, self.order + form)

    def _texts(self, element: _Element | None, shape: np.ndarray) -> np.ndarray:
        """The rows of a text; MATLAB keeps it column by column."""
        coding = _TEXTS.get(element.kind) if element else None
        if element is None or coding is None or len(shape) != 2:
            raise ValueError("a text that is none")
        if len(element.data) > MAX_CHARACTERS:
            raise ValueError(f"a text of more than {MAX_CHARACTERS} characters")
        if coding != "utf-8":
            coding += "-le" if self.order == "<" else "-be"
        text = bytes(element.data).decode(coding)
        rows, columns = shape.tolist()
        if len(text) != rows * columns:
            raise ValueError(f"a text of {len(text)} characters where {rows} x {columns} were expected")
        self._count(rows)
        return np.array([text[row::rows] for row in range(rows if columns else 0)], np.str_)

    def _cells(self, parts: Iterator[_Element], size: int, depth: int) -> np.ndarray:
        self._count(size)
        cells = np.empty(size, object)
        for i in range(size):
            element = next(parts, None)
            if element is None or element.kind != _MATRIX:
                raise ValueError(f"{i} cells where {size} were expected")
            cells[i] = self._array(element.data, depth + 1).values
        return cells

    def _count(self, cells: int) -> None:
        self.cells_left -= cells
        if self.cells_left < 0:
            raise ValueError(f"more than {MAX_CELLS} cells and rows of text")
