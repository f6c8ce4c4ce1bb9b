from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from occlumark.data.w300 import read_w300
from occlumark.data.wflw import LISTS, read_wflw, read_wflw_points
from occlumark.errors import AnnotationError
from occlumark.markup import CONTOURS, MIRROR, WFLW_TO_68

Write = Callable[..., np.ndarray]


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


def test_the_published_lists(tmp_path: Path, write_wflw: Write) -> None:
    train, test = write_wflw(tmp_path, "train", 2), write_wflw(tmp_path, "test", 8)
    samples, problems = read_wflw(tmp_path)
    assert len(samples) == 10 and not problems
    assert samples[0].name == "1--Some_Event/train 1.jpg#1" and samples[1].name == "1--Some_Event/train 1.jpg#2"
    assert samples[4].name == "2--Some_Event/test 2.jpg"
    np.testing.assert_allclose(samples[1].landmarks, train[1] + 0.5, atol=1e-6)
    np.testing.assert_allclose(samples[9].landmarks, test[7] + 0.5, atol=1e-6)
    assert samples[3].official_box.tolist() == [19.5, 19.5, 82.5, 84.5]
    told = [sorted(sample.subsets - {"test"}) for sample in samples[2:]]
    assert told == [["pose"], ["expression"], ["illumination"], ["make-up"], ["occlusion"], ["blur"], [], []]
    assert {sample.subsets for sample in samples[:2]} == {frozenset({"train"})}  # measured on the test part alone
    assert samples[4].read_photo().shape == (120, 100, 3)


def test_what_cannot_be_used_of_the_lists_is_named(tmp_path: Path, write_wflw: Write) -> None:
    write_wflw(tmp_path, "test", 6)
    path = tmp_path / LISTS["test"]
    lines = path.read_text().splitlines()
    lines[0] = " ".join(lines[0].split()[1:])  # one number short; the path moves up among the numbers
    lines[1] = "x" + lines[1]
    lines[2] = lines[2].replace(lines[2].split()[0], "nan", 1)
    lines[3] = lines[3].replace(" 19 21 82 86 ", " 82 21 19 86 ")
    (tmp_path / "WFLW_images/4--Some_Event/test 4.jpg").unlink()
    path.write_text("\n".join(lines))
    samples, problems = read_wflw(tmp_path)
    assert [sample.name for sample in samples] == ["5--Some_Event/test 5.jpg"]
    found = {problem.name: problem.reason for problem in problems}
    assert found.pop(LISTS["train"]) == "no such file"
    assert len(found) == 5
    for number, reason in ((1, "numbers and a path"), (2, "could not convert"), (3, "not finite"), (4, "no area")):
        assert [text for text in found.values() if f"line {number}:" in text and reason in text]
    assert [text for text in found.values() if "line 5: no photo" in text]


def test_no_lists(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no usable face of WFLW in .*no such file"):
        read_wflw(tmp_path)


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
