"""How well a detector does on annotated photos: errors per face, their summaries per set and over all."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from occlumark.boxes import box_iou
from occlumark.data.data_sets import DATA_SETS, faces_for_testing
from occlumark.data.sample import Problem, Sample
from occlumark.data.w300 import BOX_FILE, name_prefixes, read_w300
from occlumark.detect import Detector
from occlumark.errors import AnnotationError, BoxError, OcclumarkError, PhotoError
from occlumark.evaluation.result import BOX_SOURCES, BoxSource, Evaluation
from occlumark.face import Face
from occlumark.markup import N_LANDMARKS
from occlumark.metrics import landmarks as metrics
from occlumark.metrics.finder import MIN_OVERLAP
from occlumark.metrics.landmarks import Normaliser

#: What published errors on a data set are divided by.
PUBLISHED: dict[str, Normaliser] = {
    "300w": "inter_ocular",
    "cofw": "inter_ocular",
    "cofw68": "inter_ocular",
    "aflw": "box_width",
    "wflw": "inter_ocular",
}


def evaluate(
    roots: Sequence[Path],
    detector: Detector,
    box: BoxSource = "tight",
    normaliser: Normaliser = "inter_ocular",
    limit: int | None = None,
) -> Evaluation:
    """Detect every annotated face below some folders and measure the errors. Holds one photo at a time.

    Args:
        roots: folders in the 300W layout (data.w300.read_w300).
        detector: what is measured.
        box: tight, the smallest box around the true landmarks, which tells the detector the face's size; official, the
            data set's own detector's; finder, the detector's own face finder's.
        normaliser: what an error is divided by.
        limit: this many faces alone, evenly spaced over all of them.

    Raises:
        AnnotationError: no face can be evaluated, none has an official box where these are asked for, or the folders
            cannot be read (read_w300).
        OcclumarkError: the detector is of another markup.
        ValueError: an unknown box or normaliser, or a limit below 1.

    Example:
        >>> from pathlib import Path
        >>> from occlumark import Detector, evaluate
        >>> result = evaluate([Path("300w/ibug")], Detector("odn", recrop="never"), "official", "inter_ocular")
        >>> f"{result.n} face, NME below 10 %: {result.nme < 0.1}"
        '1 face, NME below 10 %: True'
    """
    check_markup(detector, N_LANDMARKS, "300W")
    whole = _evaluate(*annotated_faces(roots, box, limit), detector, box, normaliser, "tight")
    if len(roots) == 1:
        return whole
    parts = zip(roots, name_prefixes(roots), strict=True)
    return replace(whole, sets={str(root): whole.below(prefix) for root, prefix in parts})


def evaluate_data_set(
    name: str,
    folder: Path,
    detector: Detector,
    box: BoxSource = "official",
    normaliser: Normaliser | None = None,
    limit: int | None = None,
) -> Evaluation:
    """Detect the test faces of a data set other than 300W and measure the errors over their annotated landmarks.

    Args:
        name: a key of data.data_sets.DATA_SETS.
        folder: of the data set, as published (docs/datasets.md).
        detector: what is measured, of the data set's markup.
        box: as in evaluate.
        normaliser: what an error is divided by; a box's size is that of the official box. None: PUBLISHED[name].
        limit: as in evaluate.

    Returns:
        With a set for each of the data set's published subsets.

    Raises:
        AnnotationError: as in evaluate, or there is no test part.
        OcclumarkError: the detector is of another markup, or a package that reads the data set is not installed.
        ValueError: as in evaluate.
    """
    check_markup(detector, DATA_SETS[name].n_landmarks, name)
    samples, skipped = faces_for_testing(name, folder)
    whole = _evaluate(_evenly(samples, limit), skipped, detector, box, normaliser or PUBLISHED[name], "official")
    subsets = {sample.name: sample.subsets for sample in samples}
    sets = {
        part: whole.of(lambda face, part=part: part in subsets.get(face, ()))  # type: ignore[misc]
        for part in DATA_SETS[name].tests
    }
    return replace(whole, sets=sets)


def check_markup(detector: Detector, n_landmarks: int, name: str) -> None:
    """Refuse a detector of another markup than a data set's.

    Raises:
        OcclumarkError: with both.
    """
    if detector.markup.n != n_landmarks:
        raise OcclumarkError(
            f"model '{detector.model}' finds {detector.markup.n} landmarks, faces of {name} have {n_landmarks}; "
            f"name a network of {n_landmarks} by --weights"
        )


def _evaluate(
    samples: Sequence[Sample],
    skipped: list[Problem],
    detector: Detector,
    box: BoxSource,
    normaliser: Normaliser,
    size_of: Literal["tight", "official"],
) -> Evaluation:
    """Measure faces; arguments and errors as in evaluate, size_of as _measure's."""
    if box not in BOX_SOURCES or normaliser not in metrics.NORMALISERS:
        raise ValueError(f"box is one of {BOX_SOURCES}, normaliser of {metrics.NORMALISERS}; not {box}, {normaliser}")
    measured: list[tuple[str, _Measured]] = []
    missed: list[str] = []
    for sample in tqdm(samples, "evaluating", unit="face", disable=None):
        try:
            measured.append((sample.name, _measure(sample, detector, box, normaliser, size_of)))
        except (PhotoError, BoxError, AnnotationError) as error:
            skipped.append(Problem(sample.name, str(error)))
        except MissedFaceError as error:
            skipped.append(Problem(sample.name, str(error)))
            missed.append(sample.name)
    if not measured:
        raise AnnotationError(f"none of {len(skipped)} faces could be evaluated; the first: {skipped[0].reason}")
    return Evaluation(
        box=box,
        normaliser=normaliser,
        names=[name for name, _ in measured],
        errors=np.array([face.error for _, face in measured]),
        boxes=np.stack([face.box for _, face in measured]),
        skipped=skipped,
        missed=missed,
        fallback=[name for name, face in measured if face.fallback],
        sets={},
    )


def annotated_faces(roots: Sequence[Path], box: BoxSource, limit: int | None) -> tuple[list[Sample], list[Problem]]:
    """The faces to measure, and what cannot be used; arguments and errors as in evaluate."""
    samples, problems = read_w300(roots)
    if box == "official" and all(sample.official_box is None for sample in samples):
        where = ", ".join(map(str, roots))
        raise AnnotationError(f"no official box for any face below {where}; expected a {BOX_FILE} at or above it")
    return _evenly(samples, limit), problems


class _Measured(NamedTuple):
    error: float
    box: np.ndarray
    fallback: bool


class MissedFaceError(Exception):
    """The face finder did not find the annotated face."""


def _measure(
    sample: Sample,
    detector: Detector,
    box: BoxSource,
    normaliser: Normaliser,
    size_of: Literal["tight", "official"],
) -> _Measured:
    size_box = None
    if normaliser in metrics.BOX_NORMALISERS:
        own = sample.tight_box if size_of == "tight" else sample.official_box
        if own is None:
            raise AnnotationError(f"no official box, whose size {normaliser} is")
        size_box = own[None]
    try:
        (size,) = metrics.face_sizes(sample.landmarks[None], normaliser, size_box)
    except ValueError as error:
        raise AnnotationError(f"the true landmarks give no size: {error}") from error
    photo = sample.read_photo()
    fallback = box == "official" and sample.official_box is None
    if box == "finder":
        face = matching_face(detector.detect(photo), sample.tight_box)
    elif sample.official_box is not None and box == "official":
        (face,) = detector.detect(photo, sample.official_box[None])
    else:
        (face,) = detector.detect(photo, sample.tight_box[None])
    distances = np.linalg.norm((face.landmarks - sample.landmarks)[sample.annotated], axis=1)
    return _Measured(float((distances / size).mean()), face.box, fallback)


def matching_face(faces: list[Face], tight: np.ndarray) -> Face:
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


def _evenly(samples: list[Sample], limit: int | None) -> list[Sample]:
    if limit is None or limit >= len(samples):
        return samples
    if limit < 1:
        raise ValueError(f"the limit is at least 1, not {limit}")
    return [samples[i * len(samples) // limit] for i in range(limit)]
