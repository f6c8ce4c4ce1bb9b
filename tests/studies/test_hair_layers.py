"""A hair layer is the photo's hair, moved onto the frame of its face."""

import numpy as np
import pytest

from occlumark.data.celebamask import HAIR
from occlumark.occluders.frame import Frame
from occlumark.occluders.photographed import LAYER_ORIGIN, LAYER_SIZE, LAYER_UNIT
from studies.hair_layers import aligned_layer


@pytest.fixture
def landmarks():
    """(68, 2) a face that looks straight on, in a photo of 200 px: a jaw, and what lies between."""
    x = np.cos(np.linspace(np.pi, 0, 17))
    landmarks = np.tile([100.0, 90.0], (68, 1))
    landmarks[:17] = np.column_stack([100 + 60 * x, 80 + 80 * np.sqrt(1 - x**2)])
    landmarks[36:42], landmarks[42:48] = (75, 80), (125, 80)
    return landmarks


def test_hair_lies_in_the_layer_where_it_lies_on_the_face(landmarks):
    """A block of hair on the left of the photo, wide enough for three points of the jaw."""
    photo, mask = np.zeros((200, 200, 3), np.uint8), np.zeros((200, 200), np.uint8)
    edge = np.sort(landmarks[:, 0])[2] + 1.0
    mask[:, : int(np.ceil(edge))] = HAIR
    photo[mask == HAIR] = (200, 40, 40)
    layer, n_occluded = aligned_layer(photo, mask, landmarks)
    assert layer.shape == (LAYER_SIZE, LAYER_SIZE, 4)
    assert n_occluded == (landmarks[:, 0] < np.ceil(edge)).sum() >= 3
    frame = Frame.of(landmarks)
    for landmark in landmarks:
        if abs(landmark[0] - np.ceil(edge)) < 3:
            continue
        at = np.array([(landmark - frame.origin) @ frame.right, (landmark - frame.origin) @ frame.down])
        column, row = np.round(LAYER_ORIGIN + LAYER_UNIT / frame.unit * at - 0.5).astype(int)
        assert layer[row, column, 3] == (255 if landmark[0] < edge else 0)
    assert layer[layer[..., 3] == 255, 0].min() > 100  # the hair's own colour
