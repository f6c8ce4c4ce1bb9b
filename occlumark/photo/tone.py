"""Values of more than 8 bits to 8, by the range that the file itself uses."""

import numpy as np

#: The ranges that cameras and scanners give values of several bits in a wider file: of 8, 10, 12, 14 and 16 bits.
RANGES = (255, 1023, 4095, 16383, 65535)


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
    finite = np.nan_to_num(values.astype(np.float64), nan=black, posinf=white, neginf=black)
    scaled = np.rint((finite - black) * 255 / span)
    return np.clip(scaled, 0, 255).astype(np.uint8)
