"""A photo with the boxes of its faces, found or given: what detection starts from."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, cast

import numpy as np

from occlumark.boxes import as_boxes, box_in_photo
from occlumark.crop import CropConfig
from occlumark.face import Face
from occlumark.face.doubles import without_doubles
from occlumark.face.presence import Certainty, is_present
from occlumark.finder import FaceFinder, NetworkFinder, find_faces
from occlumark.photo import ReducedPhoto
from occlumark.photo.given import ColorOrder, PhotoInput, as_photo
from occlumark.photo.read import REDUCTIONS

#: Boxes as `detect` takes them: (n, 4), or one flat box.
Boxes = Sequence[Sequence[float] | np.ndarray] | Sequence[float] | np.ndarray


class SearchedPhoto(NamedTuple):
    """The faces of one photo before their landmarks."""

    pixels: np.ndarray
    """(height, width, 3) uint8, RGB."""
    boxes: np.ndarray
    """(n, 4), pixels of `pixels`."""
    scores: list[float]
    """Of each box; 1 of the caller's."""
    are_given: bool
    """Whether the boxes are the caller's, whose faces are never dropped."""
    reduction: int
    """The photo's sides are so many times those of `pixels`."""
    most: int | None = None
    """So many faces are returned, the best; None: all."""


def search(
    face_finder: FaceFinder,
    photo: PhotoInput,
    boxes: Boxes | None,
    color: ColorOrder,
    max_pixels: int,
    certainty: Certainty | None = None,
) -> SearchedPhoto:
    """A photo's faces, of the face finder or of the boxes given (photo pixels); raises what Detector.detect does."""
    reduction = photo.reduction if isinstance(photo, ReducedPhoto) else 1
    pixels = as_photo(photo, color, max_pixels)
    if boxes is None:
        most = face_finder.max_faces if isinstance(face_finder, NetworkFinder) else None
        if isinstance(face_finder, NetworkFinder):
            face_finder = partial(face_finder, reduction=reduction, candidates=certainty is not None)
        found, scores = find_faces(face_finder, pixels)
        if certainty is not None:
            kept = certainty.may_be_faces(np.array(scores), found)
            found, scores = found[kept], [score for score, keep in zip(scores, kept, strict=True) if keep]
        return SearchedPhoto(pixels, found, scores, are_given=False, reduction=reduction, most=most)
    given = as_boxes(boxes)
    for box in given:
        box_in_photo(box, pixels.shape[0] * reduction, pixels.shape[1] * reduction)
    return SearchedPhoto(pixels, given / reduction, [1.0] * len(given), are_given=True, reduction=reduction)


def certainty_of(face_finder: FaceFinder, min_presence: float) -> Certainty | None:
    """What decides on a face finder's boxes; None: it is not of ours, or no presence is asked for."""
    if not min_presence or not isinstance(face_finder, NetworkFinder):
        return None
    return Certainty(min_presence, face_finder.score)


def faces_in(
    photo: SearchedPhoto, seen: Sequence[Face], min_presence: float, certainty: Certainty | None
) -> list[Face]:
    """The faces of a photo, in its own pixels: all in boxes given, else those that are faces, each once, the best."""
    faces = list(seen)
    if not photo.are_given:
        faces = without_doubles([face for face in faces if is_present(face, min_presence, certainty)])[: photo.most]
    return [face.scaled(photo.reduction) for face in faces] if photo.reduction > 1 else faces


def with_boxes(
    photos: Iterable[PhotoInput], boxes: Iterable[Boxes | None] | None
) -> Iterator[tuple[PhotoInput, Boxes | None]]:
    """Each photo with its boxes, None where all are the face finder's; raises what Detector.detect_many does."""
    if isinstance(photos, str | os.PathLike | bytes):
        raise TypeError(f"expected several photos, as [photo], not one: {str(photos)[:80]!r}")
    if boxes is None:
        yield from ((photo, None) for photo in photos)
        return
    given, count, none = iter(boxes), 0, object()
    for photo in photos:
        of_it = next(given, none)
        if of_it is none:
            raise ValueError(f"boxes are one entry for each photo: there are photos after the {count} that have one")
        count += 1
        yield photo, cast(Boxes | None, of_it)
    if next(given, none) is not none:
        raise ValueError(f"boxes are one entry for each photo: there are more than the {count} photos")


def most_reduction(face_finder: FaceFinder, crop: CropConfig, boxes: Boxes | None = None) -> int:
    """By how much a photo's sides may be divided with every face still as large as its crop; see Detector."""
    smallest = face_finder.min_face if isinstance(face_finder, NetworkFinder) else None
    if boxes is not None:
        given = as_boxes(boxes)
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused where boxes are checked
            smallest = float((given[:, 2:] - given[:, :2]).max(axis=1).min(initial=np.inf))
    return max(by for by in REDUCTIONS if by == 1 or (smallest or 0) * crop.scale >= crop.size * by)
