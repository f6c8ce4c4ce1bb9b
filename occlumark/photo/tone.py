"""Values of more than 8 bits to 8, by the range that the file itself uses."""

import math
from collections.abc import Iterator

import numpy as np

#: The ranges that cameras and scanners give values of several bits in a wider file: of 8, 10, 12, 14 and 16 bits.
RANGES = (255, 1023, 4095, 16383, 65535)

_BAND_VALUES = 1 << 20


def value_range(values: np.ndarray) -> tuple[float, float]:
    """Which values are black and white.

    Not negative and up to 65535: 0 and the least of RANGES that holds them all, or 1 for fractions. Anything else:
    the least and the greatest value.

    Args:
        values: numbers of any shape; those that are not finite do not count.

    Raises:
        ValueError: no value is finite.
    """
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
        if not values.size:
            raise ValueError("none of its values is finite")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > RANGES[-1]:
        return low, high
    if values.dtype.kind == "f" and high <= 1:
        return 0.0, 1.0
    return 0.0, float(min(top for top in RANGES if high <= top))


def to_bytes(values: np.ndarray, black: float, white: float) -> np.ndarray:
    """The values scaled to 0..255, rounded to the nearest; beyond the range they are clipped, NaN is black."""
    if (black, white) == (0, 255) and values.dtype == np.uint8:
        return values
    span = (white - black) or 1.0
    found = np.empty(values.shape, np.uint8)
    for band in bands(values.shape):
        finite = np.nan_to_num(values[band].astype(np.float64), nan=black, posinf=white, neginf=black)
        found[band] = np.clip(np.rint((finite - black) * 255 / span), 0, 255)
    return found


def bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of an array that are worked on together: of a large photo few, as numbers on the way take eight bytes."""
    rows = max(1, _BAND_VALUES // max(1, math.prod(shape[1:])))
    return (slice(start, start + rows) for start in range(0, shape[0], rows))
