"""How detectors do on annotated faces under drawn occluders: the landmarks' errors, visibility, expected error.

Not in the paper: all of it (docs/experiments/occlusion.md, "Drawn occluders").
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from occlumark.boxes import box_in_photo
from occlumark.data.sample import Problem, Sample
from occlumark.detect import Detector
from occlumark.errors import AnnotationError, BoxError, PhotoError
from occlumark.evaluation.landmarks import BOX_SOURCES, BoxSource, MissedFaceError, annotated_faces, matching_face
from occlumark.evaluation.occluded_faces import SHARES, Picture, pictures_of
from occlumark.evaluation.occlusion_summary import Answers, summaries
from occlumark.markup import tight_box
from occlumark.metrics import landmarks as metrics
from occlumark.metrics.landmarks import Normaliser


@dataclass(frozen=True, eq=False)
class OcclusionEvaluation:
    """What some models said of the same n faces, open and covered. Everything is a fraction, nothing a percentage."""

    seed: int
    """Of the occluders."""
    box: BoxSource
    """Where the face boxes came from; a covered face has the open one's."""
    normaliser: Normaliser
    """What an error is divided by."""
    samples: list[Sample]
    """The n faces, in the order of the folders and names."""
    boxes: np.ndarray
    """(n, 4) the box each was detected from, x0, y0, x1, y1 in photo pixels."""
    clean: dict[str, Answers]
    """By model, the open faces."""
    covered: dict[float, dict[str, Answers]]
    """By share of the face that is covered, then by model, the same faces in the same order."""
    skipped: list[Problem]
    """The annotated faces that are in no number, with the reason: unusable, missed and such as nothing covers."""
    missed: list[str]
    """Those of the skipped that the face finder did not find; with other boxes empty."""
    fallback: list[str]
    """Faces without an official box, detected from their tight box."""

    @property
    def n(self) -> int:
        """Number of faces in the summaries."""
        return len(self.samples)

    @property
    def models(self) -> list[str]:
        """The models' labels, in the order given."""
        return list(self.clean)

    def summary(self, model: str) -> dict[str, Any]:
        """One model's numbers (occlusion_summary.summaries)."""
        return summaries(self.clean[model], {share: answers[model] for share, answers in self.covered.items()})

    def per_photo(self) -> Iterator[tuple[str, str, float, str, float]]:
        """Each face's error by model and share: name, model, share (0: open), kind of occluder, NME."""
        for model in self.models:
            for share, answers in [(0.0, self.clean), *self.covered.items()]:
                errors = answers[model].errors.mean(axis=1).tolist()
                for sample, kind, error in zip(self.samples, answers[model].kinds, errors, strict=True):
                    yield sample.name, model, share, kind, error

    def to_json(self) -> dict[str, Any]:
        """The summaries as plain values for `json.dumps`; null where there is nothing to summarise."""
        return {
            "n": self.n,
            "seed": self.seed,
            "box": self.box,
            "normaliser": self.normaliser,
            "models": {model: self.summary(model) for model in self.models},
            "skipped": len(self.skipped),
            "skipped_photos": [{"name": name, "reason": reason} for name, reason, _part in self.skipped],
            "missed": len(self.missed),
            "fallback": self.fallback,
        }


def evaluate_occlusion(
    roots: Sequence[Path],
    detectors: Mapping[str, Detector],
    seed: int,
    box: BoxSource = "official",
    normaliser: Normaliser = "inter_ocular",
    limit: int | None = None,
) -> OcclusionEvaluation:
    """Show some models every annotated face below some folders, open and under occluders. Holds one photo at a time.

    Each face is cut out once and covered once at each of covered_faces.SHARES; all models are given the same pictures
    and the same box. The occluders of a face depend on the seed and its name alone.

    Args:
        roots: folders in the 300W layout (data.w300.read_w300).
        detectors: what is measured, by label; at least one.
        seed: of the occluders, at least 0.
        box: as in evaluate.evaluate; finder is the first detector's, on the open photo.
        normaliser: what an error is divided by.
        limit: this many faces alone, evenly spaced over all of them.

    Raises:
        AnnotationError: as in evaluate.evaluate.
        ValueError: no detector, an unknown box or normaliser, a negative seed or a limit below 1.
    """
    if box not in BOX_SOURCES or normaliser not in metrics.NORMALISERS:
        raise ValueError(f"box is one of {BOX_SOURCES}, normaliser of {metrics.NORMALISERS}; not {box}, {normaliser}")
    if not detectors or seed < 0:
        raise ValueError(f"at least one detector and a seed of at least 0, not {len(detectors)} and {seed}")
    samples, skipped = annotated_faces(roots, box, limit)
    finding = next(iter(detectors.values()))
    measured: list[tuple[Sample, np.ndarray]] = []
    missed: list[str] = []
    # by model, then a list for the open pictures and one for each share
    said: dict[str, list[list[Answers]]] = {model: [[] for _ in range(1 + len(SHARES))] for model in detectors}
    for sample in tqdm(samples, "evaluating", unit="face", disable=None):
        try:
            photo = sample.read_photo()
            start = _start_box(sample, photo, finding, box, normaliser)
            pictures = pictures_of(photo, sample.landmarks, start, seed, sample.name)
        except (PhotoError, BoxError, AnnotationError) as error:
            skipped.append(Problem(sample.name, str(error)))
        except MissedFaceError as error:
            skipped.append(Problem(sample.name, str(error)))
            missed.append(sample.name)
        else:
            measured.append((sample, start))
            for model, detector in detectors.items():
                for answers, picture in zip(said[model], pictures, strict=True):
                    answers.append(_answer(picture, detector, normaliser))
    if not measured:
        raise AnnotationError(f"none of {len(skipped)} faces could be evaluated; the first: {skipped[0].reason}")
    return OcclusionEvaluation(
        seed=seed,
        box=box,
        normaliser=normaliser,
        samples=[sample for sample, _ in measured],
        boxes=np.stack([start for _, start in measured]),
        clean={model: Answers.joined(of_open) for model, (of_open, *_) in said.items()},
        covered={
            share: {model: Answers.joined(lists[i]) for model, lists in said.items()}
            for i, share in enumerate(SHARES, start=1)
        },
        skipped=skipped,
        missed=missed,
        fallback=[sample.name for sample, _ in measured if box == "official" and sample.official_box is None],
    )


def _start_box(
    sample: Sample, photo: np.ndarray, finding: Detector, box: BoxSource, normaliser: Normaliser
) -> np.ndarray:
    try:
        metrics.face_sizes(sample.landmarks[None], normaliser, _size_box(sample.landmarks, normaliser))
    except ValueError as error:
        raise AnnotationError(f"the true landmarks give no size: {error}") from error
    if box == "finder":
        return matching_face(finding.detect(photo), sample.tight_box).box
    start = sample.official_box if box == "official" else None
    return box_in_photo(sample.tight_box if start is None else start, *photo.shape[:2])


def _size_box(landmarks: np.ndarray, normaliser: Normaliser) -> np.ndarray | None:
    return tight_box(landmarks)[None] if normaliser in metrics.BOX_NORMALISERS else None


def _answer(picture: Picture, detector: Detector, normaliser: Normaliser) -> Answers:
    """What a detector says of one picture, as Answers on one face."""
    (face,) = detector.detect(picture.photo, picture.box[None])
    found, truth = face.landmarks[None], picture.landmarks[None]
    return Answers(
        errors=metrics.point_errors(found, truth, normaliser, _size_box(picture.landmarks, normaliser)),
        distances=np.linalg.norm(found - truth, axis=2),
        visibility=face.visibility[None],
        expected=face.expected_error[None],
        hidden=picture.hidden[None],
        kinds=[picture.kind],
    )
