"""Crops without a face: none overlaps a face, the finder's errors come first."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.crop import CropConfig
from occlumark.data.background import is_background, reduced_scenes, scene_crops
from occlumark.data.no_face import load_background, missed_crop, no_face_crop, scene_face_crop
from occlumark.data.sample import Problem
from occlumark.data.scenes import Scene
from occlumark.errors import ConfigError

CROP = CropConfig(size=64)


def test_what_is_background():
    faces = np.array([[40.0, 40, 60, 60]])
    assert is_background(np.array([0.0, 0, 30, 30]), faces)
    assert not is_background(np.array([35.0, 35, 65, 65]), faces)  # the face
    assert not is_background(np.array([0.0, 0, 100, 100]), faces)  # holds its middle
    assert not is_background(np.array([45.0, 45, 51, 51]), faces)  # a part of it, next to its middle
    assert is_background(np.array([0.0, 0, 5, 5]), np.zeros((0, 4)))


def test_crops_show_no_face_and_begin_with_what_the_finder_takes_for_one(tmp_path: Path):
    photo = np.zeros((100, 100, 3), np.uint8)
    photo[40:60, 40:60] = (0, 0, 255)  # the face: red, as OpenCV writes blue, green, red
    photo[5:25, 5:25] = (0, 255, 0)  # what the finder takes for one: green
    cv2.imwrite(str(tmp_path / "w300_a.png"), photo)
    scene = Scene(tmp_path / "w300_a.png", np.array([[40.0, 40, 60, 60]]), np.array([True]), np.zeros((0, 4)))
    found = np.array([[40.0, 40, 60, 60], [5.0, 5, 25, 25]])
    cut = list(scene_crops(reduced_scenes([scene], [1], []), lambda photo: found, CROP, per_scene=4, seed=0))
    crops = [crop for crop, is_face in cut if not is_face]
    assert len(crops) == 4 and all(crop.shape == (64, 64, 3) for crop in crops)
    assert (crops[0][32, 32] == [0, 255, 0]).all()
    assert all(crop[32, 32, 0] < 50 for crop in crops)
    (face,) = [crop for crop, is_face in cut if is_face]
    assert (face[32, 32] == [255, 0, 0]).all()


def test_a_reduced_scene_has_its_boxes_reduced(tmp_path: Path):
    photo = np.zeros((100, 120, 3), np.uint8)
    photo[40:60, 20:60, 2] = 255
    cv2.imwrite(str(tmp_path / "w300_a.png"), photo)
    box = np.array([[20.0, 40, 60, 60]])
    scene = Scene(tmp_path / "w300_a.png", box, np.array([True]), box + 2)
    broken = Scene(tmp_path / "none.png", box, np.array([True]), box)
    unreadable: list[Problem] = []
    (whole, first), (half, second) = reduced_scenes([broken, scene], [1, 2], unreadable)
    assert [problem.name for problem in unreadable] == ["none.png"] and "none.png" in unreadable[0].reason
    assert first.shape == (100, 120, 3) and second.shape == (50, 60, 3)
    np.testing.assert_array_equal(whole.faces, box)
    np.testing.assert_allclose(half.faces, box / 2)
    np.testing.assert_allclose(half.ignored, box / 2 + 1)
    x0, y0, x1, y1 = half.faces[0].astype(int)
    assert (second[y0:y1, x0:x1, 0] == 255).all() and second[..., 0].sum() == 255 * (y1 - y0) * (x1 - x0)


def test_a_scenes_face_is_seen_nearly_as_the_finder_gave_it():
    faces = np.zeros((2, 130, 130, 3), np.uint8)
    faces[:, 15:115, 15:115] = 255  # the box of a crop at a scale of 1.3
    shares = [(scene_face_crop(faces, CROP, np.random.default_rng(seed)) > 127).mean() for seed in range(40)]
    # the box is 1 / 1.3 of the crop's side, at most a tenth more, turned by 15 degrees at most
    assert min(shares) > (1 / 1.3) ** 2 - 0.05 and max(shares) < (1 / 1.3 / 0.9) ** 2 + 0.05 and np.ptp(shares) > 0.05


def test_a_crop_that_missed_its_face_does_not_hold_it():
    pack_crop = np.zeros((200, 200, 3), np.uint8)
    pack_crop[70:130, 70:130] = 255
    box = np.array([70.0, 70, 130, 130])
    shares = [
        (missed_crop(pack_crop, box, CropConfig(size=64, scale=1.0), np.random.default_rng(seed)) > 127).mean()
        for seed in range(60)
    ]
    beside = [share for share in shares if share < 0.6]
    assert len(beside) > 30 and np.mean(beside) < 0.15  # beside the face
    assert len(beside) < 58 and min(share for share in shares if share >= 0.6) > 0.6  # or deep within it


def test_every_kind_of_crop_without_a_face_comes_at_the_networks_size():
    background = np.full((3, 80, 80, 3), 77, np.uint8)
    pack_crop, box = np.full((200, 200, 3), 200, np.uint8), np.array([70.0, 70, 130, 130])
    crops = [no_face_crop(background, pack_crop, box, CROP, np.random.default_rng(seed)) for seed in range(60)]
    assert all(crop.shape == (64, 64, 3) and crop.dtype == np.uint8 for crop in crops)
    from_background = sum(int((crop[32, 32] == 77).all()) for crop in crops)
    assert 20 < from_background < 50
    again = no_face_crop(background, pack_crop, box, CROP, np.random.default_rng(5))
    np.testing.assert_array_equal(again, crops[5])


def test_a_file_that_holds_no_crops_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match="`occlumark background` wrote"):
        load_background(str(tmp_path / "none.npy"))
    for number, wrong in enumerate((np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 3)))):
        np.save(tmp_path / f"{number}.npy", wrong)
        with pytest.raises(ConfigError, match="holds crops"):
            load_background(str(tmp_path / f"{number}.npy"))
    np.save(tmp_path / "empty.npy", np.zeros((0, 8, 8, 3), np.uint8))
    with pytest.raises(ConfigError, match="at least one crop"):
        load_background(str(tmp_path / "empty.npy"))
