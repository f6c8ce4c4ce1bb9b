"""How well a face finder does on scenes: faces found, false positives, and how its boxes lie on the true ones."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from occlumark.boxes import box_iou
from occlumark.data.sample import Problem
from occlumark.data.scenes import Scene
from occlumark.errors import AnnotationError
from occlumark.evaluation.loop import measure_each
from occlumark.finder import FaceFinder
from occlumark.metrics.finder import (
    Matches,
    detection_average_precision,
    fppi,
    match,
    recall,
    share_interval,
    threshold_at_fppi,
)
from occlumark.photo import read_photo

#: The part, by Scene.source, on which false positives set the threshold: mostly photos without faces.
BACKGROUND = "other"
#: A finder that answers with everything from this score on answers with all that matters.
LOWEST_SCORE = 0.02
#: Faces are summarised by the longer sides of their tight boxes, in pixels, between these.
SIZE_BANDS = (0.0, 16.0, 24.0, 48.0, 96.0, math.inf)


@dataclass(frozen=True, eq=False)
class FoundFaces:
    """The true faces of some photos with what was found of them, k together."""

    names: list[str]
    """The k faces' photos."""
    boxes: np.ndarray
    """(k, 4) the true boxes, photo pixels."""
    exact: np.ndarray
    """(k,) bool, Scene.exact: the box is made of landmarks."""
    scores: np.ndarray
    """(k,) the score of the box that found the face; nan where none did, at any score."""
    found: np.ndarray
    """(k, 4) that box; nan where there is none."""

    @property
    def sides(self) -> np.ndarray:
        """(k,) the true boxes' longer sides, pixels."""
        return (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1)

    @property
    def overlaps(self) -> np.ndarray:
        """(k,) intersection over union of the true and the found box; nan where none is found."""
        return np.array([box_iou(*pair[:, None])[0, 0] for pair in np.stack([self.boxes, self.found], 1)])

    @property
    def box_errors(self) -> np.ndarray:
        """(k, 3) how the found boxes lie on the true ones: the centre's offset in x and y over the true box's longer
        side, and the logarithm of the ratio of the longer sides; nan where none is found."""
        offset = (self.found[:, :2] + self.found[:, 2:] - self.boxes[:, :2] - self.boxes[:, 2:]) / 2
        found_sides = (self.found[:, 2:] - self.found[:, :2]).max(axis=1)
        return np.column_stack([offset / self.sides[:, None], np.log(found_sides / self.sides)])

    def of(self, chosen: np.ndarray) -> "FoundFaces":
        """Those chosen by a (k,) bool."""
        names = [name for name, keep in zip(self.names, chosen, strict=True) if keep]
        return FoundFaces(names, self.boxes[chosen], self.exact[chosen], self.scores[chosen], self.found[chosen])


@dataclass(frozen=True, eq=False)
class FinderEvaluation:
    """What a finder found on some scenes, in the order given. Everything is a fraction, nothing a percentage."""

    scenes: list[Scene]
    """The scenes searched."""
    matches: list[Matches]
    """What was found on each."""
    skipped: list[Problem]
    """The photos that could not be read: excluded from all statistics."""
    thresholds: dict[str, float]
    """Scores from which on a found box counts: low_fppi, the lowest one with at most `max_fppi` false positives
    per photo of the background (minus infinity where every score is), and default, the finder's own."""
    max_fppi: float
    """How many false positives low_fppi allows on average."""

    @property
    def parts(self) -> dict[str, "FinderEvaluation"]:
        """The same for each source of photos (Scene.source), by name; the thresholds stay those of the whole."""
        sources = dict.fromkeys(scene.source for scene in self.scenes)
        return {source: self._part(source) for source in sorted(sources)}

    @property
    def faces(self) -> FoundFaces:
        """The true faces of all the scenes."""
        none = np.zeros((0, 4))
        return FoundFaces(
            names=[scene.name for scene in self.scenes for _ in scene.faces],
            boxes=np.concatenate([none, *(scene.faces for scene in self.scenes)]),
            exact=np.concatenate([np.zeros(0, bool), *(scene.exact for scene in self.scenes)]),
            scores=np.concatenate([np.zeros(0), *(photo.face_scores for photo in self.matches)]),
            found=np.concatenate([none, *(photo.face_boxes for photo in self.matches)]),
        )

    def to_json(self) -> dict[str, Any]:
        """The summaries as plain values for `json.dumps`; null where there is nothing to summarise."""
        return {
            **self._summary(),
            "max_fppi": self.max_fppi,
            "background": BACKGROUND,
            "thresholds": {name: _or_none(threshold) for name, threshold in self.thresholds.items()},
            "skipped_photos": [{"name": name, "reason": reason} for name, reason, _part in self.skipped],
            "missed": self._missed(self.thresholds["default"]),
            "parts": {name: part._summary() for name, part in self.parts.items()},
        }

    def _summary(self) -> dict[str, Any]:
        return {
            "photos": len(self.scenes),
            "skipped": len(self.skipped),
            "average_precision": _or_none(detection_average_precision(self.matches)),
            "at": {name: self._summary_at(threshold) for name, threshold in self.thresholds.items()},
            "sizes": {_band_name(*band): self._summary_of_sides(*band) for band in itertools.pairwise(SIZE_BANDS)},
        }

    def _summary_of_sides(self, low: float, high: float) -> dict[str, Any]:
        faces = self.faces
        inside = faces.of((low <= faces.sides) & (faces.sides < high))
        return {name: found_share(inside, threshold) for name, threshold in self.thresholds.items()}

    def _summary_at(self, threshold: float) -> dict[str, Any]:
        faces = self.faces
        sure = faces.of(faces.exact & (faces.scores >= threshold))
        errors = sure.box_errors
        return {
            "exact": found_share(faces.of(faces.exact), threshold),
            "auto": found_share(faces.of(~faces.exact), threshold),
            "fppi": _or_none(fppi(self.matches, threshold)),
            "exact_overlap": float(sure.overlaps.mean()) if sure.names else None,
            "exact_box_error": {
                name: {"mean": float(values.mean()), "std": float(values.std())} if sure.names else None
                for name, values in zip(("offset_x", "offset_y", "log_size_ratio"), errors.T, strict=True)
            },
        }

    def _missed(self, threshold: float) -> list[dict[str, Any]]:
        faces = self.faces
        missed = faces.of(~(faces.scores >= threshold))
        rows = zip(missed.names, missed.exact.tolist(), missed.boxes.tolist(), strict=True)
        return [{"photo": name, "exact": exact, "box": box} for name, exact, box in rows]

    def _part(self, source: str) -> "FinderEvaluation":
        inside = [i for i, scene in enumerate(self.scenes) if scene.source == source]
        return FinderEvaluation(
            scenes=[self.scenes[i] for i in inside],
            matches=[self.matches[i] for i in inside],
            skipped=[problem for problem in self.skipped if problem.name.partition("_")[0] == source],
            thresholds=self.thresholds,
            max_fppi=self.max_fppi,
        )


def evaluate_finder(
    scenes: Sequence[Scene], finder: FaceFinder, default_score: float, max_fppi: float = 0.1
) -> FinderEvaluation:
    """Search every scene and compare. Holds one photo at a time.

    Args:
        scenes: what is searched; some of the BACKGROUND, on which false positives are counted.
        finder: called with each photo; must answer with everything above a low score, for the thresholds to mean what
            they say.
        default_score: from which on the finder's boxes count when it is used.
        max_fppi: as in FinderEvaluation.

    Raises:
        AnnotationError: no scene of the background can be searched.
    """

    def measure(scene: Scene) -> Matches:
        found = finder(read_photo(scene.photo))
        boxes = np.array([box for box, _ in found], np.float64).reshape(-1, 4)
        scores = np.array([score for _, score in found], np.float64)
        return match(boxes, scores, scene.faces, scene.ignored)

    measured = measure_each(scenes, [], measure, unit="photo")
    searched, matches = measured.items, measured.results
    background = [photo for scene, photo in zip(searched, matches, strict=True) if scene.source == BACKGROUND]
    if not background:
        raise AnnotationError(
            f"none of {len(searched)} photos read is named {BACKGROUND}_*; false positives are counted on these"
        )
    thresholds = {"low_fppi": threshold_at_fppi(background, max_fppi), "default": default_score}
    return FinderEvaluation(searched, matches, measured.skipped, thresholds, max_fppi)


def found_share(faces: FoundFaces, threshold: float) -> dict[str, Any]:
    """How many of some faces there are, the share found at a threshold, and its 95 % interval."""
    n, hits = len(faces.names), int(np.count_nonzero(faces.scores >= threshold))
    interval = [_or_none(end) for end in share_interval(hits, n)]
    return {"n": n, "found": hits, "recall": _or_none(recall(faces.scores, threshold)), "interval": interval}


def _band_name(low: float, high: float) -> str:
    return f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} and more"


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
