"""MATLAB's files: what scipy wrote comes back, what is damaged is refused; files worked by hand."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from occlumark.data import mat5
from occlumark.data.mat5 import parse_mat5
from occlumark.data.matlab import read_mat, texts, variable
from occlumark.errors import AnnotationError


def _element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def _matrix(kind: int, shape: list[int], *data: bytes, name: bytes = b"a", flags: int = 0) -> bytes:
    parts = _element(6, struct.pack("<II", kind | flags, 0)), _element(5, struct.pack(f"<{len(shape)}i", *shape))
    return _element(14, b"".join(parts) + _element(1, name) + b"".join(data))


def _file(*variables: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"".join(variables)


def _compressed(variable: bytes) -> bytes:
    packed = zlib.compress(variable)
    return struct.pack("<II", 15, len(packed)) + packed


def _same(found: np.ndarray, expected: np.ndarray) -> bool:
    if expected.dtype == object:
        cells = zip(found.ravel(), expected.ravel(), strict=True)
        return found.shape == expected.shape and all(_same(a, b) for a, b in cells)
    return found.shape == expected.shape and found.dtype == expected.dtype and np.array_equal(found, expected)


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_writes_comes_back_as_scipy_reads_it(compressed: bool) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="needs scipy (the test extra)")
    cells = np.empty((2, 3), object)
    cells[:] = [["a/b.jpg", np.arange(6.0).reshape(2, 3), ""], ["ä€", np.array(["one", "two"]), np.empty((0, 0))]]
    nested = np.empty((1, 1), object)
    nested[0, 0] = cells
    numbers = {f"n_{form}": np.arange(24, dtype=form).reshape(2, 3, 4) for form in ("f4", "f8", "i2", "u1", "i4", "u8")}
    written = numbers | {"cells": cells, "nested": nested, "flag": np.array([[True, False]]), "text": "one line"}
    file = io.BytesIO()
    scipy_io.savemat(file, written, do_compression=compressed)
    found = parse_mat5(file.getvalue())
    expected = {name: value for name, value in scipy_io.loadmat(file).items() if not name.startswith("__")}
    assert found.keys() == written.keys()
    for name, value in found.items():
        assert _same(value, expected[name]), name


def test_an_array_worked_by_hand_column_by_column() -> None:
    matrix = _matrix(6, [2, 3], _element(2, bytes([1, 2, 3, 4, 5, 6])))  # class double, kept as bytes
    assert parse_mat5(_file(matrix))["a"].tolist() == [[1, 3, 5], [2, 4, 6]]
    assert parse_mat5(_file(_compressed(matrix)))["a"].tolist() == [[1, 3, 5], [2, 4, 6]]
    small = _matrix(8, [1, 2], struct.pack("<HHbbxx", 1, 2, -1, 7))  # two bytes in the tag itself
    assert parse_mat5(_file(small))["a"].tolist() == [[-1, 7]]
    text = _matrix(4, [2, 2], _element(4, "acbd".encode("utf-16-le")))
    assert parse_mat5(_file(text))["a"].tolist() == ["ab", "cd"]


def test_the_other_order_of_bytes() -> None:
    tag = struct.pack
    flags, shape = tag(">IIII", 6, 8, 6, 0), tag(">IIii", 5, 8, 1, 2)
    body = flags + shape + tag(">II8s", 1, 1, b"a") + tag(">II2h4x", 3, 4, 258, -2)
    content = b"MATLAB 5.0 MAT-file".ljust(124) + b"\1\0MI" + tag(">II", 14, len(body)) + body
    assert parse_mat5(content)["a"].tolist() == [[258, -2]]


def test_variables_of_other_classes_are_left_out() -> None:
    one = _element(9, struct.pack("<d", 1))
    structure, complex_one = _matrix(2, [1, 1], name=b"s"), _matrix(6, [1, 1], one, one, name=b"c", flags=0x800)
    assert list(parse_mat5(_file(structure, complex_one, _matrix(6, [1, 1], one)))) == ["a"]


_ONE = _element(9, struct.pack("<d", 1))
DAMAGED = {
    "empty": (b"", "no .mat file"),
    "version 4": (struct.pack("<5i", 0, 1, 1, 0, 2) + bytes(200), "no .mat file"),
    "version 7.3": (b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM", r"version 7\.3 .*; expected an older one"),
    "another version": (b"MATLAB".ljust(124) + b"\0\5IM", r"version 5\.0 of the format; expected 1\.0"),
    "half a tag": (_file(b"\x0e\0\0\0"), "ends within an element's tag"),
    "an element that is too long": (_file(struct.pack("<II", 14, 1 << 31)), "2147483648 bytes where 0 are left"),
    "five bytes in four": (_file(_matrix(6, [1, 1], struct.pack("<HHI", 2, 5, 0))), "5 bytes in four"),
    "no variable": (_file(_ONE), "of type 9 where a variable"),
    "numbers of an unknown type": (_file(_matrix(6, [1, 1], _element(99, bytes(8)))), "of type 99 where numbers"),
    "no numbers": (_file(_matrix(6, [1, 1])), "of type none where numbers"),
    "half a number": (_file(_matrix(6, [1, 1], _element(9, bytes(4)))), "4 bytes of numbers that have 8 each"),
    "too few numbers": (_file(_matrix(6, [2, 3], _ONE)), "1 numbers where 6 were expected"),
    "a shape of no end": (_file(_matrix(6, [2**31 - 1] * 32, _ONE)), "1 numbers where"),
    "a negative shape": (_file(_matrix(6, [-1, -1], _ONE)), "without its class or shape"),
    "a shape of one side": (_file(_matrix(6, [1], _ONE)), "without its class or shape"),
    "too few letters": (_file(_matrix(4, [1, 5], _element(16, b"abc"))), "3 characters where 1 x 5"),
    "no text": (_file(_matrix(4, [1, 8], _ONE)), "a text that is none"),
    "too few cells": (_file(_matrix(1, [2, 1], _matrix(6, [1, 1], _ONE))), "1 cells where 2 were expected"),
    "a billion cells": (_file(_matrix(1, [1 << 15, 1 << 15])), "more than 1048576 cells"),
    "a compressed variable that ends": (_file(_compressed(_matrix(6, [1, 1], _ONE)[:-4])), "bytes instead of"),
    "a compressed variable of 4 GB": (_file(_compressed(struct.pack("<II", 14, 2**32 - 1))), "more than 128 MB"),
    "compressed nothing": (_file(struct.pack("<II", 15, 0)), "without data"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_one_line(name: str, tmp_path: Path) -> None:
    content, message = DAMAGED[name]
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=rf"cannot read .*a\.mat as a \.mat file: .*{message}") as caught:
        read_mat(path)
    assert "\n" not in str(caught.value)


def test_depth_and_size_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    nested = _matrix(6, [1, 1], _ONE)
    for _ in range(1000):
        nested = _matrix(1, [1, 1], nested)
    with pytest.raises(ValueError, match="cells more than 16 deep"):
        parse_mat5(_file(nested))
    monkeypatch.setattr(mat5, "MAX_CHARACTERS", 4)
    with pytest.raises(ValueError, match="more than 4 characters"):
        parse_mat5(_file(_matrix(4, [1, 5], _element(16, b"abcde"))))
    monkeypatch.setattr(mat5, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match="it has more than 0 MB"):
        parse_mat5(_file(_matrix(6, [1, 1], _ONE)))


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_every_shorter_file_is_refused(cut: int) -> None:
    whole = _file(_matrix(1, [1, 1], _matrix(4, [1, 3], _element(16, b"abc"))))
    with pytest.raises(ValueError):
        parse_mat5(whole[:-cut])


def test_variables_are_checked_for_what_they_hold() -> None:
    cells = np.empty((2, 1), object)
    cells[:, 0] = [np.array(["a"]), np.array(["b"])]
    held = {"cells": cells, "numbers": np.ones((2, 1)), "text": np.array(["a"])}
    path = Path("a.mat")
    assert texts(path, held, "cells", 2) == ["a", "b"]
    with pytest.raises(AnnotationError, match=r"a\.mat: cells holds no numbers"):
        variable(path, held, "cells", (2, 1))
    for name, cell in (("numbers", 1), ("cells", 2)):
        cells[1, 0] = np.array(["b", "c"])
        with pytest.raises(AnnotationError, match=rf"a\.mat: cell {cell} of {name} is no line of text"):
            texts(path, held, name, 2)
