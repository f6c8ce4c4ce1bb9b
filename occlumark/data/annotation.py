"""What every reader asks of an annotation before it becomes a sample, and how it names several faces of one photo."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from occlumark.errors import AnnotationError


def file_exists(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have, such as one too long, is of none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def check_landmarks(landmarks: np.ndarray) -> None:
    """Refuse landmarks (n, 2) that are not finite, or that span no area.

    Raises:
        AnnotationError: which it is.
    """
    if not np.isfinite(landmarks).all():
        first = int(np.flatnonzero(~np.isfinite(landmarks).all(axis=1))[0])
        raise AnnotationError(f"landmark {first} is not finite")
    if not len(landmarks) or not (landmarks.max(axis=0) > landmarks.min(axis=0)).all():
        raise AnnotationError("the landmarks span no area")


def check_official_box(box: np.ndarray) -> None:
    """Refuse a box (4,) that is not finite, or without area.

    Raises:
        AnnotationError: with the box.
    """
    if not (np.isfinite(box).all() and box[0] < box[2] and box[1] < box[3]):
        raise AnnotationError(f"the face box has no area: x0, y0, x1, y1 are {box.tolist()}")


def numbered(photos: Sequence[str]) -> list[str]:
    """A unique name for each face: its photo's, with `#` and a number from 1 where a photo has several faces.

    Args:
        photos: the photo's name for each face.
    """
    faces = Counter(photos)
    seen: Counter[str] = Counter()
    names = []
    for photo in photos:
        seen[photo] += 1
        names.append(f"{photo}#{seen[photo]}" if faces[photo] > 1 else photo)
    return names
