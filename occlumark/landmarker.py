"""The exported network behind ONNX Runtime: crops in, landmarks out."""

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors

from occlumark.config import from_mapping
from occlumark.crop import CropConfig
from occlumark.errors import CheckpointError, ConfigError
from occlumark.markup import N_LANDMARKS

#: Version of the exported form; raised when detection must know of a change.
FORMAT = 1
#: Where the ONNX file's metadata keeps the JSON that the detector reads.
METADATA_KEY = "occlumark"
#: The network's outputs, as in Prediction.
OUTPUTS = ("landmarks", "visibility", "occlusion_map")
_PACKAGED = Path(__file__).with_name("weights")

# Faces in one run: more are no faster on a CPU, and ONNX Runtime keeps the memory of its largest run.
_MAX_FACES_PER_RUN = 8

_UNREADABLE = (
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NoModel,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
)


class Prediction(NamedTuple):
    """What the network says of n crops."""

    landmarks: np.ndarray
    """(n, 68, 2) float32, crop pixels."""
    visibility: np.ndarray
    """(n, 68) float32, 0..1."""
    occlusion_maps: np.ndarray
    """(n, h, w) float32, 0..1, high where the face is hidden."""


class Landmarker:
    """An exported network, ready to run.

    Args:
        path: an ONNX file that `occlumark export` wrote.
        sha256: what the file's SHA-256 must be; None: not checked.
        threads: of ONNX Runtime within one run; None: the CPU's, at most 4.

    Raises:
        CheckpointError: the file is missing, truncated, altered, not ours, or of another markup.
    """

    def __init__(self, path: Path, *, sha256: str | None = None, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"threads is at least 1, not {threads}")
        content = _read(path)
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise CheckpointError(f"{path} is altered: its SHA-256 is not the recorded one; install the package again")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or min(4, os.cpu_count() or 1)
        options.log_severity_level = 4  # what goes wrong is raised; nothing is printed
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except _UNREADABLE as error:
            raise CheckpointError(f"{path} is no ONNX file, or a truncated one; export it again") from error
        self.model, self.crop = _read_metadata(path, self._session)
        _check_graph(path, self._session, self.crop.size)

    def predict(self, crops: np.ndarray) -> Prediction:
        """Run the network.

        Args:
            crops: (n, size, size, 3) uint8, RGB.
        """
        parts = [
            self._session.run(list(OUTPUTS), {"crops": crops[i : i + _MAX_FACES_PER_RUN]})
            for i in range(0, len(crops), _MAX_FACES_PER_RUN)
        ]
        landmarks, visibility, occlusion_maps = (np.concatenate(part) for part in zip(*parts, strict=True))
        # Interpolation and a sigmoid may leave 0..1 by a rounding error.
        return Prediction(landmarks, visibility.clip(0, 1), occlusion_maps.clip(0, 1))


def packaged_weights(model: str) -> tuple[Path, str]:
    """A packaged network's file and the SHA-256 recorded for it.

    Raises:
        CheckpointError: the package carries no network of this name, or its table is broken.
    """
    table = _PACKAGED / "weights.json"
    try:
        entries = json.loads(_read(table))
        known = {name: (_PACKAGED / entry["file"], str(entry["sha256"])) for name, entry in entries.items()}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{table} is broken; install the package again") from error
    if model not in known:
        raise CheckpointError(f"no packaged model '{model}'; there is {', '.join(sorted(known)) or 'none'}")
    return known[model]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read weights {path}: {error.strerror}") from error


def _read_metadata(path: Path, session: onnxruntime.InferenceSession) -> tuple[str, CropConfig]:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise CheckpointError(f"{path} is not ours: it lacks the metadata that `occlumark export` writes")
    try:
        values = json.loads(text)
        found = (values["format"], values["markup"])
        if found != (FORMAT, N_LANDMARKS):
            raise CheckpointError(
                f"{path} has format {found[0]} and markup {found[1]}; expected {FORMAT} and {N_LANDMARKS}"
            )
        return str(values["model"]), from_mapping(CropConfig, values["crop"], "crop.")
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(f"{path} has broken metadata; export it again") from error


def _check_graph(path: Path, session: onnxruntime.InferenceSession, size: int) -> None:
    found = {node.name: node.shape[1:] for node in (*session.get_inputs(), *session.get_outputs())}
    expected = {"crops": [size, size, 3], "landmarks": [N_LANDMARKS, 2], "visibility": [N_LANDMARKS]}
    if "occlusion_map" not in found or any(found.get(name) != shape for name, shape in expected.items()):
        raise CheckpointError(f"{path} has the wrong inputs or outputs: {found}; export it again")
