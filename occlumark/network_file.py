"""The ONNX files that detection runs: checked, opened."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors

from occlumark.errors import CheckpointError

#: Where an ONNX file's metadata keeps the JSON that detection reads.
METADATA_KEY = "occlumark"

_UNREADABLE = (
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NoModel,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
)


class NetworkSession(onnxruntime.InferenceSession):
    """An ONNX Runtime session that can be pickled and copied: the copy opens the same file again."""

    def __init__(self, path: Path, content: bytes, threads: int | None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or min(4, os.cpu_count() or 1)
        options.log_severity_level = 4  # what goes wrong is raised; nothing is printed
        super().__init__(content, options, providers=["CPUExecutionProvider"])
        self._opened_by = (path.absolute(), hashlib.sha256(content).hexdigest(), threads)

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, self._opened_by


def open_network(
    path: Path, *, sha256: str | None = None, threads: int | None = None
) -> tuple[NetworkSession, dict[str, Any]]:
    """Open an exported network on the CPU.

    Args:
        path: an ONNX file that `occlumark export` wrote.
        sha256: what the file's SHA-256 must be; None: not checked.
        threads: of ONNX Runtime within one run; None: the CPU's, at most 4.

    Returns:
        The session, and what the file's metadata says of the network.

    Raises:
        CheckpointError: the file is missing, truncated, altered or not ours.
        ValueError: threads below 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads is at least 1, not {threads}")
    content = _read(path)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise CheckpointError(f"{path} is altered: its SHA-256 is not the recorded one; install the package again")
    try:
        session = NetworkSession(path, content, threads)
    except _UNREADABLE as error:
        raise CheckpointError(f"{path} is no ONNX file, or a truncated one; export it again") from error
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise CheckpointError(f"{path} is not ours: it lacks the metadata that `occlumark export` writes")
    try:
        metadata = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"{path} has broken metadata; export it again") from error
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path} has broken metadata; export it again")
    return session, metadata


def _open_again(path: Path, sha256: str, threads: int | None) -> NetworkSession:
    return open_network(path, sha256=sha256, threads=threads)[0]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read weights {path}: {error.strerror}") from error
