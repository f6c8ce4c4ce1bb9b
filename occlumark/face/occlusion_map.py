"""The occlusion map: read at points, laid on its photo, written as text."""

import base64

import cv2
import numpy as np

from occlumark.crop import CropTransform


def values_at(occlusion_map: np.ndarray, crop: CropTransform, points: np.ndarray) -> np.ndarray:
    """The map at points of the photo, bilinear.

    Args:
        occlusion_map: (h, w), evenly over the crop.
        crop: what the network saw.
        points: (..., 2), photo pixels.

    Returns:
        (...,); NaN outside the crop and where a point is NaN.
    """
    in_crop = crop.to_crop(points)
    rows, columns = occlusion_map.shape
    # The first cell's centre is at half a cell; beyond the outermost centres the map goes on as it ends.
    known = np.nan_to_num(in_crop)
    x = np.clip(known[..., 0] * columns / crop.size - 0.5, 0, columns - 1)
    y = np.clip(known[..., 1] * rows / crop.size - 0.5, 0, rows - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, columns - 1), np.minimum(y0 + 1, rows - 1)
    top = occlusion_map[y0, x0] * (1 - x + x0) + occlusion_map[y0, x1] * (x - x0)
    bottom = occlusion_map[y1, x0] * (1 - x + x0) + occlusion_map[y1, x1] * (x - x0)
    inside = ((in_crop >= 0) & (in_crop <= crop.size)).all(axis=-1)
    return np.where(inside, top * (1 - y + y0) + bottom * (y - y0), np.nan)


def laid_on(occlusion_map: np.ndarray, crop: CropTransform, height: int, width: int) -> np.ndarray:
    """The map laid on a photo: (height, width) float32, NaN outside the crop."""
    rows, columns = occlusion_map.shape
    to_map = np.diag([columns, rows]) / crop.size @ crop.matrix
    # OpenCV puts a pixel's centre on whole numbers, we on halves.
    to_map[:, 2] += to_map[:, :2] @ np.array([0.5, 0.5]) - 0.5
    laid = cv2.warpAffine(
        occlusion_map.astype(np.float32),
        to_map,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    xs, ys = np.arange(width) + 0.5, (np.arange(height) + 0.5)[:, None]
    for row in crop.matrix:
        in_crop = xs * row[0] + ys * row[1] + row[2]
        laid[(in_crop < 0) | (in_crop > crop.size)] = np.nan
    return laid


def map_to_text(occlusion_map: np.ndarray) -> str:
    """A map of 0..1 as "ROWSxCOLUMNS:" and the base64 of a byte a cell, row by row, 255 where it is 1."""
    rows, columns = occlusion_map.shape
    content = (occlusion_map * 255).round().astype(np.uint8).tobytes()
    return f"{rows}x{columns}:{base64.b64encode(content).decode('ascii')}"


def map_of_text(text: str) -> np.ndarray:
    """What map_to_text gave.

    Raises:
        ValueError: it is no such text.
    """
    size, _, content = text.partition(":")
    rows, columns = (int(side) for side in size.split("x"))
    cells = np.frombuffer(base64.b64decode(content, validate=True), np.uint8)
    if len(cells) != rows * columns or rows < 0:
        raise ValueError(f"an occlusion map of {size} has {len(cells)} cells")
    return cells.reshape(rows, columns) / 255
