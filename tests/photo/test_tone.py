import tracemalloc

import numpy as np
import pytest

from occlumark.photo import tone
from occlumark.photo.tone import to_bytes


@pytest.mark.parametrize("band", [1, 10, 1000])
def test_a_value_does_not_depend_on_the_rows_around_it(monkeypatch, band):
    monkeypatch.setattr(tone, "_BAND_VALUES", band)
    values = np.random.default_rng(0).integers(0, 5000, (7, 5, 3)).astype(np.uint16)
    by_hand = [round(min(value, 4095) * 255 / 4095) for value in values.ravel().tolist()]
    assert to_bytes(values, 0, 4095).ravel().tolist() == by_hand
    assert to_bytes(values[0, 0], 0, 4095).tolist() == by_hand[:3]


def test_a_large_photo_is_scaled_in_little_memory():
    """24 million values: 24 MB out; as numbers of eight bytes, several times, they were 600 MB."""
    values = np.full((2000, 4000, 3), 1000, np.uint16)
    tracemalloc.start()
    assert to_bytes(values, 0, 4095)[-1, -1].tolist() == [62] * 3
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6
