"""Where the faces are. Any callable may stand in for the default one, OpenCV's cascade."""

from pathlib import Path
from typing import Protocol

import cv2
import cv2.data
import numpy as np

# Measured by benchmarks/fit_cascade.py on 305 of the 300W training photos, 94 % found (docs/paper.md).
#: The landmarks' tight box within the cascade's square: its left, top, right, bottom, in sides of the square.
_TIGHT_IN_SQUARE = np.array([0.084, 0.233, 0.923, 1.064])
#: The cascade's weight at which half of what it finds is a face, and the logistic curve's width around it.
_WEIGHT_AT_HALF, _WEIGHT_WIDTH = 2.47, 1.30


class FaceFinder(Protocol):
    """Anything that is called with a photo and returns the faces in it, best first."""

    def __call__(self, photo: np.ndarray) -> list[tuple[np.ndarray, float]]:
        """Find faces.

        Args:
            photo: (height, width, 3) uint8, RGB.

        Returns:
            For each face its box, (4,) x0, y0, x1, y1 in photo pixels, as near the landmarks' tight box as
            the finder knows, and a score in 0..1. Empty where there is no face.
        """
        ...


class CascadeFinder:
    """The frontal-face cascade that OpenCV 4's wheel ships.

    Not in the paper: it takes the boxes that come with the data sets.

    Args:
        search_side: a photo whose longer side is above this many pixels is searched reduced to it.
        min_side: the smallest square searched for, in pixels of the photo as searched.
        min_score: faces below are left out, 0..1.
    """

    def __init__(self, *, search_side: int = 800, min_side: int = 24, min_score: float = 0.25) -> None:
        path = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(path))
        self.search_side, self.min_side, self.min_score = search_side, min_side, min_score

    def __call__(self, photo: np.ndarray) -> list[tuple[np.ndarray, float]]:
        """Find faces; see FaceFinder.

        A score is the share of faces among what the cascade finds with the same weight.
        """
        squares, weights = self.squares(photo)
        sides = (squares[:, 2] - squares[:, 0])[:, None]
        boxes = np.tile(squares[:, :2], 2) + sides * _TIGHT_IN_SQUARE
        scores = 1 / (1 + np.exp((_WEIGHT_AT_HALF - weights) / _WEIGHT_WIDTH))
        sure = scores >= self.min_score
        boxes, scores = boxes[sure], scores[sure]
        return [(boxes[i], float(scores[i])) for i in keep_best(boxes, scores)]

    def squares(self, photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the cascade itself answers.

        Args:
            photo: (height, width, 3) uint8, RGB.

        Returns:
            (n, 4) squares x0, y0, x1, y1 in photo pixels, and (n,) weights, the margin of its last stage.
        """
        height, width = photo.shape[:2]
        grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
        shrink = min(1.0, self.search_side / max(height, width))
        if shrink < 1:
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        found, _, weights = self._cascade.detectMultiScale3(
            grey,
            scaleFactor=1.1,
            minNeighbors=3,
            minSize=(self.min_side, self.min_side),
            outputRejectLevels=True,
        )
        corners = np.asarray(found, dtype=np.float64).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        to_photo = np.tile([width / grey.shape[1], height / grey.shape[0]], 2)
        return corners * to_photo, np.asarray(weights, dtype=np.float64).reshape(-1)


def keep_best(boxes: np.ndarray, scores: np.ndarray, max_overlap: float = 0.5) -> list[int]:
    """Of boxes that lie on one another keep the best.

    Args:
        boxes: (n, 4) x0, y0, x1, y1.
        scores: (n,).
        max_overlap: the largest share of the smaller box that a box may have in common with a better one.

    Returns:
        Indices of the boxes kept, best first.
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable").tolist():
        low = np.maximum(boxes[kept, :2], boxes[i, :2])
        high = np.minimum(boxes[kept, 2:], boxes[i, 2:])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        if (common <= max_overlap * np.minimum(areas[kept], areas[i])).all():
            kept.append(i)
    return kept
