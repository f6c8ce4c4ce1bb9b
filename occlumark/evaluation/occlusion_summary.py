"""What a model's answers on open and covered faces come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from occlumark.face import HIDDEN_BELOW
from occlumark.metrics import landmarks as metrics
from occlumark.metrics.visibility import average_precision, error_bins, recall_at_precision, share_of_error

#: The precision at which the recall of hidden points is given.
PRECISION = 0.8
#: Bins of expected errors, and the share of the points with the highest ones whose part of all error is given.
BINS, TOP = 10, 0.1


@dataclass(frozen=True, eq=False)
class Answers:
    """What one model said of n faces, beside the truth."""

    errors: np.ndarray
    """(n, 68) distances from the true places, over the normaliser."""
    distances: np.ndarray
    """(n, 68) the same in the pixels of the picture that the model was given."""
    visibility: np.ndarray
    """(n, 68) 0..1"""
    expected: np.ndarray
    """(n, 68) expected distances in those pixels; NaN where the model does not tell."""
    hidden: np.ndarray
    """(n, 68) bool, the landmarks under the drawn occluder."""
    kinds: list[str]
    """The n occluders' names; empty ones where nothing was drawn."""

    @classmethod
    def joined(cls, parts: "Sequence[Answers]") -> "Answers":
        """The faces of all parts, in order."""
        return cls(
            errors=np.concatenate([part.errors for part in parts]),
            distances=np.concatenate([part.distances for part in parts]),
            visibility=np.concatenate([part.visibility for part in parts]),
            expected=np.concatenate([part.expected for part in parts]),
            hidden=np.concatenate([part.hidden for part in parts]),
            kinds=[kind for part in parts for kind in part.kinds],
        )

    def of(self, chosen: np.ndarray) -> "Answers":
        """Those chosen by an (n,) bool."""
        return Answers(
            errors=self.errors[chosen],
            distances=self.distances[chosen],
            visibility=self.visibility[chosen],
            expected=self.expected[chosen],
            hidden=self.hidden[chosen],
            kinds=[kind for kind, keep in zip(self.kinds, chosen, strict=True) if keep],
        )


def summaries(clean: Answers, covered: Mapping[float, Answers]) -> dict[str, Any]:
    """All numbers of one model, as plain values for `json.dumps`.

    Args:
        clean: the open faces.
        covered: by share, the same faces in the same order.

    Returns:
        clean: on the open faces; shares: on the covered ones, by share ("0.10"); all: on these together; kinds: the
        same by what covers the faces.
    """
    together = Answers.joined(list(covered.values()))
    open_twins = Answers.joined([clean] * len(covered))
    return {
        "clean": {
            "n": len(clean.errors),
            "nme": _mean(clean.errors),
            "called_hidden": _mean(clean.visibility < HIDDEN_BELOW),
            "expected_error": expected_error(clean),
        },
        "shares": {f"{share:.2f}": of_covered(clean, answers) for share, answers in covered.items()},
        "all": of_covered(open_twins, together),
        "kinds": {kind: of_covered(*_of_kind(kind, open_twins, together)) for kind in sorted(set(together.kinds))},
    }


def of_covered(clean: Answers, covered: Answers) -> dict[str, Any]:
    """The numbers on some covered faces, beside the same ones open.

    Returns:
        n faces; nme_clean, nme, and their ratio; nme_hidden and nme_shown, over the points under the occluder and
        beside it; hidden, the share of the former; average_precision and recall_at_precision_80 of 1 - visibility;
        precision and recall of the points that Face.hidden() names; expected_error. None where there is no such point.
    """
    hidden, score = covered.hidden, 1 - covered.visibility
    called = covered.visibility < HIDDEN_BELOW
    any_hidden = bool(hidden.any())
    precision, recall = metrics.precision_recall(called, hidden) if any_hidden else (None, None)
    clean_error, error = float(clean.errors.mean()), float(covered.errors.mean())
    return {
        "n": len(covered.errors),
        "nme_clean": clean_error,
        "nme": error,
        "ratio": error / clean_error if clean_error else None,
        "nme_hidden": _mean(covered.errors[hidden]),
        "nme_shown": _mean(covered.errors[~hidden]),
        "hidden": _mean(hidden),
        "called_hidden": _mean(called),
        "average_precision": average_precision(score, hidden) if any_hidden else None,
        "recall_at_precision_80": recall_at_precision(score, hidden, PRECISION) if any_hidden else None,
        "precision": precision,
        "recall": recall,
        "expected_error": expected_error(covered),
    }


def expected_error(answers: Answers) -> dict[str, Any] | None:
    """How the expected error meets the true one, in the pixels of the pictures.

    Returns:
        points, predicted and true of each of BINS bins by the predicted error; top_share, the part of all error that
        the TOP of the points holds. None where the model tells none.
    """
    if np.isnan(answers.expected).any() or answers.expected.size < BINS or not answers.distances.any():
        return None
    bins = error_bins(answers.expected, answers.distances, BINS)
    return {
        **{name: values.tolist() for name, values in bins._asdict().items()},
        "top_share": share_of_error(answers.expected, answers.distances, TOP),
    }


def _of_kind(kind: str, clean: Answers, covered: Answers) -> tuple[Answers, Answers]:
    chosen = np.array([name == kind for name in covered.kinds])
    return clean.of(chosen), covered.of(chosen)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
