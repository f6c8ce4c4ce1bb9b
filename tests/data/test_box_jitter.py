import numpy as np
import pytest

from occlumark.data import box_jitter
from occlumark.data.box_jitter import BoxJitterConfig, jittered_box
from occlumark.data.w300 import read_w300
from occlumark.markup import tight_box

TIGHT = np.array([100.0, 50.0, 300.0, 210.0])
"""Its longer side is 200, its centre (200, 130)."""


def offsets(boxes: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """(n, 3): centre offset x and y in longer sides of the first box, log of the ratio of the longer sides."""
    centre = lambda b: (b[..., :2] + b[..., 2:]) / 2  # noqa: E731
    side = lambda b: (b[..., 2:] - b[..., :2]).max(-1)  # noqa: E731
    moved = (centre(boxes) - centre(origin)) / side(origin)[..., None]
    return np.column_stack([moved, np.log(side(boxes) / side(origin))])


def draw(config: BoxJitterConfig, official: np.ndarray | None = None, count: int = 3000) -> np.ndarray:
    return np.array([jittered_box(TIGHT, official, np.random.default_rng(i), config) for i in range(count)])


def test_jitter_has_the_deviations_and_means_it_states():
    config = BoxJitterConfig(official_share=0.0, tight_centre_std=0.04, tight_size_std=0.08, cut=5)
    found = offsets(draw(config), TIGHT)
    np.testing.assert_allclose(found.std(0), [0.04, 0.04, 0.08], rtol=0.05)
    np.testing.assert_allclose(found.mean(0), [-0.008, -0.005, -0.005], atol=0.004)


def test_no_jitter_goes_beyond_the_cut_and_proportions_stay():
    config = BoxJitterConfig(official_share=0.0, tight_centre_std=0.1, tight_size_std=0.1, cut=1)
    boxes = draw(config, count=300)
    found = offsets(boxes, TIGHT) - [*box_jitter.DETECTOR_OFFSET, box_jitter.DETECTOR_LOG_RATIO]
    assert np.abs(found).max() == pytest.approx(0.1)
    sizes = boxes[:, 2:] - boxes[:, :2]
    np.testing.assert_allclose(sizes[:, 0] / sizes[:, 1], 200 / 160)


def test_official_boxes_start_their_share_and_no_box_is_no_error():
    official = TIGHT + 40
    config = BoxJitterConfig(
        official_share=0.3, official_centre_std=0.0, official_size_std=0.0, tight_centre_std=0.0, tight_size_std=0.0
    )
    boxes = draw(config, official, 2000)
    exact = (boxes == official).all(1)
    assert 0.27 < exact.mean() < 0.33
    np.testing.assert_array_equal(boxes[~exact], np.tile(TIGHT, (int((~exact).sum()), 1)))
    np.testing.assert_array_equal(draw(config, None, 5), np.tile(TIGHT, (5, 1)))


def test_a_missing_official_box_changes_no_other_draw():
    first, second = np.random.default_rng(3), np.random.default_rng(3)
    jittered_box(TIGHT, None, first, BoxJitterConfig())
    jittered_box(TIGHT, TIGHT, second, BoxJitterConfig())
    assert first.random() == second.random()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"official_share": 1.1}, "official_share"),
        ({"tight_centre_std": -0.1}, "centre"),
        ({"official_size_std": 0.4}, "size"),
        ({"cut": 0.0}, "cut"),
    ],
)
def test_impossible_ranges_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        BoxJitterConfig(**wrong)


def test_the_stated_measurements_hold_on_the_training_photos(shared):
    folders = [shared / "data/300w" / name for name in ("afw", "lfpw/trainset", "helen/trainset")]
    samples = [s for s in read_w300(folders)[0] if s.official_box is not None]
    assert len(samples) == 2129
    official = np.array([s.official_box for s in samples])
    found = offsets(official, np.array([tight_box(s.landmarks) for s in samples]))
    np.testing.assert_allclose(found.mean(0), [-0.008, -0.005, -0.005], atol=6e-4)
    np.testing.assert_allclose(found.std(0), [0.038, 0.027, 0.064], atol=6e-4)
