"""The crop transform: picture and points move together, by hand and to sub-pixel accuracy."""

import tracemalloc

import numpy as np
import pytest

from occlumark.crop import CropConfig, CropTransform

CONFIG = CropConfig()


def _photo_with_lights(height: int, width: int, lights: np.ndarray, radius: float) -> np.ndarray:
    """A black photo with a round, soft light (a Gaussian) at each point, wherever between the pixels it lies."""
    rows, columns = np.arange(height)[:, None] + 0.5, np.arange(width)[None] + 0.5
    light = np.zeros((height, width))
    for x, y in lights:
        light += np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))
    return np.repeat((light * 250).round().astype(np.uint8)[..., None], 3, axis=2)


def _centre_of_light(crop: np.ndarray, near: np.ndarray, reach: int) -> np.ndarray:
    """The weighted mean of the pixels' centres around a point."""
    x, y = np.floor(near).astype(int)
    x0, y0 = max(x - reach, 0), max(y - reach, 0)
    part = crop[y0 : y + reach + 1, x0 : x + reach + 1, 0].astype(float)
    rows, columns = np.indices(part.shape) + 0.5
    return np.array([(columns * part).sum(), (rows * part).sum()]) / part.sum() + [x0, y0]


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("angle_deg", [0, 33.3, -120])
def test_to_photo_undoes_to_crop(angle_deg: float, mirror: bool) -> None:
    transform = CropTransform.from_box(np.array([10.5, -20, 310, 400.25]), CONFIG, angle_deg=angle_deg, mirror=mirror)
    points = np.random.default_rng(0).uniform(-500, 500, (5, 68, 2))
    np.testing.assert_allclose(transform.to_photo(transform.to_crop(points)), points, atol=1e-9)
    np.testing.assert_allclose(transform.to_crop(transform.to_photo(points)), points, atol=1e-9)


@pytest.mark.parametrize("angle_deg", [0, 50])
@pytest.mark.parametrize("box", [(100, 50, 300, 150), (-40.5, 3, 20.25, 99)])
def test_the_boxs_centre_is_the_crops_centre_and_its_longer_side_sets_the_zoom(box: tuple, angle_deg: float) -> None:
    transform = CropTransform.from_box(np.array(box), CONFIG, angle_deg=angle_deg)
    centre = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
    np.testing.assert_allclose(transform.to_crop(np.array(centre)), [112, 112], atol=1e-9)
    longer = max(box[2] - box[0], box[3] - box[1])
    assert transform.zoom == pytest.approx(224 / (1.3 * longer))


def test_corners_by_hand() -> None:
    """A box of 200 x 100 with scale 1.12: the crop is the square 224 x 224 photo pixels around its centre."""
    transform = CropTransform.from_box(np.array([100, 200, 300, 300]), CropConfig(scale=1.12))
    corners = np.array([[88, 138], [312, 362], [100, 200], [300, 300]])
    np.testing.assert_allclose(transform.to_crop(corners), [[0, 0], [224, 224], [12, 62], [212, 162]], atol=1e-9)


@pytest.mark.parametrize(
    ("angle_deg", "mirror", "expected"),
    [
        (0, False, [(124, 112), (112, 117)]),
        (90, False, [(112, 124), (107, 112)]),  # clockwise: the right goes to below, below to the left
        (180, False, [(100, 112), (112, 107)]),
        (0, True, [(100, 112), (112, 117)]),
        (90, True, [(112, 124), (117, 112)]),  # turned first, then mirrored
    ],
)
def test_rotation_and_mirror_by_hand(angle_deg: float, mirror: bool, expected: list) -> None:
    box = np.array([100, 200, 300, 400])
    transform = CropTransform.from_box(box, CropConfig(scale=1.12), angle_deg=angle_deg, mirror=mirror)
    right_of_centre, below_centre = (212, 300), (200, 305)
    np.testing.assert_allclose(transform.to_crop(np.array([right_of_centre, below_centre])), expected, atol=1e-9)


def test_a_crop_of_the_photos_own_size_is_the_photo() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    transform = CropTransform.from_box(np.array([0, 0, 224, 224]), CropConfig(scale=1.0))
    np.testing.assert_array_equal(transform.cut(photo), photo)
    mirrored = CropTransform.from_box(np.array([0, 0, 224, 224]), CropConfig(scale=1.0), mirror=True)
    np.testing.assert_array_equal(mirrored.cut(photo), photo[:, ::-1])


def test_averaging_by_hand() -> None:
    """At a third of the size every crop pixel is the mean of 3 x 3 photo pixels."""
    photo = np.random.default_rng(0).integers(0, 256, (672, 672, 3), np.uint8)
    crop = CropTransform.from_box(np.array([0, 0, 672, 672]), CropConfig(scale=1.0)).cut(photo)
    means = photo.reshape(224, 3, 224, 3, 3).mean(axis=(1, 3))
    assert np.abs(crop - means).max() <= 1


def test_black_where_the_crop_leaves_the_photo() -> None:
    photo = np.full((300, 300, 3), 200, np.uint8)
    crop = CropTransform.from_box(np.array([-112, 0, 112, 224]), CropConfig(scale=1.0)).cut(photo)
    assert not crop[:, :112].any()
    assert (crop[:, 112:] == 200).all()


@pytest.mark.parametrize("angle_deg", [0, 25])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(
    ("height", "width", "box"),
    [
        (150, 150, (30, 30, 120, 125)),  # enlarged
        (401, 333, (60, 70, 290, 330)),  # reduced by less than two
        (1201, 1403, (150, 200, 1100, 1090)),  # averaged, odd sizes
        (997, 1001, (-150, -120, 750, 690)),  # and partly outside
        (997, 1001, (330, 380, 1240, 1200)),
    ],
)
def test_lights_stay_where_the_points_say(height: int, width: int, box: tuple, mirror: bool, angle_deg: float) -> None:
    transform = CropTransform.from_box(np.array(box), CONFIG, angle_deg=angle_deg, mirror=mirror)
    targets = np.array([(x, y) for x in (50.2, 111.7, 170.4) for y in (48.9, 112.0, 171.3)])
    lights = transform.to_photo(targets)
    margin = 12 / transform.zoom
    inside = ((lights > margin) & (lights < np.array([width, height]) - margin)).all(axis=1)
    assert inside.sum() >= 3
    crop = transform.cut(_photo_with_lights(height, width, lights[inside], 2.5 / transform.zoom))
    for target in targets[inside]:
        np.testing.assert_allclose(_centre_of_light(crop, target, 10), target, atol=0.06)


@pytest.mark.parametrize("box", [(500, 500, 600, 600), (3000, 0, 4000, 1000), (-9000, -9000, -10, -10)])
def test_a_crop_wholly_beside_the_photo_is_black(box: tuple) -> None:
    photo = np.full((100, 100, 3), 200, np.uint8)
    assert not CropTransform.from_box(np.array(box), CropConfig(scale=1.0)).cut(photo).any()


def test_fine_stripes_average_out_instead_of_aliasing() -> None:
    photo = np.zeros((2000, 2000, 3), np.uint8)
    photo[:, ::2] = 255
    crop = CropTransform.from_box(np.array([200, 200, 1700, 1700]), CONFIG).cut(photo)
    assert np.abs(crop[20:-20, 20:-20].astype(int) - 127.5).max() < 30


def test_a_box_far_larger_than_the_photo_costs_no_memory() -> None:
    photo = np.full((30, 50, 3), 255, np.uint8)
    transform = CropTransform.from_box(np.array([-5e5, -5e5, 5e5, 5e5]), CONFIG)
    tracemalloc.start()
    crop = transform.cut(photo)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert crop.shape == (224, 224, 3)
    assert peak_bytes < 1e6


def test_a_box_of_absurd_size_is_no_error() -> None:
    photo = np.full((30, 50, 3), 255, np.uint8)
    assert CropTransform.from_box(np.array([0, 0, 1e300, 1e300]), CONFIG).cut(photo).shape == (224, 224, 3)


def test_a_photo_wider_than_opencv_can_cut_from() -> None:
    photo = np.zeros((64, 40_000, 3), np.uint8)
    photo[30:34, 38_000:38_004] = 255
    transform = CropTransform.from_box(np.array([37_980, 10, 38_024, 54]), CONFIG)
    light = transform.to_crop(np.array([38_002, 32]))
    np.testing.assert_allclose(_centre_of_light(transform.cut(photo), light, 20), light, atol=0.06)


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 10), (0, 0, 10, 0), (10, 0, 0, 10), (0, 10, 10, 5), (np.nan, 0, 10, 10), (0, 0, np.inf, 10)]
)
def test_a_box_without_area_or_nan_raises(box: tuple) -> None:
    with pytest.raises(ValueError, match="a box is x0, y0, x1, y1"):
        CropTransform.from_box(np.array(box), CONFIG)


@pytest.mark.parametrize(
    "values", [{"size": 0}, {"size": 100}, {"size": 320_000}, {"scale": 0.9}, {"scale": 3.5}, {"scale": float("nan")}]
)
def test_a_bad_crop_configuration_raises(values: dict) -> None:
    with pytest.raises(ValueError, match=r"^(size is in 32..1_024, a multiple of 32|scale is in 1..3), not "):
        CropConfig(**values)


def test_a_bad_matrix_raises() -> None:
    with pytest.raises(ValueError, match="a crop matrix"):
        CropTransform(np.eye(3), 224)
    with pytest.raises(ValueError, match="a crop matrix"):
        CropTransform(np.full((2, 3), np.nan), 224)
