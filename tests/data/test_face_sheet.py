from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.data.face_sheet import face_sheet
from occlumark.data.sample import AbsentPhoto, Problem, Sample
from occlumark.errors import OcclumarkError

GREEN, AMBER = np.array([40, 220, 110]), np.array([255, 190, 0])


def sample(folder: Path, number: int, occluded: bool = False) -> Sample:
    path = folder / f"{number}.png"
    cv2.imwrite(str(path), np.zeros((200, 200, 3), np.uint8))
    landmarks = np.column_stack([np.linspace(50, 150, 19), np.linspace(50, 150, 19) ** 2 / 150])
    flags = np.zeros(19, bool)
    flags[0] = occluded
    return Sample(path.name, path, landmarks, occluded=flags)


def test_a_cell_for_each_face_in_rows_of_six(tmp_path: Path) -> None:
    samples = [sample(tmp_path, i) for i in range(9)]
    picture, problems = face_sheet(samples, 8)
    assert picture.shape == (2 * 192, 6 * 192, 3) and picture.dtype == np.uint8 and not problems
    assert (picture[192:, 2 * 192 :] == 255).all() and (picture[192:, : 2 * 192] == 0).any()
    assert face_sheet(samples, 100)[0].shape == (2 * 192, 6 * 192, 3)
    assert face_sheet(samples, 2)[0].shape == (192, 2 * 192, 3)


def test_landmarks_are_drawn_where_they_are_and_amber_where_occluded(tmp_path: Path) -> None:
    """The box is 100 wide and 133 1/3 high, so that a cell shows 200 pixels on 192: landmark 0 is 48 left of its centre
    and 64 above."""
    for occluded, colour in ((False, GREEN), (True, AMBER)):
        picture, _ = face_sheet([sample(tmp_path, 0, occluded)], 1)
        np.testing.assert_array_equal(picture[96 - 64, 96 - 48], colour)


def test_faces_without_a_photo_are_named(tmp_path: Path) -> None:
    absent = Sample("lost", AbsentPhoto("it is elsewhere"), sample(tmp_path, 0).landmarks)
    picture, problems = face_sheet([sample(tmp_path, 0), absent], 2)
    assert picture.shape == (192, 192, 3) and problems == [Problem("lost", "it is elsewhere")]
    with pytest.raises(OcclumarkError, match=r"^no face to show on a sheet: it is elsewhere$"):
        face_sheet([absent])
    with pytest.raises(OcclumarkError, match="no face to show"):
        face_sheet([])


def test_what_is_not_annotated_is_not_drawn(tmp_path: Path) -> None:
    whole = sample(tmp_path, 0)
    part = Sample("part", whole.photo, whole.landmarks.copy())
    part.landmarks[0] = np.nan
    picture, _ = face_sheet([part], 1)
    assert (picture == GREEN).all(axis=2).any()
