"""The crop transform: the one object that moves a photo, its points and its boxes into the network's crop and back.

Coordinates, here and in the whole package: a point is (x, y), float, in pixels, origin at the image's top-left
corner, so the first pixel's centre is (0.5, 0.5). A box is (x0, y0, x1, y1) in the same. Sizes are (height, width).
Nothing is rounded before drawing.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import cv2
import numpy as np

from occlumark.config import Checked, Range


@dataclass(frozen=True)
class CropConfig(Checked):
    """How a crop is cut from a face box. Training, evaluation and detection share it.

    Not in the paper: it gives 224 x 224 and no more (docs/paper.md, "Input").
    """

    size: Annotated[int, Range(32, 1024, multiple_of=32)] = 224
    """Side of the square crop in pixels. Paper: section 5, implementation details."""
    scale: Annotated[float, Range(1, 3)] = 1.3
    """Side of the crop over the longer side of the face's tight landmark box. Ours."""


class CropTransform:
    """A similarity, perhaps with a mirroring, from a photo to a square crop of it.

    Args:
        matrix: (2, 3), photo pixels to crop pixels.
        size: side of the crop in pixels.
    """

    def __init__(self, matrix: np.ndarray, size: int) -> None:
        self.matrix = np.array(matrix, dtype=np.float64)
        self.matrix.flags.writeable = False
        self.size = size
        if self.matrix.shape != (2, 3) or not np.isfinite(self.matrix).all():
            raise ValueError(f"a crop matrix is (2, 3) and finite, not {self.matrix.shape}")

    def __repr__(self) -> str:
        return f"CropTransform({self.size} x {self.size} pixels, zoom {self.zoom:.3g})"

    def __reduce__(self) -> tuple[Any, ...]:
        return CropTransform, (self.matrix, self.size)  # made anew, so that a copy is read-only too

    @classmethod
    def from_box(
        cls, box: np.ndarray, config: CropConfig, *, angle_deg: float = 0.0, mirror: bool = False
    ) -> "CropTransform":
        """The crop around a face box: centred on it, its side the box's longer side times config.scale.

        Args:
            box: (4,) x0, y0, x1, y1 in photo pixels, x0 < x1 and y0 < y1.
            config: the crop's size and scale.
            angle_deg: rotation of the picture about the box's centre, clockwise as seen, degrees.
            mirror: swap left and right in the crop; the caller reorders the landmarks (markup.MIRROR).

        Raises:
            ValueError: the box is not finite or has no area.
        """
        x0, y0, x1, y1 = (float(v) for v in box)
        side = max(x1 - x0, y1 - y0)
        if not (np.isfinite([x0, y0, x1, y1]).all() and x0 < x1 and y0 < y1):
            raise ValueError(f"a box is x0, y0, x1, y1 with x0 < x1 and y0 < y1, not {[x0, y0, x1, y1]}")
        zoom = config.size / (side * config.scale)
        cos, sin = zoom * np.cos(np.deg2rad(angle_deg)), zoom * np.sin(np.deg2rad(angle_deg))
        linear = np.array([[cos, -sin], [sin, cos]])
        if mirror:
            linear[0] *= -1
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        shift = config.size / 2 - linear @ centre
        return cls(np.column_stack([linear, shift]), config.size)

    @cached_property
    def zoom(self) -> float:
        """Crop pixels per photo pixel."""
        return float(np.hypot(*self.matrix[:, 0]))

    def to_crop(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) in photo pixels, moved to crop pixels."""
        return np.asarray(points) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_photo(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) in crop pixels, moved to photo pixels: the inverse of to_crop."""
        return (np.asarray(points) - self.matrix[:, 2]) @ self._inverse.T

    @cached_property
    def _inverse(self) -> np.ndarray:
        return np.linalg.inv(self.matrix[:, :2])

    def cut(self, photo: np.ndarray) -> np.ndarray:
        """The crop's pixels, bilinear; black where the crop leaves the photo.

        A face much larger than the crop is first averaged down by a whole factor, so that nothing aliases.

        Args:
            photo: (height, width, 3) uint8.

        Returns:
            (size, size, 3) uint8.
        """
        # Blocks no larger than the photo: a box far too large would else pad it to no end.
        factors = np.array([min(max(1, int(1 / self.zoom)), extent) for extent in photo.shape[1::-1]])
        # The region alone also where nothing is averaged: OpenCV refuses photos wider than 32,766 pixels.
        region, corner = self._visible_region(photo, factors)
        matrix = self.matrix.copy()
        # photo = region * factors + corner, so region -> crop is matrix after that map
        matrix[:, 2] += matrix[:, :2] @ corner
        matrix[:, :2] *= factors
        # OpenCV puts a pixel's centre on whole numbers, we on halves.
        matrix[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
        return cv2.warpAffine(region, matrix, (self.size, self.size), flags=cv2.INTER_LINEAR)

    def _visible_region(self, photo: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The part of the photo under the crop, averaged over blocks, and its top-left corner in the photo.

        Args:
            photo: (height, width, 3) uint8.
            factors: (2,) whole width and height of a block, photo pixels.
        """
        corners = self.to_photo(np.array([[0, 0], [self.size, 0], [0, self.size], [self.size, self.size]]))
        # In plain numbers, as four take NumPy longer than the cutting itself.
        (x0, x1), (y0, y1) = (
            _visible_range(places, factor, extent)
            for places, factor, extent in zip(corners.T.tolist(), factors.tolist(), photo.shape[1::-1], strict=True)
        )
        part = photo[y0:y1, x0:x1]
        if factors.max() == 1:
            return part, np.array([x0, y0], float)
        columns, rows = -(-part.shape[1] // int(factors[0])), -(-part.shape[0] // int(factors[1]))
        below, right = rows * int(factors[1]) - part.shape[0], columns * int(factors[0]) - part.shape[1]
        # The last row and column of blocks may hang over the photo's edge: repeat the edge under them.
        part = cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_REPLICATE)
        return cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA), np.array([x0, y0], float)


def _visible_range(places: list[float], factor: int, extent: int) -> tuple[int, int]:
    """From where to where pixels are needed for places along one side of a photo: two blocks more, a pixel at least."""
    low, high = math.floor(min(places)) - 2 * factor, math.ceil(max(places)) + 2 * factor
    first = min(max(low, 0), extent - 1)
    return first, min(max(high, first + 1), extent)
