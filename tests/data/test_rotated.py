"""Faces in turned photos: points and pixels move together, boxes keep their habit."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.data.rotated import rotated
from occlumark.data.sample import Sample
from occlumark.errors import PhotoError


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """Bright blocks at three landmarks of a photo 160 wide and 100 high."""
    photo = np.zeros((100, 160, 3), np.uint8)
    landmarks = np.tile([80.0, 50.0], (68, 1))
    for i, (x, y) in enumerate([(40, 30), (120, 30), (80, 80)]):
        photo[y - 2 : y + 2, x - 2 : x + 2] = 80 * (i + 1)
        landmarks[i] = x, y
    cv2.imwrite(str(tmp_path / "a.png"), photo)
    return Sample("a.png", tmp_path / "a.png", landmarks, official_box=np.array([36.0, 20, 128, 90]))


@pytest.mark.parametrize("degrees", [30, 90, -120, 180])
def test_pixels_and_points_move_together(sample: Sample, degrees: float) -> None:
    turned = rotated(sample, degrees)
    photo = turned.read_photo().astype(float)[..., 0]
    ys, xs = np.mgrid[: photo.shape[0], : photo.shape[1]] + 0.5
    for i in range(3):
        near = np.hypot(xs - turned.landmarks[i, 0], ys - turned.landmarks[i, 1]) < 6
        weight = photo[near]
        centroid = np.array([(weight * xs[near]).sum(), (weight * ys[near]).sum()]) / weight.sum()
        assert np.abs(centroid - turned.landmarks[i]).max() < 0.2
        assert photo[near].max() == pytest.approx(80 * (i + 1), abs=2)


def test_a_quarter_turn_by_hand(sample: Sample) -> None:
    """Clockwise: what was above the middle lies to its right."""
    turned = rotated(sample, 90)
    middle = np.full(2, np.ceil(np.hypot(100, 160)) / 2)
    np.testing.assert_allclose(turned.landmarks[0] - middle, [20, -40], atol=1e-9)  # was (-40, -20)
    np.testing.assert_allclose(turned.landmarks[3] - middle, [0, 0], atol=1e-9)


def test_an_official_box_keeps_its_size_and_place_beside_the_tight_one(sample: Sample) -> None:
    turned = rotated(sample, 180)
    before, after = sample.tight_box, turned.tight_box
    ratio = (sample.official_box[2:] - sample.official_box[:2]) / (before[2:] - before[:2])
    np.testing.assert_allclose((turned.official_box[2:] - turned.official_box[:2]) / (after[2:] - after[:2]), ratio)
    offsets = [
        (box[:2] + box[2:] - tight[:2] - tight[2:]) / 2
        for box, tight in ((sample.official_box, before), (turned.official_box, after))
    ]
    np.testing.assert_allclose(offsets[1], -offsets[0], atol=1e-9)
    assert rotated(replace(sample, official_box=None), 30).official_box is None


def test_no_turn_is_the_sample_itself_and_a_photo_that_cannot_be_read_says_so(sample: Sample, tmp_path: Path) -> None:
    assert rotated(sample, 0) is sample
    with pytest.raises(PhotoError):
        rotated(replace(sample, photo=tmp_path / "none.png"), 30)
