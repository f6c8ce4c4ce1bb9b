"""Scenes: whole photos with the boxes of the faces in them, from a folder with a `boxes.csv`."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from occlumark.data.annotation import file_exists
from occlumark.data.split import split_validation
from occlumark.errors import AnnotationError

SCENE_TABLE = "boxes.csv"
_COLUMNS = ["file", "kind", "x0", "y0", "x1", "y1"]

#: The landmarks' tight box within a box of YuNet's: its left, top, right and bottom, in widths and heights of that box.
#: Fitted by studies/fit_boxes.py (docs/paper.md, "Face boxes").
TIGHT_IN_AUTO = np.array([-0.015, 0.256, 1.0, 1.003])

# The photos that no training sees: which these are is settled once, for training and evaluation alike.
_HELD_OUT_SHARE, _HELD_OUT_SEED = 0.15, 0


@dataclass(frozen=True, eq=False)
class Scene:
    """One photo. Every box means the tight box of the 68 landmarks, in photo pixels."""

    photo: Path
    """The photo's file."""
    faces: np.ndarray
    """(n, 4)"""
    exact: np.ndarray
    """(n,) bool: True where the box is made of annotated landmarks, False where a detector's box was moved to agree."""
    ignored: np.ndarray
    """(m, 4) places that may be a face or not: neither face nor background."""

    @property
    def name(self) -> str:
        """The photo's file name; what stands before its first underscore names where it is from."""
        return self.photo.name

    @property
    def source(self) -> str:
        """Where the photo is from: "w300", "wflw", "mask", "crowd", "other"."""
        return self.photo.name.partition("_")[0]


def read_scenes(folder: Path) -> list[Scene]:
    """Read a folder of photos with its `boxes.csv`: file, kind, x0, y0, x1, y1.

    Boxes have their origin at the photo's corner. The kinds: manual, the tight box of annotated landmarks; auto, a box
    of YuNet's, moved to where the tight box would be (TIGHT_IN_AUTO); ignore, neither face nor background; none, the
    photo has no face and the row no box.

    Args:
        folder: where the table and the photos are.

    Returns:
        The scenes in the order of their names.

    Raises:
        AnnotationError: no such table, other columns, a row that is none of these, or a photo that is missing.
    """
    table = folder / SCENE_TABLE
    rows: dict[str, list[tuple[str, np.ndarray]]] = {}
    without_face: set[str] = set()
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != _COLUMNS:
                raise AnnotationError(f"{table}: expected the columns {','.join(_COLUMNS)}")
            for row in reader:
                boxes = rows.setdefault(row["file"], [])
                if row["kind"] == "none":
                    without_face.add(row["file"])
                else:
                    boxes.append((row["kind"], _read_box(table, reader.line_num, row)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise AnnotationError(f"cannot read {table}: {reason}; expected photos with a {SCENE_TABLE}") from error
    if not rows:
        raise AnnotationError(f"{table} names no photo")
    for name in sorted(without_face):
        if rows[name]:
            raise AnnotationError(f"{table}: {name} has no face (none) and boxes as well")
    missing = [name for name in rows if not file_exists(folder / name)]
    if missing:
        raise AnnotationError(f"{table}: {len(missing)} of {len(rows)} photos are missing; the first: {missing[0]}")
    return [_scene(folder / name, rows[name]) for name in sorted(rows)]


def held_out(scenes: Sequence[Scene]) -> tuple[list[Scene], list[Scene]]:
    """Divide scenes into those to train on and those held out, 15 % by file name.

    Returns:
        The training and the held-out scenes, in the order given. A photo's side depends on its name alone.
    """
    training, other = split_validation([scene.name for scene in scenes], _HELD_OUT_SHARE, _HELD_OUT_SEED)
    return [scenes[i] for i in training], [scenes[i] for i in other]


def tight_from_auto(boxes: np.ndarray) -> np.ndarray:
    """YuNet's boxes (n, 4), moved to where the landmarks' tight boxes are."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return np.tile(boxes[:, :2], 2) + sides * TIGHT_IN_AUTO


def _read_box(table: Path, line: int, row: dict[str, str]) -> np.ndarray:
    if row["kind"] not in ("manual", "auto", "ignore"):
        raise AnnotationError(f"{table}, line {line}: kind is manual, auto, ignore or none, not {row['kind']!r}")
    if None in row:
        raise AnnotationError(f"{table}, line {line}: expected the columns {','.join(_COLUMNS)}, and no more")
    try:
        box = np.array([float(row[key]) for key in ("x0", "y0", "x1", "y1")])
    except (TypeError, ValueError) as error:
        raise AnnotationError(f"{table}, line {line}: expected four numbers x0, y0, x1, y1") from error
    if not (all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3]):
        raise AnnotationError(f"{table}, line {line}: expected x0 < x1 and y0 < y1, came {box.tolist()}")
    return box


def _scene(photo: Path, rows: list[tuple[str, np.ndarray]]) -> Scene:
    of_kind = {
        kind: np.array([box for found, box in rows if found == kind]).reshape(-1, 4)
        for kind in ("manual", "auto", "ignore")
    }
    manual, auto = of_kind["manual"], tight_from_auto(of_kind["auto"])
    return Scene(
        photo=photo,
        faces=np.concatenate([manual, auto]),
        exact=np.arange(len(manual) + len(auto)) < len(manual),
        ignored=of_kind["ignore"],
    )
