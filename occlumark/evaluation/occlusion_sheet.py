"""A contact sheet of the occlusion benchmark: clean faces with points predicted occluded, and occluded faces."""

import itertools

import cv2
import numpy as np

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.contact_sheet import cell_rows, strip
from occlumark.data.sample import evenly_spaced
from occlumark.detect import Detector
from occlumark.draw import SHIFT, fixed_length, fixed_point
from occlumark.evaluation.occluded_faces import SHARES, Picture, pictures_of
from occlumark.evaluation.occlusion import OcclusionEvaluation
from occlumark.markup import CONTOURS, tight_box

_CELL = CropConfig(size=256, scale=1.5)
_COLUMNS, _ROWS = 6, 4
_CAPTION, _TITLE = 20, 30  # pixels
_RIGHT, _WRONG, _DOUBTFUL = (60, 230, 120), (255, 60, 60), (255, 190, 0)
_LINE, _INK = (235, 235, 235), (0, 0, 0)


def occlusion_sheet(result: OcclusionEvaluation, model: str, detector: Detector) -> np.ndarray:
    """Draw what a model predicts of the faces that show its mistakes.

    First the clean faces with the most points predicted occluded, the worst first; these points are amber, for whether
    something real occludes them, the eye must say: the truth knows drawn occluders alone. Then occluded faces, evenly
    spaced, at each share in turn: green is right, red is wrong. A ring is a point predicted occluded, a dot a visible
    one.

    Args:
        result: of evaluate_occlusion; the pictures are drawn again.
        model: one of its models.
        detector: this model's.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    predicted = result.clean[model].predicted.sum(axis=1)
    count = _COLUMNS * _ROWS
    worst = [int(i) for i in np.argsort(-predicted, kind="stable")[:count] if predicted[i]]
    some = evenly_spaced(range(result.n), count)
    affected = np.count_nonzero(predicted)
    sections = [
        _title(f"{model}: clean faces with most points predicted occluded; {affected} of {result.n} have any"),
        *([cell_rows([_clean_cell(result, i, detector) for i in worst], _COLUMNS)] if worst else []),
        _title(
            f"{model}: occluded faces, seed {result.seed}. "
            "Ring: predicted occluded, dot: visible; green right, red wrong"
        ),
        cell_rows([_occluded_cell(result, i, model, detector, turn) for turn, i in enumerate(some)], _COLUMNS),
    ]
    return np.vstack(sections)


def _clean_cell(result: OcclusionEvaluation, index: int, detector: Detector) -> np.ndarray:
    picture = _pictures(result, index)[0]
    cell, predicted = _drawn(picture, detector)
    name = result.samples[index].name.rpartition("/")[2]
    return _captioned(cell, f"{predicted} occluded: {name}")


def _occluded_cell(result: OcclusionEvaluation, index: int, model: str, detector: Detector, turn: int) -> np.ndarray:
    share = SHARES[turn % len(SHARES)]
    picture = next(picture for picture in _pictures(result, index) if picture.share == share)
    cell, _ = _drawn(picture, detector)
    errors = [100 * answers[model].nme[index] for answers in (result.clean, result.occluded[share])]
    return _captioned(cell, f"{picture.kind} {share:.0%}: NME {errors[0]:.1f} to {errors[1]:.1f}")


def _pictures(result: OcclusionEvaluation, index: int) -> list[Picture]:
    sample = result.samples[index]
    return pictures_of(sample.read_photo(), sample.landmarks, result.boxes[index], result.seed, sample.name)


def _drawn(picture: Picture, detector: Detector) -> tuple[np.ndarray, int]:
    """The face with the detector's points, and how many of these it predicts occluded."""
    (face,) = detector.detect(picture.photo, picture.box[None])
    frame = CropTransform.from_box(tight_box(picture.landmarks), _CELL)
    cell, points, predicted = frame.cut(picture.photo), frame.to_crop(face.landmarks), face.hidden()
    for first, last, closed in CONTOURS:
        for a, b in itertools.pairwise([*range(first, last + 1), *([first] if closed else [])]):
            start, end = fixed_point(points[[a, b]]).tolist()
            cv2.line(cell, start, end, _LINE, 1, cv2.LINE_AA, SHIFT)
    for point, ring, truth in zip(points, predicted, picture.occluded, strict=True):
        if picture.kind:
            _mark(cell, point, ring, 2.0, _RIGHT if ring == truth else _WRONG)
        else:
            _mark(cell, point, ring, 1.0, _DOUBTFUL if ring else _RIGHT)
    return cell, int(predicted.sum())


def _mark(cell: np.ndarray, point: np.ndarray, ring: bool, dot: float, colour: tuple[int, int, int]) -> None:
    centre = fixed_point(point).tolist()
    radius, line = (3.6, 2) if ring else (dot, cv2.FILLED)
    cv2.circle(cell, centre, fixed_length(radius + 1.0), _INK, 1 if ring else line, cv2.LINE_AA, SHIFT)
    cv2.circle(cell, centre, fixed_length(radius), colour, line, cv2.LINE_AA, SHIFT)


def _captioned(cell: np.ndarray, text: str) -> np.ndarray:
    return np.vstack([cell, strip(text, cell.shape[1], _CAPTION, 0.4)])


def _title(text: str) -> np.ndarray:
    return strip(text, _COLUMNS * _CELL.size, _TITLE, 0.6)
