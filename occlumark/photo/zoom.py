"""A photo at another size."""

import cv2
import numpy as np


def zoomed(photo: np.ndarray, zoom: float, halved: np.ndarray | None = None) -> np.ndarray:
    """A photo with its sides so many times as long, each at least a pixel.

    Args:
        photo: (height, width, 3).
        zoom: what its sides are multiplied by.
        halved: what halved_towards gave for a zoom at least as large, which then is not done again; None: it is.
    """
    size = _zoomed_size(photo, zoom)
    if size == photo.shape[:2]:
        return photo
    return cv2.resize(halved_towards(photo, zoom, halved), size[::-1], interpolation=cv2.INTER_LINEAR)


def halved_towards(photo: np.ndarray, zoom: float, halved: np.ndarray | None = None) -> np.ndarray:
    """A photo with its sides halved as often as they stay at least as long as zoomed makes them; see zoomed."""
    return _halved(photo if halved is None else halved, _zoomed_size(photo, zoom))


def _zoomed_size(photo: np.ndarray, zoom: float) -> tuple[int, int]:
    height, width = (max(1, round(side * zoom)) for side in photo.shape[:2])
    return height, width


def _halved(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    # Averaging by a half, again and again, is an eighth of the time of averaging by any other share.
    while photo.shape[0] >= 2 * size[0] and photo.shape[1] >= 2 * size[1]:
        half = [-(-side // 2) for side in photo.shape[1::-1]]
        photo = cv2.resize(photo, half, interpolation=cv2.INTER_AREA)
    return photo
