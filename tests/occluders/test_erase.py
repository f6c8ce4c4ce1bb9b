import numpy as np
import pytest

from occlumark.occluders.erase import erase


@pytest.fixture
def crop() -> np.ndarray:
    return np.full((200, 200, 3), 7, np.uint8)


def test_a_rectangle_of_the_published_sizes_is_filled_and_nothing_else(crop) -> None:
    rng, before, shapes, filled = np.random.default_rng(0), crop.copy(), [], []
    for _ in range(400):
        erased, alpha = erase(crop, rng)
        np.testing.assert_array_equal(crop, before)
        assert erased.dtype == np.uint8 and alpha.dtype == np.float32 and set(np.unique(alpha)) == {0, 1}
        rows, columns = alpha.any(axis=1), alpha.any(axis=0)
        assert alpha.sum() == rows.sum() * columns.sum()  # a rectangle
        np.testing.assert_array_equal(erased[alpha == 0], crop[alpha == 0])
        shapes.append((rows.sum(), columns.sum()))
        filled.append(erased[alpha == 1])
    heights, widths = np.array(shapes, float).T
    share, aspect = heights * widths / 200**2, heights / widths
    # Rounding to whole pixels moves the smallest rectangles by a few percent.
    assert 0.019 < share.min() < 0.04 and 0.36 < share.max() < 0.41
    assert 0.27 < aspect.min() < 0.4 and 2.5 < aspect.max() < 3.7
    flat = np.array([(pixels == (124, 116, 104)).all() for pixels in filled])
    assert 0.4 < flat.mean() < 0.6  # four standard deviations
    noise = np.concatenate([pixels for pixels, is_flat in zip(filled, flat, strict=True) if not is_flat])
    assert noise.min() == 0 and noise.max() == 255 and abs(noise.mean() - 127.5) < 1


def test_it_lies_anywhere(crop) -> None:
    rng = np.random.default_rng(1)
    occluded = np.mean([erase(crop, rng)[1] for _ in range(400)], axis=0)
    quarters = [occluded[y : y + 100, x : x + 100].mean() for y in (0, 100) for x in (0, 100)]
    np.testing.assert_allclose(quarters, occluded.mean(), rtol=0.2)
    assert occluded[:, [0, -1]].any() and occluded[[0, -1]].any()
