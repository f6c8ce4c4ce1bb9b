"""One face found twice is one face; two faces that touch stay two."""

import numpy as np
import pytest

from occlumark import Detector
from occlumark.crop import CropTransform
from occlumark.face import Face
from occlumark.face.doubles import without_doubles

SPREAD = np.random.default_rng(0).uniform(0, 1, (68, 2))
SPREAD[:4] = [0, 0], [1, 0], [0, 1], [1, 1]


def face(box: tuple[float, ...], tight: tuple[float, ...], doubt: float = 0.02, score: float = 0.7) -> Face:
    """Landmarks fill `tight`; the expected error is `doubt` of the box's longer side."""
    low, high = np.array(tight[:2]), np.array(tight[2:])
    side = max(box[2] - box[0], box[3] - box[1])
    landmarks, crop = low + SPREAD * (high - low), CropTransform(np.eye(2, 3), 224)
    return Face(np.array(box, float), score, landmarks, np.ones(68), np.zeros((7, 7)), crop, np.full(68, doubt * side))


WHOLE = (0, 0, 100, 100)


def left(*faces: Face) -> list[int]:
    """Which stay, in both orders of the same faces."""
    kept = without_doubles(faces)
    back = without_doubles(faces[::-1])
    assert [id(each) for each in back[::-1]] == [id(each) for each in kept]
    return [i for i, each in enumerate(faces) if any(each is other for other in kept)]


# Two squares of 100 moved by d: IoU (100 - d) / (100 + d), so 0.6 at 25, 0.3 at 53.8.
@pytest.mark.parametrize(("moved", "stay"), [(24, [1]), (26, [0, 1])])
def test_the_same_landmarks_are_one_face_by_the_better_score(moved, stay):
    """Boxes hardly touch; the first is surer of its landmarks, the second has the higher score."""
    first = face((-80, 0, 20, 100), WHOLE, doubt=0.019, score=0.6)
    assert left(first, face((0, 0, 100, 100), (moved, 0, 100 + moved, 100), doubt=0.02, score=0.7)) == stay


@pytest.mark.parametrize(("doubt", "moved", "stay"), [(0.031, 53, [0]), (0.031, 55, [0, 1]), (0.029, 53, [0, 1])])
def test_of_two_that_overlap_the_surer_stays_whatever_the_score(doubt, moved, stay):
    elsewhere = (moved + 60, 0, moved + 160, 100)
    assert left(face(WHOLE, WHOLE, 0.02, 0.6), face((moved, 0, moved + 100, 100), elsewhere, doubt, 0.9)) == stay
    # the landmarks overlap, the boxes do not
    assert (
        left(face((-90, 0, 10, 100), WHOLE, 0.02), face((60, 0, 160, 100), (moved, 0, moved + 100, 100), doubt)) == stay
    )


def test_where_no_error_is_told_the_same_landmarks_alone_count():
    told = [face(WHOLE, WHOLE, np.nan, 0.6), face(WHOLE, WHOLE, np.nan, 0.7), face(WHOLE, (40, 0, 140, 100), np.nan)]
    assert left(*told) == [1, 2]


def test_of_equal_ones_one_stays_and_apart_all():
    assert len(without_doubles([face(WHOLE, WHOLE), face(WHOLE, WHOLE), face(WHOLE, WHOLE)])) == 1
    apart = [face((x, 0, x + 100, 100), (x, 0, x + 100, 100), 0.01 + x / 1000) for x in (0, 90, 180)]
    assert left(*apart) == [0, 1, 2]
    assert without_doubles([]) == [] and left(face(WHOLE, WHOLE)) == [0]


def test_landmarks_in_one_place_are_no_reason():
    assert left(face(WHOLE, (5, 5, 5, 5)), face((80, 0, 180, 100), (5, 5, 5, 5))) == [0, 1]


def test_what_the_finder_finds_twice_is_one_face_and_boxes_given_keep_theirs(dot_network):
    """Whatever the box, the network sees the same landmarks."""
    boxes = [(20.0, 20.0, 120.0, 120.0), (60.0, 20.0, 160.0, 120.0)]
    detector = Detector(
        weights=dot_network, threads=1, recrop="never", face_finder=lambda photo: [(boxes[0], 0.6), (boxes[1], 0.8)]
    )
    seen = detector._predict

    def spread(*args):
        found = seen(*args)
        return [face(tuple(each.box), (50, 50, 90, 90), np.nan, each.score) for each in found]

    detector._predict = spread
    photo = np.zeros((200, 300, 3), np.uint8)
    assert [each.score for each in detector.detect(photo)] == [0.8]
    assert len(detector.detect(photo, boxes)) == 2
