"""Markups: regions, lines and mirroring; then the 68-point one, in which the package detects."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from occlumark.data.w300 import read_w300
from occlumark.data.wflw import read_wflw_points
from occlumark.markup import (
    CONTOURS,
    LEFT_EYE,
    MARKUPS,
    MIRROR,
    N_LANDMARKS,
    REGIONS,
    RIGHT_EYE,
    WFLW_TO_68,
    Markup,
    tight_box,
)

EACH = pytest.mark.parametrize("markup", MARKUPS.values(), ids=MARKUPS)

#: Faces from the front, symmetric about x = 0, drawn by hand after the data sets' own figures.
FACE_29 = [
    *((-40, -30), (40, -30), (-12, -28), (12, -28), (-26, -36), (-26, -31), (26, -36), (26, -31)),
    *((-34, -14), (34, -14), (-14, -13), (14, -13), (-24, -18), (-24, -11), (24, -18), (24, -11)),
    *((-24, -14.5), (24, -14.5)),
    *((-12, 14), (12, 14), (0, 10), (0, 18)),
    *((-20, 36), (20, 36), (0, 30), (0, 34), (0, 38), (0, 43)),
    (0, 66),
]
FACE_19 = [
    *((-40, -28), (-27, -34), (-13, -29), (13, -29), (27, -34), (40, -28)),
    *((-35, -14), (-25, -15), (-14, -13), (14, -13), (25, -15), (35, -14)),
    *((-11, 14), (0, 11), (11, 14)),
    *((-19, 37), (0, 36), (19, 37)),
    (0, 66),
]


@EACH
def test_every_markup_mirrored_twice_is_itself(markup: Markup) -> None:
    assert sorted(markup.mirror) == list(range(markup.n))
    np.testing.assert_array_equal(markup.mirror[markup.mirror], np.arange(markup.n))
    assert MARKUPS[markup.n] is markup and not markup.mirror.flags.writeable


@EACH
def test_every_markups_regions_mirror_onto_themselves(markup: Markup) -> None:
    missing = {"jaw", "brows"} if markup.n == 5 else set()
    assert set(markup.regions) == {"jaw", "brows", "nose", "eyes", "mouth"} - missing
    assert sorted(i for region in markup.regions.values() for i in region) == list(range(markup.n))
    for region in markup.regions.values():
        assert {int(markup.mirror[i]) for i in region} == set(region)


@EACH
def test_contours_lie_within_regions_and_mirror_onto_contours(markup: Markup) -> None:
    def edges(lines: list[list[int]]) -> set[frozenset[int]]:
        return {frozenset(pair) for line in lines for pair in itertools.pairwise(line)}

    drawn = edges([list(line) for line in markup.contours])
    assert drawn == edges([[int(markup.mirror[i]) for i in line] for line in markup.contours])
    for edge in drawn:
        assert any(edge <= set(region) for region in markup.regions.values())


@EACH
def test_eyes_are_swapped(markup: Markup) -> None:
    right, left = markup.outer_eye_corners or (markup.pupils[0][0], markup.pupils[1][0])
    assert markup.mirror[right] == left
    assert {int(markup.mirror[i]) for i in markup.pupils[0]} == set(markup.pupils[1])
    assert {right, left, *markup.pupils[0], *markup.pupils[1]} <= set(markup.regions["eyes"])


@pytest.mark.parametrize("face", [FACE_29, FACE_19], ids=["29", "19"])
def test_a_hand_drawn_face_mirrored_is_itself_and_in_order(face: list[tuple[float, float]]) -> None:
    points = np.array(face, float)
    markup = MARKUPS[len(face)]
    assert len(np.unique(points, axis=0)) == markup.n
    np.testing.assert_array_equal((points * [-1, 1])[markup.mirror], points)
    # the person's right is at the picture's left; the outer corners are the eyes' outermost points
    eyes = points[list(markup.regions["eyes"])]
    np.testing.assert_array_equal(points[list(markup.outer_eye_corners), 0], [eyes[:, 0].min(), eyes[:, 0].max()])
    heights = [points[list(markup.regions[name])].mean(axis=0)[1] for name in ("brows", "eyes", "nose", "mouth", "jaw")]
    assert heights == sorted(heights)


def test_published_indices() -> None:
    assert MARKUPS[68].outer_eye_corners == (36, 45)
    assert (MARKUPS[29].outer_eye_corners, [*map(list, MARKUPS[29].pupils)]) == ((8, 9), [[16], [17]])
    assert MARKUPS[98].outer_eye_corners == (60, 72)


def test_mirroring_before_or_after_leaving_out_points_is_the_same() -> None:
    np.testing.assert_array_equal(WFLW_TO_68[MIRROR], MARKUPS[98].mirror[WFLW_TO_68])
    assert len(set(WFLW_TO_68)) == 68


def test_the_mean_of_the_real_faces_of_98_points_is_nearly_symmetric(shared: Path) -> None:
    samples, _ = read_wflw_points(shared / "data/wflw/train")
    shapes = [(sample.landmarks - sample.landmarks.mean(axis=0)) / sample.landmarks.std() for sample in samples]
    mean = np.mean(shapes, axis=0)
    markup = MARKUPS[98]
    inter_ocular = np.linalg.norm(np.subtract(*mean[list(markup.outer_eye_corners)]))
    mirrored = (mean * [-1, 1])[markup.mirror]
    assert np.linalg.norm(mirrored - mean, axis=1).max() < 0.05 * inter_ocular
    # nearest to itself among its own line's points, so that not even neighbours are swapped
    for line in (list(dict.fromkeys(contour)) for contour in markup.contours):
        distances = np.linalg.norm(mirrored[line][:, None] - mean[line][None], axis=2)
        np.testing.assert_array_equal(distances.argmin(axis=1), range(len(line)))


def test_mirroring_twice_is_the_identity() -> None:
    assert sorted(MIRROR) == list(range(N_LANDMARKS))
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(N_LANDMARKS))


def test_regions_hold_every_landmark_once() -> None:
    assert sorted(i for region in REGIONS.values() for i in region) == list(range(N_LANDMARKS))


def test_mirroring_stays_within_a_region_and_swaps_the_eyes() -> None:
    for region in REGIONS.values():
        assert {int(MIRROR[i]) for i in region} == set(region)
    assert {int(MIRROR[i]) for i in RIGHT_EYE} == set(LEFT_EYE)
    assert (MIRROR[36], MIRROR[45]) == (45, 36)  # the outer corners of the eyes


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
