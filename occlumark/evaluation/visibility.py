"""How well visibility is predicted on real photos: labelled faces, what is unknown left out.

Not in the paper, which measures no occlusion.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from occlumark.data.sample import Problem, Sample
from occlumark.data.split import held_out_whole
from occlumark.data.visibility_labels import VisibilityLabels
from occlumark.data.w300 import read_w300
from occlumark.data.wflw import read_wflw_points
from occlumark.data.wflw_to_68 import to_68
from occlumark.detect import Detector
from occlumark.errors import AnnotationError
from occlumark.evaluation.held_out import HELD_OUT, VALIDATION_SEED, Part
from occlumark.evaluation.landmarks import check_markup
from occlumark.evaluation.loop import BoxSource, given_box, measure_each
from occlumark.markup import N_LANDMARKS, REGIONS
from occlumark.metrics.landmarks import errors_over, face_sizes, point_distances
from occlumark.metrics.visibility import (
    average_precision,
    error_bins,
    precision_recall_at,
    recall_at_precision,
    reliability,
)

#: Where 300W's and WFLW's training faces lie, below the folder that the labels' paths begin at.
_W300 = ("300w/afw", "300w/lfpw/trainset", "300w/helen/trainset")
_WFLW = "wflw/train"
_PRECISION = 0.8
_RESAMPLES = 500
_BINS = 10


@dataclass(frozen=True, eq=False)
class VisibilityEvaluation:
    """Predictions beside labels, of n faces."""

    names: list[str]
    """The faces' names."""
    kinds: list[str]
    """Each face's main occluder; empty for none."""
    clean: np.ndarray
    """(n,) bool: whether surely nothing lies before a face."""
    visibility: np.ndarray
    """(n, 68) 0..1, predicted."""
    states: np.ndarray
    """(n, 68) int8: 1 occluded, 0 visible, -1 unknown."""
    errors: np.ndarray
    """(n, 68) each landmark's distance from its true place over the inter-ocular distance; NaN where the place is not
    annotated well enough."""
    expected: np.ndarray
    """(n, 68) the expected error, in the same unit; NaN where the network predicts none."""
    threshold: float
    """Points with a visibility below are predicted occluded."""
    skipped: list[Problem]
    """Faces that could not be evaluated."""

    def summary(self, faces: np.ndarray | None = None, points: Sequence[int] = range(N_LANDMARKS)) -> dict[str, Any]:
        """Numbers over some faces and landmarks; None where no point is occluded or visible.

        Args:
            faces: (k,) indices; None: all.
            points: landmarks.
        """
        rows = np.arange(len(self.names)) if faces is None else faces
        states, visibility = self.states[rows][:, list(points)], self.visibility[rows][:, list(points)]
        known = states >= 0
        occluded, predicted = states[known] == 1, visibility[known]
        found: dict[str, Any] = {"faces": len(rows), "occluded": int(occluded.sum()), "visible": int((~occluded).sum())}
        keys = ("average_precision", "precision", "recall", "recall_at_80_precision", "false_positives")
        found |= dict.fromkeys(keys)
        if len(occluded):
            at = precision_recall_at(predicted, occluded, self.threshold)
            values = {"precision": at.precision, "recall": at.recall, "false_positives": at.false_positives}
            found |= {key: value for key, value in values.items() if value == value}
        if occluded.any():
            found["average_precision"] = average_precision(-predicted, occluded)
            found["recall_at_80_precision"] = recall_at_precision(-predicted, occluded, _PRECISION)
        return found

    def intervals(self, seed: int = 0) -> dict[str, tuple[float, float]]:
        """95 % intervals of the summary over all faces, by bootstrap over faces."""
        rng, count = np.random.default_rng(seed), len(self.names)
        draws = [self.summary(rng.integers(count, size=count)) for _ in range(_RESAMPLES)]
        keys = ("average_precision", "precision", "recall", "recall_at_80_precision")
        ends = {}
        for key in keys:
            values = [draw[key] for draw in draws if draw[key] is not None]
            if values:
                low, high = np.quantile(values, [0.025, 0.975])
                ends[key] = (float(low), float(high))
        return ends

    def expected_error(self, *, occluded: bool, seed: int = 0) -> dict[str, Any] | None:
        """How the expected error meets the true one on occluded or on visible points, in bins of equal counts.

        Returns:
            points, predicted and true (means over the inter-ocular distance) of each bin by the predicted error, and
            gap_intervals, 95 % intervals of predicted / true - 1 by bootstrap over faces; all, the same of all points
            together. None where the network predicts none or there are too few points.
        """
        chosen = (self.states == occluded) & np.isfinite(self.errors)
        predicted, true, faces = self.expected[chosen], self.errors[chosen], np.nonzero(chosen)[0]
        if len(true) < _BINS or np.isnan(predicted).any():
            return None
        rng, count = np.random.default_rng(seed), len(self.names)
        draws = rng.multinomial(count, np.full(count, 1 / count), _RESAMPLES)

        def ends(points: np.ndarray) -> list[float]:
            sums = [draws @ np.bincount(faces[points], of[points], count) for of in (predicted, true)]
            drawn = sums[1] > 0  # none of the faces of a small bin may be drawn
            return [float(end) for end in np.quantile(sums[0][drawn] / sums[1][drawn] - 1, [0.025, 0.975])]

        order = np.argsort(predicted, kind="stable")
        return {
            **{name: values.tolist() for name, values in error_bins(predicted, true, _BINS)._asdict().items()},
            "gap_intervals": [ends(part) for part in np.array_split(order, _BINS)],
            "all": {
                "points": len(true),
                "predicted": float(predicted.mean()),
                "true": float(true.mean()),
                "gap_interval": ends(order),
            },
        }

    def to_json(self) -> dict[str, Any]:
        """Everything that the command prints; all fractions."""
        known = self.states >= 0
        bins = reliability(self.visibility[known], self.states[known] == 1)
        kinds = sorted({kind for kind in self.kinds if kind})
        return {
            "threshold": self.threshold,
            "all": self.summary(),
            "intervals": self.intervals(),
            "clean": self.summary(np.flatnonzero(self.clean)) if self.clean.any() else None,
            "kinds": {kind: self.summary(self._faces(lambda i, kind=kind: self.kinds[i] == kind)) for kind in kinds},  # type: ignore[misc]
            "regions": {name: self.summary(points=points) for name, points in REGIONS.items()},
            "reliability": {
                "points": bins.points.tolist(),
                "predicted": [None if np.isnan(value) else float(value) for value in bins.predicted],
                "visible": [None if np.isnan(value) else float(value) for value in bins.visible],
                "largest_gap": bins.largest_gap(),
            },
            "expected_error": {
                name: self.expected_error(occluded=occluded)
                for name, occluded in (("visible", False), ("occluded", True))
            },
            "skipped": len(self.skipped),
        }

    def _faces(self, chosen: Callable[[int], bool]) -> np.ndarray:
        return np.array([i for i in range(len(self.names)) if chosen(i)], dtype=int)


def evaluate_visibility(
    labels_path: Path,
    photos: Path,
    detector: Detector,
    threshold: float,
    part: Part = "validation",
    box: BoxSource = "official",
) -> VisibilityEvaluation:
    """Predict the visibility of labelled faces.

    Args:
        labels_path: annotations/labels.csv.
        photos: the folder that its paths begin at.
        detector: of 68 landmarks.
        threshold: points with a visibility below are predicted occluded, 0..1.
        part: the faces of photos that no run of the shipped network was trained on, those that its last run was not, or
            all.
        box: as in evaluate; a face without an official box is detected from its tight one.

    Raises:
        AnnotationError: the labels or the photos cannot be read, or no face of the part has a label.
        OcclumarkError: the detector is of another markup.
    """
    check_markup(detector, N_LANDMARKS, "the labels")
    labels = VisibilityLabels.read(labels_path)
    samples, problems = labelled_samples(labels, photos)
    if part in HELD_OUT:
        names, groups = [sample.name for sample in samples], [sample.group for sample in samples]
        # the first runs, which "unseen" counts in, knew no groups of the same photo
        chosen = held_out_whole(names, HELD_OUT[part], VALIDATION_SEED, groups, by_groups=part != "unseen")
        samples = [samples[i] for i in chosen]
    samples = [sample for sample in samples if sample.unknown is not None and not sample.unknown.all()]
    if not samples:
        raise AnnotationError(f"no labelled face of the part {part} below {photos}")

    def measure(sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        (face,) = detector.detect(sample.read_photo(), given_box(sample, box)[None])
        size = face_sizes(sample.landmarks[None], "inter_ocular")[0]
        errors = errors_over(point_distances(face.landmarks[None], sample.landmarks[None]), np.array([size]))[0]
        if sample.inexact is not None:
            errors[sample.inexact] = np.nan
        return face.visibility, errors, face.expected_error / size

    measured = measure_each(samples, problems, measure)
    found = [labels.find(Path(str(sample.photo))) for sample in measured.items]
    visibility, errors, expected = (np.stack(column) for column in zip(*measured.results, strict=True))
    return VisibilityEvaluation(
        names=[sample.name for sample in measured.items],
        kinds=["" if label is None else label.kind for label in found],
        clean=np.array([label is not None and label.screen == "clean" for label in found]),
        visibility=visibility,
        states=np.stack([_states(sample) for sample in measured.items]),
        errors=errors,
        expected=expected,
        threshold=threshold,
        skipped=measured.skipped,
    )


def labelled_samples(labels: VisibilityLabels, photos: Path) -> tuple[list[Sample], list[Problem]]:
    """The faces below a folder with what the labels tell, those of WFLW in 68 points; and what cannot be used.

    Raises:
        AnnotationError: the folder holds none of the labelled data sets.
    """
    folders = [photos / name for name in _W300 if (photos / name).is_dir()]
    wflw = photos / _WFLW
    if not folders and not wflw.is_dir():
        raise AnnotationError(f"{photos} holds neither {', '.join(_W300)} nor {_WFLW}, whose faces are labelled")
    samples, problems = read_w300(folders) if folders else ([], [])
    if wflw.is_dir():
        more, unusable = read_wflw_points(wflw)
        samples, problems = [*samples, *map(to_68, more)], [*problems, *unusable]
    samples, without_face = labels.apply(samples)
    del without_face  # labelled as no photo of a face: nothing to measure
    return samples, problems


def _states(sample: Sample) -> np.ndarray:
    assert sample.occluded is not None and sample.unknown is not None  # labelled
    return np.where(sample.unknown, -1, sample.occluded).astype(np.int8)
