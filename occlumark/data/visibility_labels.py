"""Which landmarks something real occludes, point by point, for faces of 300W and WFLW: annotations/labels.csv.

Not in the paper: it has no such labels (annotations/README.md says how they came about).
"""

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from occlumark.data.sample import Problem, Sample
from occlumark.errors import AnnotationError
from occlumark.markup import N_LANDMARKS

#: Faults of the data sets' own points, and photos that are one and the same: a table beside the labels.
ODDITIES = "oddities.csv"
_STATES = [f"v{i}" for i in range(N_LANDMARKS)]
_COLUMNS = ["photo", "screen", "kind", "labelled", *_STATES]
_SCREENS = ("clean", "occluded", "unsure")
#: Hair before the ears occludes these on faces that are clean otherwise.
_SIDEBURNS = (0, 16)
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, eq=False)
class VisibilityLabel:
    """What is known of one face."""

    photo: str
    """Path of the photo below the folder that holds 300w/ and wflw/."""
    screen: str
    """"clean": surely nothing before any landmark; "occluded"; "unsure"."""
    kind: str
    """The main occluder: "hair", "hand", ...; empty for none."""
    labelled: bool
    """Whether it was labelled point by point."""
    states: np.ndarray
    """(68,) int8: 1 occluded, 0 visible, -1 unknown."""
    group: str = ""
    """Faces of the same group are one and the same photo; empty: of no group."""
    faulty: tuple[int, ...] = ()
    """Landmarks whose place in the data set is wrong."""
    unusable: str = ""
    """Why the photo is none of a face; empty where it is one."""


class VisibilityLabels:
    """A table of labels, found by the photo's path.

    Args:
        labels: of the faces.
    """

    def __init__(self, labels: Sequence[VisibilityLabel]) -> None:
        self.labels = list(labels)
        self._by_file: dict[str, list[VisibilityLabel]] = defaultdict(list)
        for label in self.labels:
            self._by_file[PurePosixPath(label.photo).name].append(label)

    @classmethod
    def read(cls, path: Path) -> "VisibilityLabels":
        """Read labels.csv, and oddities.csv beside it where there is one.

        Raises:
            AnnotationError: they cannot be read, or hold what is none of the columns or states.
        """
        oddities = _read_oddities(path.with_name(ODDITIES)) if path.with_name(ODDITIES).is_file() else {}
        labels = []
        for line, row in _rows(path, _COLUMNS):
            labelled = row["labelled"] == "1"
            try:
                states = np.array([int(row[name]) if labelled else -1 for name in _STATES], np.int8)
            except ValueError as error:
                raise AnnotationError(f"{path}, line {line}: v0 to v67 are 1, 0 or -1") from error
            if not np.isin(states, (-1, 0, 1)).all() or row["screen"] not in _SCREENS or row["labelled"] not in "01":
                raise AnnotationError(
                    f"{path}, line {line}: screen is {', '.join(_SCREENS)}; labelled 0 or 1; v0 to v67 1, 0 or -1"
                )
            known = _known(states, row["screen"], labelled)
            label = VisibilityLabel(row["photo"], row["screen"], row["kind"], labelled, known)
            labels.append(replace(label, **oddities.get(row["photo"], {})))
        if not labels:
            raise AnnotationError(f"{path} labels no face")
        return cls(labels)

    def find(self, photo: Path) -> VisibilityLabel | None:
        """The label of a photo, by the end of its path; None where there is none."""
        path = f"/{photo.as_posix()}"
        for label in self._by_file.get(photo.name, ()):
            if path.endswith(f"/{label.photo}"):
                return label
        return None

    def _label_of(self, sample: Sample) -> VisibilityLabel | None:
        """A face's own: of the second face of a photo that of NAME.jpg#2, never the first one's."""
        if not isinstance(sample.photo, Path):
            return None
        number = sample.name.rpartition("#")[2] if "#" in sample.name else ""
        return self.find(Path(f"{sample.photo}#{number}") if number.isdigit() else sample.photo)

    def apply(self, samples: Sequence[Sample]) -> tuple[list[Sample], list[Problem]]:
        """The samples with what the labels tell of them, in their order.

        Args:
            samples: of 68 landmarks. Those without a label get no visibility.

        Returns:
            The samples, their faulty landmarks marked as inexact; and those left out, whose photos show no face.
        """
        found, problems = [], []
        for sample in samples:
            label = self._label_of(sample)
            if label is None:
                found.append(sample)
            elif label.unusable:
                problems.append(Problem(sample.name, f"labelled as no photo of a face: {label.unusable}"))
            else:
                inexact = np.zeros(N_LANDMARKS, bool)
                inexact[list(label.faulty)] = True
                found.append(
                    replace(
                        sample,
                        inexact=inexact,
                        occluded=label.states == 1,
                        unknown=label.states == -1,
                        group=label.group,
                    )
                )
        return found, problems


def _known(states: np.ndarray, screen: str, labelled: bool) -> np.ndarray:
    """A clean face that nobody labelled is visible but for its sideburns; any other that nobody labelled is unknown."""
    if labelled:
        return states
    known = np.full(N_LANDMARKS, 0 if screen == "clean" else -1, np.int8)
    known[list(_SIDEBURNS)] = -1
    return known


def _read_oddities(path: Path) -> dict[str, dict[str, Any]]:
    """Changes to labels by photo, as dataclasses.replace takes them."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for line, row in _rows(path, ["photo", "kind", "points_or_group", "note"]):
        change, what = found[row["photo"]], row["points_or_group"]
        if row["kind"] == "same_photo":
            change["group"] = f"same_photo:{what}"
        elif row["kind"] == "photo" and not what:
            change["unusable"] = row["note"]
        elif what and row["kind"] in ("points", "border", "photo"):
            change["faulty"] = (*change.get("faulty", ()), *_points(path, line, what))
    return found


def _points(path: Path, line: int, text: str) -> list[int]:
    """ "7-10,57" as the landmarks it names."""
    points: list[int] = []
    for part in re.split(r"[,; ]+", text.strip()):
        match = _RANGE.fullmatch(part)
        if match is None or int(match[2] or match[1]) >= N_LANDMARKS:
            raise AnnotationError(f"{path}, line {line}: expected landmarks like 7-10,57, came {text!r}")
        points += range(int(match[1]), int(match[2] or match[1]) + 1)
    return points


def _rows(path: Path, columns: list[str]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames is None or list(reader.fieldnames) != columns:
                raise AnnotationError(f"{path}: expected the columns {', '.join(columns[:4])}, ...")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    for line, row in rows:
        if None in row or None in row.values():
            raise AnnotationError(f"{path}, line {line}: expected {len(columns)} columns")
    return rows
