"""How well a detector does on annotated photos: errors per face, their summaries per set and over all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from tqdm import tqdm

from occlumark import metrics
from occlumark.boxes import overlaps
from occlumark.data.sample import Problem, Sample
from occlumark.data.w300 import BOX_FILE, name_prefixes, read_w300
from occlumark.detect import Detector
from occlumark.errors import AnnotationError, BoxError, PhotoError
from occlumark.face import Face
from occlumark.finder_metrics import MIN_OVERLAP
from occlumark.metrics import Normaliser

BoxSource = Literal["tight", "official", "finder"]
BOX_SOURCES: tuple[BoxSource, ...] = get_args(BoxSource)

#: Where to_json samples the cumulative error distribution; every error is in the table of `--per-photo`.
CED_THRESHOLDS = tuple(i / 100 for i in range(1, 16))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Errors of n faces, in the order of the folders and names. Everything is a fraction, nothing a percentage."""

    box: BoxSource
    """Where the face boxes came from."""
    normaliser: Normaliser
    """What an error is divided by; a box's size is the tight box's, whatever box the face was found by."""
    names: list[str]
    """The n faces' names: photo paths below the folders' common parent."""
    errors: np.ndarray
    """(n,) NME of each face."""
    boxes: np.ndarray
    """(n, 4) the box each face was detected from, x0, y0, x1, y1 in photo pixels."""
    skipped: list[Problem]
    """The annotated faces that are in no number, with the reason: unusable and missed ones."""
    missed: list[str]
    """Those of the skipped that the face finder did not find; with other boxes empty."""
    fallback: list[str]
    """Faces without an official box. They were detected from their tight box, so that the protocol's photos are all
    there (one of iBUG's 135 has none)."""
    sets: dict[str, "Evaluation"]
    """The same for each folder where several were given."""

    @property
    def n(self) -> int:
        """Number of faces in the summaries."""
        return len(self.errors)

    @property
    def nme(self) -> float:
        """Mean of the errors."""
        return float(self.errors.mean()) if self.n else float("nan")

    @property
    def nme_interval(self) -> tuple[float, float]:
        """95 % bootstrap interval of nme."""
        return metrics.mean_interval(self.errors) if self.n else (float("nan"), float("nan"))

    def failure_rate(self, threshold: float) -> float:
        """The share of the errors above a threshold."""
        return metrics.failure_rate(self.errors, threshold) if self.n else float("nan")

    def auc(self, threshold: float) -> float:
        """The area under the ced up to a threshold, over the threshold."""
        return metrics.auc(self.errors, threshold) if self.n else float("nan")

    def ced(self, threshold: float) -> float:
        """The cumulative error distribution: the share of the errors up to a threshold."""
        return float(metrics.ced(self.errors, np.array([threshold]))[0]) if self.n else float("nan")

    def to_json(self) -> dict[str, Any]:
        """The summaries as plain values for `json.dumps`; null where there is no face to summarise."""
        return {
            "n": self.n,
            "nme": _or_none(self.nme),
            "nme_interval": [_or_none(end) for end in self.nme_interval],
            "failure_rate_08": _or_none(self.failure_rate(0.08)),
            "failure_rate_10": _or_none(self.failure_rate(0.10)),
            "auc_08": _or_none(self.auc(0.08)),
            "auc_10": _or_none(self.auc(0.10)),
            "ced": {f"{t:.2f}": _or_none(self.ced(t)) for t in CED_THRESHOLDS},
            "normaliser": self.normaliser,
            "box": self.box,
            "skipped": len(self.skipped),
            "skipped_photos": [problem._asdict() for problem in self.skipped],
            "missed": len(self.missed),
            "fallback": self.fallback,
            "sets": {name: part.to_json() for name, part in self.sets.items()},
        }

    def below(self, prefix: str) -> "Evaluation":
        """The part whose names begin with a prefix."""
        inside = [i for i, name in enumerate(self.names) if name.startswith(prefix)]
        return replace(
            self,
            names=[self.names[i] for i in inside],
            errors=self.errors[inside],
            boxes=self.boxes[inside],
            skipped=[problem for problem in self.skipped if problem.name.startswith(prefix)],
            missed=[name for name in self.missed if name.startswith(prefix)],
            fallback=[name for name in self.fallback if name.startswith(prefix)],
            sets={},
        )


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
        ValueError: an unknown box or normaliser, or a limit below 1.
    """
    if box not in BOX_SOURCES or normaliser not in metrics.NORMALISERS:
        raise ValueError(f"box is one of {BOX_SOURCES}, normaliser of {metrics.NORMALISERS}; not {box}, {normaliser}")
    samples, skipped = annotated_faces(roots, box, limit)
    measured: list[tuple[str, _Measured]] = []
    missed: list[str] = []
    for sample in tqdm(samples, "evaluating", unit="face", disable=None):
        try:
            measured.append((sample.name, _measure(sample, detector, box, normaliser)))
        except (PhotoError, BoxError, AnnotationError) as error:
            skipped.append(Problem(sample.name, str(error)))
        except MissedFaceError as error:
            skipped.append(Problem(sample.name, str(error)))
            missed.append(sample.name)
    if not measured:
        raise AnnotationError(f"none of {len(skipped)} faces could be evaluated; the first: {skipped[0].reason}")
    whole = Evaluation(
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
    if len(roots) == 1:
        return whole
    parts = zip(roots, name_prefixes(roots), strict=True)
    return replace(whole, sets={str(root): whole.below(prefix) for root, prefix in parts})


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


def _measure(sample: Sample, detector: Detector, box: BoxSource, normaliser: Normaliser) -> _Measured:
    size_box = sample.tight_box[None] if normaliser in metrics.BOX_NORMALISERS else None
    try:
        metrics.face_sizes(sample.landmarks[None], normaliser, size_box)
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
    errors = metrics.nme(face.landmarks[None], sample.landmarks[None], normaliser, size_box)
    return _Measured(float(errors[0]), face.box, fallback)


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
    shared = overlaps(np.stack([face.box for face in faces]), tight[None])[:, 0]
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


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
