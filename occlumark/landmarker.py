"""The exported network behind ONNX Runtime: crops in, landmarks out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from occlumark.config import from_mapping
from occlumark.crop import CropConfig
from occlumark.errors import CheckpointError, ConfigError
from occlumark.markup import MARKUPS, Markup, markup_of
from occlumark.network_file import Form, NetworkSession, Provider, open_network

#: Version of the exported form; raised when detection must know of a change.
FORMAT = 1
#: The outputs that every network has, as in Prediction.
OUTPUTS = ("landmarks", "visibility", "occlusion_map")
#: The output that only some networks have. Not in the paper, which predicts no error.
EXPECTED_ERROR = "expected_error"
#: As EXPECTED_ERROR: how likely the crop shows a face at all. Not in the paper.
PRESENCE = "presence"

# Faces in one run: more are no faster on a CPU, and ONNX Runtime keeps the memory of its largest run.
_MAX_FACES_PER_RUN = 8


class Prediction(NamedTuple):
    """What the network says of n crops."""

    landmarks: np.ndarray
    """(n, L, 2) float32, crop pixels; L is the markup's number of landmarks."""
    visibility: np.ndarray
    """(n, L) float32, 0..1."""
    occlusion_maps: np.ndarray
    """(n, h, w) float32, 0..1, high where the face is occluded."""
    expected_errors: np.ndarray
    """(n, L) float32, crop pixels, at least 0: each landmark's expected distance from its true place; NaN where the
    network predicts none."""
    presence: np.ndarray
    """(n,) float32, 0..1, how likely each crop shows a face; NaN where the network does not tell."""


class Landmarker:
    """An exported network, ready to run.

    Args:
        path: an ONNX file that `occlumark export` wrote.
        sha256: what the file's SHA-256 must be; None: not checked.
        threads: of ONNX Runtime within one run; None: the CPUs that the process may use, at most 4.
        providers: of ONNX Runtime (network_file.Provider); None: the CPU.
        mirror: predict each crop mirrored as well, and give the mean of both: more exact, in twice the time.

    Raises:
        CheckpointError: the file is missing, truncated, altered, not ours, or of an unknown markup.
        ConfigError: this ONNX Runtime has no such provider.

    Attributes:
        model: the network's name, as its file gives it.
        markup: which landmarks it finds.
        crop: how the network's crops are cut.
        has_expected_error: whether a prediction's expected_errors are numbers.
        has_presence: whether a prediction's presence is.
    """

    def __init__(
        self,
        path: Path,
        *,
        sha256: str | None = None,
        threads: int | None = None,
        providers: Sequence[Provider] | None = None,
        mirror: bool = False,
    ) -> None:
        self._mirror = mirror
        self._session, metadata = open_network(path, sha256=sha256, threads=threads, providers=providers)
        self.model, self.markup, self.crop = _read_metadata(path, metadata)
        _check_graph(self._session, self.crop.size, self.markup.n)
        names = {output.name for output in self._session.get_outputs()}
        self.has_expected_error, self.has_presence = EXPECTED_ERROR in names, PRESENCE in names

    def predict(self, crops: np.ndarray) -> Prediction:
        """Run the network.

        Args:
            crops: (n, size, size, 3) uint8, RGB.
        """
        if not self._mirror:
            return self._predict(crops)
        both, n = self._predict(np.concatenate([crops, crops[:, :, ::-1]])), len(crops)
        mirrored = Prediction(*(part[n:] for part in both))
        back, size = self.markup.mirror, self.crop.size
        again = Prediction(
            np.stack([size - mirrored.landmarks[:, back, 0], mirrored.landmarks[:, back, 1]], axis=2),
            mirrored.visibility[:, back],
            mirrored.occlusion_maps[:, :, ::-1],
            mirrored.expected_errors[:, back],
            mirrored.presence,
        )
        return Prediction(*((part[:n] + other) / 2 for part, other in zip(both, again, strict=True)))

    def _predict(self, crops: np.ndarray) -> Prediction:
        told = {EXPECTED_ERROR: self.has_expected_error, PRESENCE: self.has_presence}
        outputs = [*OUTPUTS, *(name for name, is_told in told.items() if is_told)]
        parts = [
            self._session.outputs(outputs, {"crops": crops[i : i + _MAX_FACES_PER_RUN]})
            for i in range(0, len(crops), _MAX_FACES_PER_RUN)
        ]
        whole = (np.concatenate(part) for part in zip(*parts, strict=True))
        found = dict(zip(outputs, whole, strict=True))
        visibility = found["visibility"]
        errors = found.get(EXPECTED_ERROR, np.full(visibility.shape, np.nan, np.float32))
        presence = found.get(PRESENCE, np.full(len(visibility), np.nan, np.float32))
        # Interpolation and a sigmoid may leave 0..1 by a rounding error.
        maps = found["occlusion_map"].clip(0, 1)
        return Prediction(found["landmarks"], visibility.clip(0, 1), maps, errors.clip(0), presence.clip(0, 1))


def _read_metadata(path: Path, values: dict[str, Any]) -> tuple[str, Markup, CropConfig]:
    if values.get("kind") == "finder":
        raise CheckpointError(f"{path} is a face finder, no landmark network; name it as the finder (--finder)")
    try:
        # "markup" in files that were exported before the word was n_landmarks
        form, n = values["format"], values["n_landmarks"] if "n_landmarks" in values else values["markup"]
        own = values.get("markup") if isinstance(values.get("markup"), dict) else None
        if form != FORMAT or (own is None and n not in MARKUPS):
            known = ", ".join(map(str, MARKUPS))
            raise CheckpointError(f"{path} has format {form} and {n} landmarks; expected {FORMAT} and one of {known}")
        markup = MARKUPS[n] if own is None else markup_of(own)
        if markup.n != n:
            raise ConfigError(f"{n} landmarks, its markup has {markup.n}")
        return str(values["model"]), markup, from_mapping(CropConfig, values["crop"], "crop.")
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(f"{path} has broken metadata; export it again") from error


def _check_graph(session: NetworkSession, size: int, n: int) -> None:
    names = {node.name for node in session.get_outputs()}
    outputs: dict[str, Form] = {
        "landmarks": ("float", [None, n, 2]),
        "visibility": ("float", [None, n]),
        "occlusion_map": ("float", [None, "any", "any"]),
        EXPECTED_ERROR: ("float", [None, n]),
        PRESENCE: ("float", [None]),
    }
    for name in {EXPECTED_ERROR, PRESENCE} - names:
        del outputs[name]
    session.check_forms({"crops": ("uint8", [None, size, size, 3])}, outputs)
