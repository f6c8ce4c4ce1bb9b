"""Per-photo errors: the one form in which a network's results are kept, so that no table needs the network again."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from occlumark.errors import AnnotationError
from occlumark.files import write_csv
from occlumark.metrics.landmarks import BOX_NORMALISERS, NORMALISERS, BoxNormaliser, Normaliser, face_sizes

HEADS = ["name", "subset", "error", "normaliser", "size", "box", "width", "height"]


@dataclass(frozen=True, eq=False)
class PhotoErrors:
    """Errors of n faces of a data set by one network."""

    names: list[str]
    """Of the faces, unique."""
    subsets: list[frozenset[str]]
    """Which parts of the data set each face belongs to."""
    errors: np.ndarray
    """(n,) NME, a fraction; NaN for a face that the face finder missed."""
    normaliser: Normaliser
    """What the errors are divided by."""
    sizes: np.ndarray
    """(n,) the normaliser of each face, photo pixels."""
    boxes: list[str]
    """Where each face's box came from: official, tight or finder; "none" for a missed face."""
    sides: np.ndarray
    """(n, 2) width and height of each face's box, photo pixels; NaN for a missed face."""

    @property
    def found(self) -> np.ndarray:
        """(n,) bool: the faces that have an error."""
        return np.isfinite(self.errors)

    def of(self, *subsets: str) -> np.ndarray:
        """Errors of the found faces in any of some subsets, in order; all faces where none is named."""
        inside = [not subsets or bool(each & set(subsets)) for each in self.subsets]
        return self.errors[np.array(inside, bool) & self.found]

    def missed(self, *subsets: str) -> int:
        """How many faces of the subsets the face finder missed."""
        inside = [not subsets or bool(each & set(subsets)) for each in self.subsets]
        return int(np.count_nonzero(np.array(inside, bool) & ~self.found))

    def by_box(self, normaliser: BoxNormaliser) -> "PhotoErrors":
        """The same errors over another size of the faces' boxes.

        Raises:
            ValueError: the normaliser is none of a box.
        """
        if normaliser not in BOX_NORMALISERS:
            raise ValueError(f"the normaliser is one of {', '.join(BOX_NORMALISERS)}, not {normaliser}")
        corners = np.column_stack([np.zeros_like(self.sides), np.nan_to_num(self.sides, nan=1.0)])
        sizes = face_sizes(np.zeros((len(corners), 1, 2)), normaliser, corners)
        errors = self.errors * self.sizes / sizes
        return PhotoErrors(self.names, self.subsets, errors, normaliser, sizes, self.boxes, self.sides)

    def write(self, path: Path) -> None:
        """Write the table; a missed face has no error, width or height.

        Raises:
            OcclumarkError: it cannot be written.
        """
        rows = []
        faces = zip(self.names, self.subsets, self.errors, self.sizes, self.boxes, *self.sides.T, strict=True)
        for name, subsets, error, size, box, width, height in faces:
            numbers = ["" if np.isnan(value) else f"{value:.2f}" for value in (size, width, height)]
            written = "" if np.isnan(error) else f"{error:.6f}"
            rows.append([name, " ".join(sorted(subsets)), written, self.normaliser, numbers[0], box, *numbers[1:]])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_csv(path, HEADS, rows)

    @classmethod
    def read(cls, path: Path) -> "PhotoErrors":
        """Read a table that `write` wrote.

        Raises:
            AnnotationError: it cannot be read, or is no such table.
        """
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError) as error:
            raise AnnotationError(f"cannot read {path}: {error}") from error
        if not rows or list(rows[0]) != HEADS:
            raise AnnotationError(f"{path} is no table of errors per photo; expected the columns {', '.join(HEADS)}")
        normalisers, names = {row["normaliser"] for row in rows}, [row["name"] for row in rows]
        if len(normalisers) > 1 or len(set(names)) < len(names) or not normalisers <= set(NORMALISERS):
            raise AnnotationError(f"{path}: one known normaliser, and each name once; found {', '.join(normalisers)}")
        try:
            columns = {key: [float(row[key] or "nan") for row in rows] for key in ("error", "size", "width", "height")}
        except (TypeError, ValueError) as error:
            raise AnnotationError(f"{path} has a cell that is no number: {error}") from error
        return cls(
            names,
            [frozenset(row["subset"].split()) for row in rows],
            np.array(columns["error"]),
            normalisers.pop(),  # type: ignore[arg-type]
            np.array(columns["size"]),
            [row["box"] for row in rows],
            np.column_stack([columns["width"], columns["height"]]),
        )


def called(name: str) -> str:
    """How a network is called in tables and figures whose table of errors is named MODEL-BOX."""
    model, _, box = name.rpartition("-")
    return f"{model}, ours, {box} boxes"


def read_all(folder: Path, prefix: str) -> dict[str, PhotoErrors]:
    """Every table whose name begins with the prefix, by the rest of its name without suffix, in order.

    Raises:
        AnnotationError: one of them is no such table.
    """
    return {path.stem[len(prefix) :]: PhotoErrors.read(path) for path in sorted(folder.glob(f"{prefix}*.csv"))}
