import numpy as np
import pytest

from occlumark.boxes import areas, as_boxes, box_holding, box_iou, common_areas, joined_regions, keep_best
from occlumark.errors import BoxError

#: Two squares of 10, the second moved by (5, 0), and one far off.
SQUARES = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [100, 100, 102, 103]], float)


@pytest.mark.parametrize("boxes", [[1, 2, 3, 4], (1, 2, 3, 4), [[1, 2, 3, 4]], np.array([1, 2, 3, 4], np.uint8)])
def test_boxes_as_people_write_them(boxes) -> None:
    np.testing.assert_array_equal(as_boxes(boxes), [[1.0, 2.0, 3.0, 4.0]])


@pytest.mark.parametrize("boxes", [[], (), np.zeros((0, 4)), np.zeros((0, 5)), [[]]])
def test_no_boxes(boxes) -> None:
    assert as_boxes(boxes).shape == (0, 4)


@pytest.mark.parametrize(
    ("boxes", "came"),
    [
        ([[1, 2, 3, 4], [1, 2]], r"\[\[1, 2, 3, 4\], \[1, 2\]\]$"),
        ("1 2 3 4", "'1 2 3 4'$"),
        ([[1, 2, 3, 4, 0.9]], r"\(1, 5\); the fifth column, a score, is not taken$"),
        (np.zeros((2, 2, 2)), r"\(2, 2, 2\)$"),
        (5, r"\(\)$"),
        ({"x0": "left" * 30}, r"\{'x0': 'left[a-z]{65}\.\.\.$"),
    ],
)
def test_what_are_no_boxes_is_one_line(boxes, came) -> None:
    with pytest.raises(BoxError, match=rf"^boxes are \(n, 4\) numbers, .*; came {came}"):
        as_boxes(boxes)


def test_areas_by_hand() -> None:
    np.testing.assert_array_equal(areas(SQUARES), [100, 100, 6])
    assert areas(SQUARES[0]) == 100
    assert areas(np.zeros((0, 4))).shape == (0,)


def test_common_areas_by_hand() -> None:
    expected = [[100, 50, 0], [50, 100, 0], [0, 0, 6]]
    np.testing.assert_array_equal(common_areas(SQUARES, SQUARES), expected)


def test_box_iou_by_hand() -> None:
    # The first two share 50 of 150; what touches along a side or lies off in both directions shares nothing.
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [11, 11, 12, 12], [2, 2, 4, 7]], float)
    np.testing.assert_allclose(box_iou(SQUARES[:1], others), [[1, 1 / 3, 0, 0, 0.1]])
    np.testing.assert_array_equal(box_iou(others, SQUARES), box_iou(SQUARES, others).T)


def test_nothing_overlaps_with_nothing() -> None:
    none = np.zeros((0, 4))
    assert box_iou(none, SQUARES).shape == (0, 3) and box_iou(SQUARES, none).shape == (3, 0)


def test_the_best_of_a_heap_by_hand() -> None:
    # The second overlaps with the best by a third, the fourth lies nearly on the third.
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [50, 0, 60, 10], [50, 0, 60, 11]], float)
    scores = np.array([0.9, 0.8, 0.6, 0.7])
    assert keep_best(boxes, scores, 0.4).tolist() == [0, 1, 3]
    assert keep_best(boxes, scores, 0.3).tolist() == [0, 3]
    assert keep_best(boxes, scores, 0.95).tolist() == [0, 1, 3, 2]


def test_a_box_just_at_the_largest_overlap_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5]], float)
    assert keep_best(boxes, np.array([1.0, 0.5]), 0.5).tolist() == [0, 1]
    assert keep_best(boxes, np.array([1.0, 0.5]), 0.499).tolist() == [0]


def test_a_box_left_out_removes_no_other() -> None:
    # A chain: the second lies on the first and is left out, so that the third, which lies on the second alone, stays.
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], float)
    assert keep_best(boxes, np.array([3.0, 2.0, 1.0]), 0.3).tolist() == [0, 2]


def test_of_equal_scores_the_first_counts_as_better() -> None:
    boxes = np.repeat(SQUARES[:1], 3, axis=0)
    assert keep_best(boxes, np.ones(3), 0.5).tolist() == [0]


def brute_force(boxes: np.ndarray, scores: np.ndarray, max_overlap: float) -> list[int]:
    """The definition, box by box."""
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        clear = True
        for k in kept:
            sides = [min(boxes[i][2 + a], boxes[k][2 + a]) - max(boxes[i][a], boxes[k][a]) for a in (0, 1)]
            common = max(0, sides[0]) * max(0, sides[1])
            of_two = [(b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[i], boxes[k])]
            clear &= common / (sum(of_two) - common) <= max_overlap
        if clear:
            kept.append(i)
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_keep_best_is_its_definition(seed: int) -> None:
    generator = np.random.default_rng(seed)
    corners, sides = generator.uniform(0, 40, (60, 2)), generator.uniform(5, 30, (60, 2))
    boxes, scores = np.hstack([corners, corners + sides]), generator.permutation(60) / 60
    whole = brute_force(boxes, scores, 0.3)
    assert 5 < len(whole) < 60
    assert keep_best(boxes, scores, 0.3).tolist() == whole
    assert keep_best(boxes, scores, 0.3, count=4).tolist() == whole[:4]
    assert keep_best(boxes, scores, 0.3, count=1000).tolist() == whole


def test_none_of_none_and_none_asked_for() -> None:
    none = keep_best(np.zeros((0, 4)), np.zeros(0), 0.5)
    assert none.shape == (0,) and SQUARES[none].shape == (0, 4)
    assert keep_best(SQUARES, np.ones(3), 0.5, count=0).tolist() == []


def test_a_part_of_a_better_box_is_left_out_by_its_share() -> None:
    """The small box shares 25 of its 25 square pixels with the large one, which is 6 % of their union."""
    boxes = np.array([[0, 0, 20, 20], [0, 0, 5, 5], [17, 0, 22, 5]], float)
    assert keep_best(boxes, np.array([3.0, 2.0, 1.0]), 0.5, 0.8).tolist() == [0, 2]
    assert keep_best(boxes, np.array([3.0, 2.0, 1.0]), 0.5, 0.5).tolist() == [0]
    assert keep_best(boxes, np.array([1.0, 2.0, 3.0]), 0.5, 0.8).tolist() == [2, 1]
    assert keep_best(boxes, np.array([3.0, 2.0, 1.0]), 0.5).tolist() == [0, 1, 2]


def test_the_box_of_a_face_by_its_points():
    boxes = np.array([[0.0, 0, 10, 10], [4, 4, 24, 24], [50, 50, 60, 60]])
    assert box_holding(boxes, np.array([[3.0, 3], [5, 5], [7, 7]])) == 0  # both hold two, the first is nearer
    assert box_holding(boxes, np.array([[9.0, 9], [14, 14], [100, 100]])) == 1  # two of three
    assert box_holding(boxes, np.array([[30.0, 30], [14, 14], [100, 100]])) is None
    # the first is nearer to their mean and holds none
    assert box_holding(boxes, np.array([[12.0, 12], [13, 13], [-10, -10]])) == 1
    assert box_holding(boxes[:0], np.array([[3.0, 3]])) is None


@pytest.mark.parametrize("seed", range(20))
def test_joined_regions_hold_all_boxes_and_lie_apart(seed):
    rng = np.random.default_rng(seed)
    height, width, step = 200, 300, 32
    start = rng.uniform(-40, [width + 20, height + 20], (rng.integers(1, 9), 2))
    boxes = np.concatenate([start, start + rng.uniform(1, 50, start.shape)], axis=1)
    wanted, held = np.zeros((height, width), bool), np.zeros((height, width), int)
    for x0, y0, x1, y1 in boxes:
        wanted[
            max(0, int(np.floor(y0))) : max(0, int(np.ceil(y1))), max(0, int(np.floor(x0))) : max(0, int(np.ceil(x1)))
        ] = 1
    regions = joined_regions(boxes, height, width, step, 1.0)
    for x0, y0, x1, y1 in regions:
        held[y0:y1, x0:x1] += 1
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        assert x0 % step == y0 % step == 0 and (x1 % step == 0 or x1 == width) and (y1 % step == 0 or y1 == height)
    assert held.max(initial=0) <= 1 and (held >= wanted).all()
    share = held.mean()
    assert joined_regions(boxes, height, width, step, share + 1e-9) == regions
    if share:
        assert joined_regions(boxes, height, width, step, share - 1e-9) == [(0, 0, width, height)]


def test_joined_regions_of_nothing():
    assert joined_regions(np.zeros((0, 4)), 100, 100, 32, 0.5) == []
    assert joined_regions(np.array([[200.0, 0, 220, 20]]), 100, 100, 32, 0.5) == []
