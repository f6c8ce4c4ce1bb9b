"""Photo in, faces out."""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from occlumark.crop import CropTransform
from occlumark.errors import OcclumarkError
from occlumark.face import Face
from occlumark.face.doubt import doubt
from occlumark.face.presence import Certainty, is_ruled_out
from occlumark.finder import FaceFinder, NetworkFinder
from occlumark.landmarker import Landmarker
from occlumark.markup import W300, Markup, tight_box
from occlumark.network_file import Provider
from occlumark.packaged import DEFAULT_MODEL, packaged_weights
from occlumark.photo import MAX_PIXELS
from occlumark.photo.given import ColorOrder, PhotoInput
from occlumark.recrop import (
    Recrop,
    check_recrop,
    crop_around,
    is_lost,
    less_doubtful,
    needs_recrop,
    recrop_of_passes,
    turned_crops,
)
from occlumark.searched import Boxes, SearchedPhoto, certainty_of, faces_in, most_reduction, search, with_boxes

#: Boxes of the face finder's whose crop shows a face with less certainty are dropped, where the network tells it.
MIN_PRESENCE = 0.5

# detect_many predicts landmarks when it holds so many faces (what one run of the network takes), photos or pixels.
_BATCH_FACES, _BATCH_PHOTOS, _BATCH_PIXELS = 8, 32, 50_000_000


class Detected(NamedTuple):
    """What detect_many found in one photo."""

    photo: PhotoInput
    """As it was given."""
    faces: list[Face]
    """Empty where there is no face, or the photo failed."""
    error: Exception | None
    """Why there is no result, as detect would have raised it; None: there is one."""


class Detector:
    """Finds the faces of photos and their landmarks, on the CPU, with ONNX Runtime.

    Args:
        model: name of a landmark network that the package carries.
        weights: an ONNX file that `occlumark export` wrote, instead.
        face_finder: called with a photo, returns (box, score) pairs (see finder.FaceFinder); None: NetworkFinder(),
            the package's own.
        threads: of the networks; None: the CPUs that the process may use, at most 4.
        providers: what runs the networks, of ONNX Runtime's build: ["cuda", "cpu"], or (name, options) pairs; what the
            first cannot do the next does, at last the CPU. None: the CPU.
        mirror: predict each crop mirrored as well and give the mean of both: more exact, in twice the time.
        recrop: when a face is cropped again, around the landmarks found in its first crop, and upright where they are
            turned in the photo (UPRIGHT_WITHIN). "auto": once, where they are, or where box and landmarks disagree
            (AGREEMENT); of other markups than 68 points never, whose tight box is no face's. "never", or N times.
        min_presence: boxes of the face finder's whose crop shows a face with less certainty are dropped, 0..1, where
            the network tells it (Face.presence). NetworkFinder's score and the box's size count as well
            (face.presence.Certainty); of other face finders' boxes less is asked below 24 pixels, nothing below 16.
        passes: the old word; passes=N is recrop=N-1.

    Raises:
        CheckpointError: there is no such model, or its weights are missing, truncated, altered, or not ours.
        ConfigError: this ONNX Runtime has no such provider, or it does not start.
        ValueError: threads below 1, no such recrop, or min_presence out of its range.

    Attributes:
        recrop, min_presence, face_finder: as given, or the package's own; another may be put in their place.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        weights: str | os.PathLike[str] | None = None,
        face_finder: FaceFinder | None = None,
        threads: int | None = None,
        providers: Sequence[Provider] | None = None,
        mirror: bool = False,
        recrop: Recrop = "auto",
        min_presence: float = MIN_PRESENCE,
        passes: int | None = None,
    ) -> None:
        if passes is not None:
            recrop = recrop_of_passes(passes)
            warnings.warn(f"passes={passes} is called recrop={recrop!r} now", FutureWarning, stacklevel=2)
        if not 0 <= min_presence <= 1:
            raise ValueError(f"min_presence is in 0..1, not {min_presence}")
        self.recrop, self.min_presence = check_recrop(recrop), min_presence
        path, sha256 = (Path(weights), None) if weights is not None else packaged_weights(model)
        self._landmarker = Landmarker(path, sha256=sha256, threads=threads, providers=providers, mirror=mirror)
        self.face_finder = face_finder or NetworkFinder(threads=threads, providers=providers)

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

    @property
    def _certainty(self) -> Certainty | None:
        """What decides on the boxes of a face finder of ours; None: presence alone, if anything."""
        asked = self.min_presence if self._landmarker.has_presence else 0.0
        return certainty_of(self.face_finder, asked)

    def most_reduction(self, boxes: Boxes | None = None) -> int:
        """By how much read_reduced may divide a photo's sides with every face still as large as the network sees it.

        Args:
            boxes: the faces' that will be asked for; None: the face finder's min_face decides, and without one it is 1.
        """
        return most_reduction(self.face_finder, self._landmarker.crop, boxes)

    def detect(
        self,
        photo: PhotoInput,
        boxes: Boxes | None = None,
        *,
        color: ColorOrder = "rgb",
        max_pixels: int = MAX_PIXELS,
    ) -> list[Face]:
        """Find the landmarks of every face.

        Args:
            photo: a file's path, an open file, its bytes, a PIL image, or an array: (height, width, 3) RGB, with a
                fourth channel for alpha, or (height, width) grey; uint8, uint16, or float in 0..1 (photo.as_photo).
                Or what read_reduced gives: boxes and faces are in pixels of the photo itself.
            boxes: (n, 4) x0, y0, x1, y1 of faces, photo pixels, best as the landmarks' tight boxes, or one flat box;
                None: the face finder's. They may reach out of the photo.
            color: the order of an array's channels, "rgb" or, as OpenCV reads photos, "bgr".
            max_pixels: a file with more pixels is refused before it is decoded.

        Returns:
            One Face a box given, in their order; of the face finder's boxes those that show a face, each face once.

        Raises:
            PhotoError: the file cannot be read.
            BoxError: a box is inverted, not finite or outside the photo, or boxes are of another shape.
            TypeError: the photo is of another kind.
            ValueError: the array is no photo, or a face finder of the caller's gives no (box, score) pairs.

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
        return self._landmarks([search(self.face_finder, photo, boxes, color, max_pixels, self._certainty)])[0]

    def detect_many(
        self,
        photos: Iterable[PhotoInput],
        boxes: Iterable[Boxes | None] | None = None,
        *,
        color: ColorOrder = "rgb",
        max_pixels: int = MAX_PIXELS,
    ) -> Iterator[Detected]:
        """Find the landmarks of every face of many photos, in their order; faces of several photos run together.

        A photo that fails is handed back with its error, and the others go on. A few photos are held at a time.

        Args:
            photos: each as in detect; may be a generator.
            boxes: for each photo its boxes, as in detect; None: the face finder's of all.
            color: as in detect, of all arrays.
            max_pixels: as in detect.

        Yields:
            A Detected a photo: the faces that detect finds, or the error that it raises.

        Raises:
            ValueError: boxes of more or fewer photos than there are.
        """
        waiting: list[tuple[PhotoInput, SearchedPhoto | Exception]] = []
        for photo, given in with_boxes(photos, boxes):
            try:
                found = search(self.face_finder, photo, given, color, max_pixels, self._certainty)
                waiting.append((photo, found))
            except (OcclumarkError, TypeError, ValueError) as error:
                waiting.append((photo, error))
            held = [found for _, found in waiting if isinstance(found, SearchedPhoto)]
            if (
                sum(len(found.boxes) for found in held) >= _BATCH_FACES
                or len(waiting) >= _BATCH_PHOTOS
                or sum(found.pixels.size // 3 for found in held) >= _BATCH_PIXELS
            ):
                yield from self._finish(waiting)
                waiting = []
        yield from self._finish(waiting)

    def detect_near(
        self,
        photo: np.ndarray,
        landmarks: Sequence[np.ndarray],
        scores: Sequence[float] | None = None,
        boxes: Sequence[np.ndarray] | None = None,
    ) -> list[Face]:
        """A Face for each whose landmarks are about known, as from a video's last frame: one crop, no face finder.

        None is dropped; the box is the tight box of the landmarks given, or the one given.

        Args:
            photo: (height, width, 3) uint8, RGB.
            landmarks: of each (n, 2), photo pixels, in a box with an area; recrop.crop_around crops it.
            scores: of each face, to be its Face's; None: 1.
            boxes: (4,) of each face, to crop by, where the markup's tight box is not what a face's box is.
        """
        near = np.reshape([tight_box(points) for points in landmarks] if boxes is None else boxes, (-1, 4))
        crops = [crop_around(points, self.markup, self._landmarker.crop) for points in landmarks]
        crops = crops if boxes is None else [CropTransform.from_box(box, self._landmarker.crop) for box in near]
        return self._predict([photo] * len(crops), near, [1.0] * len(crops) if scores is None else scores, crops)

    def _finish(self, waiting: Sequence[tuple[PhotoInput, SearchedPhoto | Exception]]) -> Iterator[Detected]:
        faces = iter(self._landmarks([found for _, found in waiting if isinstance(found, SearchedPhoto)]))
        for photo, found in waiting:
            if isinstance(found, Exception):
                yield Detected(photo, [], found)
            else:
                yield Detected(photo, next(faces), None)

    def _landmarks(self, photos: Sequence[SearchedPhoto]) -> list[list[Face]]:
        """The faces of each photo with their landmarks."""
        pixels = [found.pixels for found in photos for _ in found.scores]
        boxes = np.concatenate([found.boxes for found in photos]) if photos else np.zeros((0, 4))
        scores = [score for found in photos for score in found.scores]
        crops = [CropTransform.from_box(box, self._landmarker.crop) for box in boxes]
        faces = self._predict(pixels, boxes, scores, crops)
        if self.recrop == "auto":
            faces = [self._found_again(face, photo) for face, photo in zip(faces, pixels, strict=True)]
        for _ in range(self.recrop if isinstance(self.recrop, int) else self.recrop == "auto"):
            may = [not is_ruled_out(face, self._certainty) for face in faces]
            again = [i for i, face in enumerate(faces) if may[i] and needs_recrop(face, self.recrop)]
            crops = [crop_around(faces[i].landmarks, self.markup, self._landmarker.crop) for i in again]
            recropped = self._predict([pixels[i] for i in again], boxes[again], [scores[i] for i in again], crops)
            for i, face in zip(again, recropped, strict=True):
                if not (self.recrop == "auto" and is_lost(face) and doubt(faces[i]) < doubt(face)):
                    faces[i] = face
        remaining = iter(faces)
        each = [[next(remaining) for _ in photo.scores] for photo in photos]
        kept = zip(photos, each, strict=True)
        return [faces_in(photo, seen, self.min_presence, self._certainty) for photo, seen in kept]

    def _found_again(self, face: Face, photo: np.ndarray) -> Face:
        """A face that may be turned, as the least doubtful of its crops turned by quarters shows it."""
        if self.markup != W300 or not is_lost(face) or is_ruled_out(face, self._certainty):
            return face
        crops = turned_crops(face.box, self._landmarker.crop)
        boxes, scores = np.stack([face.box] * len(crops)), [face.score] * len(crops)
        turned = self._predict([photo] * len(crops), boxes, scores, crops)
        return less_doubtful(face, turned)

    def _predict(
        self, photos: Sequence[np.ndarray], boxes: np.ndarray, scores: Sequence[float], crops: Sequence[CropTransform]
    ) -> list[Face]:
        """What the network predicts in each crop of its photo."""
        if not crops:
            return []
        found = self._landmarker.predict(np.stack([crop.cut(p) for crop, p in zip(crops, photos, strict=True)]))
        landmarks = [crop.to_photo(points) for crop, points in zip(crops, found.landmarks, strict=True)]
        errors = found.expected_errors / np.array([[crop.zoom] for crop in crops])
        told = (found.visibility, found.occlusion_maps, crops, errors, found.presence)
        columns = (boxes, scores, landmarks, *told, [self.markup] * len(crops))
        return [Face(*each) for each in zip(*columns, strict=True)]
