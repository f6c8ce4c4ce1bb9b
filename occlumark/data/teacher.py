"""Faces labelled by a network, for a smaller one to learn from: annotated ones as well as photos with only a box.

Not in the paper.
"""

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from occlumark.data.annotation import file_exists
from occlumark.data.sample import Problem, Sample
from occlumark.data.scenes import SCENE_TABLE, held_out, read_scenes
from occlumark.data.split import split_validation
from occlumark.errors import AnnotationError, BoxError, PhotoError
from occlumark.face.face import Face
from occlumark.photo import read_photo

DetectFaces = Callable[[np.ndarray, np.ndarray], list[Face]]
"""From a photo (height, width, 3) and boxes (n, 4) to a face for each box: Detector.detect with boxes."""

#: A visibility of the network's that is this far from both 0 and 1 leaves a landmark's state unknown.
SURE = 0.12
#: A face that the network labels alone has at least this presence, and at most this mean expected error, in its size.
LEAST_PRESENCE, MOST_ERROR = 0.9, 0.035
#: The longer side of a face that is worth labelling, photo pixels.
LEAST_SIDE = 60
#: Scenes of these sources show the photos of 300W and WFLW again, test photos among them.
_ANNOTATED_SOURCES = ("w300", "wflw")
#: Two photos of a face whose small grey pictures agree more than this are one photo.
SAME_ABOVE = 0.9
_GREY = 24
_COLUMNS = ["photo", "class", "x0", "y0", "x1", "y1"]


@dataclass(frozen=True, eq=False)
class BoxedFace:
    """A face of which only a box is known."""

    name: str
    photo: Path
    box: np.ndarray
    """(4,) photo pixels."""


def read_boxed_faces(folder: Path) -> list[BoxedFace]:
    """Faces with a box: of a folder of scenes, those to train on; else of a `boxes.csv` of photo, class and box.

    Small faces are left out, and scenes that are annotated photos (_ANNOTATED_SOURCES).

    Raises:
        AnnotationError: the table is missing or another one, or it names a photo that is missing.
    """
    table = folder / SCENE_TABLE
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = list(reader) if reader.fieldnames == _COLUMNS else None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise AnnotationError(f"cannot read {table}: {reason}; expected photos with a {SCENE_TABLE}") from error
    if rows is None:
        scenes, _ = held_out(read_scenes(folder))
        faces = [
            BoxedFace(f"{folder.name}/{scene.name}#{i}", scene.photo, box)
            for scene in scenes
            if scene.source not in _ANNOTATED_SOURCES
            for i, box in enumerate(scene.faces, 1)
        ]
    else:
        faces, before = [], Counter[str]()
        for row in rows:
            before[row["photo"]] += 1
            faces.append(_boxed_face(folder, row, before[row["photo"]]))
    return [face for face in faces if (face.box[2:] - face.box[:2]).max() >= LEAST_SIDE]


def _boxed_face(folder: Path, row: dict[str, str], number: int) -> BoxedFace:
    """The photo's face of that number, from 1."""
    photo = folder / row["photo"]
    try:
        box = np.array([float(row[key]) for key in _COLUMNS[2:]])
    except (TypeError, ValueError) as error:
        raise AnnotationError(f"{folder / SCENE_TABLE}: expected four numbers for {row['photo']!r}") from error
    if not (np.isfinite(box).all() and (box[:2] < box[2:]).all()):
        came = f"expected x0 < x1 and y0 < y1 for {row['photo']!r}, came {box.tolist()}"
        raise AnnotationError(f"{folder / SCENE_TABLE}: {came}")
    if not file_exists(photo):
        raise AnnotationError(f"{folder / SCENE_TABLE} names {row['photo']}, which is missing")
    return BoxedFace(f"{folder.name}/{row['photo']}#{number}", photo, box)


class Labelled(NamedTuple):
    """Faces that a network has labelled alone."""

    samples: list[Sample]
    """Those that it is sure of, their places as good as annotated ones."""
    unsure: list[Problem]
    unusable: list[Problem]
    """Their photo cannot be read, or the box is none in it."""


def label_faces(faces: Sequence[BoxedFace], detect: DetectFaces) -> Labelled:
    """Faces of which a box is known, labelled by a network that predicts presence and an expected error."""
    samples, unsure, unusable = [], [], []
    for face in faces:
        try:
            (found,) = detect(read_photo(face.photo), face.box[None])
        except (PhotoError, BoxError) as error:
            unusable.append(Problem(face.name, str(error)))
            continue
        relative = float(found.expected_error.mean() / np.ptp(found.landmarks, axis=0).max())
        if not found.presence >= LEAST_PRESENCE or not relative <= MOST_ERROR:
            reason = f"not sure: presence {found.presence:.2f}, error {relative:.1%} of the face"
            unsure.append(Problem(face.name, reason))
            continue
        occluded, unknown = states_of(found.visibility)
        places = found.landmarks.copy()
        samples.append(
            Sample(face.name, face.photo, places, occluded=occluded, unknown=unknown, labelled_by_network=True)
        )
    return Labelled(samples, unsure, unusable)


def teach(
    samples: Sequence[Sample], detect: DetectFaces, validation_share: float, validation_seed: int
) -> list[Sample]:
    """Annotated samples with the network's own labels worked in: the mean of both places, and visibility where unknown.

    Places too rough to train landmarks become the network's. Samples of the validation part (split_validation) and
    those whose photo cannot be read, or holds nothing of the face, stay as they are.
    """
    training, _ = split_validation(
        [sample.name for sample in samples], validation_share, validation_seed, [sample.group for sample in samples]
    )
    found = list(samples)
    for i in training:
        sample = samples[i]
        try:
            (face,) = detect(sample.read_photo(), sample.tight_box[None])
        except (PhotoError, BoxError):
            continue
        found[i] = with_network_labels(sample, face.landmarks, face.visibility)
    return found


def with_network_labels(sample: Sample, landmarks: np.ndarray, visibility: np.ndarray) -> Sample:
    """One annotated sample with a network's landmarks (n, 2), photo pixels, and visibility (n,) worked in."""
    exact = np.ones(len(landmarks), bool) if sample.inexact is None else ~sample.inexact
    exact &= sample.annotated
    mean = np.where(exact[:, None], (sample.landmarks + landmarks) / 2, landmarks)
    occluded, unknown = states_of(visibility)
    if sample.occluded is not None:
        known = np.ones(len(landmarks), bool) if sample.unknown is None else ~sample.unknown
        occluded, unknown = np.where(known, sample.occluded, occluded), unknown & ~known
    return replace(
        sample,
        landmarks=mean,
        occluded=occluded,
        unknown=unknown,
        inexact=None,
        labelled_by_network=not exact.any(),
    )


def states_of(visibility: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which landmarks a network takes for occluded, and of which it is not sure; both (n,) bool."""
    return visibility < 0.5, (visibility > SURE) & (visibility < 1 - SURE)


def without_copies(samples: Sequence[Sample], others: Sequence[Sample]) -> tuple[list[Sample], list[Problem]]:
    """Samples that are no near copy of others' photos; the rest as problems. Faces that cannot be read are no copy."""
    known = np.array([picture for sample in others if (picture := _small_grey(sample)) is not None])
    kept, problems = [], []
    for sample in samples:
        picture = _small_grey(sample)
        most = 0.0 if picture is None or not len(known) else float((known @ picture).max())
        if most > SAME_ABOVE:
            problems.append(Problem(sample.name, f"a near copy of an annotated photo (correlation {most:.2f})"))
        else:
            kept.append(sample)
    return kept, problems


def _small_grey(sample: Sample) -> np.ndarray | None:
    """The face's tight box as a unit vector of grey values without their mean."""
    try:
        photo = sample.read_photo()
    except PhotoError:
        return None
    x0, y0, x1, y1 = np.round(sample.tight_box).astype(int)
    part = photo[max(y0, 0) : max(y1, 1), max(x0, 0) : max(x1, 1)]
    if not part.size:
        return None
    grey = cv2.resize(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), (_GREY, _GREY), interpolation=cv2.INTER_AREA)
    values = grey.astype(np.float32).ravel() - grey.mean()
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-6))
