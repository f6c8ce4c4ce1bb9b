"""What textures do on surfaces."""

import numpy as np

from occlumark.occluders.surface import bend


def test_a_bent_texture_is_the_texture_where_nothing_is_bent() -> None:
    """Points laid as the places lie: the texture comes out enlarged, under any version of OpenCV."""
    ramp = np.linspace(20, 220, 64).astype(np.uint8)
    texture = np.dstack([np.tile(ramp, (64, 1)), np.tile(ramp[:, None], (1, 64)), np.full((64, 64), 90, np.uint8)])
    places = np.stack(np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 1, 5)), axis=-1).reshape(-1, 2)
    bent = bend(texture, places, places * 224, 224)
    expected = 20 + 200 * ((np.arange(224) + 0.5) * 64 / 224 - 0.5) / 63
    inner = slice(16, -16)
    np.testing.assert_allclose(bent[inner, inner, 0].mean(axis=0), expected[inner], atol=2)
    np.testing.assert_allclose(bent[inner, inner, 1].mean(axis=1), expected[inner], atol=2)
    assert (bent[..., 2] == 90).all() and bent[inner, inner, 0].std(axis=0).max() < 2
