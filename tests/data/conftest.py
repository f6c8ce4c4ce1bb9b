"""Small annotated folders of our own making."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

FACE = np.stack([np.linspace(20, 80, 68), 50 + 30 * np.sin(np.arange(68))], axis=1)


def pts_text(points: np.ndarray, header: bool = True) -> str:
    body = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points)
    return f"version: 1\nn_points: {len(points)}\n{{\n{body}\n}}\n" if header else f"{body}\n"


@pytest.fixture
def add_face() -> Callable[..., np.ndarray]:
    """A function that writes a photo (120 x 100) and a .pts (1-based) beside it."""

    def add(annotation: Path, photo: str | None = None, shift: float = 0.0) -> np.ndarray:
        annotation.parent.mkdir(parents=True, exist_ok=True)
        points = FACE + shift
        annotation.write_text(pts_text(points))
        pixels = np.random.default_rng(0).integers(0, 255, (120, 100, 3), dtype=np.uint8)
        name = photo if photo is not None else f"{annotation.stem}.jpg"
        if name:
            cv2.imwrite(str(annotation.with_name(name)), pixels)
        return points - 0.5

    return add
