"""A contact sheet of annotated faces, for looking whether the landmarks lie where they should."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.contact_sheet import cell_rows
from occlumark.data.sample import Problem, Sample, evenly_spaced
from occlumark.data.w300 import read_w300
from occlumark.draw import SHIFT, fixed_length, fixed_point
from occlumark.errors import OcclumarkError, PhotoError

_SIZE = 192
_COLUMNS = 6
_VISIBLE = (40, 220, 110)
_OCCLUDED = (255, 190, 0)
_LINE = (255, 255, 255)


def face_sheet(samples: Sequence[Sample], count: int = 24) -> tuple[np.ndarray, list[Problem]]:
    """Some faces with their landmarks: green, amber where occluded; contours white; landmark 0 larger.

    Args:
        samples: chosen from, evenly spaced.
        count: of faces, at least 1.

    Returns:
        The picture, (height, width, 3) uint8, RGB, and the chosen faces whose photos cannot be read.

    Raises:
        OcclumarkError: no chosen face has a photo.
    """
    cells, problems = [], []
    for sample in evenly_spaced(samples, count):
        try:
            cells.append(_cell(sample))
        except PhotoError as error:
            problems.append(Problem(sample.name, str(error)))
    if not cells:
        reason = f": {problems[0].reason}" if problems else ""
        raise OcclumarkError(f"no face to show on a sheet{reason}")
    return cell_rows(cells, min(len(cells), _COLUMNS)), problems


def faces_of_folder(folder: Path, count: int, size: int) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[Problem]]:
    """Crops of so many faces of a folder in the 300W layout, evenly spaced, or all where there are fewer.

    Args:
        folder: photos with a .pts beside each.
        count: of faces, at least 1.
        size: of the crops, a multiple of 32.

    Returns:
        For each face its crop (size, size, 3) uint8 RGB and its landmarks (68, 2) in crop pixels; and what cannot be
        used.

    Raises:
        AnnotationError: the folder holds no usable face.
        PhotoError: a photo cannot be read.
    """
    samples, problems = read_w300([folder])
    chosen = evenly_spaced(samples, count)
    return [cropped(sample.read_photo(), sample.landmarks, sample.tight_box, size) for sample in chosen], problems


def cropped(photo: np.ndarray, landmarks: np.ndarray, box: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The crop that the network sees, and the landmarks in it.

    Args:
        photo: (height, width, 3) uint8 RGB.
        landmarks: (68, 2), photo pixels.
        box: (4,) x0, y0, x1, y1 around the face, photo pixels.
        size: of the crop, a multiple of 32.
    """
    transform = CropTransform.from_box(box, CropConfig(size=size))
    return transform.cut(photo), transform.to_crop(landmarks)


def _cell(sample: Sample) -> np.ndarray:
    transform = CropTransform.from_box(sample.tight_box, CropConfig(size=_SIZE, scale=1.5))
    cell, landmarks, drawn = transform.cut(sample.read_photo()), transform.to_crop(sample.landmarks), sample.annotated
    for contour in sample.markup.contours:
        for a, b in itertools.pairwise(contour):
            if drawn[a] and drawn[b]:
                start, end = fixed_point(landmarks[[a, b]]).tolist()
                cv2.line(cell, start, end, _LINE, 1, cv2.LINE_AA, SHIFT)
    for i in np.flatnonzero(drawn):
        colour = _OCCLUDED if sample.occluded is not None and sample.occluded[i] else _VISIBLE
        centre, radius = fixed_point(landmarks[i]).tolist(), fixed_length(1.8 if i else 3.5)
        cv2.circle(cell, centre, radius, colour, cv2.FILLED, cv2.LINE_AA, SHIFT)
    return cell
