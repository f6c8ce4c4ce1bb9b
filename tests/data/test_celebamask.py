"""Masks of classes: where they decide, and where the face is."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.data.celebamask import BROWS, HAIR, HAT, SKIN, face_box, occlusion_of, read_celebamask
from occlumark.errors import AnnotationError, BoxError


def _mask() -> np.ndarray:
    """A face from (20, 30) to (80, 90) with brows at its upper edge, hair over its left fifth, a hat above."""
    mask = np.zeros((100, 100), np.uint8)
    mask[20:90, 20:80] = SKIN
    mask[30:34, 30:70] = BROWS[0]
    mask[:20] = HAT
    mask[20:90, 20:32] = HAIR
    return mask


def test_the_box_reaches_from_the_brows_to_the_lowest_of_the_face():
    np.testing.assert_array_equal(face_box(_mask()), [32, 30, 80, 90])
    with pytest.raises(AnnotationError, match="no face"):
        face_box(np.zeros((10, 10), np.uint8))


def test_the_mask_decides_where_all_pixels_around_a_landmark_agree():
    points = np.array([(26.5, 50.5), (50.5, 60.5), (32.0, 50.5), (50.5, 10.5), (0.5, 0.5), (90.5, 95.5), (50.5, 32.5)])
    # in the hair, on the skin, on the edge of both, in the hat, at the photo's border, on nothing, brow and skin
    np.testing.assert_array_equal(occlusion_of(_mask(), points), [1, 0, -1, 1, -1, -1, 0])


def test_faces_tell_visibility_and_train_no_landmark(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.jpg"), np.full((100, 100, 3), 128, np.uint8))
    cv2.imwrite(str(tmp_path / "a.mask.png"), _mask())
    cv2.imwrite(str(tmp_path / "b.jpg"), np.full((100, 100, 3), 128, np.uint8))
    cv2.imwrite(str(tmp_path / "b.mask.png"), np.full((100, 100), 40, np.uint8))
    cv2.imwrite(str(tmp_path / "c.jpg"), np.full((90, 100, 3), 128, np.uint8))  # without a mask: not meant
    cv2.imwrite(str(tmp_path / "d.jpg"), np.full((90, 100, 3), 128, np.uint8))
    cv2.imwrite(str(tmp_path / "d.mask.png"), _mask())
    asked = []

    def find(photo: np.ndarray, box: np.ndarray) -> np.ndarray:
        asked.append((photo.shape, box))
        return np.tile([[26.5, 50.5], [50.5, 60.5]], (34, 1))

    (sample,), problems = read_celebamask(tmp_path, find)
    assert sample.name == "celebamask/a.jpg" and sample.inexact.all()
    np.testing.assert_array_equal(sample.occluded, np.tile([True, False], 34))
    assert not sample.unknown.any() and asked[0][0] == (100, 100, 3)
    assert [problem.name for problem in problems] == ["celebamask/b.jpg", "celebamask/d.jpg"]
    assert "is no mask" in problems[0].reason and "the mask is (100, 100), the photo (90, 100)" in problems[1].reason
    with pytest.raises(AnnotationError, match=r"no NAME\.jpg with a NAME\.mask\.png"):
        read_celebamask(tmp_path / "nothing", find)


def test_a_face_too_thin_for_the_network_is_left_out_and_the_others_are_not(tmp_path: Path):
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), np.full((100, 100, 3), 128, np.uint8))
        cv2.imwrite(str(tmp_path / f"{name}.mask.png"), _mask())
    answers = iter([BoxError("box is none"), np.tile([[26.5, 50.5], [50.5, 60.5]], (34, 1))])

    def find(photo: np.ndarray, box: np.ndarray) -> np.ndarray:
        if isinstance(answer := next(answers), BoxError):
            raise answer
        return answer

    (sample,), (problem,) = read_celebamask(tmp_path, find)
    assert sample.name == "celebamask/b.jpg" and problem[:2] == ("celebamask/a.jpg", "box is none")
