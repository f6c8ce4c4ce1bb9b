"""What is no face is none, and small faces of a group are found: the packaged face detector with its defaults."""

import cv2
import numpy as np
import pytest

from occlumark import Detector, read_photo
from occlumark.demo import SAMPLES


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(threads=1)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return read_photo(SAMPLES / "astronaut.jpg")


def colour_wheel() -> np.ndarray:
    y, x = np.mgrid[:400, :400] - 200
    radius = np.hypot(x, y)
    hue = (np.arctan2(y, x) + np.pi) / (2 * np.pi) * 179
    hsv = np.dstack([hue, (radius / 200 * 255).clip(0, 255), np.where(radius < 200, 255, 0)])
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def coins() -> np.ndarray:
    photo = np.full((400, 600, 3), 90, np.uint8)
    for i in range(24):
        place = (60 + 95 * (i % 6), 60 + 90 * (i // 6))
        cv2.circle(photo, place, 35, (160 + 5 * (i % 6), 150, 140 - 8 * (i // 6)), -1)
        cv2.circle(photo, place, 28, (120, 110, 100), 2)
    return photo


def letters() -> np.ndarray:
    photo = np.full((300, 600, 3), 255, np.uint8)
    for i, line in enumerate(("ODN 68", "B8 OO 90", "QUAY (:)")):
        cv2.putText(photo, line, (20, 90 * (i + 1)), cv2.FONT_HERSHEY_SIMPLEX, 3, (0, 0, 0), 6)
    return photo


@pytest.mark.parametrize("picture", [colour_wheel, coins, letters], ids=lambda picture: picture.__name__)
def test_what_is_no_face_is_none(picture, detector: Detector) -> None:
    assert detector.detect(picture()) == []


def test_a_mirrored_portrait_has_one_face_where_the_mirrored_one_is(detector: Detector, portrait: np.ndarray) -> None:
    (face,), (mirrored,) = detector.detect(portrait), detector.detect(np.ascontiguousarray(portrait[:, ::-1]))
    back = portrait.shape[1] - mirrored.box[[2, 0]]
    np.testing.assert_allclose(back, face.box[[0, 2]], atol=8)


def test_29_faces_of_a_40th_to_a_28th_of_a_group_photo_are_found(detector: Detector, portrait: np.ndarray) -> None:
    (face,) = detector.detect(portrait)
    head, width = portrait[:280, 90:370], face.box[2] - face.box[0]
    photo, centres = np.full((1158, 1600, 3), 110, np.uint8), []
    for i, pixels in enumerate(np.linspace(40, 57, 29)):
        side = int(280 * pixels / width)
        x, y = 20 + i % 6 * 262, 20 + i // 6 * 226
        photo[y : y + side, x : x + side] = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
        centres.append((x, y) + ((face.box[:2] + face.box[2:]) / 2 - (90, 0)) * side / 280)
    found = [(found.box[:2] + found.box[2:]) / 2 for found in detector.detect(photo)]
    assert len(found) == 29
    for centre in centres:
        assert min(np.hypot(*(centre - other)) for other in found) < 12, centre
