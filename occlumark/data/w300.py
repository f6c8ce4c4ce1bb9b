"""The 300W layout: folders of photos with a .pts beside each, and a table of the official detector boxes."""

import csv
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from occlumark.data.annotation import file_exists
from occlumark.data.pts import read_pts
from occlumark.data.sample import Problem, Sample
from occlumark.errors import AnnotationError
from occlumark.files import files_below
from occlumark.markup import MARKUPS, N_LANDMARKS, Markup
from occlumark.photo import PHOTO_SUFFIXES

_COMMON_SUFFIXES = (".jpg", ".jpeg", ".png")  # tried first: one look at the disk per photo
_SUFFIXES = (*_COMMON_SUFFIXES, *sorted(PHOTO_SUFFIXES - set(_COMMON_SUFFIXES)))
BOX_FILE = "detector_boxes.csv"
_BOX_COLUMNS = ["set", "file", "x0", "y0", "x1", "y1"]
_FACE_NUMBER = re.compile(r"(.+)_(\d+)")


def read_w300(
    roots: Sequence[Path], n_landmarks: int = N_LANDMARKS, markup: Markup | None = None
) -> tuple[list[Sample], list[Problem]]:
    """Read every annotated face below some folders, linked ones too; what starts with a dot is left out.

    The photo of `name.pts` is `name.jpg` (or another suffix) beside it; that of `name_2.pts` may also be
    `name.jpg`. Official boxes come from the nearest `detector_boxes.csv` at or above each root. A face below
    two of the roots is read once.

    Args:
        roots: folders.
        n_landmarks: how many points a .pts must have; another data set may lie in this layout.
        markup: of the faces; None: the package's of so many landmarks.

    Returns:
        The samples in the order of roots and paths, and every .pts that cannot be used, with the reason.

    Raises:
        AnnotationError: a root that is no folder or has no .pts below it, a box table that is not one, or no usable
            face at all.
    """
    if not roots:
        raise ValueError("at least one folder is needed")
    folders = [_absolute(root) for root in roots]
    samples: list[Sample] = []
    problems: list[Problem] = []
    seen: set[Path] = set()
    common = Path(os.path.commonpath(folders))
    for root in folders:
        boxes = _nearest_boxes(root)
        for annotation in _annotations(root, n_landmarks):
            if annotation in seen:
                continue
            seen.add(annotation)
            try:
                samples.append(_read_sample(annotation, common, boxes, markup or MARKUPS[n_landmarks]))
            except AnnotationError as error:
                problems.append(Problem(annotation.relative_to(common).as_posix(), str(error)))
    if not samples:
        where, first = ", ".join(map(str, roots)), problems[0].reason
        raise AnnotationError(f"no usable face below {where}, {len(problems)} unusable; the first: {first}")
    return samples, problems


def name_prefixes(roots: Sequence[Path]) -> list[str]:
    """What the names of read_w300(roots) begin with, for each root; "" where the root is the common parent."""
    folders = [_absolute(root) for root in roots]
    common = Path(os.path.commonpath(folders))
    return ["" if folder == common else f"{folder.relative_to(common).as_posix()}/" for folder in folders]


def _absolute(root: Path) -> Path:
    # Symbolic links stay: a linked folder keeps its name and the boxes above it.
    return Path(os.path.abspath(root))  # noqa: PTH100


def _annotations(root: Path, n_landmarks: int) -> list[Path]:
    if not root.is_dir():
        raise AnnotationError(f"{root} is no folder; give a folder of photos with .pts files beside them")
    try:
        found = sorted(Path(name) for name in files_below(str(root)) if name.lower().endswith(".pts"))
    except OSError as error:
        raise AnnotationError(f"cannot list folder {error.filename}: {error.strerror}") from error
    if not found:
        raise AnnotationError(
            f"no .pts file below {root}; expected photos with a .pts of {n_landmarks} points beside each"
        )
    return found


def _read_sample(annotation: Path, common: Path, boxes: dict[Path, np.ndarray], markup: Markup) -> Sample:
    photo, number = _photo_of(annotation)
    name = photo.relative_to(common).as_posix()
    return Sample(
        name=f"{name}#{number}" if number else name,
        photo=photo,
        landmarks=read_pts(annotation, markup.n),
        official_box=boxes.get(photo),
        markup=markup,
    )


def _photo_of(annotation: Path) -> tuple[Path, str]:
    """The photo beside an annotation, and the face's number where the photo does not carry it."""
    stems = [(annotation.stem, "")]
    if match := _FACE_NUMBER.fullmatch(annotation.stem):
        stems.append((match[1], match[2]))
    for stem, number in stems:
        for suffix in _SUFFIXES:
            for candidate in (f"{stem}{suffix}", f"{stem}{suffix.upper()}"):
                photo = annotation.with_name(candidate)
                if file_exists(photo):
                    return photo, number
    raise AnnotationError(f"{annotation} has no photo beside it; expected {annotation.stem}.jpg or .png")


def _nearest_boxes(root: Path) -> dict[Path, np.ndarray]:
    for folder in (root, *root.parents):
        table = folder / BOX_FILE
        if table.is_file():
            return read_boxes(table)
    return {}


def read_boxes(table: Path) -> dict[Path, np.ndarray]:
    """Read a `detector_boxes.csv`: set, file, x0, y0, x1, y1, in 1-based pixels.

    A set is a folder, relative to the table's own.

    Returns:
        For each photo's path its box, (4,) x0, y0, x1, y1, the first pixel's centre at (0.5, 0.5).

    Raises:
        AnnotationError: other columns, or a row without four finite numbers, x0 < x1 and y0 < y1.
    """
    boxes = {}
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if rows.fieldnames != _BOX_COLUMNS:
                raise AnnotationError(f"{table}: expected the columns {','.join(_BOX_COLUMNS)}")
            for row in rows:
                boxes[table.parent / row["set"] / row["file"]] = _read_box(table, rows.line_num, row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"cannot read {table}: {error}") from error
    return boxes


def _read_box(table: Path, line: int, row: dict[str, str]) -> np.ndarray:
    try:
        box = np.array([float(row[key]) for key in ("x0", "y0", "x1", "y1")]) - 0.5
    except (TypeError, ValueError) as error:
        raise AnnotationError(f"{table}, line {line}: expected four numbers x0, y0, x1, y1") from error
    if not (np.isfinite(box).all() and box[0] < box[2] and box[1] < box[3]):
        raise AnnotationError(f"{table}, line {line}: expected x0 < x1 and y0 < y1, came {(box + 0.5).tolist()}")
    return box
