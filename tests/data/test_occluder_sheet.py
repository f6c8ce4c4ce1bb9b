"""Contact sheets show every kind over every face."""

import cv2
import numpy as np
import pytest

from occlumark.data.face_sheet import faces_of_folder
from occlumark.data.occluder_sheet import KINDS, occluder_sheet
from occlumark.occluders.kinds import BENCHMARK, TRAINING


@pytest.fixture
def faces(symmetric_face) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.full((64, 64, 3), grey, np.uint8), symmetric_face * (64 / 224)) for grey in (90, 120, 150)]


def test_every_kind_of_both_lists_is_a_row_and_changes_every_face(faces) -> None:
    assert {*TRAINING, *BENCHMARK} == set(KINDS)
    sheet = occluder_sheet(faces, KINDS, seed=0)
    assert sheet.shape[0] == 64 * len(KINDS)
    cells = sheet[:, -3 * 64 :].reshape(len(KINDS), 64, 3, 64, 3)
    for column, (crop, _) in enumerate(faces):
        changed = (cells[:, :, column] != crop).any(axis=(1, 2, 3))
        assert changed.mean() > 0.9  # a small highlight may lie beside the crop


def test_a_row_does_not_depend_on_the_others_and_the_seed_changes_it(faces) -> None:
    both, alone = occluder_sheet(faces, ["leaves", "cup"], 1), occluder_sheet(faces, ["cup"], 1)
    np.testing.assert_array_equal(both[64:], alone)
    assert (alone != occluder_sheet(faces, ["cup"], 2)).any()


def test_the_outline_of_what_is_hidden(faces) -> None:
    plain, outlined = (occluder_sheet(faces, ["scarf", "shadow"], 0, alpha=alpha) for alpha in (False, True))
    changed = (plain != outlined).any(axis=2)
    assert changed[:64].any() and not changed[64:].any()  # a shadow hides nothing


def test_unknown_kinds_and_no_faces(faces) -> None:
    with pytest.raises(ValueError, match="not beard"):
        occluder_sheet(faces, ["cup", "beard"], 0)
    with pytest.raises(ValueError, match="at least one"):
        occluder_sheet([], ["cup"], 0)


def test_faces_of_a_folder(tmp_path, symmetric_face) -> None:
    for name in "abcde":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((224, 224, 3), ord(name), np.uint8))
        rows = "\n".join(f"{x + 0.5} {y + 0.5}" for x, y in symmetric_face)
        (tmp_path / f"{name}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
    (tmp_path / "f.pts").write_text("")
    faces, problems = faces_of_folder(tmp_path, 3, 96)
    assert [problem.name for problem in problems] == ["f.pts"]
    assert [int(crop[48, 48, 0]) for crop, _ in faces] == [ord(name) for name in "abd"]
    # the crop is 1.3 times the tight box's longer side
    tall = np.ptp(faces[0][1], axis=0).max()
    assert faces[0][0].shape == (96, 96, 3) and tall == pytest.approx(96 / 1.3)
    assert len(faces_of_folder(tmp_path, 9, 96)[0]) == 5
