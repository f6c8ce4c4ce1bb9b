import math

import numpy as np
import pytest

from occlumark.metrics.finder import (
    Matches,
    detection_average_precision,
    fppi,
    match,
    recall,
    recall_at_fppi,
    share_interval,
    threshold_at_fppi,
)

NONE = np.zeros((0, 4))
FACES = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], float)


def found(face_scores: list[float], false_positive_scores: list[float]) -> Matches:
    return Matches(np.array(face_scores), np.zeros((len(face_scores), 4)), np.array(false_positive_scores))


def test_faces_found_missed_and_false_positives() -> None:
    # The first box lies on the second face, the second nowhere, the third on no face by 0.4 (30 of 170).
    boxes = np.array([[20, 0, 30, 8], [50, 50, 60, 60], [7, 0, 17, 10]], float)
    result = match(boxes, np.array([0.7, 0.9, 0.8]), FACES, NONE)
    np.testing.assert_array_equal(result.face_scores, [np.nan, 0.7])
    np.testing.assert_array_equal(result.face_boxes, [[np.nan] * 4, boxes[0]])
    assert result.false_positive_scores.tolist() == [0.9, 0.8]


@pytest.mark.parametrize(("width", "is_face"), [(4.0, True), (3.9, False)])
def test_an_overlap_of_four_tenths_is_enough(width: float, is_face: bool) -> None:
    """By hand: of a face 10 wide a box of its height and so many pixels shares width / 10."""
    result = match(np.array([[0, 0, width, 10]]), np.ones(1), FACES[:1], NONE)
    assert (result.face_scores == 1).all() == is_face and len(result.false_positive_scores) == (not is_face)


def test_the_least_overlap_is_an_argument() -> None:
    half = np.array([[0, 0, 5, 10]], float)
    assert match(half, np.ones(1), FACES[:1], NONE, min_overlap=0.5).false_positive_scores.tolist() == []
    assert match(half, np.ones(1), FACES[:1], NONE, min_overlap=0.51).false_positive_scores.tolist() == [1]


def test_a_second_box_on_a_face_is_false_and_the_better_one_is_its_finder() -> None:
    # The better-scored box takes the face, though the other overlaps with it more.
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 8]], float)
    result = match(boxes, np.array([0.5, 0.9]), FACES[:1], NONE)
    assert result.face_scores.tolist() == [0.9] and result.false_positive_scores.tolist() == [0.5]
    np.testing.assert_array_equal(result.face_boxes, boxes[1:])


def test_a_box_takes_the_face_it_overlaps_with_most_and_else_a_free_one() -> None:
    # The second face lies 6 to the right. Overlaps are 8 / 12 with it and 6 / 14 with the first.
    faces = np.array([[0, 0, 10, 10], [6, 0, 16, 10]], float)
    box = np.array([4, 0, 14, 10], float)
    result = match(np.stack([box, box]), np.array([0.8, 0.9]), faces, NONE)
    assert result.face_scores.tolist() == [0.8, 0.9] and result.false_positive_scores.tolist() == []


def test_ignored_places_count_neither_way() -> None:
    ignored = np.array([[50, 50, 70, 70]], float)
    boxes = np.array(
        [
            [52, 52, 56, 56],  # within
            [45, 50, 55, 60],  # half within
            [44, 50, 54, 60],  # less than half within, overlap 40 of 460
            [46, 44, 76, 74],  # 400 / 900 of it within, and an overlap of as much
        ],
        float,
    )
    result = match(boxes, np.array([0.9, 0.8, 0.7, 0.6]), FACES, ignored)
    assert result.false_positive_scores.tolist() == [0.7]


def test_a_face_within_an_ignored_place_is_a_face_and_its_second_box_is_false() -> None:
    boxes = np.stack([FACES[0], FACES[0]])
    result = match(boxes, np.array([0.9, 0.8]), FACES[:1], np.array([[-5, -5, 15, 15]], float))
    assert result.face_scores.tolist() == [0.9] and result.false_positive_scores.tolist() == [0.8]


@pytest.mark.parametrize("n", [0, 2])
@pytest.mark.parametrize("k", [0, 2])
@pytest.mark.parametrize("m", [0, 2])
def test_any_of_them_may_be_none(n: int, k: int, m: int) -> None:
    result = match(FACES[:n], np.ones(n), FACES[:k], FACES[:m] + 1000)
    assert result.face_scores.shape == (k,) and result.face_boxes.shape == (k, 4)
    assert np.isnan(result.face_scores).all() == (n == 0 or k == 0)
    assert result.false_positive_scores.shape == (n if k == 0 else 0,)


def test_what_a_box_is_holds_at_every_threshold() -> None:
    generator = np.random.default_rng(0)
    corners = generator.uniform(0, 60, (80, 2))
    boxes = np.hstack([corners, corners + generator.uniform(8, 20, (80, 2))])
    faces, ignored, boxes = boxes[:12], boxes[12:18], boxes[18:]
    scores = generator.integers(1, 30, len(boxes)) / 30
    whole = match(boxes, scores, faces, ignored)
    for threshold in (0.2, 0.5, 0.8):
        kept = scores >= threshold
        part = match(boxes[kept], scores[kept], faces, ignored)
        assert recall(part.face_scores, 0) == recall(whole.face_scores, threshold)
        assert len(part.false_positive_scores) == np.count_nonzero(whole.false_positive_scores >= threshold)


def test_the_threshold_leaves_as_many_as_allowed() -> None:
    photos = [found([], [0.9, 0.3]), found([], [0.7, 0.5]), found([], [])]
    for allowed, counted in [(0, 0), (1, 1), (2, 2), (3, 3)]:
        threshold = threshold_at_fppi(photos, allowed / 3)
        assert fppi(photos, threshold) == pytest.approx(counted / 3)
    # Just above the best of those that have to go: nothing lower would do.
    assert 0.5 < threshold_at_fppi(photos, 2 / 3) < 0.5 + 1e-12
    assert threshold_at_fppi(photos, 0.99) == threshold_at_fppi(photos, 2 / 3)
    assert threshold_at_fppi(photos, 4 / 3) == -math.inf


def test_equal_scores_go_together() -> None:
    photos = [found([0.6, 0.5], [0.9, 0.5, 0.5, 0.5])]
    threshold = threshold_at_fppi(photos, 2)
    assert fppi(photos, threshold) == 1 and recall(photos[0].face_scores, threshold) == 0.5
    assert recall(photos[0].face_scores, threshold_at_fppi(photos, 4)) == 1


def test_allowed_counts_are_not_rounded_away() -> None:
    photos = [found([], [score]) for score in np.linspace(0.1, 0.9, 100)]
    for rate in (0.29, 0.57, 0.1):  # 0.29 * 100 is 28.999999999999996
        assert round(100 * fppi(photos, threshold_at_fppi(photos, rate))) == round(100 * rate)


def test_missed_faces_are_found_at_no_threshold() -> None:
    assert recall(np.array([np.nan, 0.4, 0.6]), -math.inf) == pytest.approx(2 / 3)
    assert recall(np.array([np.nan, 0.4, 0.6]), 0.5) == pytest.approx(1 / 3)
    assert math.isnan(recall(np.zeros(0), 0.5)) and math.isnan(fppi([], 0.5))


def test_recall_where_few_other_photos_have_false_faces() -> None:
    background = [found([], [0.8]), *[found([], [])] * 9, found([], [0.4])]  # 11 photos: 1.1 allowed
    photos = [found([0.9, 0.41], [0.99]), found([0.4, np.nan], [])]
    assert recall_at_fppi(photos, background) == 0.5
    assert recall_at_fppi(photos, background, max_fppi=0) == 0.25
    assert recall_at_fppi(photos, background, max_fppi=1) == 0.75
    assert math.isnan(recall_at_fppi([], background))


def test_average_precision_by_hand() -> None:
    # In the order of scores: face, false, face, face and false at once; a fourth face is missed. Precision is 1, then
    # 2/3 at the second face (3/5 from there on), 3/5 at the third.
    photos = [found([0.9, 0.5], [0.8]), found([0.3, np.nan], [0.3])]
    assert detection_average_precision(photos) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)
    # A dip is filled by a better precision at a higher recall: 1/2, then 2/3.
    assert detection_average_precision([found([0.5, 0.4], [0.9])]) == pytest.approx(2 / 3)
    assert detection_average_precision([found([0.5, 0.4], [0.1])]) == 1
    assert detection_average_precision([found([np.nan], [0.1])]) == 0
    assert math.isnan(detection_average_precision([found([], [0.1])]))


def test_intervals_of_shares() -> None:
    # Newcombe (1998), table I, Wilson's method without continuity correction.
    np.testing.assert_allclose(share_interval(81, 263), (0.2553, 0.3662), atol=5e-5)
    np.testing.assert_allclose(share_interval(15, 148), (0.0624, 0.1605), atol=5e-5)
    np.testing.assert_allclose(share_interval(0, 20), (0, 0.1611), atol=5e-5)
    np.testing.assert_allclose(share_interval(20, 20), (1 - 0.1611, 1), atol=5e-5)
    assert all(map(math.isnan, share_interval(0, 0)))
