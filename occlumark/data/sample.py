"""A sample: one annotated face, with where its photo lies; and what could not become one."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from occlumark.markup import tight_box


@dataclass(frozen=True, eq=False)
class Sample:
    """One annotated face."""

    name: str
    """Unique among the samples read together: the photo's posix path below the folders' common parent.
    A face that shares its photo with others has `#` and its number after it."""
    photo: Path
    """The photo's file."""
    landmarks: np.ndarray
    """(n, 2), n = 68 points or those of another markup; photo pixels, first pixel's centre at (0.5, 0.5)."""
    official_box: np.ndarray | None = None
    """(4,) x0, y0, x1, y1 of the data set's own face detector in photo pixels; None where it has none."""

    @property
    def tight_box(self) -> np.ndarray:
        """(4,) the smallest box around the landmarks, photo pixels."""
        return tight_box(self.landmarks)


class Problem(NamedTuple):
    """An annotated face that cannot be used, and why."""

    name: str
    """A path or a sample's name."""
    reason: str
    """One line."""
