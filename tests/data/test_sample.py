from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.data.sample import AbsentPhoto, Sample
from occlumark.errors import PhotoError

LANDMARKS = np.column_stack([np.arange(19.0), 2 * np.arange(19.0)])


class Stored:
    def read(self) -> np.ndarray:
        return np.full((2, 3, 3), 7, np.uint8)


def test_the_markup_is_that_of_so_many_points() -> None:
    assert Sample("a", Path("a.jpg"), LANDMARKS).markup.name == "aflw"


def test_what_is_not_annotated_is_not_in_the_tight_box() -> None:
    landmarks = LANDMARKS.copy()
    landmarks[[0, 18]] = np.nan
    sample = Sample("a", Path("a.jpg"), landmarks)
    assert sample.annotated.tolist() == [False, *[True] * 17, False]
    assert sample.tight_box.tolist() == [1, 2, 17, 34]
    assert Sample("a", Path("a.jpg"), LANDMARKS).tight_box.tolist() == [0, 0, 18, 36]


def test_photos_are_files_or_lie_within_one_or_are_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((4, 5, 3), (1, 2, 3), np.uint8))  # BGR
    assert Sample("a", path, LANDMARKS).read_photo()[0, 0].tolist() == [3, 2, 1]
    assert Sample("a", Stored(), LANDMARKS).read_photo().shape == (2, 3, 3)
    with pytest.raises(PhotoError, match=r"^ask the university$"):
        Sample("a", AbsentPhoto("ask the university"), LANDMARKS).read_photo()
