import numpy as np
import pytest

from occlumark import finder as finder_module
from occlumark.boxes import box_iou
from occlumark.errors import CheckpointError
from occlumark.finder import NetworkFinder, best_faces, padded
from occlumark.photo import read_photo
from occlumark.photo.zoom import halved_towards, zoomed

#: The tight box of the landmarks that the landmark network finds in the sample photo, whatever box it starts from.
ASTRONAUT = np.array([[180, 88, 272, 179]])


@pytest.fixture(scope="module")
def astronaut(request):
    return read_photo(request.config.rootpath / "occlumark/samples/astronaut.jpg")


@pytest.fixture(scope="module")
def finder():
    return NetworkFinder(threads=1)


def red_squares(shape: tuple[int, int], *squares: tuple[int, int, int, int]) -> np.ndarray:
    """A black photo with full red in x0, y0, x1 - x0, brightness."""
    photo = np.zeros((*shape, 3), np.uint8)
    for x, y, side, brightness in squares:
        photo[y : y + side, x : x + side, 0] = brightness
    return photo


def test_boxes_are_in_photo_pixels_best_first(cell_finder):
    photo = red_squares((480, 640), (16, 24, 8, 255), (96, 64, 8, 204))
    found = NetworkFinder(weights=cell_finder, score=0.6)(photo)
    np.testing.assert_allclose([box for box, _ in found], [[16, 24, 24, 32], [96, 64, 104, 72]], atol=1e-9)
    np.testing.assert_allclose([score for _, score in found], [1, 0.8], atol=1e-6)


def test_candidates_are_boxes_of_lower_scores_where_no_score_is_given(cell_finder):
    photo = red_squares((480, 640), (48, 0, 48, 255), (144, 48, 48, 115), (240, 96, 48, 77))  # 1, 0.45, 0.3
    default, given = NetworkFinder(weights=cell_finder), NetworkFinder(weights=cell_finder, score=0.54)
    assert [len(default(photo)), len(default(photo, candidates=True))] == [1, 2]
    assert [len(given(photo)), len(given(photo, candidates=True))] == [1, 1]


def test_what_lies_in_the_padding_is_no_place_in_the_photo(cell_finder, monkeypatch):
    """A photo of 70 x 40 pixels is seen with black up to 96 x 64: a box in it is not found, one at the border is."""
    finder = NetworkFinder(weights=cell_finder, score=0.5)
    boxes = np.array([[72.0, 10, 90, 30], [10, 45, 30, 60], [60, 30, 80, 50]], np.float32)
    monkeypatch.setattr(finder, "_predict", lambda seen, score: (boxes * seen.shape[1] / 70, np.full(3, 0.9)))
    np.testing.assert_allclose([box for box, _ in finder.large(np.zeros((40, 70, 3), np.uint8))], boxes[2:], atol=0.5)


def test_max_faces_keeps_the_best(cell_finder):
    photo = red_squares((480, 640), (16, 24, 8, 204), (96, 64, 8, 255))
    ((box, _),) = NetworkFinder(weights=cell_finder, max_faces=1)(photo)
    np.testing.assert_allclose(box, [96, 64, 104, 72])


def test_of_candidates_there_are_more_as_some_are_no_faces(cell_finder):
    photo = red_squares((480, 640), *((96 * i, 64, 8, 255 - i) for i in range(5)))
    assert len(NetworkFinder(weights=cell_finder, max_faces=1)(photo, candidates=True)) == 3


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_large_photo_is_searched_reduced_and_its_boxes_are_enlarged(cell_finder, factor):
    """A 64th of 1,280 pixels is 20, what the network is to see."""
    side = 8 * factor
    photo = red_squares((960 * factor, 1280 * factor), (4 * side, 2 * side, side, 255))
    ((box, score),) = NetworkFinder(weights=cell_finder)(photo)
    np.testing.assert_allclose(box, np.array([4, 2, 5, 3]) * side)
    assert score > 0.9


def test_the_smaller_the_faces_the_finer_the_search(cell_finder, monkeypatch):
    monkeypatch.setattr(finder_module, "_SMALLEST_SEEN", 8.0)
    photo = red_squares((480 * 4, 640 * 4), (64, 32, 8, 255))
    assert NetworkFinder(weights=cell_finder)(photo) == []
    ((box, _),) = NetworkFinder(weights=cell_finder, min_face=8)(photo)
    np.testing.assert_allclose(box, [64, 32, 72, 40])


def test_smaller_faces_than_asked_for_are_left_out(cell_finder):
    """The photo has cells of 8 pixels at the fine scale, of 16 at half, and of 48 at a sixth."""
    photo = red_squares((480, 576), (16, 24, 8, 255), (240, 240, 48, 255))
    ((box, _),) = NetworkFinder(weights=cell_finder, min_face=20)(photo)
    np.testing.assert_allclose(box, [240, 240, 288, 288])


@pytest.mark.parametrize(("least", "sides"), [(8.0, {16}), (20.0, {8})])
def test_at_half_a_box_counts_that_is_large_enough_to_be_seen(cell_finder, monkeypatch, least, sides):
    """A square that is a cell of 8 pixels at half, and four at the fine scale, which come after it."""
    photo = red_squares((480, 640), (32, 64, 16, 255))
    finder = NetworkFinder(weights=cell_finder)
    monkeypatch.setattr(finder_module, "_fine_zoom", lambda photo, min_face: 1.0)
    monkeypatch.setattr(finder_module, "_SMALLEST_SEEN", least)
    assert {box[2] - box[0] for box, _ in finder(photo)} == sides


def test_large_faces_are_left_to_the_coarser_scales(cell_finder, monkeypatch):
    """A cell of the coarsest scale is 48 pixels of the photo; those of the others count as too large here."""
    monkeypatch.setattr(finder_module, "_LARGEST_FINE", 7.9)
    monkeypatch.setattr(finder_module, "_LARGEST_AT_HALF", 7.9)
    monkeypatch.setattr(finder_module, "_LARGEST_ZOOM", 1.0)
    ((box, _),) = NetworkFinder(weights=cell_finder)(red_squares((96, 96), (48, 0, 48, 255)))
    np.testing.assert_allclose(box, [48, 0, 96, 48])


def test_what_scores_little_keeps_no_small_face_from_being_looked_at(cell_finder):
    """Asked for all boxes, the finder still gives the small one, of the fine scale, beside the many of no score."""
    found = NetworkFinder(weights=cell_finder, score=0)(red_squares((480, 640), (16, 24, 8, 255)))
    np.testing.assert_allclose(found[0][0], [16, 24, 24, 32])
    assert found[0][1] > 0.9


@pytest.mark.parametrize(
    ("square", "looked_at", "n_found"),
    [
        ((16, 24, 8, 0), [], 0),
        ((16, 24, 8, 255), [(64, 64)], 1),  # a quarter of a cell at half: doubtful
        ((16, 24, 8, 150), [], 0),  # there .147, which is too little, though .59 at the fine scale
        ((96, 96, 48, 255), [], 1),  # a face at a sixth, whose parts are none
    ],
)
def test_what_is_doubtful_at_half_is_looked_at_at_the_fine_scale_and_nothing_else(
    cell_finder, monkeypatch, square, looked_at, n_found
):
    finder, shapes = NetworkFinder(weights=cell_finder), []
    predict = finder._predict
    monkeypatch.setattr(
        finder, "_predict", lambda seen, score: (shapes.append(seen.shape[:2]), predict(seen, score))[1]
    )
    found = finder(red_squares((480, 640), square))
    assert shapes == [(80, 107), (240, 320), *looked_at]
    assert len(found) == n_found


@pytest.mark.parametrize("shape", [(1, 1), (31, 33), (32, 64)])
def test_padding_is_black_and_below_and_to_the_right(shape):
    photo = np.full((*shape, 3), 7, np.uint8)
    wide = padded(photo)
    assert all(side % 32 == 0 and side - given < 32 for side, given in zip(wide.shape, shape, strict=False))
    np.testing.assert_array_equal(wide[: shape[0], : shape[1]], photo)
    assert int(wide.sum()) == int(photo.sum())


def test_a_photo_is_not_reduced_to_nothing():
    photo = np.full((3, 5000, 3), 9, np.uint8)
    assert zoomed(photo, 1.0) is photo
    assert zoomed(photo, 2.0).shape == (6, 10000, 3)
    small = zoomed(photo, 0.01)
    assert small.shape == (1, 50, 3) and (small == 9).all()


@pytest.mark.parametrize("zoom", [0.2, 0.25, 0.45, 0.7, 1.6])
def test_a_zoomed_photo_keeps_its_places(zoom):
    """A ramp stays a ramp: what stands at x in the photo stands at x times the zoom."""
    ramp = np.tile(np.arange(200, dtype=np.uint8)[:, None], (200, 1, 3))
    seen = zoomed(ramp, zoom)
    centres = (np.arange(seen.shape[1]) + 0.5) / zoom - 0.5
    inner = slice(3, -3)
    np.testing.assert_allclose(seen[5, inner, 0], centres[inner], atol=1.0)  # rounded to bytes twice


@pytest.mark.parametrize("shape", [(480, 640), (1001, 1503), (3024, 4032), (3, 5000), (60, 41)])
def test_a_photo_halved_before_is_zoomed_to_the_same(shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    halved = halved_towards(photo, 0.3)
    for zoom in (0.3, 0.15, 0.05):
        np.testing.assert_array_equal(zoomed(photo, zoom, halved), zoomed(photo, zoom))
    assert halved.size < photo.size or min(shape) < 4


def test_a_small_photo_is_searched_enlarged(cell_finder):
    """A 32nd of 320 pixels is 10: the network is to see 20, so a cell is 4 pixels of the photo."""
    ((box, _),) = NetworkFinder(weights=cell_finder)(red_squares((240, 320), (16, 24, 4, 255)))
    np.testing.assert_allclose(box, [16, 24, 20, 28])


def test_a_part_of_a_better_face_is_none():
    boxes = np.array([[0, 0, 20, 20], [1, 1, 6, 6], [18, 0, 23, 5]], float)
    kept, _ = best_faces(boxes, np.array([0.9, 0.8, 0.7]), 0.3)
    np.testing.assert_array_equal(kept, boxes[[0, 2]])


def test_best_faces_leaves_unsure_and_overlapping_boxes_out():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10], [80, 0, 90, 10]], float)
    kept, scores = best_faces(boxes, np.array([0.7, 0.9, 0.2, 0.8]), 0.3)
    np.testing.assert_array_equal(kept, boxes[[1, 3]])
    np.testing.assert_array_equal(scores, [0.9, 0.8])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_face": 0}, "min_face is above 0 pixels, not 0"),
        ({"min_face": float("nan")}, "min_face is above 0"),
        ({"score": 1.5}, "score is in 0..1, not 1.5"),
        ({"max_faces": 0}, "max_faces is at least 1, not 0"),
    ],
)
def test_arguments_out_of_range(wrong, message):
    with pytest.raises(ValueError, match=message):
        NetworkFinder(**wrong)


def test_a_landmark_network_is_no_face_finder(dot_network):
    with pytest.raises(CheckpointError, match="is no face finder of format 1"):
        NetworkFinder(weights=dot_network)


def test_the_sample_photo_has_one_face(astronaut, finder):
    ((box, score),) = finder(astronaut)
    assert box_iou(box[None], ASTRONAUT)[0, 0] > 0.7
    assert finder.score < score <= 1


def test_small_and_large_copies_are_found(astronaut, finder):
    """The face of 92 pixels at 27 in a photo of 640, and at 552 in one of 600."""
    small = np.zeros((480, 640, 3), np.uint8)
    small[200:350, 300:450] = zoomed(astronaut, 150 / 512)
    ((box, _),) = finder(small)
    assert box_iou(box[None], ASTRONAUT * 150 / 512 + [300, 200, 300, 200])[0, 0] > 0.5
    filled = np.kron(astronaut[84:184, 176:276], np.ones((6, 6, 1), np.uint8))
    ((box, _),) = finder(filled)
    assert box_iou(box[None], (ASTRONAUT - [176, 84, 176, 84]) * 6)[0, 0] > 0.6


def test_large_finds_what_the_coarser_scale_can_see(astronaut, finder):
    """The face of 92 pixels in a photo of 512, not that of 27 in one of 640."""
    ((box, score),) = finder.large(astronaut)
    assert box_iou(box[None], ASTRONAUT)[0, 0] > 0.7 and finder.score < score <= 1
    small = np.zeros((480, 640, 3), np.uint8)
    small[200:350, 300:450] = zoomed(astronaut, 150 / 512)
    assert finder.large(small) == []


def test_two_faces_are_two_boxes(astronaut, finder):
    both = np.hstack([astronaut, astronaut[:, ::-1]])
    boxes = sorted(box[0] for box, _ in finder(both))
    assert len(boxes) == 2 and boxes[0] < 512 < boxes[1]


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (20, 20), (300, 300)])
@pytest.mark.parametrize("fill", ["black", "white", "noise", "grey noise"])
def test_photos_without_a_face_give_an_empty_list(finder, shape, fill):
    photo = np.full((*shape, 3), 255 * (fill == "white"), np.uint8)
    if "noise" in fill:
        channels = 1 if fill == "grey noise" else 3
        photo[:] = np.random.default_rng(0).integers(0, 256, (*shape, channels), dtype=np.uint8)
    assert finder(photo) == []
