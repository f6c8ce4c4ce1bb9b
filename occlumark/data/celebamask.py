"""CelebAMask-HQ: faces with a class for each pixel. Where the class decides, it tells whether hair or a hat occludes.

Not in the paper. The faces have no points: a network's own landmarks say where to look, and train none themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from occlumark.data.sample import Problem, Sample
from occlumark.errors import AnnotationError, BoxError, PhotoError
from occlumark.photo import read_photo

#: Classes of a mask, by their numbers.
SKIN, NOSE, GLASSES, EYES, BROWS, MOUTH, HAIR, HAT = 1, 2, 3, (4, 5), (6, 7), (10, 11, 12), 13, 14
_FACE = (SKIN, NOSE, *EYES, *BROWS, *MOUTH)
_OCCLUDING = (HAIR, HAT)
_N_CLASSES = 19
#: Pixels around a landmark, to each side, that must all agree.
_AROUND = 2

FindLandmarks = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From a photo (height, width, 3) and a box (4,) to 68 landmarks (68, 2), photo pixels."""


@dataclass(frozen=True)
class MaskedPhoto:
    """A photo and the classes of its pixels."""

    photo: Path
    mask: Path

    def read_mask(self) -> np.ndarray:
        """(height, width) uint8, a class each.

        Raises:
            AnnotationError: it cannot be read or holds other numbers.
        """
        mask = cv2.imread(str(self.mask), cv2.IMREAD_UNCHANGED)
        if mask is None or mask.ndim != 2 or mask.dtype != np.uint8 or mask.max() >= _N_CLASSES:
            raise AnnotationError(f"{self.mask} is no mask: expected 8-bit grey of classes 0 to {_N_CLASSES - 1}")
        return mask


def list_masked_photos(folder: Path) -> list[MaskedPhoto]:
    """The photos NAME.jpg of a folder that have a NAME.mask.png beside them, by name.

    Raises:
        AnnotationError: there is none.
    """
    masks = [photo.with_suffix(".mask.png") for photo in sorted(folder.glob("*.jpg"))]
    found = [MaskedPhoto(mask.with_suffix("").with_suffix(".jpg"), mask) for mask in masks if mask.is_file()]
    if not found:
        raise AnnotationError(f"no NAME.jpg with a NAME.mask.png beside it in {folder}")
    return found


def face_box(mask: np.ndarray) -> np.ndarray:
    """(4,) about the tight box of the landmarks: the face's width, from the brows to the lowest of the face.

    Raises:
        AnnotationError: no face, or one without eyes and brows.
    """
    face = np.isin(mask, _FACE)
    top = np.isin(mask, (*BROWS, *EYES, GLASSES))
    if not face.any() or not top.any():
        raise AnnotationError("the mask shows no face with eyes or brows")
    rows, columns = np.nonzero(face)
    return np.array([columns.min(), np.nonzero(top)[0].min(), columns.max() + 1, rows.max() + 1], float)


def occlusion_of(mask: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(68,) int8: 1 where hair or a hat lies on a landmark, 0 where the face shows, -1 where the mask does not decide.

    It decides where all pixels around the landmark agree. What lies behind glasses it cannot tell.
    """
    states = np.full(len(landmarks), -1, np.int8)
    height, width = mask.shape
    for i, (x, y) in enumerate(np.floor(landmarks).astype(int)):
        if not (_AROUND <= x < width - _AROUND and _AROUND <= y < height - _AROUND):
            continue
        near = mask[y - _AROUND : y + _AROUND + 1, x - _AROUND : x + _AROUND + 1]
        if np.isin(near, _OCCLUDING).all():
            states[i] = 1
        elif np.isin(near, _FACE).all():
            states[i] = 0
    return states


def read_celebamask(folder: Path, find_landmarks: FindLandmarks) -> tuple[list[Sample], list[Problem]]:
    """Faces that tell visibility.

    Args:
        folder: photos with their masks.
        find_landmarks: of a network.

    Raises:
        AnnotationError: no usable face.
    """
    samples, problems = [], []
    for pair in list_masked_photos(folder):
        name = f"celebamask/{pair.photo.name}"
        try:
            mask, photo = pair.read_mask(), read_photo(pair.photo)
            if mask.shape != photo.shape[:2]:
                raise AnnotationError(f"the mask is {mask.shape}, the photo {photo.shape[:2]}")
            landmarks = find_landmarks(photo, face_box(mask))
        except (AnnotationError, BoxError, PhotoError) as error:
            problems.append(Problem(name, str(error)))
            continue
        states = occlusion_of(mask, landmarks)
        samples.append(
            Sample(
                name,
                pair.photo,
                landmarks,
                occluded=states == 1,
                unknown=states == -1,
                inexact=np.ones(len(landmarks), bool),
            )
        )
    if not samples:
        raise AnnotationError(f"no usable face in {folder}; the first problem: {problems[0].reason}")
    return samples, problems
