import numpy as np
import pytest

from occlumark.face.openness import eye_openness, mouth_openness
from occlumark.markup import MARKUPS, WFLW_TO_68


def test_by_hand(symmetric_face):
    landmarks = symmetric_face.copy()
    landmarks[36:42] = [[0, 0], [10, -5], [20, -4], [30, 0], [20, 4], [10, 5]]  # lids 10 and 8 apart, 30 wide
    landmarks[42:48] = [[50, 0], [60, 0], [70, 0], [80, 0], [70, 0], [60, 0]]  # shut
    landmarks[60:68] = [[0, 50], [10, 48], [20, 46], [30, 48], [40, 50], [30, 60], [20, 64], [10, 60]]
    np.testing.assert_allclose(eye_openness(landmarks, MARKUPS[68]), [0.3, 0])
    assert mouth_openness(landmarks, MARKUPS[68]) == pytest.approx((12 + 18 + 12) / 3 / 40)


@pytest.mark.parametrize("n", [68, 29, 98])
def test_it_depends_on_neither_size_nor_place_nor_roll_and_swaps_in_the_mirror(n):
    markup, random = MARKUPS[n], np.random.default_rng(n)
    landmarks = random.uniform(0, 100, (n, 2))
    turned = 3 * landmarks @ np.array([[0.6, -0.8], [0.8, 0.6]]) + [7, -5]
    mirrored = (landmarks * [-1, 1])[markup.mirror]
    np.testing.assert_allclose(eye_openness(turned, markup), eye_openness(landmarks, markup))
    np.testing.assert_allclose(eye_openness(mirrored, markup), eye_openness(landmarks, markup)[::-1])
    assert mouth_openness(turned, markup) == pytest.approx(mouth_openness(landmarks, markup))
    assert mouth_openness(mirrored, markup) == pytest.approx(mouth_openness(landmarks, markup))


def test_the_mouth_of_98_points_is_that_of_68():
    """The inner lips are the same eight points in both."""
    landmarks = np.random.default_rng(1).uniform(0, 100, (98, 2))
    assert mouth_openness(landmarks, MARKUPS[98]) == mouth_openness(landmarks[WFLW_TO_68], MARKUPS[68])


def test_a_markup_without_lids_has_none():
    landmarks = np.random.default_rng(1).uniform(0, 100, (19, 2))
    assert np.isnan(eye_openness(landmarks, MARKUPS[19])).all() and np.isnan(mouth_openness(landmarks, MARKUPS[19]))
    assert np.isnan(eye_openness(np.zeros((68, 2)), MARKUPS[68])).all()
