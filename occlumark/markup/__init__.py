"""Markups: which index is which part of the face, and what mirroring does to the indices.

Left and right are the person's own. Indices count from 0. The module's constants are those of the 68-point markup, in
which the package detects.
"""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

import numpy as np

from occlumark.config import parse_toml
from occlumark.markup.read import MOST_LANDMARKS, markup_of, read_markup
from occlumark.markup.scheme import NORMALISERS, BoxNormaliser, EyeNormaliser, Markup, Normaliser, Opening

__all__ = [
    "CONTOURS",
    "LEFT_EYE",
    "MARKUPS",
    "MIRROR",
    "MOST_LANDMARKS",
    "NORMALISERS",
    "N_LANDMARKS",
    "REGIONS",
    "RIGHT_EYE",
    "W300",
    "WFLW_TO_68",
    "BoxNormaliser",
    "EyeNormaliser",
    "Markup",
    "Normaliser",
    "Opening",
    "markup_for",
    "markup_of",
    "named_markup",
    "read_markup",
    "tight_box",
]


def _packaged(name: str) -> Markup:
    text = files("occlumark.markup").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return markup_of(parse_toml(text, f"markup {name}"))


#: Those in the package by the number of landmarks: what faces of so many are taken for where nothing else is said.
MARKUPS: Mapping[int, Markup] = MappingProxyType(
    {markup.n: markup for markup in map(_packaged, ("300w", "cofw", "aflw", "wflw", "five"))}
)

W300 = MARKUPS[68]
N_LANDMARKS = W300.n
RIGHT_EYE = range(36, 42)
LEFT_EYE = range(42, 48)
REGIONS = W300.regions
#: Lines to draw: first index, last index, closed.
CONTOURS: tuple[tuple[int, int, bool], ...] = tuple((min(c), max(c), c[0] == c[-1]) for c in W300.contours)
MIRROR = W300.mirror

#: Landmark i of the 68 lies about where landmark WFLW_TO_68[i] of WFLW's 98 does. The schemes differ by 3.2 % of the
#: inter-ocular distance on average: not for a result in 68 points, and data.wflw_to_68 comes closer.
WFLW_TO_68: np.ndarray = np.array(
    [
        *range(0, 33, 2),  # jaw, every other point
        *range(33, 38),  # right brow, its upper edge
        *range(42, 47),  # left brow
        *range(51, 60),  # nose
        *(60, 61, 63, 64, 65, 67),  # right eye without the middles of the lids
        *(68, 69, 71, 72, 73, 75),  # left eye
        *range(76, 96),  # mouth; the last two of the 98 are the pupils
    ]
)
WFLW_TO_68.flags.writeable = False


def markup_for(n: int, given: Markup | None) -> Markup:
    """The markup of n landmarks: the one given, or where that is none, or the package's of another number, its own.

    Raises:
        ValueError: the package has none of n landmarks, or the one given has another number.
    """
    if given is not None and given.n == n:
        return given
    if given is not None and given != MARKUPS.get(given.n):
        raise ValueError(f"markup '{given.name}' has {given.n} landmarks, not {n}")
    if n not in MARKUPS:
        known = ", ".join(map(str, MARKUPS))
        raise ValueError(f"the number of landmarks is one of {known}, where no markup is given; not {n}")
    return MARKUPS[n]


def tight_box(landmarks: np.ndarray) -> np.ndarray:
    """The smallest box around the landmarks, 300W's "ground truth" box.

    Args:
        landmarks: (n, 2), pixels.

    Returns:
        (4,) as x0, y0, x1, y1 in the same pixels.
    """
    return np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])


def named_markup(name: str) -> Markup:
    """A markup of the package by its name, else the one that a file of that name holds.

    Raises:
        ConfigError: there is neither, or the file says what cannot be.
    """
    for markup in MARKUPS.values():
        if markup.name == name:
            return markup
    return read_markup(Path(name))
