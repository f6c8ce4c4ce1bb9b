"""Published predictions: SPIGA's on five sets, five older systems' on COFW68."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from occlumark.data.cofw68 import read_cofw68
from occlumark.errors import AnnotationError
from occlumark.metrics.landmarks import point_errors
from paper.inputs import Inputs

#: The systems' files, by the names of protocols and papers.
SYSTEMS = {
    "HPM": "HPM_HelenLfpw_COFW68test.txt",
    "SAPM": "SAPM_COFW68.txt",
    "CFSS": "CFSS_CFOW68.txt",
    "TCDCN": "TCDCN_CFOW68.txt",
    "RCPR-occ": "RCPR-occ_300w.txt",
}
_LINES_A_FACE = 4


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a system says of n annotated faces."""

    truth: np.ndarray
    """(n, 68, 2) pixels."""
    points: np.ndarray
    """(n, 68, 2) in the same pixels."""
    occluded: np.ndarray
    """(n, 68) bool: which points are occluded, by annotation."""
    flagged: np.ndarray | None
    """(n, 68) bool: which the system predicts occluded; None where it does not say."""
    subsets: np.ndarray
    """(n,) the part of the data set of each face; empty strings where there is only one."""

    @cached_property
    def point_errors(self) -> np.ndarray:
        """(n, 68) distances over the inter-ocular distance."""
        return point_errors(self.points, self.truth, "inter_ocular")

    @property
    def errors(self) -> np.ndarray:
        """(n,) inter-ocular NME."""
        return self.point_errors.mean(axis=1)


def spiga(inputs: Inputs, name: str) -> Predictions:
    """SPIGA's predictions on a set: 300wpublic, 300wprivate or cofw68.

    Raises:
        MissingInputError: they are not here.
    """
    with np.load(inputs.data("predictions", f"spiga_{name}.npz")) as file:
        data = {key: file[key] for key in file.files}
    subsets = data.get("subset", np.full(len(data["truth"]), ""))
    return Predictions(data["truth"], data["prediction"], data["visible"] != 1, None, subsets)


def systems_on_cofw68(inputs: Inputs) -> dict[str, Predictions]:
    """The five older systems' predictions beside COFW68's annotations.

    Raises:
        MissingInputError: they are not here.
        AnnotationError: a file is not as published.
    """
    folder = inputs.data("cofw68")
    samples, problems = read_cofw68(folder)
    if problems:
        raise AnnotationError(
            f"{folder}: {len(problems)} annotations cannot be used; first {': '.join(problems[0][:2])}"
        )
    truth = np.stack([sample.landmarks for sample in samples])
    occluded = np.stack([np.asarray(sample.occluded) for sample in samples])
    found = {}
    for name, file in SYSTEMS.items():
        points, flagged = read_result(folder / "Results" / file, len(samples))
        found[name] = Predictions(truth, points - 0.5, occluded, flagged, np.full(len(truth), ""))
    return found


def read_result(path: Path, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A system's file: for each face four lines, its number from 1, 68 x, 68 y, 68 flags; the faces in any order.

    Args:
        path: the file.
        n: how many faces there are.

    Returns:
        Points (n, 68, 2), pixels that count from 1, and flags (n, 68) bool, in the order of the numbers.

    Raises:
        AnnotationError: the file is missing or is not so.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        numbers = [np.array(line.split(), float) for line in lines]
    except (OSError, ValueError) as error:
        raise AnnotationError(f"cannot read {path}: {error}") from error
    sizes = [len(values) for values in numbers]
    if sizes != [1, 68, 68, 68] * n or sorted(int(v[0]) for v in numbers[::_LINES_A_FACE]) != list(range(1, n + 1)):
        raise AnnotationError(
            f"{path}: expected for each of {n} faces its number, 68 x, 68 y and 68 flags on four lines"
        )
    points, flagged = np.empty((n, 68, 2)), np.empty((n, 68), bool)
    for start in range(0, len(numbers), _LINES_A_FACE):
        number, x, y, flags = numbers[start : start + _LINES_A_FACE]
        face = int(number[0]) - 1
        points[face], flagged[face] = np.column_stack([x, y]), flags == 1
    return points, flagged
