"""The benchmark covers the share of the face that it says, whatever the face, and says what it hides."""

import numpy as np
import pytest

from occlumark.occluders.kinds import BENCHMARK
from occlumark.occluders.occlude_share import TOLERANCE, face_area, occlude_share


@pytest.fixture
def crop() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.kron(rng.integers(40, 200, (14, 14, 3), np.uint8), np.ones((16, 16, 1), np.uint8))


def turned(face: np.ndarray, angle_deg: float, narrow: float = 1.0) -> np.ndarray:
    """The face narrowed, as when it looks aside, and turned in the picture."""
    angle = np.deg2rad(angle_deg)
    centred = (face - 112) * [narrow, 1]
    return centred @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + 112


@pytest.mark.parametrize("share", [0.1, 0.25, 0.4])
@pytest.mark.parametrize(("angle_deg", "narrow"), [(0, 1), (30, 1), (-15, 0.5), (170, 0.8)])
def test_the_share_that_was_asked_for_is_covered(share, angle_deg, narrow, crop, symmetric_face) -> None:
    face = turned(symmetric_face, angle_deg, narrow)
    area = face_area(face, 224) > 0
    for seed in range(6):
        occluded = occlude_share(crop, face, share, np.random.default_rng(seed))
        assert abs(occluded.alpha[area].mean() - share) <= TOLERANCE
        assert occluded.kind in BENCHMARK
        assert (occluded.crop != crop).any(axis=2)[occluded.alpha > 0.5].mean() > 0.85


def test_many_kinds_take_part_at_every_share(crop, symmetric_face) -> None:
    for share in (0.1, 0.25, 0.4):
        kinds = {occlude_share(crop, symmetric_face, share, np.random.default_rng(seed)).kind for seed in range(40)}
        assert len(kinds) >= 7


def test_the_same_generator_gives_the_same_occluder(crop, symmetric_face) -> None:
    first, again, other = (occlude_share(crop, symmetric_face, 0.25, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.crop, again.crop)
    np.testing.assert_array_equal(first.alpha, again.alpha)
    assert first.kind == again.kind and (first.alpha != other.alpha).any()


@pytest.mark.parametrize("size", [40, 96])
def test_small_crops_and_faces_partly_outside(size, symmetric_face) -> None:
    face = symmetric_face * (size / 224) + [0.3 * size, 0.2 * size]
    grey = np.full((size, size, 3), 90, np.uint8)
    for seed in range(4):
        occluded = occlude_share(grey, face, 0.25, np.random.default_rng(seed))
        assert abs(occluded.alpha[face_area(face, size) > 0].mean() - 0.25) <= TOLERANCE


def test_the_face_is_the_hull_of_the_landmarks_with_the_lower_forehead(symmetric_face) -> None:
    area = face_area(symmetric_face, 224)
    columns, rows = symmetric_face.astype(int).T
    inside = slice(1, 16)  # the ends of the jaw line are corners of the hull
    assert (area[rows[inside] - 2, columns[inside]] == 255).all() and (area[rows[17:], columns[17:]] == 255).all()
    # unit: three quarters of the height from the eyes to the chin, or the eye corners' distance, here 116 px
    unit = max(116.0, 0.75 * (200 - symmetric_face[36:48, 1].mean()))
    top = symmetric_face[17:27, 1].min() - 0.3 * unit
    assert abs(np.nonzero(area.any(axis=1))[0][0] - top) <= 1.5
    assert not area[:, :22].any() and not area[203:].any()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.7, -1, float("nan")])
def test_a_share_out_of_range(share, crop, symmetric_face) -> None:
    with pytest.raises(ValueError, match="the share of the face to occlude is in"):
        occlude_share(crop, symmetric_face, share, np.random.default_rng(0))


def test_a_face_outside_the_crop(crop, symmetric_face) -> None:
    with pytest.raises(ValueError, match="less than a tenth of the face"):
        occlude_share(crop, symmetric_face + 400, 0.25, np.random.default_rng(0))
