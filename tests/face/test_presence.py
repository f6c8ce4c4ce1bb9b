import numpy as np
import pytest

from occlumark.crop import CropTransform
from occlumark.face import Face
from occlumark.face.presence import Certainty, is_present, least_presence


def square(side: float) -> list[float]:
    return [10, 20, 10 + side, 20 + side]


def told(score: float, side: float, presence: float, shift: float = 0.0) -> float:
    box = np.array([square(side)])
    return float(Certainty(0.5, shift).of(np.array([score]), box, np.array([presence]))[0])


def face(side: float, presence: float, score: float = 0.8) -> Face:
    landmarks, crop = np.zeros((68, 2)), CropTransform(np.eye(2, 3), 224)
    errors = np.full(68, np.nan)
    return Face(np.array(square(side)), score, landmarks, np.ones(68), np.zeros((7, 7)), crop, errors, presence)


@pytest.mark.parametrize(
    ("score", "side", "presence", "shift", "expected"),
    [
        # 3.1 logit(0.8) - 0.69 ln 20 + 0.36 = 4.2975 - 2.0670 + 0.36 = 2.5905; / 0.385 = 6.7285; + logit(0.1) = 4.5313
        (0.8, 20, 0.1, 0, 0.98935),
        (0.8, 20, 0.1, -2, 0.92632),  # 2.5313
        # 1.2569 - 3.1776 + 0.36 = -1.5606; / 0.385 = -4.0536; + logit(0.9) = -1.8564
        (0.6, 100, 0.9, 0, 0.13511),
        (0.6, 100, 1.0, 0, 0.77558),  # presence counts up to 0.995: + 5.2933 = 1.2397
    ],
)
def test_worked_by_hand(score, side, presence, shift, expected):
    assert told(score, side, presence, shift) == pytest.approx(expected, abs=2e-4)


def test_a_face_of_48_pixels_found_with_068_needs_the_least_presence():
    assert told(0.68, 48, 0.5) == pytest.approx(0.5, abs=0.02)


def test_surer_and_smaller_boxes_need_less_presence():
    scores, sides, presences = np.linspace(0.4, 0.9, 9), np.geomspace(10, 400, 9), np.linspace(0.02, 0.99, 9)
    assert (np.diff([told(score, 60, 0.5) for score in scores]) > 0).all()
    assert (np.diff([told(0.7, side, 0.5) for side in sides]) < 0).all()
    assert (np.diff([told(0.7, 60, presence) for presence in presences]) > 0).all()


def test_what_no_presence_can_tell_to_be_a_face_is_known_before_it_is_seen():
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.35, 0.9, 500)
    boxes = np.array([square(side) for side in np.exp(rng.uniform(2, 6, 500))])
    certainty = Certainty(0.5)
    may_be, are = certainty.may_be_faces(scores, boxes), certainty.are_faces(scores, boxes, rng.uniform(0, 1, 500))
    assert 50 < may_be.sum() < 450 and 20 < are.sum() < may_be.sum()
    assert not (are & ~may_be).any()


def test_a_finders_score_counts_where_it_is_our_own():
    large, low = face(200, 0.4, score=0.9), face(200, 0.9, score=0.5)
    assert is_present(large, 0.5, Certainty(0.5)) and not is_present(low, 0.5, Certainty(0.5))
    assert not is_present(large, 0.5, None) and is_present(low, 0.5, None)


def test_a_network_that_does_not_tell_drops_nothing():
    silent = face(200, float("nan"), score=0.4)
    assert is_present(silent, 0.5, None) and is_present(silent, 0.5, Certainty(0.5))


@pytest.mark.parametrize(("side", "expected"), [(10, 0), (16, 0), (20, 0.25), (24, 0.5), (300, 0.5)])
def test_without_a_score_small_faces_need_less(side, expected):
    assert least_presence(face(side, 0.1), 0.5) == pytest.approx(expected)
