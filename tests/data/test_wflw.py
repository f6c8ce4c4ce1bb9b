from pathlib import Path

import numpy as np
import pytest

from occlumark.data.w300 import read_w300
from occlumark.data.wflw import read_wflw_points
from occlumark.errors import AnnotationError
from occlumark.markup import CONTOURS, MIRROR, WFLW_TO_68


def write_points(path: Path, points: np.ndarray) -> None:
    body = "\n".join(f"{x} {y}" for x, y in points)
    path.write_text(f"version: 1\nn_points:  {len(points)}\n{{\n{body}\n}}\n")
    path.with_suffix(".jpg").touch()


def test_a_folder_of_98_points(tmp_path: Path) -> None:
    points = np.column_stack([np.arange(98) + 1.0, 2 * np.arange(98) + 3.0])
    write_points(tmp_path / "12_Group__1.pts", points)
    write_points(tmp_path / "68.pts", points[:68])
    (sample,), problems = read_wflw_points(tmp_path)
    assert sample.name == "12_Group__1.jpg"
    np.testing.assert_array_equal(sample.landmarks, points - 0.5)
    assert [problem.name for problem in problems] == ["68.pts"] and "expected 98 points" in problems[0].reason


def test_a_folder_without_points(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"a \.pts of 98 points"):
        read_wflw_points(tmp_path)


def test_the_real_faces_mapped_to_68_points_are_like_those_of_300w(shared: Path) -> None:
    """Every mean point is nearest to its own among those of its line: a shifted or swapped index would not be."""

    def mean_shape(shapes: list[np.ndarray]) -> np.ndarray:
        return np.mean([(shape - shape.mean(axis=0)) / shape.std() for shape in shapes], axis=0)

    samples, problems = read_wflw_points(shared / "data/wflw/train")
    assert len(samples) == 999 and not problems
    mapped = mean_shape([sample.landmarks[WFLW_TO_68] for sample in samples])
    own = mean_shape([sample.landmarks for sample in read_w300([shared / "data/300w/afw"])[0]])
    # two means of different poses; turned to the front by adding their own mirror images
    mapped, own = ((shape + (shape * [-1, 1])[MIRROR]) / 2 for shape in (mapped, own))
    distances = np.linalg.norm(mapped[:, None] - own[None], axis=2)
    for first, last, _ in CONTOURS:
        line = np.arange(first, last + 1)
        np.testing.assert_array_equal(line[distances[np.ix_(line, line)].argmin(axis=1)], line)
    assert np.diag(distances).max() < 0.15 * np.linalg.norm(own[36] - own[45])
