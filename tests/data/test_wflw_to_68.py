from pathlib import Path

import numpy as np

from occlumark.data.sample import Sample
from occlumark.data.w300 import read_w300
from occlumark.data.wflw import read_wflw_points
from occlumark.data.wflw_to_68 import to_68, weights
from occlumark.markup import MARKUPS, REGIONS, WFLW_TO_68


def test_every_landmark_is_a_mean_of_its_neighbours() -> None:
    table = weights()
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-9)
    assert (table[np.arange(68), WFLW_TO_68] != 0).sum() >= 60
    for region, landmarks in REGIONS.items():
        foreign = np.setdiff1d(np.arange(98), list(MARKUPS[98].regions[region]))
        assert not table[list(landmarks)][:, foreign].any(), region


def test_a_mirrored_face_gives_mirrored_landmarks() -> None:
    np.testing.assert_allclose(weights()[MARKUPS[68].mirror][:, MARKUPS[98].mirror], weights(), atol=0.002)


def test_a_moved_face_gives_moved_landmarks() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (98, 2))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    face, moved = (Sample("a.jpg", Path("a.jpg"), p) for p in (points, points @ turn + 7))
    assert to_68(face).name == "wflw/a.jpg"
    np.testing.assert_allclose(to_68(moved).landmarks, to_68(face).landmarks @ turn + 7, atol=1e-9)


def test_the_eyes_become_as_open_as_those_of_300w(shared: Path) -> None:
    """The one difference that everybody can see: WFLW's lids lie further inside."""

    def opening(shapes: list[np.ndarray]) -> float:
        heights = [np.linalg.norm(s[[37, 38, 43, 44]] - s[[41, 40, 47, 46]], axis=1).mean() for s in shapes]
        widths = [np.linalg.norm(s[[36, 42]] - s[[39, 45]], axis=1).mean() for s in shapes]
        return float(np.median(np.divide(heights, widths)))

    samples, _ = read_wflw_points(shared / "data/wflw/train")
    ours = opening([s.landmarks for s in read_w300([shared / "data/300w/helen/trainset"])[0]])
    by_index = opening([s.landmarks[WFLW_TO_68] for s in samples])
    fitted = opening([to_68(s).landmarks for s in samples])
    assert abs(fitted - ours) < 0.5 * abs(by_index - ours)
