"""The size of photos that times are measured on."""

import cv2
import numpy as np

#: Width and height.
SIZE = (640, 480)


def fitted(photo: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A photo and a box in it, brought to SIZE with black below or to the right."""
    zoom = min(SIZE[0] / photo.shape[1], SIZE[1] / photo.shape[0])
    sides = [round(zoom * side) for side in photo.shape[1::-1]]
    zoomed = cv2.resize(photo, sides, interpolation=cv2.INTER_CUBIC)
    below, right = SIZE[1] - sides[1], SIZE[0] - sides[0]
    return cv2.copyMakeBorder(zoomed, 0, below, 0, right, cv2.BORDER_CONSTANT), box * zoom
