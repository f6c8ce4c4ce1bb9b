"""COFW: 29 points with occlusion flags; photos and annotations in one MATLAB file for training and one for testing."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from occlumark.data.annotation import check_landmarks, check_official_box
from occlumark.data.matlab import BROKEN_HDF5, open_mat73
from occlumark.data.sample import Problem, Sample
from occlumark.errors import AnnotationError, PhotoError, one_line
from occlumark.files import files_below
from occlumark.photo import MAX_PIXELS

N_COFW = 29
#: Numbers of an array of annotations or references; the training file has 1345 x 87.
_MAX_VALUES = 10_000_000


class _Part(NamedTuple):
    images: str
    annotations: str
    boxes: str
    files: tuple[str, str]
    """In colour, and in grey."""


_PARTS = {
    "train": _Part("IsTr", "phisTr", "bboxesTr", ("COFW_train_color.mat", "COFW_train.mat")),
    "test": _Part("IsT", "phisT", "bboxesT", ("COFW_test_color.mat", "COFW_test.mat")),
}


@dataclass(frozen=True)
class CofwPhoto:
    """A photo within one of COFW's files."""

    file: Path
    """The .mat file."""
    images: str
    """The variable that holds the photos."""
    index: int
    """Which of them, from 0."""

    def read(self) -> np.ndarray:
        """The photo, (height, width, 3) uint8, RGB; grey ones become RGB.

        Raises:
            PhotoError: the file is gone or altered, or this photo of it is none.
        """
        try:
            with open_mat73(self.file) as mat:
                stored = mat[mat[self.images][()].ravel()[self.index]]
                _check_photo(stored)
                pixels = stored[()]
        except AnnotationError as error:
            raise PhotoError(f"cannot read photo {self.index + 1} of {self.file}: {error}") from error
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[None], 3, axis=0)
        return np.ascontiguousarray(pixels.T)


def read_cofw(folder: Path) -> tuple[list[Sample], list[Problem]]:
    """Read COFW's training and test faces; each sample's subsets say which it is.

    The files are COFW_train_color.mat and COFW_test_color.mat, or those without _color, anywhere below the folder.

    Args:
        folder: where they are.

    Returns:
        The samples, training faces first, and what cannot be used; a file that is missing is one of these.

    Raises:
        AnnotationError: neither file is there, or one is not such a file.
        OcclumarkError: h5py is not installed.
    """
    samples: list[Sample] = []
    problems: list[Problem] = []
    for subset, part in _PARTS.items():
        file = _find(folder, part.files)
        if file is None:
            problems.append(Problem(part.files[0], f"no such file below {folder}", subset))
            continue
        found, unusable = read_cofw_file(file)
        samples += found
        problems += unusable
    if not samples:
        raise AnnotationError(f"no usable face of COFW below {folder}; the first problem: {': '.join(problems[0][:2])}")
    return samples, problems


def read_cofw_file(file: Path) -> tuple[list[Sample], list[Problem]]:
    """Read one of COFW's files; the photos stay in it until they are asked for.

    A row of the annotations is 29 x, 29 y, 29 flags (1 = occluded); boxes are x, y, width, height; all pixels count
    from 1, as MATLAB's do.

    Args:
        file: COFW_train_color.mat or COFW_test_color.mat.

    Returns:
        The samples in the file's order, and the faces that cannot be used, with the reason.

    Raises:
        AnnotationError: no such file, or not such a file.
        OcclumarkError: h5py is not installed.
    """
    samples, problems = [], []
    with open_mat73(file) as mat:
        subset, part = _part(file, mat)
        images, rows, boxes = _variables(file, mat, part)
        for index, (row, box) in enumerate(zip(rows, boxes, strict=True)):
            name = f"{file.stem}/{index + 1:04d}"
            try:
                _check_photo(mat[images[index]])
                photo = CofwPhoto(file, part.images, index)
                samples.append(_sample(name, photo, row, box, subset))
            except AnnotationError as error:
                problems.append(Problem(name, str(error), subset))
            except BROKEN_HDF5 as error:
                problems.append(
                    Problem(name, f"its photo cannot be read: {one_line(str(error) or type(error).__name__)}", subset)
                )
    return samples, problems


def cofw_test_photos(folder: Path) -> list[CofwPhoto] | None:
    """The photos of COFW's test file below a folder, in its order; None where there is no such file.

    Raises:
        AnnotationError: the file is not such a file.
        OcclumarkError: h5py is not installed.
    """
    file = _find(folder, _PARTS["test"].files)
    if file is None:
        return None
    with open_mat73(file) as mat:
        images, _rows, _boxes = _variables(file, mat, _PARTS["test"])
    return [CofwPhoto(file, _PARTS["test"].images, index) for index in range(len(images))]


def box_of_corner_and_size(box: np.ndarray) -> np.ndarray:
    """A box x, y, width, height in pixels that count from 1, as (4,) x0, y0, x1, y1 with pixel centres at .5."""
    x, y, width, height = np.asarray(box, np.float64)
    return np.array([x, y, x + width, y + height]) - 0.5


def _find(folder: Path, names: tuple[str, ...]) -> Path | None:
    try:
        found = {Path(name).name: Path(name) for name in sorted(files_below(str(folder)), reverse=True)}
    except OSError as error:
        raise AnnotationError(f"cannot list folder {folder}: {error.strerror}") from error
    return next((found[name] for name in names if name in found), None)


def _part(file: Path, mat: Any) -> tuple[str, _Part]:
    for subset, part in _PARTS.items():
        if part.images in mat:
            return subset, part
    raise AnnotationError(f"{file} is no file of COFW: it has neither IsTr nor IsT")


def _variables(file: Path, mat: Any, part: _Part) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """References to n photos, annotations (n, 87) and boxes (n, 4)."""
    missing = [name for name in (part.images, part.annotations, part.boxes) if name not in mat]
    if missing:
        raise AnnotationError(f"{file} is no file of COFW: it has no {missing[0]}")
    images, rows, boxes = (_values(file, mat[name]) for name in (part.images, part.annotations, part.boxes))
    images, rows, boxes = images.ravel(), rows.T, boxes.T
    n = len(images)
    if images.dtype != object or rows.shape != (n, 3 * N_COFW) or boxes.shape != (n, 4):
        raise AnnotationError(
            f"{file} is no file of COFW: {n} photos, annotations {rows.shape}, boxes {boxes.shape}; "
            f"expected as many rows of {3 * N_COFW} and of 4"
        )
    return images, rows, boxes


def _values(file: Path, stored: Any) -> np.ndarray:
    """All of an array in the file."""
    shape = getattr(stored, "shape", None)  # a group has none, an array without room has None
    if shape is None or math.prod(shape) > _MAX_VALUES:
        raise AnnotationError(f"{file} is no file of COFW: {stored.name} is {shape}; expected an array")
    return np.asarray(stored[()])


def _check_photo(stored: Any) -> None:
    shape: tuple[int, ...] = getattr(stored, "shape", None) or ()
    if not (len(shape) == 2 or (len(shape) == 3 and shape[0] == 3)) or stored.dtype != np.uint8 or 0 in shape:
        raise AnnotationError("its photo is neither grey nor RGB of 8 bits")
    if math.prod(shape) > 3 * MAX_PIXELS:
        raise AnnotationError(f"its photo has more than {MAX_PIXELS / 1e6:g} megapixels")


def _sample(name: str, photo: CofwPhoto, row: np.ndarray, box: np.ndarray, subset: str) -> Sample:
    values = row.astype(np.float64).reshape(3, N_COFW)
    landmarks, occluded = values[:2].T - 0.5, values[2]
    check_landmarks(landmarks)
    if not np.isin(occluded, (0, 1)).all():
        raise AnnotationError("an occlusion flag is neither 0 nor 1")
    official_box = box_of_corner_and_size(box)
    check_official_box(official_box)
    return Sample(name, photo, landmarks, official_box, occluded.astype(bool), frozenset({subset}))
