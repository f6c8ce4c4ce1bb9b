"""The crop transform against hand-worked points, invariants, and bright dots that must lie where the points say."""

import tracemalloc

import numpy as np
import pytest

from occlumark.crop import CropConfig, CropTransform

CONFIG = CropConfig()
BOXES = [(10.0, 20.0, 110.0, 140.0), (-300.5, 40.25, -20.0, 900.0), (0.0, 0.0, 0.5, 0.25)]


def photo_with_dots(height: int, width: int, dots: np.ndarray, sigma: float) -> np.ndarray:
    """A black photo with a soft bright dot at each point (x, y)."""
    photo = np.zeros((height, width), np.float32)
    for x, y in dots:
        column = np.exp(-((np.arange(height) + 0.5 - y) ** 2) / (2 * sigma**2))
        photo += column[:, None] * np.exp(-((np.arange(width) + 0.5 - x) ** 2) / (2 * sigma**2))
    return np.repeat(np.rint(photo * 250).clip(0, 255).astype(np.uint8)[..., None], 3, 2)


def centroid(crop: np.ndarray, near: np.ndarray, reach: int = 7) -> np.ndarray:
    """Centre of the light within `reach` pixels of a point."""
    x, y = np.floor(near).astype(int)
    window = crop[y - reach : y + reach + 1, x - reach : x + reach + 1, 0].astype(float)
    columns, rows = np.meshgrid(np.arange(-reach, reach + 1) + x + 0.5, np.arange(-reach, reach + 1) + y + 0.5)
    return np.array([(window * columns).sum(), (window * rows).sum()]) / window.sum()


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize(("angle", "mirror"), [(0.0, False), (33.0, False), (-120.0, True)])
def test_to_photo_undoes_to_crop(box, angle, mirror):
    transform = CropTransform.from_box(np.array(box), CONFIG, angle_deg=angle, mirror=mirror)
    points = np.random.default_rng(0).uniform(-500, 500, (3, 68, 2))
    np.testing.assert_allclose(transform.to_photo(transform.to_crop(points)), points, atol=1e-8)


@pytest.mark.parametrize("angle", [0.0, 71.0])
@pytest.mark.parametrize("mirror", [False, True])
def test_the_box_centre_is_the_crop_centre(angle, mirror):
    transform = CropTransform.from_box(np.array([10.0, 20.0, 110.0, 140.0]), CONFIG, angle_deg=angle, mirror=mirror)
    np.testing.assert_allclose(transform.to_crop(np.array([60.0, 80.0])), [112, 112])
    # the longer side, 120, times 1.3 fills the crop
    assert transform.zoom == pytest.approx(224 / 156)


def test_turned_and_mirrored_points_by_hand():
    box, config = np.array([0.0, 0.0, 224.0, 224.0]), CropConfig(scale=1)
    right_of_the_centre = np.array([212.0, 112.0])
    quarter = CropTransform.from_box(box, config, angle_deg=90)
    np.testing.assert_allclose(quarter.to_crop(right_of_the_centre), [112, 212], atol=1e-9)  # clockwise: now below
    mirrored = CropTransform.from_box(box, config, mirror=True)
    np.testing.assert_allclose(mirrored.to_crop(right_of_the_centre), [12, 112], atol=1e-9)


def test_a_box_of_the_crops_own_size_gives_the_same_pixels():
    photo = np.random.default_rng(1).integers(0, 256, (300, 310, 3), dtype=np.uint8)
    transform = CropTransform.from_box(np.array([31.0, 17.0, 255.0, 241.0]), CropConfig(scale=1))
    np.testing.assert_array_equal(transform.cut(photo), photo[17:241, 31:255])


def test_mirroring_gives_the_mirrored_pixels():
    photo = np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    transform = CropTransform.from_box(np.array([0.0, 0.0, 224.0, 224.0]), CropConfig(scale=1), mirror=True)
    np.testing.assert_array_equal(transform.cut(photo), photo[:, ::-1])


@pytest.mark.parametrize("size", [(1501, 1373), (640, 777), (223, 225)])
@pytest.mark.parametrize(("angle", "mirror"), [(0.0, False), (25.0, True)])
def test_dots_lie_where_the_points_say_whatever_the_reduction(size, angle, mirror):
    height, width = size
    # Reaches over the photo's right and bottom edge.
    box = np.array([0.22 * width, 0.3 * height, 1.06 * width, 1.04 * height])
    dots = np.array([0.4, 0.45]) * [width, height] + np.array([[0, 0], [0.33, 0.1], [0.1, 0.35]]) * [width, height]
    transform = CropTransform.from_box(box, CONFIG, angle_deg=angle, mirror=mirror)
    sigma = max(1.5, 1.5 / transform.zoom)
    crop = transform.cut(photo_with_dots(height, width, dots, sigma))
    expected = transform.to_crop(dots)
    for point in expected:
        assert np.abs(centroid(crop, point) - point).max() < 0.1


def test_fine_stripes_average_out_instead_of_aliasing():
    photo = np.zeros((2000, 2000, 3), np.uint8)
    photo[:, ::2] = 255
    crop = CropTransform.from_box(np.array([200.0, 200.0, 1700.0, 1700.0]), CONFIG).cut(photo)
    assert np.abs(crop[20:-20, 20:-20].astype(int) - 127.5).max() < 30


def test_beyond_the_photo_it_is_black():
    photo = np.full((100, 100, 3), 200, np.uint8)
    beside = CropTransform.from_box(np.array([300.0, 300.0, 400.0, 400.0]), CONFIG)
    assert not beside.cut(photo).any()
    large_beside = CropTransform.from_box(np.array([3000.0, 300.0, 4000.0, 1300.0]), CONFIG)
    assert not large_beside.cut(photo).any()
    half = CropTransform.from_box(np.array([50.0, 0.0, 150.0, 100.0]), CropConfig(scale=1)).cut(photo)
    assert (half[:, :110] == 200).all() and not half[:, 114:].any()


def test_a_box_far_larger_than_the_photo_costs_no_memory() -> None:
    photo = np.full((30, 50, 3), 255, np.uint8)
    transform = CropTransform.from_box(np.array([-5e5, -5e5, 5e5, 5e5]), CONFIG)
    tracemalloc.start()
    crop = transform.cut(photo)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert crop.shape == (224, 224, 3)
    assert peak_bytes < 1e6


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 10), (0, 0, 10, 0), (10, 0, 0, 10), (0, 0, np.nan, 10), (0, -np.inf, 1, 1), (0, 0, 1)]
)
def test_a_box_without_area_is_refused(box):
    with pytest.raises(ValueError, match="x0 < x1|unpack"):
        CropTransform.from_box(np.array(box, float), CONFIG)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": 100}, {"scale": 0.9}, {"scale": float("nan")}])
def test_a_crop_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match="crop"):
        CropConfig(**wrong)


@pytest.mark.parametrize("matrix", [np.eye(3), np.full((2, 3), np.nan)])
def test_a_matrix_that_is_none_is_refused(matrix):
    with pytest.raises(ValueError, match="crop matrix"):
        CropTransform(matrix, 224)
