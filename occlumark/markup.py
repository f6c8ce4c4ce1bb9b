"""Markups: which index is which part of the face, and what mirroring does to the indices.

Left and right are the person's own. Indices count from 0. The module's constants are those of the 68-point markup, in
which the package detects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Opening:
    """Landmarks that tell how far an eye or the mouth is open."""

    corners: tuple[int, int]
    """Its two ends."""
    lids: tuple[tuple[int, int], ...]
    """Pairs that lie on one another where it is shut: on the upper and the lower lid or lip."""


@dataclass(frozen=True, eq=False)
class Markup:
    """A scheme of landmarks on a face."""

    name: str
    """Of the data set that it comes from."""
    n: int
    """How many landmarks."""
    mirror: np.ndarray
    """(n,) Landmark i of a mirrored face is landmark mirror[i] of the original. Applied twice it is the identity."""
    regions: Mapping[str, Sequence[int]]
    """jaw, brows, nose, eyes and mouth, together every landmark once."""
    contours: tuple[tuple[int, ...], ...]
    """Lines to draw, as the indices along them; a closed line ends where it began."""
    outer_eye_corners: tuple[int, int]
    """Of the right and the left eye: their distance is the inter-ocular distance."""
    pupils: tuple[Sequence[int], Sequence[int]]
    """Landmarks whose mean is the right and the left pupil: their distance is the inter-pupil distance."""
    nose_tip: int
    mouth_corners: tuple[int, int]
    """The right one and the left one."""
    eyes: tuple[Opening, Opening] | None = None
    """The right one and the left one; None: the markup has no points on the lids."""
    mouth: Opening | None = None
    """Between the lips; None: the markup has no points there."""


def _mirror(n: int, *pairs: tuple[Sequence[int], Sequence[int]]) -> np.ndarray:
    """The table that swaps the first of each pair with the second, in order, and leaves the others."""
    table = np.arange(n)
    for right, left in pairs:
        table[list(right)], table[list(left)] = left, right
    table.flags.writeable = False
    return table


RIGHT_EYE = range(36, 42)
LEFT_EYE = range(42, 48)

# Sagonas et al., 300 Faces in-the-Wild Challenge, 2013.
_W300 = Markup(
    name="300w",
    n=68,
    mirror=_mirror(
        68,
        (range(0, 8), range(16, 8, -1)),  # jaw
        (range(17, 22), range(26, 21, -1)),  # brows
        (range(31, 33), range(35, 33, -1)),  # nose base
        (RIGHT_EYE, (45, 44, 43, 42, 47, 46)),  # eyes
        ((48, 49, 50, 58, 59), (54, 53, 52, 56, 55)),  # outer lips
        ((60, 61, 67), (64, 63, 65)),  # inner lips
    ),
    regions={
        "jaw": range(0, 17),
        "brows": range(17, 27),
        "nose": range(27, 36),
        "eyes": range(36, 48),
        "mouth": range(48, 68),
    },
    contours=(
        tuple(range(0, 17)),
        tuple(range(17, 22)),
        tuple(range(22, 27)),
        tuple(range(27, 31)),
        tuple(range(31, 36)),
        (*range(36, 42), 36),
        (*range(42, 48), 42),
        (*range(48, 60), 48),
        (*range(60, 68), 60),
    ),
    outer_eye_corners=(36, 45),
    pupils=(RIGHT_EYE, LEFT_EYE),
    nose_tip=30,
    mouth_corners=(48, 54),
    eyes=(Opening((36, 39), ((37, 41), (38, 40))), Opening((45, 42), ((44, 46), (43, 47)))),
    mouth=Opening((60, 64), ((61, 67), (62, 66), (63, 65))),
)

# Burgos-Artizzu et al., Robust face landmark estimation under occlusion, ICCV 2013, in the order of LFPW (Belhumeur et
# al., CVPR 2011): a brow is its outer and inner end, then the middles of its upper and its lower edge; an eye is its
# outer and inner corner, then the middles of its upper and its lower lid, then the pupil.
_COFW = Markup(
    name="cofw",
    n=29,
    mirror=_mirror(
        29,
        ((0, 2, 4, 5), (1, 3, 6, 7)),  # brows
        ((8, 10, 12, 13, 16), (9, 11, 14, 15, 17)),  # eyes
        ((18, 22), (19, 23)),  # nostrils, mouth corners
    ),
    regions={
        "jaw": (28,),
        "brows": range(0, 8),
        "nose": range(18, 22),
        "eyes": range(8, 18),
        "mouth": range(22, 28),
    },
    contours=(
        (0, 4, 2, 5, 0),
        (1, 6, 3, 7, 1),
        (8, 12, 10, 13, 8),
        (9, 14, 11, 15, 9),
        (18, 20, 19, 21, 18),
        (22, 24, 23, 27, 22),
        (22, 25, 23, 26, 22),
    ),
    outer_eye_corners=(8, 9),
    pupils=((16,), (17,)),
    nose_tip=20,
    mouth_corners=(22, 23),
    eyes=(Opening((8, 10), ((12, 13),)), Opening((9, 11), ((14, 15),))),
    mouth=Opening((22, 23), ((25, 26),)),
)

# Koestinger et al., Annotated Facial Landmarks in the Wild, 2011: its 21 points without the ears. Brows and eyes run
# from the right of the face to its left: end, middle, end.
_AFLW = Markup(
    name="aflw",
    n=19,
    mirror=_mirror(19, (range(0, 3), range(5, 2, -1)), (range(6, 9), range(11, 8, -1)), ((12, 15), (14, 17))),
    regions={
        "jaw": (18,),
        "brows": range(0, 6),
        "nose": range(12, 15),
        "eyes": range(6, 12),
        "mouth": range(15, 18),
    },
    contours=((0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11), (12, 13, 14), (15, 16, 17)),
    outer_eye_corners=(6, 11),
    pupils=((7,), (10,)),
    nose_tip=13,
    mouth_corners=(15, 17),
)

# Wu et al., Look at Boundary, CVPR 2018. A brow is its upper edge, then its lower one backwards.
_WFLW = Markup(
    name="wflw",
    n=98,
    mirror=_mirror(
        98,
        (range(0, 16), range(32, 16, -1)),  # jaw
        (range(33, 38), range(46, 41, -1)),  # brows, upper edge
        (range(38, 42), range(50, 46, -1)),  # brows, lower edge
        (range(55, 57), range(59, 57, -1)),  # nose base
        (range(60, 68), (72, 71, 70, 69, 68, 75, 74, 73)),  # eyes
        ((76, 77, 78, 86, 87), (82, 81, 80, 84, 83)),  # outer lips
        ((88, 89, 95), (92, 91, 93)),  # inner lips
        ((96,), (97,)),  # pupils
    ),
    regions={
        "jaw": range(0, 33),
        "brows": range(33, 51),
        "nose": range(51, 60),
        "eyes": (*range(60, 76), 96, 97),
        "mouth": range(76, 96),
    },
    contours=(
        tuple(range(0, 33)),
        (*range(33, 42), 33),
        (*range(42, 51), 42),
        tuple(range(51, 55)),
        tuple(range(55, 60)),
        (*range(60, 68), 60),
        (*range(68, 76), 68),
        (*range(76, 88), 76),
        (*range(88, 96), 88),
    ),
    outer_eye_corners=(60, 72),
    pupils=((96,), (97,)),
    nose_tip=54,
    mouth_corners=(76, 82),
    eyes=(Opening((60, 64), ((61, 67), (62, 66), (63, 65))), Opening((72, 68), ((71, 73), (70, 74), (69, 75)))),
    mouth=Opening((88, 92), ((89, 95), (90, 94), (91, 93))),
)

#: By the number of landmarks.
MARKUPS: Mapping[int, Markup] = {markup.n: markup for markup in (_W300, _COFW, _AFLW, _WFLW)}

N_LANDMARKS = _W300.n
REGIONS = _W300.regions
#: Lines to draw: first index, last index, closed.
CONTOURS: tuple[tuple[int, int, bool], ...] = tuple((min(c), max(c), c[0] == c[-1]) for c in _W300.contours)
OUTER_EYE_CORNERS = _W300.outer_eye_corners
MIRROR = _W300.mirror

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


def tight_box(landmarks: np.ndarray) -> np.ndarray:
    """The smallest box around the landmarks, 300W's "ground truth" box.

    Args:
        landmarks: (n, 2), pixels.

    Returns:
        (4,) as x0, y0, x1, y1 in the same pixels.
    """
    return np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])
