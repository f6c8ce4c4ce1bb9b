"""A sample: one annotated face, with where its photo lies; and what could not become one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from occlumark.errors import PhotoError
from occlumark.markup import Markup, markup_for, tight_box
from occlumark.photo import read_photo

Item = TypeVar("Item")


class StoredPhoto(Protocol):
    """A photo that is no file of its own, as those within a data set's one large file."""

    def read(self) -> np.ndarray:
        """(height, width, 3) uint8, RGB.

        Raises:
            PhotoError: it cannot be read.
        """


@dataclass(frozen=True)
class AbsentPhoto:
    """The photo of a face whose annotation alone is at hand."""

    reason: str
    """One line: why, and the photo's source."""

    def read(self) -> np.ndarray:
        """There is nothing to read.

        Raises:
            PhotoError: always.
        """
        raise PhotoError(self.reason)


@dataclass(frozen=True, eq=False)
class Sample:
    """One annotated face."""

    name: str
    """Unique among the samples read together: the photo's posix path below the folders' common parent.
    A face that shares its photo with others has `#` and its number after it."""
    photo: Path | StoredPhoto
    """The photo's file, or the photo within another file."""
    landmarks: np.ndarray
    """(n, 2), n = 68 points or those of another markup; photo pixels, first pixel's centre at (0.5, 0.5). NaN where not
    annotated."""
    official_box: np.ndarray | None = None
    """(4,) x0, y0, x1, y1 of the face as the data set gives it, in photo pixels; None where it has none."""
    occluded: np.ndarray | None = None
    """(n,) bool: which landmarks are occluded; None where the data set does not say."""
    subsets: frozenset[str] = frozenset()
    """Parts of the data set that are measured by themselves and hold this face, as WFLW's "occlusion"."""
    unknown: np.ndarray | None = None
    """(n,) bool: of which landmarks nobody can tell whether they are occluded; None: of none."""
    inexact: np.ndarray | None = None
    """(n,) bool: whose places are good enough to ask for their visibility, not to train landmarks; None: none."""
    labelled_by_network: bool = False
    """Whether all places are a network's own (data.teacher): to train on, never to validate on."""
    group: str = ""
    """Name of a group of samples that are of one photo under several names; empty: of none."""
    markup: Markup = field(default=None)  # type: ignore[assignment] # __post_init__ puts one
    """Which landmark is which; where none is given, the package's of so many."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "markup", markup_for(len(self.landmarks), self.markup))

    @property
    def annotated(self) -> np.ndarray:
        """(n,) bool: which landmarks have a place. All of them, but in AFLW's database."""
        return np.isfinite(self.landmarks).all(axis=1)

    @property
    def tight_box(self) -> np.ndarray:
        """(4,) the smallest box around the annotated landmarks, photo pixels."""
        return tight_box(self.landmarks[self.annotated])

    def read_photo(self) -> np.ndarray:
        """The photo, (height, width, 3) uint8, RGB.

        Raises:
            PhotoError: it cannot be read.
        """
        return read_photo(self.photo) if isinstance(self.photo, Path) else self.photo.read()


def evenly_spaced(items: Sequence[Item], count: int | None) -> list[Item]:
    """So many of some items, evenly spaced from the first on; all where there are no more, or for None.

    Raises:
        ValueError: a count below 1.
    """
    if count is not None and count < 1:
        raise ValueError(f"the number of items to choose is at least 1, not {count}")
    if count is None or count >= len(items):
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


class Problem(NamedTuple):
    """An annotated face that cannot be used, and why."""

    name: str
    """A path or a sample's name."""
    reason: str
    """One line."""
    part: str = ""
    """The data set's part that it belongs to, "train" or "test"; empty where that is not known."""
