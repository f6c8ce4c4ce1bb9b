"""What a drawn occluder is, and what it may be drawn from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Source:
    """Pictures that occluders may borrow from. Empty, they borrow from the crop itself."""

    textures: Sequence[np.ndarray] = ()
    """Pictures of anything, (height, width, 3) uint8 RGB each, at least 16 pixels wide and high."""
    faces: Sequence[tuple[np.ndarray, np.ndarray]] = ()
    """Other people: a crop (S, S, 3) uint8 RGB and its landmarks (68, 2) in crop pixels."""


class Drawing(NamedTuple):
    """An occluder, not yet part of the photo."""

    paint: np.ndarray
    """(S, S, 3) uint8 RGB; what lies outside the mask does not matter."""
    mask: np.ndarray
    """(S, S) uint8, how much of the face is occluded at each pixel: 255 all of it."""
    light: np.ndarray | None = None
    """(S, S) uint8, what it does to the light on what it does not occlude: 128 nothing, 0 black, 255 twice as bright.
    Light occludes nothing."""
    lift: float = 0.0
    """How far before the face it is, units; it casts a soft shadow from there. 0: no shadow."""
    defocus: float = 0.0
    """Blur beyond the photo's own, standard deviation in units: things close to the camera."""
    borrowed: bool = False
    """The paint has a photo's colours already: the light and the colours of this one are not laid over it."""


Draw = Callable[[np.ndarray, np.ndarray, np.random.Generator, Source], Drawing]
"""A kind: crop (S, S, 3) uint8 RGB, not modified; landmarks (68, 2) in its pixels; the only randomness; pictures."""


class SizedDraw(Protocol):
    """A kind of the benchmark: as Draw, and of any size. Size 1 is lifelike; larger sizes occlude more of the face."""

    def __call__(  # noqa: D102 - the class says it
        self, crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
    ) -> Drawing: ...
