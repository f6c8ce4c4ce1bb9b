"""Whether a box shows a face: the landmark network's presence, with the face finder's score and the size of the box.

Not in the paper, which takes the boxes that come with the data sets (docs/experiments/finder.md, "What is no face").
"""

import math
from dataclasses import dataclass

import numpy as np

from occlumark.boxes import longer_sides
from occlumark.face.face import Face

# So small a face, longer side in pixels, is too blurred in its crop for presence to count; from the second on it counts
# in full, in between the least presence rises (docs/experiments/finder.md, "What is no face").
_PRESENCE_COUNTS = (16.0, 24.0)

# Logistic regression on scenes that are not held out (studies/certain_faces.py): what the logit of the finder's score,
# the natural logarithm of the longer side in pixels and the logit of presence weigh. The constant is chosen, not
# fitted, for as many faces kept as by presence alone.
_SCORE, _SIDE, _PRESENCE, _CONSTANT = 2.95, -0.85, 0.363, 0.75
#: A side counts up to so many pixels, as turned faces, however large, have low scores.
LARGEST_SIDE = 64.0
#: Presence says no more than this, so that a box that needs more is no face whatever its crop shows.
SAID = (0.01, 0.999)
_LEAST = 1e-6
# A candidate is ruled out by a first crop of so small a share of the certainty that it needs.
_RULED_OUT = 0.02


@dataclass(frozen=True)
class Certainty:
    """What decides whether boxes of NetworkFinder's show a face."""

    min_presence: float
    """The presence that a face of 48 pixels needs which the finder found with a score of 0.7, above 0, at most 1. A
    higher score or a smaller box needs less, others more."""
    sure_score: float = 0.0
    """Boxes with a lower score are candidates, of which one crop decides whether they are worth more; none of those
    that are too small for presence to count."""

    def may_be_faces(self, scores: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Whether a crop's presence may still tell.

        Args:
            scores: (n,) of the finder's, 0..1.
            boxes: (n, 4) x0, y0, x1, y1, pixels.

        Returns:
            (n,) bool.
        """
        return self.are_faces(scores, boxes, np.ones(len(boxes)))

    def are_faces(self, scores: np.ndarray, boxes: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Whether boxes show faces.

        Args:
            scores: (n,) of the finder's, 0..1.
            boxes: (n, 4) x0, y0, x1, y1, pixels.
            presence: (n,) of the landmark network's, 0..1.

        Returns:
            (n,) bool.
        """
        is_told = (scores >= self.sure_score) | (longer_sides(boxes) >= _PRESENCE_COUNTS[0])
        return np.asarray(is_told & (self.of(scores, boxes, presence) >= self.min_presence))

    def of(self, scores: np.ndarray, boxes: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """(n,) 0..1: the presence that faces of 48 pixels found with 0.7 would have to be as sure; see are_faces."""
        sides = longer_sides(boxes).clip(1, LARGEST_SIDE)
        said = np.clip(_logit(presence), *_logit(np.array(SAID)))
        evidence = _SCORE * _logit(scores) + _SIDE * np.log(sides) + _CONSTANT
        return np.asarray(1 / (1 + np.exp(-said - evidence / _PRESENCE)))


def least_presence(face: Face, min_presence: float) -> float:
    """What a face's presence has to be: min_presence of large faces, less of small ones, 0 of the smallest."""
    low, high = _PRESENCE_COUNTS
    side = float((face.box[2:] - face.box[:2]).max())
    return min_presence * min(max((side - low) / (high - low), 0.0), 1.0)


def is_present(face: Face, min_presence: float, certainty: Certainty | None) -> bool:
    """Whether a box that a face finder found shows a face; True where the network does not tell.

    Args:
        face: with the finder's box and score.
        min_presence: see least_presence.
        certainty: where the finder is NetworkFinder, whose score counts; None: least_presence decides.
    """
    if certainty is None or math.isnan(face.presence):
        return not face.presence < least_presence(face, min_presence)
    return bool(certainty.are_faces(np.array([face.score]), face.box[None], np.array([face.presence]))[0])


def is_ruled_out(face: Face, certainty: Certainty | None) -> bool:
    """Whether a face is a candidate whose crop clearly shows none: no other crop of it is worth its time."""
    if certainty is None or math.isnan(face.presence) or not face.score < certainty.sure_score:
        return False
    sure = certainty.of(np.array([face.score]), face.box[None], np.array([face.presence]))[0]
    return bool(sure < _RULED_OUT * certainty.min_presence)


def _logit(share: np.ndarray) -> np.ndarray:
    inside = np.clip(share, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(inside / (1 - inside)))
