"""The .pts format: one face's landmarks as text, with or without its header, 1-based.

version: 1
n_points: 68
{
134.821 171.865
...
}
"""

import re
from pathlib import Path

import numpy as np

from occlumark.errors import AnnotationError
from occlumark.markup import N_LANDMARKS

#: A .pts of 98 points has some 2 kB; what is far larger is another kind of file.
_MAX_BYTES = 100_000
_HEADER = re.compile(r"(version|n_points)\s*:\s*(\S+)")


def read_pts(path: Path, n_landmarks: int = N_LANDMARKS) -> np.ndarray:
    """Read one .pts file.

    Args:
        path: the file. In it the first pixel's centre is (1, 1).
        n_landmarks: how many points are expected.

    Returns:
        (n_points, 2) float64, pixels, the first pixel's centre at (0.5, 0.5).

    Raises:
        AnnotationError: no such file, not a .pts, another number of points, or a number that is not finite.
    """
    points = [_read_point(path, number, line) for number, line in _point_lines(path, n_landmarks)]
    if len(points) != n_landmarks:
        raise AnnotationError(f"{path}: expected {n_landmarks} points, came {len(points)}")
    landmarks = np.array(points, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(landmarks).all():
        first = int(np.flatnonzero(~np.isfinite(landmarks).all(axis=1))[0])
        raise AnnotationError(f"{path}: point {first + 1} is not finite; correct or remove the file")
    if not (landmarks.max(axis=0) > landmarks.min(axis=0)).all():
        raise AnnotationError(f"{path}: the points span no area; correct or remove the file")
    return landmarks - 0.5


def _point_lines(path: Path, n_landmarks: int) -> list[tuple[int, str]]:
    """The numbered lines that hold points; the header, where there is one, is checked and left out."""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        raise AnnotationError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path} is not a .pts file: it is no text") from error
    if len(text) > _MAX_BYTES:
        raise AnnotationError(f"{path} is not a .pts file: it is larger than {_MAX_BYTES} bytes")
    lines = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        header = _HEADER.fullmatch(line)
        if header and header[1] == "n_points" and header[2] != str(n_landmarks):
            raise AnnotationError(f"{path}: expected {n_landmarks} points, its header says {header[2]}")
        if line and not header and line not in "{}":
            lines.append((number, line))
    return lines


def _read_point(path: Path, number: int, line: str) -> tuple[float, float]:
    try:
        x, y = (float(word) for word in line.split())
    except ValueError as error:
        message = f"{path}, line {number}: expected two numbers, came {line[:40]!r}"
        raise AnnotationError(message) from error
    return x, y
