"""Our rows for the tables on 300W, from the per-photo errors."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from occlumark.metrics.landmarks import mean_interval
from paper.inputs import MissingInputError
from paper.page import hundredths, interval
from paper.photo_errors import PhotoErrors, called, read_all

PREFIX = "300w-"


class OurRow(NamedTuple):
    """One network from one kind of boxes; errors x 10^-2 as printed, with 95 % bootstrap intervals."""

    label: str
    common: str
    common_interval: str
    challenging: str
    challenging_interval: str
    full: str
    full_interval: str
    missed_common: int
    missed_challenging: int


def our_rows(errors: Path) -> list[OurRow]:
    """A row for every table 300w-MODEL-BOX.csv.

    Raises:
        MissingInputError: there is none.
        AnnotationError: one is no table of errors.
    """
    tables = read_all(errors, PREFIX)
    if not tables:
        raise MissingInputError(f"no {PREFIX}*.csv in {errors}; make them: make paper-errors")
    return [_row(name, table) for name, table in sorted(tables.items(), key=lambda item: box_order(item[0]))]


def box_order(name: str) -> tuple[str, int]:
    """What sorts tables MODEL-BOX by model, and official boxes before the finder's before tight ones."""
    model, _, box = name.rpartition("-")
    boxes = ("official", "finder", "tight")
    return model, boxes.index(box) if box in boxes else len(boxes)


def _row(name: str, table: PhotoErrors) -> OurRow:
    sets = [table.of("common"), table.of("challenging"), table.of()]
    common, challenging, full = ((hundredths(float(np.mean(e))), interval(*mean_interval(e))) for e in sets)
    missed = table.missed("common"), table.missed("challenging")
    return OurRow(called(name), *common, *challenging, *full, *missed)


def missed_note(rows: list[OurRow]) -> str:
    """Says which rows leave out faces that the face finder missed; empty where none does."""
    left_out = [
        f"{row.label}: {row.missed_common} of Common and {row.missed_challenging} of Challenging"
        for row in rows
        if row.missed_common or row.missed_challenging
    ]
    return f"Faces that were not found and are excluded from all statistics: {'; '.join(left_out)}." if left_out else ""
