"""What an ONNX file may hold, before ONNX Runtime opens it: operators of our exports, finite numbers, no other file.

The file is walked by protocol buffers' wire format, which is simple, and without the `onnx` package, which detection
does without. A part that the walk does not know is refused, not passed over.
"""

from collections.abc import Iterator

import numpy as np

#: What `occlumark export` writes, over the versions of torch that it runs with. None of them holds a graph of its own,
#: as Loop and If do, calls a function or names a file.
# fmt: off
OPERATORS = frozenset((
    "Abs", "Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "Conv", "CumSum",
    "DequantizeLinear", "Div", "Einsum", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "Gelu",
    "Gemm", "GlobalAveragePool", "GridSample", "Identity", "LayerNormalization", "MatMul", "Max", "MaxPool", "Min",
    "Mul", "Neg", "Pad", "Pow", "QuantizeLinear", "Range", "Reciprocal", "ReduceMean", "ReduceSum", "Relu",
    "Reshape", "Resize", "Shape", "Sigmoid", "Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Tanh", "Tile",
    "Transpose", "Unsqueeze", "Where",
))
# fmt: on
#: Ten times what our largest network has.
MOST_OPERATORS = 5_000

# The parts of each message of onnx.proto by number; None: a number, a text, or what ONNX Runtime checks by itself.
_MESSAGES: dict[str, dict[int, str | None]] = {
    "model": dict.fromkeys((1, 2, 3, 4, 5, 6, 8, 14)) | {7: "graph"},
    "graph": dict.fromkeys((2, 10, 11, 12, 13, 14, 16)) | {1: "operator", 5: "tensor"},
    "operator": dict.fromkeys((1, 2, 3, 4, 6, 7, 8, 9)) | {5: "attribute"},
    "attribute": dict.fromkeys((1, 2, 3, 4, 7, 8, 9, 13, 20)) | {5: "tensor"},
    "tensor": dict.fromkeys((1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 16)),
}
_FORBIDDEN = {
    ("model", 20): "training",
    ("model", 25): "functions",
    ("graph", 15): "sparse tensors",
    ("attribute", 6): "a graph within the graph, such as a loop",
    ("attribute", 11): "a graph within the graph, such as a loop",
    ("tensor", 13): "numbers kept in another file",
    ("tensor", 14): "numbers kept in another file",
}
_OP_TYPE, _DOMAIN = 4, 7  # parts of an operator
_DATA_TYPE, _FLOATS, _RAW, _DOUBLES = 2, 4, 9, 10  # parts of a tensor
_RAW_FLOATS = {1: "<f4", 10: "<f2", 11: "<f8"}  # by the tensor's data type
_WHOLE_NUMBERS = {2, 3, 4, 5, 6, 7, 9, 12, 13}

_Part = tuple[int, int | memoryview]


def check_onnx(content: bytes) -> None:
    """Check the bytes of an ONNX file.

    Raises:
        ValueError: they are truncated, no ONNX file, or hold what no export of ours does; the message says what.
    """
    operators = 0
    waiting: list[tuple[str, memoryview]] = [("model", memoryview(content))]
    while waiting:
        kind, message = waiting.pop()
        parts = list(_parts(message))
        for number, value in parts:
            if number not in _MESSAGES[kind]:
                raise ValueError(f"it holds {_FORBIDDEN.get((kind, number), f'an unknown part of a {kind}')}")
            if (inner := _MESSAGES[kind][number]) is not None:
                waiting.append((inner, _bytes(value)))
        if kind == "operator":
            _check_operator(parts)
            operators += 1
        if kind == "tensor":
            _check_tensor(parts)
        if operators > MOST_OPERATORS:
            raise ValueError(f"it runs more than {MOST_OPERATORS:,} operators")


def _check_operator(parts: list[_Part]) -> None:
    for number, value in parts:
        if number in (_OP_TYPE, _DOMAIN):
            text = bytes(_bytes(value)).decode(errors="replace")
            if text not in (OPERATORS if number == _OP_TYPE else ("", "ai.onnx")):
                raise ValueError(f"it runs {text[:80]!r}, which no export of ours does")


def _check_tensor(parts: list[_Part]) -> None:
    kinds = [value for number, value in parts if number == _DATA_TYPE]
    kind = kinds[-1] if kinds else 0
    if kind not in _WHOLE_NUMBERS | _RAW_FLOATS.keys():
        raise ValueError("it holds a tensor of something else than numbers")
    for number, value in parts:
        if number in (_FLOATS, _DOUBLES):
            _check_finite(_bytes(value), "<f4" if number == _FLOATS else "<f8")
        elif number == _RAW and kind in _RAW_FLOATS:
            _check_finite(_bytes(value), _RAW_FLOATS[kind])
        elif number == 5 and kind in _RAW_FLOATS:
            raise ValueError("it holds half-precision numbers in another form than raw bytes")


def _check_finite(raw: memoryview, form: str) -> None:
    if len(raw) % np.dtype(form).itemsize:
        raise ValueError("it holds half a number")
    if not np.isfinite(np.frombuffer(raw, form)).all():
        raise ValueError("it holds weights that are not finite")


def _parts(message: memoryview) -> Iterator[_Part]:
    """The parts of a message in the wire format: their numbers and their values, bytes or a whole number."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError("it is no ONNX file")
        if at + size > len(message):
            raise ValueError("it is truncated, or no ONNX file")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A whole number, seven bits a byte, lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        value |= (message[at] & 127) << shift
        at += 1
        if message[at - 1] < 128:
            return value, at
    raise ValueError("it is truncated, or no ONNX file")


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("it is no ONNX file")
    return value
