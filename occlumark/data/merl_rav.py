"""MERL-RAV's visibility of AFLW faces: 68 points (.pts) and one flag a point (.vis) beside each photo.

Not in the paper. Its convention is wider than annotations/README.md's: beards, deep shadow and touched points count as
occluded, mostly at the jaw and the brows. There "occluded" is therefore unknown here; "visible" is taken everywhere.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from occlumark.data.sample import Problem, Sample
from occlumark.data.w300 import read_w300
from occlumark.errors import AnnotationError
from occlumark.markup import N_LANDMARKS

#: Landmarks whose "occluded" means the same in both conventions: nose, eyes and mouth.
_SAME_MEANING = range(27, 68)


def read_merl_rav(folder: Path) -> tuple[list[Sample], list[Problem]]:
    """Faces that tell visibility; their places are good to a pixel of a small photo, too rough to train landmarks.

    Args:
        folder: photos with a .pts and a .vis beside each: 68 numbers, 1 visible and 0 occluded by an object.

    Raises:
        AnnotationError: no usable face.
    """
    samples, problems = read_w300([folder])
    found = []
    for sample in samples:
        assert isinstance(sample.photo, Path)  # read_w300 gives files
        try:
            visible = _read_flags(sample.photo.with_suffix(".vis"))
        except AnnotationError as error:
            problems.append(Problem(sample.name, str(error)))
            continue
        unknown = ~visible
        unknown[_SAME_MEANING] = False
        found.append(
            replace(
                sample,
                name=f"merl_rav/{sample.name}",
                occluded=~visible & ~unknown,
                unknown=unknown,
                inexact=np.ones(N_LANDMARKS, bool),
            )
        )
    if not found:
        raise AnnotationError(f"no usable face below {folder}; the first problem: {problems[0].reason}")
    return found, problems


def _read_flags(path: Path) -> np.ndarray:
    """(68,) bool, True where visible."""
    try:
        words = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(words) != N_LANDMARKS or set(words) - {"0", "1"}:
        raise AnnotationError(f"{path}: expected {N_LANDMARKS} flags, 1 visible or 0 occluded")
    return np.array(words) == "1"
