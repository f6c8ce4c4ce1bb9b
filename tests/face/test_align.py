import numpy as np
import pytest

from occlumark.crop import CropTransform
from occlumark.face.align import arcface_crop, five_points, upright_crop
from occlumark.markup import MARKUPS, WFLW_TO_68, tight_box

#: insightface's template for 112 pixels, whose pixels' centres are on whole numbers.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


def turned(points: np.ndarray, angle_deg: float, zoom: float = 1.0, shift=(0.0, 0.0)) -> np.ndarray:
    """Turned clockwise as seen, enlarged and moved."""
    angle = np.deg2rad(angle_deg)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return zoom * points @ rotation.T + shift


def test_five_points_of_a_face_of_68(symmetric_face):
    points = five_points(symmetric_face, MARKUPS[68])
    # By hand, from the fixture: (54 + 62 + 75 + 84 + 75 + 62) / 6, (86 + 80 + 80 + 87 + 91 + 91) / 6, then 30, 48, 54.
    expected = [[412 / 6, 515 / 6], [224 - 412 / 6, 515 / 6], [112, 126], [76, 160], [148, 160]]
    np.testing.assert_allclose(points, expected)
    assert (points[0] < points[1])[0] and (points[3] < points[4])[0]  # the person's right is the photo's left


@pytest.mark.parametrize("n", MARKUPS)
def test_five_points_of_a_mirrored_face_are_mirrored(n):
    markup, landmarks = MARKUPS[n], np.random.default_rng(n).uniform(0, 100, (n, 2))
    mirrored = (landmarks * [-1, 1])[markup.mirror]
    expected = (five_points(landmarks, markup) * [-1, 1])[[1, 0, 2, 4, 3]]
    np.testing.assert_allclose(five_points(mirrored, markup), expected, atol=1e-9)


def test_the_points_of_98_are_those_of_68_where_the_markups_share_them(symmetric_face):
    names = [(MARKUPS[n].nose_tip, *MARKUPS[n].mouth_corners) for n in (68, 98)]
    assert WFLW_TO_68[list(names[0])].tolist() == list(names[1])


@pytest.mark.parametrize("size", [112, 224, 100])
def test_arcface_points_come_to_where_arcface_has_them(size):
    """Any similarity of the template is brought back; the first pixel's centre is (0.5, 0.5) here, (0, 0) there."""
    crop = arcface_crop(turned(TEMPLATE + 0.5, 37, 2.5, (300, -20)), size)
    assert isinstance(crop, CropTransform) and crop.size == size
    points = crop.to_crop(turned(TEMPLATE + 0.5, 37, 2.5, (300, -20)))
    np.testing.assert_allclose(points, (TEMPLATE + 0.5) * size / 112, atol=1e-9)


def test_the_similarity_is_the_best_one():
    """Against least squares over all similarities, which are linear in four numbers."""
    points = np.random.default_rng(0).uniform(100, 200, (5, 2))
    x, y, one, none = points[:, 0], points[:, 1], np.ones(5), np.zeros(5)
    equations = np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])
    (a, b, c, d), *_ = np.linalg.lstsq(equations, (TEMPLATE + 0.5).T.ravel(), rcond=None)
    np.testing.assert_allclose(arcface_crop(points, 112).matrix, [[a, -b, c], [b, a, d]], atol=1e-9)


def test_an_upright_crop_has_the_face_upright_in_its_middle(symmetric_face):
    for angle in (-170, -90, 0, 25, 120):
        landmarks = turned(symmetric_face, angle, 0.5, (400, 300))
        crop = upright_crop(landmarks, angle, 256, 1.5)
        box = tight_box(crop.to_crop(landmarks))
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, [128, 128], atol=1e-9)
        assert (box[2:] - box[:2]).max() == pytest.approx(256 / 1.5)
        eyes = crop.to_crop(landmarks)[[36, 45]]
        assert eyes[0, 1] == pytest.approx(eyes[1, 1]) and eyes[0, 0] < eyes[1, 0]


def test_an_aligned_picture_shows_what_lies_there():
    """A white dot at the nose of a lying face is white in the aligned picture, where the nose is."""
    points = turned(TEMPLATE + 0.5, 90, 2, (300, 20))
    photo = np.zeros((400, 400, 3), np.uint8)
    x, y = points[2].astype(int)
    photo[y - 4 : y + 4, x - 4 : x + 4] = 255
    picture = arcface_crop(points, 112).cut(photo)
    assert picture.shape == (112, 112, 3) and picture[72, 56].min() > 200
    rows, columns = np.nonzero(picture[..., 0])
    np.testing.assert_allclose([columns.mean(), rows.mean()], TEMPLATE[2], atol=1)


def test_what_cannot_be_aligned_is_refused():
    with pytest.raises(ValueError, match="all lie in one place"):
        arcface_crop(np.ones((5, 2)), 112)
    with pytest.raises(ValueError, match="all lie in one place"):
        upright_crop(np.ones((68, 2)), 0, 112, 1.3)
    with pytest.raises(ValueError, match="at least 1 pixel, not 0"):
        arcface_crop(TEMPLATE, 0)
    with pytest.raises(ValueError, match="scale is above 0, not -1"):
        upright_crop(TEMPLATE, 0, 112, -1)
