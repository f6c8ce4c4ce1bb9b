"""Errors of annotated faces and their summaries, whole and by parts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from occlumark.data.sample import Problem
from occlumark.evaluation.loop import BoxSource
from occlumark.metrics import landmarks as metrics
from occlumark.metrics.landmarks import Normaliser

#: Where to_json samples the cumulative error distribution; every error is in the table of `--per-photo`.
CED_THRESHOLDS = tuple(i / 100 for i in range(1, 16))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Errors of n faces, in the order of the folders and names. Everything is a fraction, nothing a percentage."""

    box: BoxSource
    """Where the face boxes came from."""
    normaliser: Normaliser
    """What an error is divided by; a box's size is the tight box's in 300W's layout and the official box's of another
    data set, whatever box the face was found by."""
    names: list[str]
    """The n faces' names: photo paths below the folders' common parent."""
    errors: np.ndarray
    """(n,) NME of each face."""
    sizes: np.ndarray
    """(n,) what each error is divided by, photo pixels."""
    boxes: np.ndarray
    """(n, 4) the box each face was detected from, x0, y0, x1, y1 in photo pixels."""
    skipped: list[Problem]
    """The annotated faces excluded from all statistics, with the reason: unusable and missed ones."""
    missed: dict[str, float]
    """Those of the skipped that the face finder did not find, with their sizes; with other boxes empty."""
    fallback: list[str]
    """Faces without an official box. They were detected from their tight box, so that the protocol's photos are all
    there (one of iBUG's 135 has none)."""
    sets: dict[str, "Evaluation"]
    """The same for each folder where several were given, or for each subset of another data set."""

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
            "skipped_photos": [{"name": name, "reason": reason} for name, reason, _part in self.skipped],
            "missed": len(self.missed),
            "fallback": self.fallback,
            "sets": {name: part.to_json() for name, part in self.sets.items()},
        }

    def below(self, prefix: str) -> "Evaluation":
        """The part whose names begin with a prefix."""
        return self.of(lambda name: name.startswith(prefix))

    def of(self, belongs: Callable[[str], bool]) -> "Evaluation":
        """The part whose names belong to it."""
        inside = [i for i, name in enumerate(self.names) if belongs(name)]
        return replace(
            self,
            names=[self.names[i] for i in inside],
            errors=self.errors[inside],
            sizes=self.sizes[inside],
            boxes=self.boxes[inside],
            skipped=[problem for problem in self.skipped if belongs(problem.name)],
            missed={name: size for name, size in self.missed.items() if belongs(name)},
            fallback=[name for name in self.fallback if belongs(name)],
            sets={},
        )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
