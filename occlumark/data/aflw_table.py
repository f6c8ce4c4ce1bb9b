"""AFLW's 19 points on reduced photos: a table (aflw19.csv), and the photos that it names in photos/.

A copy of some of the faces, each on a photo of its own, with the published list's parts, points, visibility and boxes
moved onto it. Not in the paper.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from occlumark.data.aflw import N_AFLW
from occlumark.data.annotation import check_landmarks, check_official_box, file_exists
from occlumark.data.sample import Problem, Sample
from occlumark.errors import AnnotationError

TABLE_FILE = "aflw19.csv"
_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
_POINTS = [(f"x{i}", f"y{i}", f"visible{i}") for i in range(N_AFLW)]
_COLUMNS = ("photo", "aflw_image", "split", "frontal", *_BOX, "residual_px", *(name for of in _POINTS for name in of))
#: From the table's pixels to ours. Where they are counted from it does not say: so far from the labels the packaged
#: network finds eyes, nose and mouth, on training faces as they are and mirrored alike (studies/aflw_labels.py). A
#: shift left in would double where a face is mirrored in training.
OFFSET = (-0.9, -0.4)


class TableRow(NamedTuple):
    """A face of the table."""

    sample: Sample
    residual: float
    """How far, in photo pixels, the five points by which the labels were moved onto the photo lie from where they
    should, on average."""


def read_aflw_table(folder: Path) -> tuple[list[Sample], list[Problem]]:
    """Read the table: landmarks that are not visible have no place, they are NaN and flagged as occluded.

    A sample's subsets are "train", or "full" (of AFLW-Full), with "frontal" as the published list has it.

    Args:
        folder: holds aflw19.csv and photos/.

    Returns:
        The samples in the order of the table, and the faces that cannot be used, with the reason.

    Raises:
        AnnotationError: no such table, other columns, or no usable face.
    """
    rows, problems = read_rows(folder)
    return [row.sample for row in rows], problems


def read_rows(folder: Path) -> tuple[list[TableRow], list[Problem]]:
    """As read_aflw_table, each sample with what else the table says of it."""
    path = folder / TABLE_FILE
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            lines = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"cannot read {path}: {error}") from error
    missing = [name for name in _COLUMNS if name not in (table.fieldnames or ())]
    if missing:
        raise AnnotationError(f"{path} has no column {missing[0]}; expected {', '.join(_COLUMNS[:9])}, x0, y0, ...")
    rows, problems = [], []
    for line in lines:
        try:
            rows.append(_row(folder, line))
        except (AnnotationError, TypeError, ValueError) as error:
            problems.append(Problem(str(line["photo"]), str(error), "train" if line["split"] == "train" else "test"))
    if not rows:
        first = f"; the first of {len(problems)} problems: {problems[0].reason}" if problems else ""
        raise AnnotationError(f"no usable face in {path}{first}")
    return rows, problems


def _row(folder: Path, line: dict[str, str]) -> TableRow:
    photo = folder / "photos" / line["photo"]
    if not file_exists(photo):
        raise AnnotationError(f"no photo {photo}")
    if line["split"] not in ("train", "test"):
        raise AnnotationError(f"split is train or test, not {line['split']!r}")
    visible = np.array([int(line[flag]) for _, _, flag in _POINTS]) == 1
    points = [(float(line[x] or "nan"), float(line[y] or "nan")) for x, y, _ in _POINTS]
    landmarks = np.where(visible[:, None], np.array(points), np.nan) + OFFSET
    check_landmarks(landmarks[visible])
    box = np.array([float(line[name]) for name in _BOX]) + np.tile(OFFSET, 2)
    check_official_box(box)
    test = {"full", "frontal"} if line["frontal"] == "1" else {"full"}
    subsets = {"train"} if line["split"] == "train" else test
    # AFLW's own names: its photo, whose faces are kept together where a part is set apart, and the number of the face
    image, _, face = line["aflw_image"].rpartition("-")
    sample = Sample(f"{image}.jpg#{face}", photo, landmarks, box, ~visible, frozenset(subsets))
    return TableRow(sample, float(line["residual_px"]))
