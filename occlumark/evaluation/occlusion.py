"""How detectors do on annotated faces under drawn occluders: the landmarks' errors, visibility, expected error.

Not in the paper: all of it (docs/experiments/occlusion.md, "Drawn occluders").
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from occlumark.boxes import box_in_photo
from occlumark.data.sample import Problem, Sample
from occlumark.detect import Detector
from occlumark.evaluation.landmarks import annotated_faces
from occlumark.evaluation.loop import (
    BoxSource,
    check_arguments,
    face_size,
    fallbacks,
    given_box,
    matching_face,
    measure_each,
)
from occlumark.evaluation.occluded_faces import SHARES, Picture, pictures_of
from occlumark.evaluation.occlusion_summary import Answers, summaries
from occlumark.markup import tight_box
from occlumark.metrics import landmarks as metrics
from occlumark.metrics.landmarks import Normaliser


@dataclass(frozen=True, eq=False)
class OcclusionEvaluation:
    """What some models said of the same n faces, clean and occluded. Everything is a fraction, nothing a percentage."""

    seed: int
    """Of the occluders."""
    box: BoxSource
    """Where the face boxes came from; an occluded face has the clean one's."""
    normaliser: Normaliser
    """What an error is divided by."""
    samples: list[Sample]
    """The n faces, in the order of the folders and names."""
    boxes: np.ndarray
    """(n, 4) the box each was detected from, x0, y0, x1, y1 in photo pixels."""
    clean: dict[str, Answers]
    """By model, the faces as they are."""
    occluded: dict[float, dict[str, Answers]]
    """By share of the face that is occluded, then by model, the same faces in the same order."""
    skipped: list[Problem]
    """The annotated faces excluded from all statistics, with the reason: unusable, missed, or too hard to occlude."""
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
        return summaries(self.clean[model], {share: answers[model] for share, answers in self.occluded.items()})

    def per_photo(self) -> Iterator[tuple[str, str, float, str, float]]:
        """Each face's error by model and share: name, model, share (0: clean), kind of occluder, NME."""
        for model in self.models:
            for share, answers in [(0.0, self.clean), *self.occluded.items()]:
                errors = answers[model].nme.tolist()
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
    """Show some models every annotated face below some folders, clean and under occluders. Holds one photo at a time.

    Each face is cut out once and occluded once at each of occluded_faces.SHARES; all models are given the same pictures
    and the same box. The occluders of a face depend on the seed and its name alone.

    Args:
        roots: folders in the 300W layout (data.w300.read_w300).
        detectors: what is measured, by label; at least one.
        seed: of the occluders, at least 0.
        box: as in landmarks.evaluate; finder is the first detector's, on the clean photo.
        normaliser: what an error is divided by.
        limit: this many faces alone, evenly spaced over all of them.

    Raises:
        AnnotationError: as in landmarks.evaluate.
        ValueError: no detector, an unknown box or normaliser, a negative seed or a limit below 1.
    """
    check_arguments(box, normaliser)
    if not detectors or seed < 0:
        raise ValueError(f"at least one detector and a seed of at least 0, not {len(detectors)} and {seed}")
    samples, problems = annotated_faces(roots, box, limit)
    finding = next(iter(detectors.values()))

    def measure(sample: Sample) -> tuple[np.ndarray, dict[str, list[Answers]]]:
        """The box that a face is detected from, and by model what it says of each picture."""
        face_size(sample, normaliser, "tight")  # refuses a face without one
        photo = sample.read_photo()
        start = _start_box(sample, photo, finding, box)
        pictures = pictures_of(photo, sample.landmarks, start, seed, sample.name)
        return start, {
            model: [_answer(picture, detector, normaliser) for picture in pictures]
            for model, detector in detectors.items()
        }

    measured = measure_each(samples, problems, measure)
    by_picture = [
        {model: Answers.joined([answers[model][i] for _, answers in measured.results]) for model in detectors}
        for i in range(1 + len(SHARES))
    ]
    return OcclusionEvaluation(
        seed=seed,
        box=box,
        normaliser=normaliser,
        samples=measured.items,
        boxes=np.stack([start for start, _ in measured.results]),
        clean=by_picture[0],
        occluded=dict(zip(SHARES, by_picture[1:], strict=True)),
        skipped=measured.skipped,
        missed=[sample.name for sample in measured.missed],
        fallback=fallbacks(measured.items, box),
    )


def _start_box(sample: Sample, photo: np.ndarray, finding: Detector, box: BoxSource) -> np.ndarray:
    if box == "finder":
        return matching_face(finding.detect(photo), sample.tight_box).box
    return box_in_photo(given_box(sample, box), *photo.shape[:2])


def _answer(picture: Picture, detector: Detector, normaliser: Normaliser) -> Answers:
    """What a detector says of one picture, as Answers on one face."""
    (face,) = detector.detect(picture.photo, picture.box[None])
    found, truth = face.landmarks[None], picture.landmarks[None]
    size = tight_box(picture.landmarks)[None] if normaliser in metrics.BOX_NORMALISERS else None
    return Answers(
        errors=metrics.point_errors(found, truth, normaliser, size),
        distances=metrics.point_distances(found, truth),
        visibility=face.visibility[None],
        expected=face.expected_error[None],
        occluded=picture.occluded[None],
        kinds=[picture.kind],
    )
