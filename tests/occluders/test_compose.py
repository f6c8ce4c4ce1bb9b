"""Composing: the photo's blur and noise are measured, the occluder gets them, shadows fall beside it."""

import cv2
import numpy as np
import pytest

from occlumark.occluders.compose import blur_of, compose
from occlumark.occluders.drawing import Drawing


def polygons(blur: float) -> np.ndarray:
    """Sharp grey polygons (224, 224), blurred by a known standard deviation."""
    rng, image = np.random.default_rng(0), np.full((896, 896), 128, np.uint8)
    for _ in range(60):
        outline = cv2.convexHull(rng.uniform(0, 896, (4, 2)).astype(np.int32))
        cv2.fillConvexPoly(image, outline, int(rng.integers(40, 220)))
    return cv2.GaussianBlur(cv2.resize(image, (224, 224), interpolation=cv2.INTER_AREA), (0, 0), blur)


def disc(face: np.ndarray, **options) -> Drawing:
    mask = np.zeros((224, 224), np.uint8)
    cv2.circle(mask, (112, 112), 40, 255, cv2.FILLED)
    return Drawing(np.full((224, 224, 3), (200, 120, 60), np.uint8), mask, **options)


def test_blur_is_measured() -> None:
    measured = [blur_of(polygons(blur)) for blur in (0.3, 0.75, 1.2, 2.0)]
    assert (np.diff(measured) > 0.1).all()
    assert measured[1] == pytest.approx(0.75, abs=0.25) and measured[0] < 0.55
    assert 0.3 <= blur_of(np.zeros((224, 224), np.uint8)) <= 1


@pytest.mark.parametrize(("before", "more"), [(0.3, 0.0), (2.0, 0.0), (0.3, 0.02)])
def test_an_edge_is_as_soft_as_the_photo_or_softer(before, more, symmetric_face) -> None:
    photo = np.repeat(polygons(before)[..., None], 3, axis=2)
    alpha = compose(photo, symmetric_face, disc(symmetric_face, defocus=more), np.random.default_rng(0)).alpha
    between = int(((alpha[112] > 0.02) & (alpha[112] < 0.98)).sum())
    assert (between >= 8) == (before > 1 or more > 0)
    assert alpha.sum() == pytest.approx(np.pi * 40**2, rel=0.04)


def test_noise_is_matched(symmetric_face) -> None:
    rng = np.random.default_rng(0)
    spreads = []
    for noise in (0, 6):
        photo = np.clip(rng.normal(120, noise, (224, 224, 3)), 0, 255).astype(np.uint8)
        composed = compose(photo, symmetric_face, disc(symmetric_face), np.random.default_rng(1)).crop
        spreads.append(cv2.Laplacian(composed[90:134, 90:134, 0], cv2.CV_64F).std())
    assert spreads[1] > 3 * spreads[0]


def test_a_dark_photo_gets_a_dark_occluder_unless_it_is_borrowed(symmetric_face) -> None:
    bright, dark = (np.full((224, 224, 3), grey, np.uint8) for grey in (180, 20))

    def inside(photo: np.ndarray, **options) -> float:
        drawing = disc(symmetric_face, **options)
        return float(compose(photo, symmetric_face, drawing, np.random.default_rng(0)).crop[112, 112].mean())

    assert inside(dark) < 0.6 * inside(bright)
    assert inside(dark, borrowed=True) == pytest.approx(inside(bright, borrowed=True), abs=4)


def test_a_shadow_falls_away_from_the_light(symmetric_face) -> None:
    photo = np.full((224, 224, 3), 120, np.uint8)
    light = compose(photo, symmetric_face, disc(symmetric_face, lift=0.1), np.random.default_rng(0)).light
    beside = light[[112 - 46, 112 + 46], 112].astype(int)
    assert beside[1] < beside[0] - 3  # light comes from above
    assert (light[:20] == 128).all() and light.max() <= 128
    none = compose(photo, symmetric_face, disc(symmetric_face), np.random.default_rng(0))
    assert (none.light == 128).all()


def test_nothing_drawn_is_the_same_photo_and_a_new_array(symmetric_face) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    drawing = Drawing(photo, np.zeros((64, 64), np.uint8))
    composed = compose(photo, symmetric_face * (64 / 224), drawing, np.random.default_rng(0))
    np.testing.assert_array_equal(composed.crop, photo)
    assert composed.crop is not photo and not composed.alpha.any()
