"""The occlusion benchmark's pictures: an annotated face as it is, and under occluders of given shares.

Not in the paper: all of it (docs/experiments/occlusion.md, "Drawn occluders").
"""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from occlumark.boxes import box_in_photo
from occlumark.crop import CropTransform
from occlumark.errors import AnnotationError
from occlumark.markup import N_LANDMARKS, tight_box
from occlumark.occluders.drawing import Source
from occlumark.occluders.occlude import occluded_landmarks
from occlumark.occluders.occlude_share import occlude_share
from occlumark.photo import read_photo

#: Shares of the face that are occluded in turn.
SHARES = (0.10, 0.25, 0.40)
#: Side of the picture over the longer side of the tight box: more than any network's crop sees, from any honest box.
EXTENT = 2.0
#: The picture's largest side. A face then has half as many pixels a side, still more than in a network's crop.
MAX_SIDE = 512

# What books, cups and phones show, the same picture for all: the result for a face must not depend on which others are
# measured, and with nothing to borrow a book would show the face itself.
_TEXTURE = Path(__file__).parents[1] / "samples" / "astronaut.jpg"


@dataclass(frozen=True, eq=False)
class Picture:
    """A square around one face, for networks to be given as a photo, with the truth."""

    photo: np.ndarray
    """(S, S, 3) uint8 RGB; black where the square leaves the photo."""
    landmarks: np.ndarray
    """(68, 2), the picture's pixels."""
    box: np.ndarray
    """(4,) the face box to start from, the picture's pixels."""
    share: float = 0.0
    """Which share of the face was to be occluded; 0: the face as it is."""
    kind: str = ""
    """What occludes it, a name in kinds.BENCHMARK; empty: nothing."""
    occluded: np.ndarray = field(default_factory=lambda: np.zeros(N_LANDMARKS, bool))
    """(68,) bool, the landmarks under the occluder."""


def pictures_of(photo: np.ndarray, landmarks: np.ndarray, box: np.ndarray, seed: int, name: str) -> list[Picture]:
    """A face as it is, and under an occluder for each of SHARES.

    The square's pixels are the photo's own, moved by whole ones, so that an occluder lies on what the photo holds and a
    network sees the clean face as it would in the photo; a square above MAX_SIDE is reduced to it.

    Args:
        photo: (height, width, 3) uint8 RGB.
        landmarks: (68, 2), photo pixels.
        box: (4,) the face box to start from, photo pixels.
        seed: another seed draws other occluders.
        name: the face's, which with the seed and the share decides what is drawn: not the order of the faces, not
            which others there are.

    Raises:
        BoxError: the box lies beside the face.
        AnnotationError: nothing can be drawn that occludes so much of this face.
    """
    tight = tight_box(landmarks)
    side = max(int(np.ceil(EXTENT * (tight[2:] - tight[:2]).max())), 1)
    zoom = min(side, MAX_SIDE) / side
    corner = np.floor((tight[:2] + tight[2:]) / 2 - side / 2)
    square = CropTransform(np.column_stack([zoom * np.eye(2), -zoom * corner]), min(side, MAX_SIDE))
    start = box_in_photo(square.to_crop(box.reshape(2, 2)).ravel(), square.size, square.size)
    clean = Picture(square.cut(photo), square.to_crop(landmarks), start)
    return [clean, *(_occluded(clean, share, generator(seed, share, name)) for share in SHARES)]


def _occluded(clean: Picture, share: float, rng: np.random.Generator) -> Picture:
    try:
        drawn = occlude_share(clean.photo, clean.landmarks, share, rng, _source())
    except ValueError as error:
        raise AnnotationError(f"cannot be occluded: {error}") from error
    occluded = occluded_landmarks(drawn.alpha, clean.landmarks)
    return replace(clean, photo=drawn.crop, share=share, kind=drawn.kind, occluded=occluded)


def generator(seed: int, share: float, name: str) -> np.random.Generator:
    """The randomness of one face's occluder.

    Args:
        seed: at least 0.
        share: of the face, 0..1; counts to a thousandth.
        name: the face's; what stands before the last slash does not count, because it depends on which folders are
            read together.
    """
    digest = hashlib.sha256(name.rpartition("/")[2].encode()).digest()
    return np.random.default_rng((seed, round(1000 * share), int.from_bytes(digest[:8], "big")))


@cache
def _source() -> Source:
    return Source(textures=[read_photo(_TEXTURE)])
