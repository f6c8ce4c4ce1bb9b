"""What a model's answers on clean and occluded faces come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from occlumark.face import HIDDEN_BELOW
from occlumark.metrics import landmarks as metrics
from occlumark.metrics.visibility import average_precision, error_bins, recall_at_precision, share_of_error

#: The precision at which the recall of occluded points is given.
PRECISION = 0.8
#: Bins of expected errors, and the share of the points with the highest ones whose part of all error is given.
BINS, TOP = 10, 0.1


@dataclass(frozen=True, eq=False)
class Answers:
    """What one model said of n faces, beside the truth."""

    errors: np.ndarray
    """(n, 68) distances from the annotated places, over the normaliser."""
    distances: np.ndarray
    """(n, 68) the same in the pixels of the picture that the model was given."""
    visibility: np.ndarray
    """(n, 68) 0..1"""
    expected: np.ndarray
    """(n, 68) expected distances in those pixels; NaN where the model predicts none."""
    occluded: np.ndarray
    """(n, 68) bool, the landmarks under the drawn occluder."""
    kinds: list[str]
    """The n occluders' names; empty ones where nothing was drawn."""

    @property
    def nme(self) -> np.ndarray:
        """(n,) of each face."""
        return metrics.mean_over_landmarks(self.errors)

    @property
    def predicted(self) -> np.ndarray:
        """(n, 68) bool, the landmarks that the model predicts occluded."""
        return self.visibility < HIDDEN_BELOW

    @classmethod
    def joined(cls, parts: "Sequence[Answers]") -> "Answers":
        """The faces of all parts, in order."""
        return cls(
            errors=np.concatenate([part.errors for part in parts]),
            distances=np.concatenate([part.distances for part in parts]),
            visibility=np.concatenate([part.visibility for part in parts]),
            expected=np.concatenate([part.expected for part in parts]),
            occluded=np.concatenate([part.occluded for part in parts]),
            kinds=[kind for part in parts for kind in part.kinds],
        )

    def of(self, chosen: np.ndarray) -> "Answers":
        """Those chosen by an (n,) bool."""
        return Answers(
            errors=self.errors[chosen],
            distances=self.distances[chosen],
            visibility=self.visibility[chosen],
            expected=self.expected[chosen],
            occluded=self.occluded[chosen],
            kinds=[kind for kind, keep in zip(self.kinds, chosen, strict=True) if keep],
        )


def summaries(clean: Answers, occluded: Mapping[float, Answers]) -> dict[str, Any]:
    """All numbers of one model, as plain values for `json.dumps`.

    Args:
        clean: the faces as they are.
        occluded: by share, the same faces in the same order.

    Returns:
        clean: on the faces as they are; shares: on the occluded ones, by share ("0.10"); all: on these together;
        kinds: the same by kind of occluder.
    """
    together = Answers.joined(list(occluded.values()))
    clean_twins = Answers.joined([clean] * len(occluded))
    return {
        "clean": {
            "n": len(clean.errors),
            "nme": _mean(clean.nme),
            "predicted_occluded": _mean(clean.predicted),
            "expected_error": expected_error(clean),
        },
        "shares": {f"{share:.2f}": of_occluded(clean, answers) for share, answers in occluded.items()},
        "all": of_occluded(clean_twins, together),
        "kinds": {kind: of_occluded(*_of_kind(kind, clean_twins, together)) for kind in sorted(set(together.kinds))},
    }


def of_occluded(clean: Answers, occluded: Answers) -> dict[str, Any]:
    """The numbers on some occluded faces, beside the same ones clean.

    Returns:
        n faces; nme_clean, nme, and their ratio; nme_occluded and nme_visible, over the points under the occluder
        and beside it; occluded, the share of the former; predicted_occluded, the share that Face.hidden() names;
        average_precision and recall_at_precision_80 of 1 - visibility; precision and recall of the points that
        Face.hidden() names; expected_error. None where there is no such point.
    """
    truth, score, predicted = occluded.occluded, 1 - occluded.visibility, occluded.predicted
    any_occluded = bool(truth.any())
    precision, recall = metrics.precision_recall(predicted, truth) if any_occluded else (None, None)
    clean_error, error = float(clean.nme.mean()), float(occluded.nme.mean())
    return {
        "n": len(occluded.errors),
        "nme_clean": clean_error,
        "nme": error,
        "ratio": error / clean_error if clean_error else None,
        "nme_occluded": _mean(occluded.errors[truth]),
        "nme_visible": _mean(occluded.errors[~truth]),
        "occluded": _mean(truth),
        "predicted_occluded": _mean(predicted),
        "average_precision": average_precision(score, truth) if any_occluded else None,
        "recall_at_precision_80": recall_at_precision(score, truth, PRECISION) if any_occluded else None,
        "precision": precision,
        "recall": recall,
        "expected_error": expected_error(occluded),
    }


def expected_error(answers: Answers) -> dict[str, Any] | None:
    """How the expected error meets the true one, in the pixels of the pictures.

    Returns:
        points, predicted and true of each of BINS bins by the predicted error; top_share, the part of all error that
        the TOP of the points holds. None where the model predicts none.
    """
    if np.isnan(answers.expected).any() or answers.expected.size < BINS or not answers.distances.any():
        return None
    bins = error_bins(answers.expected, answers.distances, BINS)
    return {
        **{name: values.tolist() for name, values in bins._asdict().items()},
        "top_share": share_of_error(answers.expected, answers.distances, TOP),
    }


def _of_kind(kind: str, clean: Answers, occluded: Answers) -> tuple[Answers, Answers]:
    chosen = np.array([name == kind for name in occluded.kinds])
    return clean.of(chosen), occluded.of(chosen)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
