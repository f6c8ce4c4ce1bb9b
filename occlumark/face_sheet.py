"""A contact sheet of annotated faces, for looking whether the landmarks lie where they should."""

import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.sample import Problem, Sample
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
        samples: evenly chosen from.
        count: of faces, at least 1.

    Returns:
        The picture, (height, width, 3) uint8, RGB, and the chosen faces whose photos cannot be read.

    Raises:
        OcclumarkError: no chosen face has a photo.
    """
    if count < 1:
        raise ValueError(f"a sheet shows at least 1 face, not {count}")
    cells, problems = [], []
    for i in np.unique(np.linspace(0, len(samples) - 1, count).round().astype(int)) if samples else []:
        try:
            cells.append(_cell(samples[i]))
        except PhotoError as error:
            problems.append(Problem(samples[i].name, str(error)))
    if not cells:
        reason = f": {problems[0].reason}" if problems else ""
        raise OcclumarkError(f"no face to show on a sheet{reason}")
    columns = min(len(cells), _COLUMNS)
    cells += [np.full((_SIZE, _SIZE, 3), 255, np.uint8)] * (-len(cells) % columns)
    rows = [np.hstack(cells[first : first + columns]) for first in range(0, len(cells), columns)]
    return np.vstack(rows), problems


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
