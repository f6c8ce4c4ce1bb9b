from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.detect import Detector
from occlumark.evaluation.occlusion import OcclusionEvaluation, evaluate_occlusion
from occlumark.evaluation.occlusion_sheet import occlusion_sheet

ROW, TITLE, WIDTH = 256 + 20, 30, 6 * 256


def measured(tmp_path: Path, face: np.ndarray, detector: Detector, red: int) -> OcclusionEvaluation:
    """Two faces whose mean red, the dot network's visibility, is about red / 255."""
    for name, more in (("a", 0), ("b", -40)):
        np.savetxt(tmp_path / f"{name}.pts", 0.4 * face + 60.5)
        photo = np.zeros((220, 220, 3), np.uint8)
        photo[..., 2] = red + more  # OpenCV writes blue, green, red
        cv2.imwrite(str(tmp_path / f"{name}.png"), photo)
    return evaluate_occlusion([tmp_path], {"dot": detector}, 0, box="tight")


@pytest.fixture
def detector(dot_network: Path) -> Detector:
    return Detector(weights=dot_network, threads=1)


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=2).any())


def test_faces_with_points_predicted_occluded_come_first(
    tmp_path: Path, symmetric_face: np.ndarray, detector: Detector
) -> None:
    result = measured(tmp_path, symmetric_face, detector, red=60)
    assert (result.clean["dot"].visibility < 0.5).all()
    sheet = occlusion_sheet(result, "dot", detector)
    assert sheet.shape == (2 * (TITLE + ROW), WIDTH, 3)
    clean, occluded = sheet[: TITLE + ROW], sheet[TITLE + ROW :]
    assert has(clean, (255, 190, 0)) and not has(clean, (255, 60, 60))
    assert has(occluded, (255, 60, 60)), "visible points that it predicts occluded are wrong"


def test_no_point_predicted_occluded(tmp_path: Path, symmetric_face: np.ndarray, detector: Detector) -> None:
    result = measured(tmp_path, symmetric_face, detector, red=255)
    assert (result.clean["dot"].visibility > 0.5).all()
    sheet = occlusion_sheet(result, "dot", detector)
    assert sheet.shape == (2 * TITLE + ROW, WIDTH, 3)
    assert not has(sheet, (255, 190, 0))


def test_the_worst_face_is_the_first(
    tmp_path: Path, symmetric_face: np.ndarray, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = measured(tmp_path, symmetric_face, detector, red=60)
    result.clean["dot"].visibility[0, 5:] = 1
    captions: list[str] = []
    monkeypatch.setattr(cv2, "putText", lambda _, text, *rest: captions.append(text))
    occlusion_sheet(result, "dot", detector)
    assert captions[0] == "dot: clean faces with most points predicted occluded; 2 of 2 have any"
    assert captions[1] == "68 occluded: b.png" and captions[2].endswith("occluded: a.png")
