"""The one loop over annotated photos, for every evaluation: what cannot be used is listed, what is missed counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar, get_args

import numpy as np
from tqdm import tqdm

from occlumark.boxes import box_holding, box_iou
from occlumark.data.sample import Problem, Sample
from occlumark.errors import AnnotationError, BoxError, PhotoError
from occlumark.face import Face
from occlumark.metrics import landmarks as metrics
from occlumark.metrics.finder import MIN_OVERLAP
from occlumark.metrics.landmarks import Normaliser

BoxSource = Literal["official", "tight", "finder"]
BOX_SOURCES: tuple[BoxSource, ...] = get_args(BoxSource)
#: Whose size a box's normaliser takes: the tight box in 300W's layout, the official one in other data sets.
SizeBox = Literal["tight", "official"]


class Named(Protocol):
    """What is evaluated one by one: a Sample, or a Scene."""

    @property
    def name(self) -> str:
        """Unique among those evaluated together."""


Item = TypeVar("Item", bound=Named)
Result = TypeVar("Result")


class MissedFaceError(Exception):
    """The face finder did not find the annotated face."""


@dataclass(frozen=True, eq=False)
class Measured(Generic[Item, Result]):
    """What came of annotated faces or photos, in the order given."""

    items: list[Item]
    """Those that were measured."""
    results: list[Result]
    """What came of each."""
    skipped: list[Problem]
    """What could not be used, with the reason, the missed ones among them."""
    missed: list[Item]
    """Those of the skipped that the face finder did not find."""


def measure_each(
    items: Sequence[Item], problems: Sequence[Problem], measure: Callable[[Item], Result], unit: str = "face"
) -> Measured[Item, Result]:
    """Measure annotated faces one by one. Holds one photo at a time.

    Args:
        items: what is measured.
        problems: what could not be read before; listed first.
        measure: reads the photo and measures. Photo, box and annotation errors skip an item, a MissedFaceError counts
            it as missed; all other errors end the loop.
        unit: what an item is, for the progress bar.

    Raises:
        AnnotationError: nothing could be measured.
    """
    measured: list[Item] = []
    results: list[Result] = []
    skipped, missed = list(problems), []
    for item in tqdm(items, "evaluating", unit=unit, disable=None):
        try:
            results.append(measure(item))
            measured.append(item)
        except (PhotoError, BoxError, AnnotationError) as error:
            skipped.append(Problem(item.name, str(error)))
        except MissedFaceError as error:
            skipped.append(Problem(item.name, str(error)))
            missed.append(item)
    if not measured:
        first = f"; the first: {skipped[0].reason}" if skipped else ""
        raise AnnotationError(f"none of {len(skipped)} {unit}s could be evaluated{first}")
    return Measured(measured, results, skipped, missed)


def check_arguments(box: BoxSource, normaliser: Normaliser) -> None:
    """Refuse an unknown source of boxes or normaliser.

    Raises:
        ValueError: with what there is.
    """
    if box not in BOX_SOURCES or normaliser not in metrics.NORMALISERS:
        raise ValueError(f"box is one of {BOX_SOURCES}, normaliser of {metrics.NORMALISERS}; not {box}, {normaliser}")


def given_box(sample: Sample, box: BoxSource) -> np.ndarray:
    """(4,) the annotated box that a face is detected from, photo pixels: the tight one also where no other is known."""
    return sample.tight_box if box == "tight" or sample.official_box is None else sample.official_box


def fallbacks(samples: Sequence[Sample], box: BoxSource) -> list[str]:
    """Names of the faces that given_box gives the tight box of because they have no official one."""
    return [sample.name for sample in samples if box == "official" and sample.official_box is None]


def size_box(sample: Sample, normaliser: Normaliser, size_of: SizeBox) -> np.ndarray | None:
    """(1, 4) the box whose size a normaliser is; None for a normaliser of the eyes.

    Raises:
        AnnotationError: the face has no such box.
    """
    if normaliser not in metrics.BOX_NORMALISERS:
        return None
    box = sample.tight_box if size_of == "tight" else sample.official_box
    if box is None:
        raise AnnotationError(f"no official box, whose size {normaliser} is")
    return box[None]


def face_size(sample: Sample, normaliser: Normaliser, size_of: SizeBox) -> float:
    """What a face's errors are divided by, photo pixels.

    Raises:
        AnnotationError: the annotation gives no size.
    """
    try:
        (size,) = metrics.face_sizes(
            sample.landmarks[None], normaliser, size_box(sample, normaliser, size_of), sample.markup
        )
    except ValueError as error:
        raise AnnotationError(f"the annotated landmarks give no size: {error}") from error
    return float(size)


def face_around(faces: Sequence[Face], landmarks: np.ndarray) -> Face:
    """The found face whose box holds an annotated one, of a markup whose tight box is not what a face's box is.

    Args:
        faces: found in the photo.
        landmarks: (k, 2) the annotated ones, photo pixels.

    Raises:
        MissedFaceError: none is found, or none holds half of the landmarks (boxes.box_holding).
    """
    held = box_holding(np.reshape([face.box for face in faces], (-1, 4)), landmarks)
    if held is None:
        raise MissedFaceError(f"missed by the face finder: {len(faces)} found, none around these landmarks")
    return faces[held]


def matching_face(faces: Sequence[Face], tight: np.ndarray) -> Face:
    """The found face that overlaps most with the annotated one.

    Args:
        faces: found in the photo.
        tight: (4,) the annotated face's tight box, photo pixels.

    Raises:
        MissedFaceError: none is found, or none overlaps by MIN_OVERLAP.
    """
    if not faces:
        raise MissedFaceError("missed by the face finder: 0 found")
    shared = box_iou(np.stack([face.box for face in faces]), tight[None])[:, 0]
    if shared.max() < MIN_OVERLAP:
        best = f"the best with an overlap of {shared.max():.2f}"
        raise MissedFaceError(f"missed by the face finder: {len(faces)} found, {best}")
    return faces[int(shared.argmax())]
