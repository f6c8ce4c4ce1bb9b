"""The 68-point markup: which index is which part of the face, and what mirroring does to the indices.

Left and right are the person's own. Order and regions are those of 300W (protocols of Sagonas et al., 2013).
"""

import numpy as np

N_LANDMARKS = 68

REGIONS: dict[str, range] = {
    "jaw": range(0, 17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "eyes": range(36, 48),
    "mouth": range(48, 68),
}

#: Lines to draw: first index, last index, closed.
CONTOURS: tuple[tuple[int, int, bool], ...] = (
    (0, 16, False),
    (17, 21, False),
    (22, 26, False),
    (27, 30, False),
    (31, 35, False),
    (36, 41, True),
    (42, 47, True),
    (48, 59, True),
    (60, 67, True),
)

OUTER_EYE_CORNERS = (36, 45)
RIGHT_EYE = range(36, 42)
LEFT_EYE = range(42, 48)

_MIRRORED = (
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # brows
    *range(27, 31),  # nose bridge, on the axis
    *range(35, 30, -1),  # nose base
    *(45, 44, 43, 42, 47, 46),  # right eye from left
    *(39, 38, 37, 36, 41, 40),  # left eye from right
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer lips
    *(64, 63, 62, 61, 60, 67, 66, 65),  # inner lips
)

#: Landmark i of a mirrored face is landmark MIRROR[i] of the original. Applied twice it is the identity.
MIRROR: np.ndarray = np.array(_MIRRORED)
MIRROR.flags.writeable = False

#: Landmark i of the 68 lies about where landmark WFLW_TO_68[i] of WFLW's 98 does. The schemes differ by 3.2 % of the
#: inter-ocular distance on average: good enough to train with, not for a result in 68 points.
WFLW_TO_68: np.ndarray = np.array(
    [
        *range(0, 33, 2),  # jaw, every other point
        *range(33, 38),  # right brow, its upper line
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
