"""How well a detector does on annotated photos: errors per face, their summaries per set and over all."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from occlumark.data.data_sets import DATA_SETS, faces_for_testing
from occlumark.data.own import photo_name, read_list, read_own
from occlumark.data.rotated import rotated
from occlumark.data.sample import Problem, Sample, evenly_spaced
from occlumark.data.w300 import BOX_FILE, name_prefixes, read_w300
from occlumark.detect import Detector
from occlumark.errors import AnnotationError, OcclumarkError, PhotoError
from occlumark.evaluation.loop import (
    BoxSource,
    SizeBox,
    check_arguments,
    face_around,
    face_size,
    fallbacks,
    given_box,
    matching_face,
    measure_each,
    size_box,
)
from occlumark.evaluation.result import Evaluation
from occlumark.face import Face
from occlumark.markup import N_LANDMARKS
from occlumark.metrics import landmarks as metrics
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
    box: BoxSource = "official",
    normaliser: Normaliser = "inter_ocular",
    limit: int | None = None,
    rotate_deg: float = 0.0,
) -> Evaluation:
    """Detect every annotated face below some folders and measure the errors. Holds one photo at a time.

    Args:
        roots: folders in the 300W layout (data.w300.read_w300).
        detector: what is measured.
        box: official, the data set's own detector's; tight, the smallest box around the annotated landmarks, which
            tells the detector the face's size; finder, the detector's own face finder's.
        normaliser: what an error is divided by.
        limit: this many faces alone, evenly spaced over all of them.
        rotate_deg: turn each photo by so much, clockwise as seen, its points and boxes with it.

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
    samples, problems = turned(*annotated_faces(roots, box, limit), rotate_deg)
    whole = evaluate_samples(samples, problems, detector, box, normaliser, "tight")
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
    rotate_deg: float = 0.0,
) -> Evaluation:
    """Detect the test faces of a data set other than 300W and measure the errors over their annotated landmarks.

    Args:
        name: a key of data.data_sets.DATA_SETS.
        folder: of the data set, as published (docs/datasets.md).
        detector: what is measured, of the data set's markup.
        box: as in evaluate.
        normaliser: what an error is divided by; a box's size is that of the official box. None: PUBLISHED[name].
        limit: as in evaluate.
        rotate_deg: as in evaluate.

    Returns:
        With a set for each of the data set's published subsets.

    Raises:
        AnnotationError: as in evaluate, or there is no test part.
        OcclumarkError: the detector is of another markup, or a package that reads the data set is not installed.
        ValueError: as in evaluate.
    """
    check_markup(detector, DATA_SETS[name].n_landmarks, name)
    samples, problems = faces_for_testing(name, folder)
    _check_official_boxes(samples, box, f"{folder}; {name} as published has one for each")
    chosen, problems = turned(evenly_spaced(samples, limit), problems, rotate_deg)
    whole = evaluate_samples(chosen, problems, detector, box, normaliser or PUBLISHED[name])
    subsets = {sample.name: sample.subsets for sample in samples}
    sets = {
        part: whole.of(lambda face, part=part: part in subsets.get(face, ()))  # type: ignore[misc]
        for part in DATA_SETS[name].tests
    }
    return replace(whole, sets=sets)


def evaluate_own(
    sources: Sequence[Path],
    detector: Detector,
    box: BoxSource = "finder",
    normaliser: Normaliser | None = None,
    limit: int | None = None,
    rotate_deg: float = 0.0,
    photos: Path | None = None,
    lists: Sequence[Path] = (),
) -> Evaluation:
    """Detect annotated faces of one's own and measure the errors over their annotated landmarks.

    Args:
        sources: as in data.own.read_own, of the detector's markup.
        detector: what is measured.
        box: as in evaluate; official: of detector_boxes.csv, COCO's bbox or the table's columns.
        normaliser: what an error is divided by; a box's size is that of the tight box. None: the markup's.
        limit: as in evaluate.
        rotate_deg: as in evaluate.
        photos: as in read_own.
        lists: as in read_own; with several the result has a set for each.

    Raises:
        AnnotationError: as in evaluate, or read_own.
        ValueError: as in evaluate.
    """
    samples, problems = read_own(sources, detector.markup, photos, lists)
    _check_official_boxes(samples, box, ", ".join(map(str, sources)))
    taken, problems = turned(evenly_spaced(samples, limit), problems, rotate_deg)
    whole = evaluate_samples(taken, problems, detector, box, normaliser or detector.markup.normaliser, "tight")
    if len(lists) < 2:
        return whole
    names = {str(path): set(read_list(path)) for path in lists}
    sets = {
        path: whole.of(lambda face, listed=listed: bool(listed & {face, photo_name(face)}))  # type: ignore[misc]
        for path, listed in names.items()
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


def evaluate_samples(
    samples: Sequence[Sample],
    problems: Sequence[Problem],
    detector: Detector,
    box: BoxSource = "official",
    normaliser: Normaliser = "inter_ocular",
    size_of: SizeBox = "official",
) -> Evaluation:
    """Detect annotated faces and measure the errors over their annotated landmarks, those of no data set included.

    Args:
        samples: the faces, at least one.
        problems: what could not be read; it is among the skipped.
        detector: what is measured, of the samples' markup.
        box: as in evaluate; a face without an official box is detected from its tight one.
        normaliser: what an error is divided by.
        size_of: whose size a box's normaliser takes.

    Raises:
        AnnotationError: no face can be evaluated.
        OcclumarkError: the detector is of another markup.
        ValueError: an unknown box or normaliser.
    """
    check_arguments(box, normaliser)
    if samples:
        check_markup(detector, samples[0].markup.n, samples[0].name)

    def measure(sample: Sample) -> tuple[float, float, np.ndarray]:
        """NME, size and box of a face."""
        size = face_size(sample, normaliser, size_of)
        face = _detected(sample, detector, box)
        over = size_box(sample, normaliser, size_of)
        (error,) = metrics.nme(face.landmarks[None], sample.landmarks[None], normaliser, over, sample.markup)
        return float(error), size, face.box

    measured = measure_each(samples, problems, measure)
    errors, sizes, boxes = zip(*measured.results, strict=True)
    return Evaluation(
        box=box,
        normaliser=normaliser,
        names=[sample.name for sample in measured.items],
        errors=np.array(errors),
        sizes=np.array(sizes),
        boxes=np.stack(boxes),
        skipped=measured.skipped,
        missed={sample.name: face_size(sample, normaliser, size_of) for sample in measured.missed},
        fallback=fallbacks(measured.items, box),
        sets={},
    )


def annotated_faces(roots: Sequence[Path], box: BoxSource, limit: int | None) -> tuple[list[Sample], list[Problem]]:
    """The faces to measure, and what cannot be used; arguments and errors as in evaluate."""
    samples, problems = read_w300(roots)
    where = ", ".join(map(str, roots))
    _check_official_boxes(samples, box, f"{where}; expected a {BOX_FILE} at or above it")
    return evenly_spaced(samples, limit), problems


def turned(samples: list[Sample], problems: list[Problem], degrees: float) -> tuple[list[Sample], list[Problem]]:
    """The samples in turned photos, and the problems with those whose photos cannot be read."""
    found, unusable = [], list(problems)
    for sample in samples:
        try:
            found.append(rotated(sample, degrees))
        except PhotoError as error:
            unusable.append(Problem(sample.name, str(error)))
    return found, unusable


def _check_official_boxes(samples: Sequence[Sample], box: BoxSource, where: str) -> None:
    if box == "official" and all(sample.official_box is None for sample in samples):
        raise AnnotationError(
            f"no official box for any face below {where}. --box finder starts from the face detector's boxes, "
            "--box tight from the annotated landmarks' own"
        )


def _detected(sample: Sample, detector: Detector, box: BoxSource) -> Face:
    photo = sample.read_photo()
    if box == "finder":
        faces = detector.detect(photo)
        if "jaw" in sample.markup.regions:  # then the tight box is about what the finder takes for the face
            return matching_face(faces, sample.tight_box)
        return face_around(faces, sample.landmarks[sample.annotated])
    (face,) = detector.detect(photo, given_box(sample, box)[None])
    return face
