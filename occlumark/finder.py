"""Where the faces are. Any callable may stand in for the default one, a small network that the package carries.

Not in the paper, which takes the boxes that come with the data sets (docs/paper.md, "Face boxes").
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from occlumark.boxes import areas, as_boxes, box_in_photo, common_areas, joined_regions, keep_best, longer_sides
from occlumark.errors import BoxError, CheckpointError
from occlumark.network_file import Form, Provider, open_network
from occlumark.packaged import packaged_finder
from occlumark.photo.zoom import halved_towards, zoomed

#: Version of the exported form; raised when detection must know of a change.
FORMAT = 1
#: The network's outputs: the score of each of n boxes, and the boxes in pixels of what it saw.
OUTPUTS = ("scores", "boxes")
#: Sides of what the network sees are multiples of this.
SIDE_MULTIPLE = 32
#: Faces with a lower score are left out by default: 0.1 false positives per image (FPPI) on pictures without faces.
SCORE = 0.54
#: From here on, where a landmark network has its say (face/presence.py) and the caller names no score.
CANDIDATE_SCORE = 0.35

# The fine scale of a photo is that at which the smallest face asked for has this longer side, pixels, enlarged at most
# so much: smaller faces are found less often (docs/experiments/finder.md, "At which size to search").
_SMALLEST_SEEN = 20.0
_LARGEST_ZOOM = 3.0
# Where the caller does not say how small faces may be: the longer side of the photo over the smallest face's, at least
# and at most; between them a face of _SMALLEST_SEEN pixels of the photo.
_PHOTO_OVER_FACE = (32, 64)
# The whole photo is searched at a half and at a sixth of the fine scale, and at the fine scale only around what may
# be a small face (docs/experiments/finder.md, "Looking twice"): from this score on, and with a longer side below so
# many pixels at half.
_HALF, _SIXTH = 2, 6
_DOUBTFUL = 0.15
_SMALL_AT_HALF = 40.0
# What has more than this share of itself in a face already found is a part of it, and not searched again.
_MAX_IN_FOUND = 0.8
# A box counts up to these longer sides, pixels of its scale.
_LARGEST_FINE, _LARGEST_AT_HALF = 80.0, 160.0
# Pixels of the fine scale around what may be a face, at least, and the share of the photo from which all of it is seen.
_MARGIN = 32
_ALL_FROM = 0.7
# A larger picture is never searched, pixels: that is 2 GB in the network's widest layers.
_MOST_PIXELS = 16_000_000
# Boxes with more than this in common lie on one face: intersection over union, and the share of the smaller one.
_MAX_IOU, _MAX_SHARE = 0.45, 0.8


class FaceFinder(Protocol):
    """Anything that is called with a photo and returns the faces in it, best first."""

    def __call__(self, photo: np.ndarray, /) -> list[tuple[np.ndarray, float]]:
        """Find faces.

        Args:
            photo: (height, width, 3) uint8, RGB.

        Returns:
            For each face its box, (4,) x0, y0, x1, y1 in photo pixels, as near the landmarks' tight box as
            the finder knows, and a score in 0..1. Empty where there is no face.
        """
        ...


def find_faces(face_finder: FaceFinder, photo: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """The faces that a face finder finds, checked: it may be the caller's own.

    A box that cannot be a face's in this photo (boxes.box_in_photo) is left out, and a warning counts and names it.

    Returns:
        (n, 4) boxes and n scores, in the finder's order.

    Raises:
        ValueError: the finder gives no (box, score) pairs, no four numbers a box, or a score out of 0..1.
    """
    boxes: list[np.ndarray] = []
    scores: list[float] = []
    left_out: list[BoxError] = []
    result = face_finder(photo)
    found = [] if result is None else list(result)
    for face in found:
        if len(face) != 2:
            raise ValueError(f"a face finder returns (box, score) pairs (finder.FaceFinder), not {len(face)} values")
        box, score = as_boxes(face[0]), face[1]
        if len(box) != 1:
            raise ValueError(f"a face finder's box is x0, y0, x1, y1 (finder.FaceFinder), not {box.shape}")
        if score is None or not 0 <= score <= 1:
            raise ValueError(f"a face finder's score is in 0..1 (finder.FaceFinder), not {score}")
        try:
            boxes.append(box_in_photo(box[0], *photo.shape[:2]))
        except BoxError as error:
            left_out.append(error)
        else:
            scores.append(float(score))
    if left_out:
        text = f"{len(left_out)} of the face finder's {len(found)} boxes left out, the first: {left_out[0]}"
        warnings.warn(text, stacklevel=4)
    return np.reshape(boxes, (-1, 4)), scores


class _Seen(NamedTuple):
    """What the network finds at one scale: boxes (n, 4) in pixels that it saw and in photo pixels, and scores."""

    boxes: np.ndarray
    in_photo: np.ndarray
    scores: np.ndarray


class NetworkFinder:
    """The face finder that the package carries, or another that `occlumark export` wrote, run by ONNX Runtime.

    Its boxes mean the landmarks' tight boxes, also where a part of the face is occluded.

    Args:
        min_face: longer side of the smallest box to find, photo pixels; the smaller, the slower. None: 20, at most a
            32nd and at least a 64th of the photo's longer side, so that no photo takes long.
        score: faces with a lower score are left out, 0..1; None: SCORE. It is about the overlap to expect between
            the box and the true one, times the chance that there is a face.
        max_faces: the best so many are returned; None: all.
        weights: an ONNX file; None: the package's.
        threads: of ONNX Runtime; None: the CPUs that the process may use, at most 4.
        providers: of ONNX Runtime (network_file.Provider); None: the CPU.

    Raises:
        CheckpointError: the weights are missing, truncated, altered or no face finder.
        ConfigError: this ONNX Runtime has no such provider.
        ValueError: a number out of its range.
    """

    def __init__(
        self,
        *,
        min_face: float | None = None,
        score: float | None = None,
        max_faces: int | None = None,
        weights: str | os.PathLike[str] | None = None,
        threads: int | None = None,
        providers: Sequence[Provider] | None = None,
    ) -> None:
        if min_face is not None and not min_face > 0:
            raise ValueError(f"min_face is above 0 pixels, not {min_face}")
        self.score, self._candidate_score = (SCORE, CANDIDATE_SCORE) if score is None else (score, score)
        if not 0 <= self.score <= 1:
            raise ValueError(f"score is in 0..1, not {score}")
        if max_faces is not None and max_faces < 1:
            raise ValueError(f"max_faces is at least 1, not {max_faces}")
        self.min_face, self.max_faces = min_face, max_faces
        path, sha256 = (Path(weights), None) if weights is not None else packaged_finder()
        self._session, metadata = open_network(path, sha256=sha256, threads=threads, providers=providers)
        if metadata.get("kind") != "finder" or metadata.get("format") != FORMAT:
            raise CheckpointError(f"{path} is no face finder of format {FORMAT}; export one from a finder's checkpoint")
        outputs: dict[str, Form] = {"scores": ("float", ["any", None]), "boxes": ("float", ["any", None, 4])}
        self._session.check_forms({"photos": ("uint8", ["any", None, None, 3])}, outputs)

    def __call__(
        self, photo: np.ndarray, /, reduction: int = 1, *, candidates: bool = False
    ) -> list[tuple[np.ndarray, float]]:
        """Find faces; see FaceFinder.

        Args:
            photo: (height, width, 3) uint8, RGB.
            reduction: the photo that min_face is meant for has sides so many times as long (photo.read_reduced).
            candidates: from CANDIDATE_SCORE on, where no score was given; three times max_faces, as some are no faces.
        """
        score = self._candidate_score if candidates else self.score
        min_face = self.min_face and self.min_face / reduction
        zoom = _fine_zoom(photo, min_face)
        halved = halved_towards(photo, zoom)
        again = halved_towards(photo, zoom / _HALF, halved)
        large = self._search(photo, zoom / _SIXTH, score, again)
        half = self._search(photo, zoom / _HALF, min(score, _DOUBTFUL), again)
        sides = longer_sides(half.boxes)
        seen = (half.scores >= score) & (sides >= _SMALLEST_SEEN) & (sides <= _LARGEST_AT_HALF)
        doubtful = half.in_photo[(half.scores >= _DOUBTFUL) & (sides < _SMALL_AT_HALF)]
        # a part of a large face is none; of a low score the face would be one of many things
        sure = max(score, SCORE)
        is_whole = seen & (sides >= _SMALL_AT_HALF) & (half.scores >= sure)
        whole = np.concatenate([large.in_photo[large.scores >= sure], half.in_photo[is_whole]])
        doubtful = doubtful[(common_areas(doubtful, whole) <= _MAX_IN_FOUND * areas(doubtful)[:, None]).all(axis=1)]
        coarse = [(large.in_photo, large.scores), (half.in_photo[seen], half.scores[seen])]
        found = [*coarse, *self._around(photo, zoom, score, doubtful, halved)]
        return self._best(photo, found, score, min_face, spare=3 if candidates else 1)

    def large(self, photo: np.ndarray, /, reduction: int = 1) -> list[tuple[np.ndarray, float]]:
        """Find faces of at least three times min_face, else a tenth of the photo's longer side: in less time."""
        min_face = self.min_face and self.min_face / reduction
        zoom = _fine_zoom(photo, 3 * (min_face or max(photo.shape[:2]) / _PHOTO_OVER_FACE[0]))
        seen = self._search(photo, zoom, self.score, photo)
        kept = longer_sides(seen.boxes) >= _SMALLEST_SEEN
        return self._best(photo, [(seen.in_photo[kept], seen.scores[kept])], self.score, min_face)

    def _around(
        self, photo: np.ndarray, zoom: float, score: float, doubtful: np.ndarray, halved: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What the fine scale shows around boxes of the photo: boxes in photo pixels, and scores."""
        if not len(doubtful):
            return
        fine = zoomed(photo, zoom, halved)
        to_photo = np.tile(np.array(photo.shape[1::-1]) / fine.shape[1::-1], 2)
        around = doubtful / to_photo
        around += np.maximum(_MARGIN, longer_sides(around) / 2)[:, None] * [-1, -1, 1, 1]
        for x0, y0, x1, y1 in joined_regions(around, fine.shape[0], fine.shape[1], SIDE_MULTIPLE, _ALL_FROM):
            boxes, scores = self._predict(fine[y0:y1, x0:x1], score)
            small = longer_sides(boxes) <= _LARGEST_FINE
            yield (boxes[small] + [x0, y0, x0, y0]) * to_photo, scores[small]

    def _search(self, photo: np.ndarray, zoom: float, score: float, halved: np.ndarray) -> "_Seen":
        """What the network sees in the photo with its sides so many times as long, from a score on."""
        seen = zoomed(photo, zoom, halved)
        boxes, scores = self._predict(seen, score)
        return _Seen(boxes, boxes * np.tile(np.array(photo.shape[1::-1]) / seen.shape[1::-1], 2), scores)

    def _predict(self, seen: np.ndarray, score: float) -> tuple[np.ndarray, np.ndarray]:
        """The network's boxes, in pixels of what it sees, and scores, from one on."""
        scores, boxes = (output[0] for output in self._session.outputs(OUTPUTS, {"photos": padded(seen)[None]}))
        sure = np.flatnonzero(scores >= score)
        return boxes[sure].astype(np.float64), scores[sure].astype(np.float64).clip(0, 1)

    def _best(
        self,
        photo: np.ndarray,
        found: Sequence[tuple[np.ndarray, np.ndarray]],
        score: float,
        min_face: float | None,
        spare: int = 1,
    ) -> list[tuple[np.ndarray, float]]:
        """What is returned of what was found at all scales."""
        boxes, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        # what lies in the black below and to the right of the photo (padded) is no place in it
        kept = (boxes[:, :2] < photo.shape[1::-1]).all(axis=1) & (longer_sides(boxes) >= (min_face or 0))
        boxes, scores = best_faces(boxes[kept], scores[kept], score, self.max_faces and spare * self.max_faces)
        return [(box, float(sure)) for box, sure in zip(boxes, scores, strict=True)]


def _fine_zoom(photo: np.ndarray, min_face: float | None) -> float:
    """Of the fine scale of a photo."""
    longer = max(photo.shape[:2])
    least, most = _PHOTO_OVER_FACE
    min_face = min_face or longer / min(most, max(least, longer / _SMALLEST_SEEN))
    largest = (_MOST_PIXELS / (photo.shape[0] * photo.shape[1])) ** 0.5
    return min(_LARGEST_ZOOM, _SMALLEST_SEEN / min_face, largest)


def padded(photo: np.ndarray) -> np.ndarray:
    """A photo (height, width, 3), with black below and to the right so that its sides fit the network."""
    below, right = (-side % SIDE_MULTIPLE for side in photo.shape[:2])
    return cv2.copyMakeBorder(photo, 0, below, 0, right, cv2.BORDER_CONSTANT) if below or right else photo


def best_faces(
    boxes: np.ndarray, scores: np.ndarray, min_score: float, count: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What is left of the network's boxes: those sure enough, and of those on one face the best.

    Args:
        boxes: (n, 4) x0, y0, x1, y1.
        scores: (n,).
        min_score: boxes below are left out.
        count: at most so many are left; None: all.

    Returns:
        (k, 4) boxes and (k,) scores, best first.
    """
    sure = np.flatnonzero(scores >= min_score)
    kept = sure[keep_best(boxes[sure], scores[sure], _MAX_IOU, _MAX_SHARE, count)]
    return boxes[kept], scores[kept]
