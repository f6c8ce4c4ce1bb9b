"""Picture and points move together, and chance comes from the given generator alone."""

import cv2
import numpy as np
import pytest

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.augment import AugmentConfig, SimilarityConfig, augment, plain_crop, random_transform
from occlumark.data.box_jitter import BoxJitterConfig
from occlumark.data.colour import BlurConfig, ColourConfig
from occlumark.markup import MARKUPS, MIRROR
from occlumark.occluders.occlude import OccludeConfig

CROP = CropConfig()
BOX = np.array([76.0, 76.0, 244.0, 244.0])
SURE_BOX = BoxJitterConfig(
    official_share=0.0, tight_centre_std=0.0, tight_size_std=0.0, official_centre_std=0.0, official_size_std=0.0
)
STILL = SimilarityConfig(rotation_std_deg=0.0, zoom=0.0, shift=0.0, mirror=0.0)
NO_OCCLUDER = OccludeConfig(probability=0.0)
SAME_COLOUR = ColourConfig(probability=0.0, grey=0.0)
SHARP = BlurConfig(probability=0.0, noise=0.0, jpeg=0.0)
GEOMETRY_ALONE = {"occlude": NO_OCCLUDER, "colour": SAME_COLOUR, "blur": SHARP}


def grid_landmarks() -> np.ndarray:
    """68 points, 18 px apart inside the box, off the pixels' centres, in no symmetric order."""
    columns, rows = np.meshgrid(np.arange(84, 244, 18), np.arange(84, 228, 18))
    return np.column_stack([columns.ravel() + 0.8, rows.ravel() + 0.3])[:68]


def dotted(landmarks: np.ndarray) -> np.ndarray:
    """A dark crop with a soft dot at each landmark; its redness is above 30 and rises with the landmark's number."""
    ys, xs = np.mgrid[:320, :320] + 0.5
    crop = np.zeros((320, 320, 3))
    for number, (x, y) in enumerate(landmarks):
        dot = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * 1.8**2))
        crop += dot[..., None] * [30 + 3 * number, 231 - 3 * number, 0]
    return np.rint(crop).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("mirror", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_picture_and_points_move_together_mirrored_or_not(seed, mirror):
    landmarks = grid_landmarks()
    config = AugmentConfig(geometry=SimilarityConfig(mirror=mirror), **GEOMETRY_ALONE)
    crop, moved, *_ = augment(dotted(landmarks), landmarks, BOX, BOX + 5, CROP, config, np.random.default_rng(seed))
    assert crop.shape == (224, 224, 3) and crop.dtype == np.uint8 and moved.shape == (68, 2)
    numbers = np.flatnonzero(((moved > 8) & (moved < 216)).all(1))
    assert len(numbers) > 40
    for i in numbers:
        x, y = np.floor(moved[i]).astype(int)
        window = crop[y - 6 : y + 7, x - 6 : x + 7].astype(float)
        weight = window.sum(2)
        columns, rows = np.meshgrid(np.arange(x - 6, x + 7) + 0.5, np.arange(y - 6, y + 7) + 0.5)
        centroid = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
        assert np.abs(centroid - moved[i]).max() < 0.25
        # red / (red + green) of a dot tells its number; mirrored, landmark i is what was landmark MIRROR[i]
        number = (261 * window[..., 0].sum() / weight.sum() - 30) / 3
        assert abs(number - (MIRROR[i] if mirror else i)) < 0.9


def test_both_ways_round_occur_and_the_flag_tells_them():
    transforms = [random_transform(BOX, CROP, SimilarityConfig(), np.random.default_rng(s)) for s in range(200)]
    for transform, mirrored in transforms:
        assert (np.linalg.det(transform.matrix[:, :2]) < 0) == mirrored
    assert 70 < sum(mirrored for _, mirrored in transforms) < 130


def test_with_everything_off_it_is_the_plain_crop():
    landmarks, picture = grid_landmarks(), dotted(grid_landmarks())
    config = AugmentConfig(box=SURE_BOX, geometry=STILL, **GEOMETRY_ALONE)
    crop, moved, *_ = augment(picture, landmarks, BOX, BOX + 9, CROP, config, np.random.default_rng(0))
    expected_crop, expected_points = plain_crop(picture, landmarks, BOX, CROP)
    np.testing.assert_array_equal(crop, expected_crop)
    np.testing.assert_array_equal(moved, expected_points)


def test_mirroring_the_mirrored_crop_gives_the_first_back():
    landmarks, picture = grid_landmarks(), dotted(grid_landmarks())
    config = AugmentConfig(
        box=SURE_BOX,
        geometry=SimilarityConfig(rotation_std_deg=0.0, zoom=0.0, shift=0.0, mirror=1.0),
        **GEOMETRY_ALONE,
    )
    once, points, *_ = augment(picture, landmarks, BOX, None, CROP, config, np.random.default_rng(0))
    whole = np.array([0.0, 0.0, 224.0, 224.0])
    twice, points, *_ = augment(once, points, whole, None, CropConfig(scale=1), config, np.random.default_rng(0))
    plain, plain_points = plain_crop(picture, landmarks, BOX, CROP)
    assert np.abs(twice.astype(int) - plain).max() <= 1
    np.testing.assert_allclose(points, plain_points, atol=1e-9)


def test_chance_comes_from_the_generator_alone_and_inputs_stay():
    landmarks = grid_landmarks()
    noise = np.random.default_rng(9).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    before, points_before = noise.copy(), landmarks.copy()
    config = AugmentConfig(
        occlude=OccludeConfig(probability=1.0), blur=BlurConfig(probability=1.0, noise=1.0, jpeg=1.0)
    )
    runs = [augment(noise, landmarks, BOX, BOX, CROP, config, np.random.default_rng(s)) for s in (4, 4, 5)]
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    assert (runs[0][0] != runs[2][0]).any() and (runs[0][1] != runs[2][1]).any()
    np.testing.assert_array_equal(noise, before)
    np.testing.assert_array_equal(landmarks, points_before)


def test_ranges_of_the_geometry():
    config = SimilarityConfig(rotation_std_deg=10.0, rotation_max_deg=20.0, zoom=0.1, shift=0.03, mirror=0.0)
    plain = CropTransform.from_box(BOX, CROP)
    angles, zooms, shifts = [], [], []
    for seed in range(1500):
        transform, _ = random_transform(BOX, CROP, config, np.random.default_rng(seed))
        angles.append(np.rad2deg(np.arctan2(transform.matrix[1, 0], transform.matrix[0, 0])))
        zooms.append(transform.zoom / plain.zoom)
        shifts.append((transform.to_photo(np.array([112.0, 112.0])) - 160) / 168)
    # a normal cut at two standard deviations: 0.9595 of the uncut one, by hand
    assert max(np.abs(angles)) == pytest.approx(20.0)
    assert np.std(angles) == pytest.approx(9.6, rel=0.06)
    assert 1 / 1.1 <= min(zooms) < 0.915 and 1.095 < max(zooms) <= 1.1
    assert 0.029 < np.abs(shifts).max() <= 0.03
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.002


def test_occluders_cover_the_share_of_faces_that_was_asked_for():
    landmarks = grid_landmarks()
    picture = np.full((320, 320, 3), 127, np.uint8)
    options = {"box": SURE_BOX, "geometry": STILL, "colour": SAME_COLOUR, "blur": SHARP}
    config = AugmentConfig(occlude=OccludeConfig(probability=0.3, kinds=("patch",)), **options)
    plain, _ = plain_crop(picture, landmarks, BOX, CROP)
    changed = [
        cv2.absdiff(augment(picture, landmarks, BOX, None, CROP, config, np.random.default_rng(s))[0], plain).any()
        for s in range(200)
    ]
    assert 0.2 < np.mean(changed) < 0.4


@pytest.mark.parametrize("wrong", [{"mirror": 1.5}, {"zoom": -0.1}, {"shift": 0.7}, {"rotation_std_deg": 100.0}])
def test_impossible_ranges_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SimilarityConfig(**wrong)


@pytest.mark.parametrize("n", [19, 29, 98])
def test_other_markups_are_mirrored_by_their_own_table(n):
    landmarks = np.random.default_rng(n).uniform(90, 230, (n, 2))
    landmarks[3] = np.nan
    faces = []
    for mirror in (0.0, 1.0):
        still = SimilarityConfig(rotation_std_deg=0.0, zoom=0.0, shift=0.0, mirror=mirror)
        config = AugmentConfig(box=SURE_BOX, geometry=still, **GEOMETRY_ALONE)
        crop = np.zeros((320, 320, 3), np.uint8)
        faces.append(augment(crop, landmarks, BOX, None, CROP, config, np.random.default_rng(0)).landmarks)
    plain, mirrored = faces
    table = MARKUPS[n].mirror
    np.testing.assert_allclose(mirrored, np.column_stack([224 - plain[table, 0], plain[table, 1]]), atol=1e-6)
    assert np.isnan(mirrored).all(1).sum() == 1 and np.isnan(mirrored[table[3]]).all()


def test_the_order_names_the_packed_landmarks():
    landmarks, picture = grid_landmarks(), dotted(grid_landmarks())
    for mirror in (0.0, 1.0):
        config = AugmentConfig(geometry=SimilarityConfig(mirror=mirror), **GEOMETRY_ALONE)
        face = augment(picture, landmarks, BOX, None, CROP, config, np.random.default_rng(1))
        np.testing.assert_array_equal(face.order, MIRROR if mirror else np.arange(68))


def test_a_face_turned_by_any_angle_is_cut_from_the_turned_faces_own_box():
    """The crop's side is the turned landmarks' longer side times the scale, and they lie in its middle."""
    landmarks = grid_landmarks()
    config = SimilarityConfig(zoom=0.0, shift=0.0, any_angle=1.0)
    tight = np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])
    angles = []
    for seed in range(40):
        transform, mirrored = random_transform(tight, CROP, config, np.random.default_rng(seed), landmarks)
        moved = transform.to_crop(landmarks)
        low, high = moved.min(axis=0), moved.max(axis=0)
        assert (high - low).max() * CROP.scale == pytest.approx(CROP.size, rel=1e-6)
        assert (low + high) / 2 == pytest.approx([CROP.size / 2] * 2, abs=1e-6)
        sign = -1 if mirrored else 1
        angles.append(np.degrees(np.arctan2(transform.matrix[1, 0], sign * transform.matrix[0, 0])))
    assert min(angles) < -120 and max(angles) > 120 and np.ptp(np.sort(np.abs(angles))) > 150
