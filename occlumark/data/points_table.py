"""Landmarks in a table: CSV with a row a face, such as `occlumark detect --format csv` prints it."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from occlumark.data.annotation import check_landmarks, check_official_box, file_exists, numbered
from occlumark.data.sample import Problem, Sample
from occlumark.errors import AnnotationError
from occlumark.face import HIDDEN_BELOW
from occlumark.markup import Markup

_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")


def read_points_table(path: Path, markup: Markup, photos: Path | None = None) -> tuple[list[Sample], list[Problem]]:
    """Read the faces of a table.

    Columns: `photo`; for each landmark `x0`, `y0`, or `NAME_x`, `NAME_y` by the markup's names; an empty pair is a
    landmark that is not annotated. Where they are there: `visibility0` or `NAME_visibility`, 0 occluded .. 1 visible,
    empty where unknown; and `box_x0`, `box_y0`, `box_x1`, `box_y1`, the official box. Others are not read. The first
    pixel's centre is at (0.5, 0.5).

    Args:
        path: the file, with a row of heads.
        markup: of every face.
        photos: the folder that photos are below; None: the file's own.

    Returns:
        The samples in the order of the rows, and what cannot be used, with the reason.

    Raises:
        AnnotationError: the file cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            heads = reader.fieldnames or []
            columns = _columns(path, heads, markup)
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise AnnotationError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"{path} is no table of commas: {error}") from error
    names = numbered([row["photo"] or "" for _, row in rows])
    samples, problems = [], []
    for (line, row), name in zip(rows, names, strict=True):
        try:
            samples.append(_sample(row, name, (photos or path.parent) / (row["photo"] or ""), columns, markup))
        except AnnotationError as error:
            problems.append(Problem(name or f"{path.name}, line {line}", f"{path.name}, line {line}: {error}"))
    return samples, problems


def _columns(path: Path, heads: Sequence[str], markup: Markup) -> list[tuple[str, str, str]]:
    """The heads of each landmark's x, y and visibility."""
    numbered_heads = [(f"x{i}", f"y{i}", f"visibility{i}") for i in range(markup.n)]
    named_heads = [(f"{name}_x", f"{name}_y", f"{name}_visibility") for name in markup.names]
    missing = {}
    for columns in (numbered_heads, named_heads):
        lacks = [head for x, y, _ in columns for head in (x, y) if head not in heads]
        if not lacks and "photo" in heads:
            return columns
        missing[len(lacks)] = lacks
    lacks = ["photo"] if "photo" not in heads else missing[min(missing)]
    raise AnnotationError(
        f"{path}: markup '{markup.name}' has {markup.n} landmarks; expected the columns photo, x0, y0 to "
        f"x{markup.n - 1}, y{markup.n - 1}, missing is '{lacks[0]}'"
    )


def _sample(
    row: Mapping[str, str | None], name: str, photo: Path, columns: list[tuple[str, str, str]], markup: Markup
) -> Sample:
    table = np.array([[_number(row.get(head), head) for head in heads] for heads in columns])
    landmarks, visibility = table[:, :2], table[:, 2]
    known = np.isfinite(landmarks).all(axis=1)
    if (np.isfinite(landmarks).any(axis=1) & ~known).any():
        raise AnnotationError("a landmark has one of x and y alone")
    check_landmarks(landmarks[known])
    box = np.array([_number(row.get(head), head) for head in _BOX])
    if np.isfinite(box).any():
        check_official_box(box)
    if not name or not file_exists(photo):
        raise AnnotationError(f"no photo {photo}")
    told = np.isfinite(visibility)
    return Sample(
        name,
        photo,
        landmarks,
        box if np.isfinite(box).all() else None,
        visibility < HIDDEN_BELOW if told.any() else None,
        unknown=~told if told.any() else None,
        markup=markup,
    )


def _number(text: str | None, head: str) -> float:
    """NaN where there is nothing."""
    if text is None or not text.strip():
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        value = float("inf")
    if not abs(value) < 1e9:
        raise AnnotationError(f"'{head}' is a number or empty, not {text[:40]!r}")
    return value
