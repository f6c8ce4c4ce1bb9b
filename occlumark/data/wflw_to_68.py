"""Faces of WFLW's 98 points as faces of 300W's 68, to train with.

The markups share hardly a point: WFLW's lids and lips lie inside of 300W's, its brows have two edges. Taking the
nearest index is off by 1.7 % of the face's size in the same direction on every face, the weighted means here by 0.5 %
(studies/fit_wflw.py, which wrote wflw_to_68.csv).
"""

import csv
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from occlumark.data.sample import Sample

_TABLE = Path(__file__).with_suffix(".csv")


@cache
def weights() -> np.ndarray:
    """(68, 98): each of the 68 as a weighted mean of the 98. Rows add up to one: a moved face gives moved landmarks."""
    table = np.zeros((68, 98))
    with _TABLE.open(newline="") as file:
        for row in csv.DictReader(file):
            table[int(row["landmark"]), int(row["wflw"])] = float(row["weight"])
    table.flags.writeable = False
    return table


def to_68(sample: Sample) -> Sample:
    """The same face in 68 points.

    Args:
        sample: with 98 landmarks; its name gets `wflw/` before it.
    """
    return replace(sample, name=f"wflw/{sample.name}", landmarks=weights() @ sample.landmarks)
