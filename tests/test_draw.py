from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from occlumark.crop import CropConfig, CropTransform
from occlumark.demo import SAMPLES
from occlumark.detect import Detector
from occlumark.draw import draw_faces
from occlumark.face import Face
from occlumark.photo import ReducedPhoto, read_photo

GREY = 100


def photo(height: int = 400, width: int = 500) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def make_face(box=(100, 80, 380, 360), hidden=(), occlusion=0.0, **more) -> Face:
    """Landmarks on a grid of 10 columns in the box, so that each stands alone."""
    box = np.array(box, float)
    side = box[2] - box[0]
    landmarks = box[:2] + side * (np.stack(np.divmod(np.arange(68), 10)[::-1], axis=1) + 0.5) / 10
    visibility = np.ones(68)
    visibility[list(hidden)] = 0.2
    crop = CropTransform.from_box(box, CropConfig())
    return Face(box, 1.0, landmarks, visibility, np.full((7, 7), occlusion), crop, **more)


def colour_at(drawing: np.ndarray, point: np.ndarray) -> np.ndarray:
    x, y = np.floor(point).astype(int)
    return drawing[y, x].astype(int)


def test_on_a_reduced_photo_a_face_is_drawn_where_it_is():
    face = make_face()
    expected = draw_faces(photo(200, 250), face.scaled(0.5))
    np.testing.assert_array_equal(draw_faces(ReducedPhoto(photo(200, 250), 2), face), expected)
    assert (expected != GREY).any()


def test_visible_landmarks_are_filled_and_hidden_ones_hollow():
    face = make_face(hidden=[27, 68 - 1])  # the ends of two contours
    drawing = draw_faces(photo(), [face])
    dot, ring = colour_at(drawing, face.landmarks[30]), colour_at(drawing, face.landmarks[27])
    assert dot[1] > 180 and dot[0] < 80  # green
    np.testing.assert_allclose(ring, GREY, atol=10)  # the photo shows through
    around = drawing[140:160, 300:320].astype(int).reshape(-1, 3)  # landmark 27 is at (310, 150)
    assert ((around[:, 0] > 200) & (around[:, 2] < 60)).any()  # amber


@pytest.mark.parametrize("side", [60, 100, 280, 2000])
@pytest.mark.parametrize("shift", [(0, 0), (0.5, 0.5), (0.25, 0.75), (0.99, 0.5)])
def test_a_ring_is_hollow_in_small_and_large_faces_wherever_it_lies_in_a_pixel(side, shift):
    face = make_face((20, 20, 20 + side, 20 + side), hidden=[27])
    landmarks = np.tile([20.0 + side, 20.0], (68, 1))  # the others out of the way
    landmarks[27] = np.floor(face.landmarks[40]) + shift
    drawing = draw_faces(photo(side + 40, side + 40), [replace(face, landmarks=landmarks)])
    np.testing.assert_allclose(colour_at(drawing, landmarks[27]), GREY, atol=25)
    x, y = np.floor(landmarks[27]).astype(int)
    reach = 2 + side // 35
    around = drawing[y - reach : y + reach + 1, x - reach : x + reach + 1].astype(int)
    assert ((around[..., 0] > 200) & (around[..., 2] < 60)).any()  # amber
    assert (around[..., 0].min() < 90) == (side > 200)  # no ink where it would fill the gaps between landmarks


@pytest.mark.parametrize("side", [32, 40, 59])
def test_a_small_face_is_not_hidden_by_its_drawing(side):
    """Its landmarks stand a tenth of its width apart: most of it stays as it was, and amber differs from green."""
    face = make_face((20, 20, 20 + side, 20 + side), hidden=[27])
    drawing = draw_faces(photo(), [face])
    inside = drawing[22 : 18 + side, 22 : 18 + side]
    assert 0.05 < (np.abs(inside.astype(int) - GREY) > 10).any(axis=2).mean() < 0.6
    hidden, visible = colour_at(drawing, face.landmarks[27]), colour_at(drawing, face.landmarks[44])
    assert hidden[0] > hidden[2] + 50 and visible[1] > visible[0] + 50


@pytest.mark.parametrize("side", [12, 20, 28])
def test_a_tiny_face_is_still_seen_under_its_dots(side):
    drawing = draw_faces(photo(), [make_face((20, 20, 20 + side, 20 + side))])
    inside = drawing[22 : 18 + side, 22 : 18 + side]
    assert 0.02 < (np.abs(inside.astype(int) - GREY) > 10).any(axis=2).mean() < 0.6


def blue(drawing: np.ndarray) -> np.ndarray:
    """(height, width) bool: the expected errors' light blue."""
    return (np.abs(drawing.astype(int) - [120, 200, 255]) < 25).all(axis=2)


def test_an_expected_error_is_a_circle_of_its_radius():
    errors = np.full(68, 2.0)
    errors[30] = 12
    face = make_face(expected_error=errors)
    drawn = blue(draw_faces(photo(), [face], errors=True))
    assert not blue(draw_faces(photo(), [face])).any()
    ys, xs = np.nonzero(drawn)
    distances = np.hypot(xs + 0.5 - face.landmarks[30, 0], ys + 0.5 - face.landmarks[30, 1])
    of_its_own = distances[distances < 13.5]
    assert len(of_its_own) > 30 and (abs(of_its_own - 12) < 1.2).all()  # the line is a pixel wide


def test_errors_of_a_model_that_tells_none():
    with pytest.raises(ValueError, match=r"errors draws Face\.expected_error, but a face has none"):
        draw_faces(photo(), [make_face(expected_error=np.ones(68)), make_face()], errors=True)
    np.testing.assert_array_equal(draw_faces(photo(), [], errors=True), photo())


def test_threshold_decides_what_is_hidden():
    face = make_face(hidden=[30])
    assert colour_at(draw_faces(photo(), [face], hidden_below=0.1), face.landmarks[30])[1] > 180
    assert colour_at(draw_faces(photo(), [face], hidden_below=0.3), face.landmarks[30])[1] < 180


def test_the_photo_is_left_as_it_is():
    original = photo()
    drawing = draw_faces(original, [make_face(occlusion=1.0)], overlay=True)
    assert (original == GREY).all() and drawing.shape == original.shape and drawing.dtype == np.uint8
    np.testing.assert_array_equal(draw_faces(original, []), original)


def test_overlay_tints_what_is_hidden_within_the_crop_alone():
    box = (140, 100, 300, 260)  # the crop: 208 pixels from (116, 76)
    plain, hidden = make_face(box), make_face(box, occlusion=1.0)
    tinted = draw_faces(photo(), [hidden], overlay=True)
    np.testing.assert_array_equal(tinted[90, 130], [208, 58, 142])  # 0.3 * 100 + 0.7 * (255, 40, 160)
    np.testing.assert_array_equal(tinted[:70], GREY)
    np.testing.assert_array_equal(tinted[:, 330:], GREY)
    np.testing.assert_array_equal(draw_faces(photo(), [plain], overlay=True)[90, 130], [GREY] * 3)
    np.testing.assert_array_equal(draw_faces(photo(), [hidden])[90, 130], [GREY] * 3)


def test_dots_grow_with_the_face():
    def green(box) -> int:
        drawing = draw_faces(photo(), [make_face(box)]).astype(int)
        return int(((drawing[..., 1] > 180) & (drawing[..., 0] < 80)).sum())

    assert green((10, 10, 390, 390)) > 4 * green((10, 10, 100, 100)) > 0


@pytest.mark.parametrize("box", [(-900, -900, 1200, 1200), (480, 390, 900, 800), (-50, -50, 1, 1), (0, 0, 1, 1)])
@pytest.mark.parametrize("size", [(1, 1), (400, 500), (1, 5000)])
def test_faces_that_reach_out_of_the_photo(size, box):
    face = make_face(box, occlusion=0.5, expected_error=np.linspace(0, 1e12, 68))
    assert draw_faces(photo(*size), [face], overlay=True, errors=True).shape == (*size, 3)


def test_landmarks_far_outside_do_not_overflow():
    face = make_face()
    far = Face(face.box, 1.0, face.landmarks * 1e12, face.visibility, face.occlusion_map, face.crop)
    assert draw_faces(photo(), [far]).shape == (400, 500, 3)


@pytest.mark.parametrize(
    ("n", "joined", "apart"), [(19, (0, 1), (2, 3)), (29, (8, 12), (8, 9)), (98, (60, 67), (95, 96))]
)
def test_other_markups_are_drawn_along_their_own_contours(n, joined, apart):
    """Two landmarks at the feet of a triangle, all others at its top: the base is drawn if a contour joins them."""
    for pair, is_drawn in ((joined, True), (apart, False)):
        landmarks = np.tile([250.0, 110.0], (n, 1))
        landmarks[list(pair)] = [(150, 330), (350, 330)]
        face = replace(make_face(), landmarks=landmarks, visibility=np.ones(n), expected_error=np.array(np.nan))
        below = colour_at(draw_faces(photo(), [face]), np.array([250.0, 330.0]))
        assert (below[1] > 180 and below[0] < 80) == is_drawn


def test_a_photo_is_drawn_on_as_detect_takes_it(tmp_path):
    face = Detector("occlumark-fast", threads=1).detect(SAMPLES / "astronaut.jpg")[0]
    photo = read_photo(SAMPLES / "astronaut.jpg")
    before, drawn = photo.copy(), draw_faces(photo, [face])
    np.testing.assert_array_equal(photo, before)
    for other in (SAMPLES / "astronaut.jpg", Image.fromarray(photo), photo / np.float32(255)):
        np.testing.assert_array_equal(draw_faces(other, face), drawn)
    assert draw_faces(photo[..., 0], [face]).shape == photo.shape
