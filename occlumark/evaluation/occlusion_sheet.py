"""A contact sheet of the occlusion benchmark: open faces with points called hidden, and covered faces."""

import itertools
from collections.abc import Iterable

import cv2
import numpy as np

from occlumark.crop import CropConfig, CropTransform
from occlumark.detect import Detector
from occlumark.draw import SHIFT, fixed_length, fixed_point
from occlumark.evaluation.occluded_faces import SHARES, Picture, pictures_of
from occlumark.evaluation.occlusion import OcclusionEvaluation
from occlumark.face import HIDDEN_BELOW
from occlumark.markup import CONTOURS, tight_box

_CELL = CropConfig(size=256, scale=1.5)
_COLUMNS, _ROWS = 6, 4
_CAPTION, _TITLE = 20, 30  # pixels
_RIGHT, _WRONG, _DOUBTFUL = (60, 230, 120), (255, 60, 60), (255, 190, 0)
_LINE, _INK = (235, 235, 235), (0, 0, 0)


def occlusion_sheet(result: OcclusionEvaluation, model: str, detector: Detector) -> np.ndarray:
    """Draw what a model said of the faces that show its mistakes.

    First the open faces with the most points called hidden, the worst first; these points are amber, for whether
    something real covers them, the eye must say: the truth knows drawn occluders alone. Then covered faces, evenly
    chosen, at each share in turn: green is right, red is wrong. A ring is a point called hidden, a dot one shown.

    Args:
        result: of evaluate_occlusion; the pictures are drawn again.
        model: one of its models.
        detector: this model's.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    called = (result.clean[model].visibility < HIDDEN_BELOW).sum(axis=1)
    count = _COLUMNS * _ROWS
    worst = [i for i in np.argsort(-called, kind="stable")[:count] if called[i]]
    some = np.unique(np.linspace(0, result.n - 1, count).round().astype(int))
    affected = np.count_nonzero(called)
    return np.vstack(
        [
            _title(f"{model}: open faces with most points called hidden; {affected} of {result.n} have any"),
            *_rows(_open_cell(result, i, detector) for i in worst),
            _title(
                f"{model}: covered faces, seed {result.seed}. Ring: called hidden, dot: shown; green right, red wrong"
            ),
            *_rows(_occluded_cell(result, int(i), model, detector, turn) for turn, i in enumerate(some)),
        ]
    )


def _open_cell(result: OcclusionEvaluation, index: int, detector: Detector) -> np.ndarray:
    picture = _pictures(result, index)[0]
    cell, called = _drawn(picture, detector)
    name = result.samples[index].name.rpartition("/")[2]
    return _captioned(cell, f"{called} hidden: {name}")


def _occluded_cell(result: OcclusionEvaluation, index: int, model: str, detector: Detector, turn: int) -> np.ndarray:
    share = SHARES[turn % len(SHARES)]
    picture = next(picture for picture in _pictures(result, index) if picture.share == share)
    cell, _ = _drawn(picture, detector)
    errors = [100 * answers[model].errors[index].mean() for answers in (result.clean, result.occluded[share])]
    return _captioned(cell, f"{picture.kind} {share:.0%}: NME {errors[0]:.1f} to {errors[1]:.1f}")


def _pictures(result: OcclusionEvaluation, index: int) -> list[Picture]:
    sample = result.samples[index]
    return pictures_of(sample.read_photo(), sample.landmarks, result.boxes[index], result.seed, sample.name)


def _drawn(picture: Picture, detector: Detector) -> tuple[np.ndarray, int]:
    """The face with the detector's points, and how many of these it calls hidden."""
    (face,) = detector.detect(picture.photo, picture.box[None])
    frame = CropTransform.from_box(tight_box(picture.landmarks), _CELL)
    cell, points, hidden = frame.cut(picture.photo), frame.to_crop(face.landmarks), face.hidden()
    for first, last, closed in CONTOURS:
        for a, b in itertools.pairwise([*range(first, last + 1), *([first] if closed else [])]):
            start, end = fixed_point(points[[a, b]]).tolist()
            cv2.line(cell, start, end, _LINE, 1, cv2.LINE_AA, SHIFT)
    for point, called, truth in zip(points, hidden, picture.occluded, strict=True):
        if picture.kind:
            _mark(cell, point, called, 2.0, _RIGHT if called == truth else _WRONG)
        else:
            _mark(cell, point, called, 1.0, _DOUBTFUL if called else _RIGHT)
    return cell, int(hidden.sum())


def _mark(cell: np.ndarray, point: np.ndarray, ring: bool, dot: float, colour: tuple[int, int, int]) -> None:
    centre = fixed_point(point).tolist()
    radius, line = (3.6, 2) if ring else (dot, cv2.FILLED)
    cv2.circle(cell, centre, fixed_length(radius + 1.0), _INK, 1 if ring else line, cv2.LINE_AA, SHIFT)
    cv2.circle(cell, centre, fixed_length(radius), colour, line, cv2.LINE_AA, SHIFT)


def _rows(cells: Iterable[np.ndarray]) -> list[np.ndarray]:
    cells = list(cells)
    blanks = [np.full_like(cells[0], 255)] * (-len(cells) % _COLUMNS) if cells else []
    return [np.hstack((cells + blanks)[i : i + _COLUMNS]) for i in range(0, len(cells), _COLUMNS)]


def _captioned(cell: np.ndarray, text: str) -> np.ndarray:
    return np.vstack([cell, _strip(text, cell.shape[1], _CAPTION, 0.4)])


def _title(text: str) -> np.ndarray:
    return _strip(text, _COLUMNS * _CELL.size, _TITLE, 0.6)


def _strip(text: str, width: int, height: int, scale: float) -> np.ndarray:
    strip = np.full((height, width, 3), 255, np.uint8)
    cv2.putText(strip, text, (4, height - 6), cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)
    return strip
