"""What a markup is: which index is which part of the face, and what mirroring does to the indices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

EyeNormaliser = Literal["inter_ocular", "inter_pupil"]
BoxNormaliser = Literal["box_width", "box_size", "box_longer", "box_diagonal"]
#: What an error may be divided by.
Normaliser = EyeNormaliser | BoxNormaliser
NORMALISERS: tuple[Normaliser, ...] = (*get_args(EyeNormaliser), *get_args(BoxNormaliser))


@dataclass(frozen=True)
class Opening:
    """Landmarks that tell how far an eye or the mouth is open."""

    corners: tuple[int, int]
    """Its two ends."""
    lids: tuple[tuple[int, int], ...]
    """Pairs that lie on one another where it is shut: on the upper and the lower lid or lip."""


@dataclass(frozen=True, eq=False)
class Markup:
    """A scheme of landmarks on a face. Left and right are the person's own; indices count from 0.

    Two are equal where they say the same. Of what a markup does not name (None) the faces have none: openness is NaN,
    and what needs it, as five_points, says so.
    """

    name: str
    """Of the data set that it comes from, or what its author calls it."""
    n: int
    """How many landmarks."""
    mirror: np.ndarray
    """(n,) Landmark i of a mirrored face is landmark mirror[i] of the original. Applied twice it is the identity."""
    regions: Mapping[str, Sequence[int]]
    """Parts of the face (jaw, brows, nose, eyes, mouth of those in the package), together every landmark once."""
    contours: tuple[tuple[int, ...], ...]
    """Lines to draw, as the indices along them; a closed line ends where it began."""
    outer_eye_corners: tuple[int, int] | None = None
    """Of the right and the left eye: their distance is the inter-ocular distance."""
    pupils: tuple[Sequence[int], Sequence[int]] | None = None
    """Landmarks whose mean is the right and the left pupil: their distance is the inter-pupil distance."""
    nose_tip: int | None = None
    mouth_corners: tuple[int, int] | None = None
    """The right one and the left one."""
    eyes: tuple[Opening, Opening] | None = None
    """The right one and the left one; None: the markup has no points on the lids."""
    mouth: Opening | None = None
    """Between the lips; None: the markup has no points there."""
    normaliser: Normaliser = "box_width"
    """What an error is divided by where nothing else is said."""
    names: tuple[str, ...] = field(default=(), repr=False)
    """(n,) what each landmark is called; empty: its region and its number there."""

    def __post_init__(self) -> None:
        self.mirror.flags.writeable = False
        if not self.names:
            object.__setattr__(self, "names", _numbered(self.n, self.regions))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Markup):
            return NotImplemented
        return self is other or (self.n == other.n and self.name == other.name and self.to_json() == other.to_json())

    def __hash__(self) -> int:
        return hash((self.name, self.n))

    def __reduce__(self) -> tuple[Any, ...]:
        from occlumark.markup import MARKUPS, named_markup
        from occlumark.markup.read import markup_of

        return (named_markup, (self.name,)) if self is MARKUPS.get(self.n) else (markup_of, (self.to_json(),))

    def to_json(self) -> dict[str, Any]:
        """The markup as a markup file holds it (read.markup_of), in plain values."""
        pairs = [[i, int(j)] for i, j in enumerate(self.mirror) if i < j]
        found: dict[str, Any] = {
            "name": self.name,
            "landmarks": self.n if self.names == _numbered(self.n, self.regions) else list(self.names),
            "mirror": pairs,
            "regions": {name: list(indices) for name, indices in self.regions.items()},
            "contours": [list(contour) for contour in self.contours],
            "outer_eye_corners": _list_or_none(self.outer_eye_corners),
            "pupils": None if self.pupils is None else [list(pupil) for pupil in self.pupils],
            "nose_tip": self.nose_tip,
            "mouth_corners": _list_or_none(self.mouth_corners),
            "normaliser": self.normaliser,
        }
        openings = dict(zip(("right_eye", "left_eye"), self.eyes or (), strict=False))
        openings |= {} if self.mouth is None else {"mouth": self.mouth}
        if openings:
            found["openings"] = {
                name: {"corners": list(opening.corners), "lids": [list(pair) for pair in opening.lids]}
                for name, opening in openings.items()
            }
        return {key: value for key, value in found.items() if value is not None}


def _numbered(n: int, regions: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    """Region and number for each landmark: jaw_1 and so on."""
    names = [""] * n
    for region, indices in regions.items():
        for number, index in enumerate(indices, 1):
            names[index] = f"{region}_{number}"
    return tuple(names)


def _list_or_none(indices: Sequence[int] | None) -> list[int] | None:
    return None if indices is None else list(indices)
