import numpy as np
import pytest

from occlumark.crop import CropConfig, CropTransform
from occlumark.demo import OCCLUDERS
from occlumark.face import Face

BOX = np.array([150.0, 150.0, 350.0, 350.0])

#: The landmarks that each occluder hides without doubt, and some that it leaves free.
HIDDEN = {"plain": [], "mask": [33, 48, 54, 57], "sunglasses": [37, 40, 43, 46], "hand": [54, 45]}
FREE = {"plain": [*range(68)], "mask": [19, 24, 36, 45], "sunglasses": [8, 33, 57], "hand": [36, 48, 31]}


def upright_face() -> Face:
    """A schematic frontal face in BOX."""
    jaw = [(np.cos(a) * 0.5 + 0.5, 0.2 + 0.8 * np.sin(a)) for a in np.linspace(np.pi, 0, 17)]
    brows = [(x, 0.05) for x in (0.1, 0.18, 0.26, 0.34, 0.42, 0.58, 0.66, 0.74, 0.82, 0.9)]
    nose = [(0.5, y) for y in (0.2, 0.3, 0.4, 0.5)] + [(x, 0.55) for x in (0.4, 0.45, 0.5, 0.55, 0.6)]
    eye = np.array([(-0.1, 0), (-0.03, -0.04), (0.03, -0.04), (0.1, 0), (0.03, 0.04), (-0.03, 0.04)])
    mouth = [(0.5 - 0.2 * np.cos(a), 0.75 - 0.06 * np.sin(a)) for a in np.arange(12) * np.pi / 6]
    inner = [(0.5 - 0.15 * np.cos(a), 0.75 - 0.02 * np.sin(a)) for a in np.arange(8) * np.pi / 4]
    unit = np.vstack([jaw, brows, nose, eye + np.array([0.28, 0.2]), eye + np.array([0.72, 0.2]), mouth, inner])
    landmarks = BOX[:2] + unit * (BOX[2:] - BOX[:2])
    crop = CropTransform.from_box(BOX, CropConfig())
    return Face(BOX, 1.0, landmarks, np.ones(68), np.zeros((7, 7)), crop)


@pytest.mark.parametrize("name", OCCLUDERS)
def test_occluders_cover_what_they_should(name):
    face = upright_face()
    blank = np.full((500, 500, 3), 255, np.uint8)
    drawn = OCCLUDERS[name](blank.copy(), face)
    covered = (drawn != 255).any(axis=2)
    x, y = np.floor(face.landmarks).astype(int).T
    assert covered[y, x][HIDDEN[name]].all()
    assert not covered[y, x][FREE[name]].any()
