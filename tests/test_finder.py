import numpy as np
import pytest

from occlumark.finder import _TIGHT_IN_SQUARE, CascadeFinder, keep_best
from occlumark.photo import read_photo

SAMPLE = "occlumark/samples/astronaut.jpg"


@pytest.fixture(scope="module")
def astronaut(request):
    return read_photo(request.config.rootpath / SAMPLE)


@pytest.fixture(scope="module")
def finder():
    return CascadeFinder()


#: By eye: brows at y = 100, chin at 170, face from x = 190 to 262.
FACE = np.array([190, 100, 262, 170])


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    common = sides.prod()
    return common / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - common)


def test_the_sample_photo_has_one_face(astronaut, finder):
    ((box, score),) = finder(astronaut)
    assert box.shape == (4,) and overlap(box, FACE) > 0.6
    assert 0.9 < score <= 1


def test_a_large_photo_is_searched_reduced_and_gives_the_same_box(astronaut):
    large = np.kron(astronaut, np.ones((3, 3, 1), np.uint8))
    ((small_box, _),) = CascadeFinder(search_side=512)(astronaut)
    ((large_box, _),) = CascadeFinder(search_side=512)(large)
    np.testing.assert_allclose(large_box, 3 * small_box, atol=1)


def test_two_faces_are_two_boxes(astronaut, finder):
    both = np.hstack([astronaut, astronaut[:, ::-1]])
    boxes = sorted(box[0] for box, _ in finder(both))
    assert len(boxes) == 2 and boxes[0] < 512 < boxes[1]


def test_box_is_the_square_moved_by_the_measured_correction(astronaut, finder):
    squares, _ = finder.squares(astronaut)
    side = squares[0, 2] - squares[0, 0]
    ((box, _),) = finder(astronaut)
    np.testing.assert_allclose((box - np.tile(squares[0, :2], 2)) / side, _TIGHT_IN_SQUARE)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (20, 20), (300, 300)])
@pytest.mark.parametrize("fill", ["black", "white", "noise"])
def test_photos_without_a_face_give_an_empty_list(finder, shape, fill):
    photo = np.full((*shape, 3), 255 * (fill == "white"), np.uint8)
    if fill == "noise":
        photo = np.random.default_rng(0).integers(0, 256, photo.shape, dtype=np.uint8)
    assert finder(photo) == []


def test_keep_best_drops_what_lies_in_a_better_box():
    boxes = np.array([[2, 2, 6, 6], [0, 0, 10, 10], [6, 0, 16, 10], [4, 0, 14, 10]], float)
    # The first lies within the second; the third shares 40 % with the second; the fourth 60 and 80 %.
    assert keep_best(boxes, np.array([0.5, 0.9, 0.8, 0.7])) == [1, 2]
    assert keep_best(boxes, np.array([0.5, 0.9, 0.8, 0.7]), max_overlap=0.3) == [1]
    assert keep_best(np.zeros((0, 4)), np.zeros(0)) == []


def test_boxes_that_touch_are_both_kept():
    assert keep_best(np.array([[0, 0, 1, 1], [1, 0, 2, 1]], float), np.array([0.1, 0.2])) == [1, 0]
