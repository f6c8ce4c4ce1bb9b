"""The one form of contact sheets: cells in rows, with strips of text on white."""

from collections.abc import Sequence

import cv2
import numpy as np

_INK = (0, 0, 0)


def cell_rows(cells: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Cells side by side and below one another, white where the last row ends early.

    Args:
        cells: (height, width, 3) uint8 each, of one size; at least one.
        columns: cells in a row.
    """
    blank = np.full_like(cells[0], 255)
    filled = [*cells, *[blank] * (-len(cells) % columns)]
    return np.vstack([np.hstack(filled[first : first + columns]) for first in range(0, len(filled), columns)])


def strip(text: str, width: int, height: int, scale: float) -> np.ndarray:
    """A line of text on white, (height, width, 3) uint8; scale is OpenCV's, of its font."""
    picture = np.full((height, width, 3), 255, np.uint8)
    cv2.putText(picture, text, (4, height - 6), cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)
    return picture
