from pathlib import Path

import numpy as np
import pytest

from occlumark.cli.face_text import FaceText
from occlumark.crop import CropTransform
from occlumark.errors import PhotoError
from occlumark.face import Face
from occlumark.markup import W300


@pytest.fixture
def face() -> Face:
    points = np.random.default_rng(0).uniform(10, 90, (68, 2))
    return Face(
        np.array([0.0, 0, 99, 99]), 1.0, points, np.ones(68), np.zeros((7, 7)), CropTransform(np.eye(2, 3), 224)
    )


def test_names_of_faces_that_would_be_one_are_numbered(face: Face, tmp_path: Path) -> None:
    """The second face of a.jpg has the name of b's first; capitals are no other name on some file systems."""
    text = FaceText("pts", W300, tmp_path)
    photos = [("a.jpg", 2), ("a_2.png", 1), ("A.png", 1), ("x/a.jpg", 3), ("a-2.jpg", 1), ("none.jpg", 0)]
    written = [[Path(line).name for line in text.photo(name, 9, 9, [face] * n)] for name, n in photos]
    assert written == [
        ["a.pts", "a_2.pts"],
        ["a_2-2.pts"],
        ["A-2.pts"],
        ["a-3.pts", "a-3_2.pts", "a-3_3.pts"],
        ["a-2-2.pts"],
        [],
    ]
    assert len(list(tmp_path.iterdir())) == 8


def test_where_a_file_is_there_none_of_its_photos_is_written(face: Face, tmp_path: Path) -> None:
    (tmp_path / "a_2.pts").write_text("mine")
    with pytest.raises(PhotoError, match=r"a_2\.pts is there already"):
        FaceText("pts", W300, tmp_path).photo("a.jpg", 9, 9, [face] * 3)
    assert [path.name for path in tmp_path.iterdir()] == ["a_2.pts"] and (tmp_path / "a_2.pts").read_text() == "mine"


def test_a_name_as_long_as_file_systems_take_has_room_for_numbers(face: Face, tmp_path: Path) -> None:
    text, name = FaceText("pts", W300, tmp_path), "\u00e9" * 125 + ".jpg"  # 254 bytes
    written = [Path(line).name for _ in range(2) for line in text.photo(name, 9, 9, [face] * 2)]
    assert len(set(written)) == 4 == len(list(tmp_path.iterdir())) and all("\u00e9" * 100 in each for each in written)
