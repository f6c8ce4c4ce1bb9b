import numpy as np
import pytest

from occlumark.crop import CropTransform
from occlumark.face import Face
from occlumark.face.presence import Certainty, is_present, is_ruled_out, least_presence


def square(side: float) -> list[float]:
    return [10, 20, 10 + side, 20 + side]


def told(score: float, side: float, presence: float) -> float:
    box = np.array([square(side)])
    return float(Certainty(0.5).of(np.array([score]), box, np.array([presence]))[0])


def face(side: float, presence: float, score: float = 0.8) -> Face:
    landmarks, crop = np.zeros((68, 2)), CropTransform(np.eye(2, 3), 224)
    errors = np.full(68, np.nan)
    return Face(np.array(square(side)), score, landmarks, np.ones(68), np.zeros((7, 7)), crop, errors, presence)


@pytest.mark.parametrize(
    ("score", "side", "presence", "expected"),
    [
        # 2.95 logit(0.8) - 0.85 ln 20 + 0.75 = 4.0896 - 2.5464 + 0.75 = 2.2932; / 0.363 = 6.3174; + logit(0.1) = 4.1201
        (0.8, 20, 0.1, 0.98402),
        # a side counts up to 64: 1.1961 - 3.5351 + 0.75 = -1.5889; / 0.363 = -4.3772; + logit(0.9) = -2.18
        (0.6, 100, 0.9, 0.10155),
        (0.6, 100, 1.0, 0.92619),  # presence counts up to 0.999: + 6.9068 = 2.5295
    ],
)
def test_worked_by_hand(score, side, presence, expected):
    assert told(score, side, presence) == pytest.approx(expected, abs=2e-4)


def test_a_face_of_48_pixels_found_with_07_needs_the_least_presence():
    assert told(0.7, 48, 0.5) == pytest.approx(0.5, abs=0.03)


def test_surer_and_smaller_boxes_need_less_presence():
    scores, sides, presences = np.linspace(0.4, 0.9, 9), np.geomspace(10, 64, 9), np.linspace(0.02, 0.99, 9)
    assert (np.diff([told(score, 60, 0.5) for score in scores]) > 0).all()
    assert (np.diff([told(0.7, side, 0.5) for side in sides]) < 0).all()
    assert (np.diff([told(0.7, 60, presence) for presence in presences]) > 0).all()
    assert told(0.7, 64, 0.5) == told(0.7, 400, 0.5)


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


def test_a_candidate_that_shows_no_face_is_ruled_out_and_what_the_finder_is_sure_of_is_not():
    certainty = Certainty(0.5, sure_score=0.54)
    # -0.85 ln 40 + 0.75 = -2.3856; / 0.363 = -6.5718: with 0.86 0.0085, with 0.9 0.0124, and 0.02 x 0.5 counts
    assert is_ruled_out(face(40, 0.86, score=0.5), certainty) and not is_ruled_out(face(40, 0.9, score=0.5), certainty)
    assert not is_ruled_out(face(40, 0.1, score=0.56), certainty)
    assert not is_ruled_out(face(40, 0.4, score=0.5), None)
    assert not is_ruled_out(face(40, float("nan"), score=0.5), certainty)


@pytest.mark.parametrize(("score", "side", "is_one"), [(0.53, 15.9, 0), (0.53, 16.1, 1), (0.54, 15.9, 1), (0.54, 8, 1)])
def test_a_candidate_too_small_for_presence_to_count_is_none(score, side, is_one):
    certainty = Certainty(0.5, sure_score=0.54)
    assert is_present(face(side, 0.999, score=score), 0.5, certainty) == is_one
    boxes, scores = np.array([square(side)]), np.array([score])
    assert certainty.may_be_faces(scores, boxes).tolist() == [bool(is_one)]
    assert Certainty(0.5).may_be_faces(scores, boxes).tolist() == [True]


def test_a_network_that_does_not_tell_drops_nothing():
    silent = face(200, float("nan"), score=0.4)
    assert is_present(silent, 0.5, None) and is_present(silent, 0.5, Certainty(0.5))


@pytest.mark.parametrize(("side", "expected"), [(10, 0), (16, 0), (20, 0.25), (24, 0.5), (300, 0.5)])
def test_without_a_score_small_faces_need_less(side, expected):
    assert least_presence(face(side, 0.1), 0.5) == pytest.approx(expected)
