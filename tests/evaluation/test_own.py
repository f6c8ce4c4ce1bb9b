"""Photos of one's own, measured by hand: the found face whose box holds the points, errors over the markup's size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occlumark.detect import Detector
from occlumark.errors import AnnotationError
from occlumark.evaluation.landmarks import evaluate_own

FIVE = [(50, 30), (70, 30), (60, 40), (52, 52), (68, 52)]
AROUND, ELSEWHERE = (30.0, 15, 90, 75), (0.0, 70, 25, 98)


@pytest.fixture
def table(tmp_path) -> Path:
    """One face of five points, 20 pixels from pupil to pupil, in a photo whose only light is at (60, 40)."""
    photo = np.zeros((100, 100, 3), np.uint8)
    photo[39:41, 59:61] = 255
    Image.fromarray(photo).save(tmp_path / "a.png")
    heads = ",".join(f"x{i},y{i}" for i in range(5))
    (tmp_path / "faces.csv").write_text(f"photo,{heads}\na.png,{','.join(f'{x},{y}' for x, y in FIVE)}\n")
    return tmp_path / "faces.csv"


def detector(write_dot_network, *boxes) -> Detector:
    found = [(np.array(box), 0.9) for box in boxes]
    return Detector(weights=write_dot_network(5), face_finder=lambda photo: found, recrop="never")


def test_the_error_is_that_of_the_face_around_the_points(write_dot_network, table):
    """A box of five points is far smaller than the face's: their overlap would not do."""
    result = evaluate_own([table], detector(write_dot_network, ELSEWHERE, AROUND))
    assert (result.box, result.normaliser, result.names) == ("finder", "inter_pupil", ["a.png"])
    expected = np.mean([np.hypot(x - 60, y - 40) for x, y in FIVE]) / 20
    assert result.nme == pytest.approx(expected, abs=0.005)
    np.testing.assert_array_equal(result.boxes, [AROUND])


def test_a_face_that_no_box_holds_is_missed(write_dot_network, table):
    with pytest.raises(AnnotationError, match="1 found, none around these landmarks"):
        evaluate_own([table], detector(write_dot_network, ELSEWHERE))


def test_a_size_that_the_markup_has_not_is_named(write_dot_network, table):
    with pytest.raises(AnnotationError, match="markup 'five' has no 'outer_eye_corners' to measure inter_ocular"):
        evaluate_own([table], detector(write_dot_network, AROUND), normaliser="inter_ocular")


def test_official_boxes_are_those_of_the_annotation(write_dot_network, table):
    with pytest.raises(AnnotationError, match="no official box for any face"):
        evaluate_own([table], detector(write_dot_network), "official")
    heads, row = table.read_text().splitlines()
    table.write_text(f"{heads},box_x0,box_y0,box_x1,box_y1\n{row},30,15,90,75\n")
    result = evaluate_own([table], detector(write_dot_network), "official")
    np.testing.assert_array_equal(result.boxes, [AROUND])
