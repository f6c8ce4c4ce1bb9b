import cv2
import numpy as np
import pytest

from occlumark.data.colour import BlurConfig, ColourConfig, SmallConfig, as_small, degrade, recolour

NOTHING = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue_deg": 0.0, "tint_std": 0.0, "gamma": 0.0}
SHARP = {"probability": 0.0, "noise": 0.0, "jpeg": 0.0}


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(40, 216, (64, 64, 3), dtype=np.uint8)


def seeds(count: int = 40):
    return (np.random.default_rng(s) for s in range(count))


def test_nothing_is_nothing(picture):
    for rng in seeds(5):
        np.testing.assert_array_equal(recolour(picture, rng, ColourConfig(probability=0.0, grey=0.0)), picture)
        np.testing.assert_array_equal(degrade(picture, rng, BlurConfig(**SHARP)), picture)


def test_ranges_of_0_change_nothing(picture):
    config = ColourConfig(probability=1.0, grey=0.0, **NOTHING)
    np.testing.assert_array_equal(recolour(picture, np.random.default_rng(0), config), picture)


def test_grey_is_luma(picture):
    config = ColourConfig(probability=0.0, grey=1.0)
    grey = recolour(picture, np.random.default_rng(0), config)
    expected = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(int)
    assert np.abs(grey - expected[..., None]).max() <= 1
    assert (grey[..., 0] == grey[..., 1]).all() and (grey[..., 1] == grey[..., 2]).all()


def test_brightness_shifts_by_at_most_its_share(picture):
    config = ColourConfig(probability=1.0, grey=0.0, **{**NOTHING, "brightness": 0.1})
    shifts = [(recolour(picture, rng, config).astype(int) - picture).mean() for rng in seeds()]
    assert -25.6 <= min(shifts) < -20 and 20 < max(shifts) <= 25.6


def test_contrast_turns_about_the_middle():
    flat = np.array([[[127, 128, 227]]], np.uint8)
    config = ColourConfig(probability=1.0, grey=0.0, **{**NOTHING, "contrast": 0.5})
    out = np.array([recolour(flat, rng, config)[0, 0] for rng in seeds()])
    assert (np.abs(out[:, :2].astype(int) - [127, 128]) <= 1).all()
    # 127.5 + 99.5 x 0.5 to 1.5, clipped at 255
    assert 177 <= out[:, 2].min() < 185 and out[:, 2].max() == 255


def test_hue_and_saturation_leave_greys_alone():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    config = ColourConfig(probability=1.0, grey=0.0, **{**NOTHING, "hue_deg": 90.0, "saturation": 0.9})
    for rng in seeds(10):
        np.testing.assert_array_equal(recolour(greys, rng, config), greys)


def test_the_hue_turns_red_to_green_at_120_degrees():
    red = np.array([[[200, 0, 0]]], np.uint8)
    config = ColourConfig(probability=1.0, grey=0.0, **{**NOTHING, "hue_deg": 180.0})
    turns = [recolour(red, rng, config)[0, 0].argmax() for rng in seeds()]
    assert set(turns) == {0, 1, 2}


def test_gamma_keeps_black_and_white():
    ends = np.array([[[0, 255, 64]]], np.uint8)
    config = ColourConfig(probability=1.0, grey=0.0, **{**NOTHING, "gamma": 1.0})
    out = np.array([recolour(ends, rng, config)[0, 0] for rng in seeds()])
    assert (out[:, 0] == 0).all() and (out[:, 1] == 255).all()
    assert out[:, 2].min() < 40 and out[:, 2].max() > 110


@pytest.mark.parametrize("size", [63, 64])
def test_no_blur_moves_a_dot(size):
    dot = np.zeros((size, size, 3), np.uint8)
    cv2.circle(dot, (30, 34), 6, (250, 250, 250), -1)
    config = BlurConfig(**{**SHARP, "probability": 1.0})
    rows, columns = np.mgrid[:size, :size]
    for rng in seeds():
        blurred = degrade(dot, rng, config)[..., 0].astype(float)
        centre = np.array([(columns * blurred).sum(), (rows * blurred).sum()]) / blurred.sum()
        np.testing.assert_allclose(centre, [30, 34], atol=0.25)


def test_blur_takes_detail_away_and_noise_adds_some(picture):
    flat = np.full_like(picture, 128)
    for rng in seeds(10):
        assert degrade(picture, rng, BlurConfig(**{**SHARP, "probability": 1.0})).std() < picture.std()
    noisy = [degrade(flat, rng, BlurConfig(**{**SHARP, "noise": 1.0, "noise_std": 20.0})).std() for rng in seeds()]
    assert 10 < max(noisy) < 21
    files = [degrade(picture, rng, BlurConfig(**{**SHARP, "jpeg": 1.0})) for rng in seeds(5)]
    assert all((f != picture).any() and f.shape == picture.shape and f.dtype == np.uint8 for f in files)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (ColourConfig, {"probability": 2.0}),
        (ColourConfig, {"contrast": 1.0}),
        (ColourConfig, {"hue_deg": 200.0}),
        (BlurConfig, {"jpeg": -0.1}),
        (BlurConfig, {"sigma": 0.0}),
        (BlurConfig, {"jpeg_quality": 100}),
        (SmallConfig, {"share": 1.5}),
        (SmallConfig, {"smallest": 60.0}),
    ],
)
def test_impossible_ranges_are_refused(kind, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is (in|at most|at least) "):
        kind(**wrong)


def test_a_small_face_has_the_detail_of_its_pixels_and_stays_where_it_was():
    fine = np.indices((130, 130)).sum(0)[..., None] % 2 * np.full(3, 255, np.uint8)  # a chessboard of single pixels
    coarse = np.kron(np.indices((13, 13)).sum(0) % 2, np.ones((10, 10)))[..., None].astype(np.uint8) * np.full(3, 255)
    dot = np.zeros((130, 130, 3), np.uint8)
    dot[60:65, 30:35] = 255  # one pixel of the small one
    config = SmallConfig(share=1.0, smallest=20.0, largest=20.0, jpeg=0.0)
    for rng in seeds(5):
        # 20 px of face are 26 of the crop: a chessboard of squares of 10 is left, one of single pixels is not
        assert as_small(fine.astype(np.uint8), rng, config, 1.3).std() < 5
        assert as_small(coarse.astype(np.uint8), rng, config, 1.3).std() > 80
        found = as_small(dot, rng, config, 1.3)[..., 0].astype(float)
        rows, columns = np.indices(found.shape) + 0.5
        centre = np.array([(columns * found).sum(), (rows * found).sum()]) / found.sum()
        np.testing.assert_allclose(centre, [32.5, 62.5], atol=0.01)
    sizes = SmallConfig(share=1.0, smallest=10.0, largest=90.0, jpeg=1.0)
    assert len({as_small(fine.astype(np.uint8), rng, sizes, 1.3).tobytes() for rng in seeds(10)}) == 10


def test_a_share_of_the_crops_is_small_and_none_draws_nothing(picture):
    config = SmallConfig(share=0.3, smallest=10.0, largest=10.0)
    changed = sum((as_small(picture, rng, config, 1.3) != picture).any() for rng in seeds(400))
    assert changed == pytest.approx(120, abs=3 * np.sqrt(400 * 0.3 * 0.7))
    rng = np.random.default_rng(0)
    assert as_small(picture, rng, SmallConfig(), 1.3) is picture
    assert rng.random() == np.random.default_rng(0).random()
