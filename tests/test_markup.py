"""The 68-point markup: regions, lines and mirroring."""

from pathlib import Path

import numpy as np
import pytest

from occlumark.data.w300 import read_w300
from occlumark.markup import CONTOURS, LEFT_EYE, MIRROR, N_LANDMARKS, OUTER_EYE_CORNERS, REGIONS, RIGHT_EYE, tight_box


def test_mirroring_twice_is_the_identity() -> None:
    assert sorted(MIRROR) == list(range(N_LANDMARKS))
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(N_LANDMARKS))


def test_regions_hold_every_landmark_once() -> None:
    assert sorted(i for region in REGIONS.values() for i in region) == list(range(N_LANDMARKS))


def test_mirroring_stays_within_a_region_and_swaps_the_eyes() -> None:
    for region in REGIONS.values():
        assert {int(MIRROR[i]) for i in region} == set(region)
    assert {int(MIRROR[i]) for i in RIGHT_EYE} == set(LEFT_EYE)
    assert tuple(MIRROR[list(OUTER_EYE_CORNERS)]) == OUTER_EYE_CORNERS[::-1]


def test_a_symmetric_face_mirrored_is_itself(symmetric_face: np.ndarray) -> None:
    mirrored = symmetric_face * [-1, 1] + [224, 0]
    np.testing.assert_allclose(mirrored[MIRROR], symmetric_face, atol=1e-9)
    # no two landmarks of that face fall together, so that only one reordering can do this
    assert len(np.unique(symmetric_face.round(6), axis=0)) == N_LANDMARKS


def test_contours_lie_within_regions_and_use_every_landmark_once() -> None:
    drawn = [i for first, last, _ in CONTOURS for i in range(first, last + 1)]
    assert sorted(drawn) == list(range(N_LANDMARKS))
    for first, last, _ in CONTOURS:
        assert any(first in region and last in region for region in REGIONS.values())


def test_tight_box_by_hand() -> None:
    landmarks = np.array([(3.0, 9.0), (-1.5, 4.0), (2.0, 20.25)])
    assert tight_box(landmarks).tolist() == [-1.5, 4.0, 3.0, 20.25]


def test_the_mirror_table_cannot_be_altered() -> None:
    with pytest.raises(ValueError, match="read-only"):
        MIRROR[0] = 1


def test_the_mean_of_many_real_faces_is_nearly_symmetric(shared: Path) -> None:
    """Wrong pairs in the mirror table would stand out by an eye's width."""
    samples, _ = read_w300([shared / "data/300w/afw"])
    shapes = [(sample.landmarks - sample.landmarks.mean(axis=0)) / sample.landmarks.std() for sample in samples]
    mean = np.mean(shapes, axis=0)
    assert np.linalg.norm((mean * [-1, 1])[MIRROR] - mean, axis=1).max() < 0.15
