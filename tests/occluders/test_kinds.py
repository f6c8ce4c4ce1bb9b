"""Every kind of occluder: what it hides is what its alpha says, on any face and any crop."""

import inspect
from typing import get_args

import numpy as np
import pytest

from occlumark.occluders.compose import Composed, compose
from occlumark.occluders.drawing import Draw, Source
from occlumark.occluders.kinds import BENCHMARK, TRAINING
from occlumark.occluders.occlude import Kind, occluded_landmarks

ALL: dict[str, Draw] = {**TRAINING, **BENCHMARK}
LIGHT = ("shadow", "highlight")
RIGHT, DOWN = np.array([0.7, 0]), np.array([0, 0.8])
EYES, MOUTH, CHIN = list(range(36, 48)), list(range(48, 68)), [7, 8, 9]


@pytest.fixture
def crop() -> np.ndarray:
    """A sharp picture with colours, noise and large forms."""
    rng = np.random.default_rng(0)
    large = np.kron(rng.integers(40, 200, (14, 14, 3)), np.ones((16, 16, 1)))
    return np.clip(large + rng.normal(0, 6, large.shape), 0, 255).astype(np.uint8)


def put(kind: str, crop: np.ndarray, landmarks: np.ndarray, seed: int, source: Source | None = None) -> Composed:
    rng = np.random.default_rng(seed)
    return compose(crop, landmarks, ALL[kind](crop, landmarks, rng, source or Source()), rng)


def share_hidden(kind: str, crop: np.ndarray, face: np.ndarray, landmarks: list[int], n: int = 20) -> np.ndarray:
    """For each of n seeds, the share of these landmarks that is hidden."""
    alphas = (put(kind, crop, face, seed).alpha for seed in range(n))
    return np.array([occluded_landmarks(alpha, face)[landmarks].mean() for alpha in alphas])


@pytest.mark.parametrize("kind", ALL)
def test_where_alpha_is_zero_only_light_changes_the_photo(kind: str, crop, symmetric_face) -> None:
    before = crop.copy()
    for seed in range(6):
        composed, alpha, light = put(kind, crop, symmetric_face, seed)
        np.testing.assert_array_equal(crop, before)
        assert composed.dtype == np.uint8 and composed.shape == crop.shape
        assert alpha.dtype == np.float32 and alpha.min() >= 0 and alpha.max() <= 1
        free = alpha == 0
        assert free.any()
        np.testing.assert_array_equal(composed[free & (light == 128)], crop[free & (light == 128)])
        expected = np.clip(crop[free] * (light[free][:, None] / 128), 0, 255)
        np.testing.assert_allclose(composed[free], expected, atol=0.51)


@pytest.mark.parametrize("kind", ["medical_mask", "cloth_mask", "respirator", "goggles", "both_hands", "curtains"])
def test_where_alpha_is_one_nothing_of_the_face_shines_through(kind: str, crop, symmetric_face) -> None:
    """A mask drawn for one face hides any face: what is composed there does not depend on what was there."""
    rng = np.random.default_rng(1)
    drawing = ALL[kind](crop, symmetric_face, rng, Source())
    other = crop.copy()
    under = drawing.mask == 255
    other[under] = other[under][::-1]  # the same colours elsewhere: the photo's measures stay nearly as they are
    first = compose(crop, symmetric_face, drawing, np.random.default_rng(2))
    second = compose(other, symmetric_face, drawing, np.random.default_rng(2))
    both = (first.alpha == 1) & (second.alpha == 1)
    difference = np.abs(first.crop[both].astype(int) - second.crop[both])
    assert both.any() and difference.mean() < 12 and np.abs(crop[both].astype(int) - other[both]).mean() > 25


@pytest.mark.parametrize("kind", ALL)
def test_the_same_generator_draws_the_same(kind: str, crop, symmetric_face) -> None:
    first, again, other = (put(kind, crop, symmetric_face, seed) for seed in (3, 3, 4))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first.crop != other.crop).any()


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("size", [40, 97, 224])
def test_any_face_in_any_crop(kind: str, size: int, symmetric_face) -> None:
    face = symmetric_face * (size / 224)
    profile = face.copy()
    profile[:, 0] = face[:, 0].mean() + 0.2 * (face[:, 0] - face[:, 0].mean())
    point = np.full_like(face, size / 2)
    faces = (face, profile, face + size * RIGHT, face - size * DOWN, face * 3 - size, face + 5 * size, point)
    rng = np.random.default_rng(0)
    pictures = (np.zeros((size, size, 3), np.uint8), np.full((size, size, 3), 255, np.uint8))
    pictures += (rng.integers(0, 256, (size, size, 3), np.uint8),)
    source = Source(textures=[rng.integers(0, 256, (50, 16, 3), np.uint8)], faces=[(pictures[2], profile)])
    for seed, landmarks in enumerate(faces):
        for picture in pictures:
            composed, alpha, light = put(kind, picture, landmarks, seed, source if seed % 2 else None)
            assert composed.shape == picture.shape and alpha.shape == light.shape == picture.shape[:2]
            assert np.isfinite(alpha).all()


@pytest.mark.parametrize("kind", ALL)
def test_a_grey_photo_stays_grey(kind: str, crop, symmetric_face) -> None:
    grey = np.repeat(crop[..., :1], 3, axis=2)
    for seed in range(4):
        composed = put(kind, grey, symmetric_face, seed).crop
        assert np.ptp(composed.astype(int), axis=2).max() <= 1


@pytest.mark.parametrize("kind", LIGHT)
def test_light_changes_the_photo_and_hides_nothing(kind: str, crop, symmetric_face) -> None:
    for seed in range(12):
        composed, alpha, light = put(kind, crop, symmetric_face, seed)
        assert not alpha.any()
        assert (light != 128).any() and (composed != crop).any()
        assert (light <= 128).all() if kind == "shadow" else (light >= 128).all()


@pytest.mark.parametrize("kind", ["medical_mask", "cloth_mask", "respirator"])
def test_masks_hide_the_chin_mostly_the_mouth_and_never_the_eyes(kind: str, crop, symmetric_face) -> None:
    assert (share_hidden(kind, crop, symmetric_face, CHIN, 40) == 1).all()
    mouth = share_hidden(kind, crop, symmetric_face, MOUTH, 40)
    assert (mouth == 1).mean() > 0.65 and (mouth < 0.5).any()  # some are worn on the chin
    assert (share_hidden(kind, crop, symmetric_face, EYES, 40) == 0).all()


@pytest.mark.parametrize("kind", ["shades", "goggles"])
def test_dark_glasses_and_goggles_hide_the_eyes_and_leave_mouth_and_chin(kind: str, crop, symmetric_face) -> None:
    assert (share_hidden(kind, crop, symmetric_face, EYES) > 0.9).all()
    assert (share_hidden(kind, crop, symmetric_face, MOUTH + CHIN) == 0).all()


def test_spectacles_hide_almost_nothing(crop, symmetric_face) -> None:
    assert share_hidden("spectacles", crop, symmetric_face, EYES).mean() < 0.08
    assert share_hidden("spectacles", crop, symmetric_face, list(range(68))).mean() < 0.06
    assert all(put("spectacles", crop, symmetric_face, seed).alpha.max() > 0.4 for seed in range(5))


def test_hands_and_hair_hide_what_they_are_said_to(crop, symmetric_face) -> None:
    everything = list(range(68))
    for kind in ("hand_on_face", "both_hands", "finger", "spread_hand", "shapes", "other_face"):
        shares = share_hidden(kind, crop, symmetric_face, everything, 24)
        assert (shares > 0).mean() > 0.7 and 0.03 < shares.mean() < 0.7, kind
    assert share_hidden("both_hands", crop, symmetric_face, EYES, 24).mean() > 0.4
    assert share_hidden("fringe", crop, symmetric_face, [*range(17, 27)], 24).mean() > 0.4
    assert share_hidden("fringe", crop, symmetric_face, MOUTH + CHIN, 24).mean() < 0.02
    assert share_hidden("curtains", crop, symmetric_face, [0, 1, 2, 14, 15, 16], 24).mean() > 0.5


@pytest.mark.parametrize("kind", ["medical_mask", "shades", "hand_on_face", "fringe", "scarf", "cup", "brim"])
def test_an_occluder_moves_with_a_turned_face(kind: str, symmetric_face) -> None:
    grey = np.full((224, 224, 3), 100, np.uint8)
    quarter = np.column_stack([224 - symmetric_face[:, 1], symmetric_face[:, 0]])
    upright, turned = (put(kind, grey, face, 3).alpha for face in (symmetric_face, quarter))
    assert np.abs(np.rot90(upright, -1) - turned).mean() < 0.02


@pytest.mark.parametrize("kind", ALL)
def test_every_kind_says_what_it_draws(kind: str) -> None:
    assert (inspect.getdoc(ALL[kind]) or "").endswith(".")


def test_the_benchmark_draws_nothing_that_training_draws() -> None:
    assert not set(TRAINING) & set(BENCHMARK)
    modules = [{inspect.getmodule(draw) for draw in kinds.values()} for kinds in (TRAINING, BENCHMARK)]
    assert not modules[0] & modules[1]
    shown = set(get_args(Kind))
    assert set(TRAINING) < shown and not shown & set(BENCHMARK)


@pytest.mark.parametrize("kind", BENCHMARK)
def test_a_larger_occluder_of_the_benchmark_covers_more(kind: str, crop, symmetric_face) -> None:
    means = [
        [BENCHMARK[kind](crop, symmetric_face, np.random.default_rng(i), Source(), size).mask.mean() for i in range(8)]
        for size in (0.4, 1.0, 2.0)
    ]
    assert (np.diff(means, axis=0) >= -0.5).all() and np.mean(means[2]) > 1.25 * np.mean(means[0])
