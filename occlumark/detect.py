"""Photo in, faces out."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from occlumark.boxes import box_in_photo, box_iou
from occlumark.crop import CropTransform
from occlumark.face import Face
from occlumark.finder import FaceFinder, NetworkFinder
from occlumark.landmarker import Landmarker
from occlumark.markup import N_LANDMARKS, Markup, tight_box
from occlumark.packaged import DEFAULT_MODEL, packaged_weights
from occlumark.photo import MAX_PIXELS, read_photo

#: A face whose box has a smaller IoU with the tight box of the landmarks found in it is cropped
#: a second time, around those landmarks. Not in the paper: it crops once.
AGREEMENT = 0.8

#: When a face is cropped again around the landmarks found in it: never, where box and landmarks disagree, or always,
#: so many times.
Recrop = Literal["never", "auto"] | int

# A crop around landmarks needs ones whose tight box is about as large as the box they were found from.
_SIZE_RATIOS = (0.5, 2.0)


class Detector:
    """Finds the faces of photos and their landmarks, on the CPU, with ONNX Runtime.

    Args:
        model: name of a landmark network that the package carries.
        weights: an ONNX file that `occlumark export` wrote, instead.
        face_finder: called with a photo, returns (box, score) pairs (see finder.FaceFinder); None: NetworkFinder(),
            the package's own.
        threads: of the networks; None: the CPU's, at most 4.
        recrop: when a face is cropped again, around the landmarks found in its first crop. "auto": once, where box and
            landmarks disagree (AGREEMENT); with networks of other markups than 68 points never, as the tight box of
            their landmarks is not what a face's box is. "never", or a number of times.
        passes: the old word; passes=N is recrop=N-1.

    Raises:
        CheckpointError: there is no such model, or the weights are missing, truncated, altered, not ours, or of
            an unknown markup.
        ValueError: threads below 1, or no such recrop.

    Attributes:
        recrop: as given.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        weights: str | os.PathLike[str] | None = None,
        face_finder: FaceFinder | None = None,
        threads: int | None = None,
        recrop: Recrop = "auto",
        passes: int | None = None,
    ) -> None:
        if passes is not None:
            recrop = recrop_of_passes(passes)
            warnings.warn(f"passes={passes} is called recrop={recrop!r} now", FutureWarning, stacklevel=2)
        self.recrop = _check_recrop(recrop)
        path, sha256 = (Path(weights), None) if weights is not None else packaged_weights(model)
        self._landmarker = Landmarker(path, sha256=sha256, threads=threads)
        self._face_finder = face_finder or NetworkFinder(threads=threads)

    def __repr__(self) -> str:
        return f"Detector({self.model!r}, {self.markup.n} landmarks, recrop={self.recrop!r})"

    @property
    def model(self) -> str:
        """The network's name, as its file gives it."""
        return self._landmarker.model

    @property
    def markup(self) -> Markup:
        """Which landmarks the network finds; those in the package 300W's 68."""
        return self._landmarker.markup

    @property
    def has_expected_error(self) -> bool:
        """Whether the network predicts an expected error; if not, Face.expected_error is all NaN."""
        return self._landmarker.has_expected_error

    def detect(
        self,
        photo: str | os.PathLike[str] | np.ndarray,
        boxes: Sequence[Sequence[float]] | np.ndarray | None = None,
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> list[Face]:
        """Find the landmarks of every face.

        Args:
            photo: a file, or (height, width, 3) uint8, RGB.
            boxes: (n, 4) x0, y0, x1, y1 of faces, photo pixels, best as the landmarks' tight boxes; None: the face
                finder's. They may reach out of the photo.
            max_pixels: a file with more pixels is refused before it is decoded.

        Returns:
            One Face a box, in the order of the boxes; empty where there is no face.

        Raises:
            PhotoError: the file cannot be read.
            BoxError: a box is inverted, not finite or outside the photo.
            ValueError: the array is no such photo, or a face finder of the caller's gives no (box, score) pairs.

        Example:
            >>> from occlumark import Detector, draw_faces, read_photo, write_photo
            >>> detector = Detector()
            >>> detector
            Detector('occlumark', 68 landmarks, recrop='auto')
            >>> photo = read_photo("portrait.jpg")
            >>> faces = detector.detect(photo)
            >>> len(faces), faces[0].landmarks.shape
            (1, (68, 2))
            >>> (face,) = detector.detect(photo, [[180, 90, 265, 170]])  # a box of your own
            >>> face.score
            1.0
            >>> write_photo("portrait-faces.jpg", draw_faces(photo, faces))
        """
        pixels = _check_photo(photo) if isinstance(photo, np.ndarray) else read_photo(photo, max_pixels)
        found = self._find(pixels) if boxes is None else [(np.asarray(box), 1.0) for box in boxes]
        if not found:
            return []
        checked = np.stack([box_in_photo(box, *pixels.shape[:2]) for box, _ in found])
        return self._landmarks(pixels, checked, [float(score) for _, score in found])

    def _find(self, photo: np.ndarray) -> list[tuple[np.ndarray, float]]:
        found = self._face_finder(photo)
        for face in found:
            if len(face) != 2:
                raise ValueError(
                    f"a face finder returns (box, score) pairs (finder.FaceFinder), not {len(face)} values"
                )
            if not 0 <= face[1] <= 1:
                raise ValueError(f"a face finder's score is in 0..1 (finder.FaceFinder), not {face[1]}")
        return found

    def _landmarks(self, photo: np.ndarray, boxes: np.ndarray, scores: list[float]) -> list[Face]:
        crops = [CropTransform.from_box(box, self._landmarker.crop) for box in boxes]
        faces = self._predict(photo, boxes, scores, crops)
        for _ in range(self.recrop if isinstance(self.recrop, int) else self.recrop == "auto"):
            again = [i for i, face in enumerate(faces) if self._needs_recrop(face)]
            crops = [CropTransform.from_box(tight_box(faces[i].landmarks), self._landmarker.crop) for i in again]
            recropped = self._predict(photo, boxes[again], [scores[i] for i in again], crops)
            for i, face in zip(again, recropped, strict=True):
                faces[i] = face
        return faces

    def _predict(
        self, photo: np.ndarray, boxes: np.ndarray, scores: Sequence[float], crops: Sequence[CropTransform]
    ) -> list[Face]:
        """What the network predicts in each crop."""
        if not crops:
            return []
        found = self._landmarker.predict(np.stack([crop.cut(photo) for crop in crops]))
        landmarks = [crop.to_photo(points) for crop, points in zip(crops, found.landmarks, strict=True)]
        errors = found.expected_errors / np.array([[crop.zoom] for crop in crops])
        columns = (boxes, scores, landmarks, found.visibility, found.occlusion_maps, crops, errors)
        return [Face(*each) for each in zip(*columns, strict=True)]

    def _needs_recrop(self, face: Face) -> bool:
        """Whether a crop around the landmarks is due, and they can be a face of the box's size."""
        tight = tight_box(face.landmarks)
        sides = tight[2:] - tight[:2]
        smallest, largest = _SIZE_RATIOS
        if sides.min() <= 0 or not smallest <= sides.max() / (face.box[2:] - face.box[:2]).max() <= largest:
            return False
        if self.recrop != "auto":
            return True
        return self.markup.n == N_LANDMARKS and box_iou(tight[None], face.box[None]).item() < AGREEMENT


def recrop_of_passes(passes: int) -> Recrop:
    """What the old option said: a face is cropped so many times in all.

    Raises:
        ValueError: passes below 1.
    """
    if passes < 1:
        raise ValueError(f"passes is at least 1, not {passes}")
    return passes - 1 or "never"


def _check_recrop(recrop: Recrop) -> Recrop:
    if recrop in ("never", "auto") or (isinstance(recrop, int) and not isinstance(recrop, bool) and recrop >= 1):
        return recrop
    raise ValueError(f"recrop is 'never', 'auto' or how many times, at least 1, not {recrop!r}")


def _check_photo(photo: np.ndarray) -> np.ndarray:
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or not photo.size:
        raise ValueError(f"a photo is (height, width, 3) uint8, RGB, not {photo.shape} {photo.dtype}")
    return photo
