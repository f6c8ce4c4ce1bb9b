"""Cut-outs of real things: where they lie on the face, and that they bring their own colours."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.errors import ConfigError
from occlumark.occluders.occlude import OccludeConfig, occlude, occluded_landmarks
from occlumark.occluders.photographed import FOLDERS, LAYER_ORIGIN, LAYER_SIZE, draw, load_photographed


@pytest.fixture
def face() -> np.ndarray:
    """A face of 68 landmarks, symmetric about x = 112: eyes at y = 90, outer corners 84 apart, chin at y = 196."""
    angle = np.linspace(np.pi, 0, 17)
    points = np.zeros((68, 2))
    points[:17] = np.column_stack([112 - 70 * np.cos(np.pi - angle), 96 + 100 * np.sin(angle)])
    for first, centre in ((17, 80), (22, 144)):
        points[first : first + 5] = np.column_stack([centre + np.linspace(-20, 20, 5), np.full(5, 70)])
    points[27:31] = np.column_stack([np.full(4, 112), np.linspace(88, 125, 4)])
    points[31:36] = np.column_stack([112 + np.linspace(-14, 14, 5), np.full(5, 132)])
    for first, centre in ((36, 84), (42, 140)):
        ring = np.array([(-14, 0), (-5, -4), (5, -4), (14, 0), (5, 4), (-5, 4)])
        points[first : first + 6] = ring + np.array([centre, 90])
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    points[48:] = np.column_stack([112 - 26 * np.cos(turn), 160 - 10 * np.sin(turn)])
    return points


def _folder(tmp_path: Path, kind: str, image: np.ndarray) -> str:
    (tmp_path / FOLDERS[kind]).mkdir(exist_ok=True)
    cv2.imwrite(str(tmp_path / FOLDERS[kind] / "one.png"), image)
    return str(tmp_path)


def _glasses() -> np.ndarray:
    """Two dark lenses with their middles a quarter of the width from either side."""
    image = np.zeros((60, 200, 4), np.uint8)
    for x in (50, 150):
        cv2.ellipse(image, (x, 27), (48, 26), 0, 0, 360, (10, 10, 10, 255), -1)
    image[20:26] = (10, 10, 10, 255)
    return image


@pytest.mark.parametrize("turned", [0, 90, 200])
def test_dark_glasses_hide_the_eyes_at_any_angle_and_not_the_mouth(tmp_path, face, turned) -> None:
    folder = _folder(tmp_path, "cutout_glasses", _glasses())
    cos, sin = np.cos(np.radians(turned)), np.sin(np.radians(turned))
    points = (face - 112) @ np.array([[cos, sin], [-sin, cos]]) + 112
    crop = np.full((224, 224, 3), 120, np.uint8)
    config = OccludeConfig(probability=1, kinds=("cutout_glasses",), cutouts=folder)
    for seed in range(10):
        _, alpha = occlude(crop, points, config, np.random.default_rng(seed))
        hidden = occluded_landmarks(alpha, points)
        assert hidden[36:48].all() and not hidden[48:].any() and not hidden[4:13].any()


def test_clear_glasses_hide_no_eye(tmp_path, face) -> None:
    glasses = _glasses()
    inner = np.zeros(glasses.shape[:2], np.uint8)
    for x in (50, 150):
        cv2.ellipse(inner, (x, 27), (42, 20), 0, 0, 360, 255, -1)
    glasses[inner > 0] = 0
    folder = _folder(tmp_path, "cutout_glasses", glasses)
    crop = np.full((224, 224, 3), 120, np.uint8)
    config = OccludeConfig(probability=1, kinds=("cutout_glasses",), cutouts=folder)
    hidden = [occluded_landmarks(occlude(crop, face, config, np.random.default_rng(s))[1], face) for s in range(10)]
    assert np.mean([one[36:48] for one in hidden]) < 0.15


def test_glasses_seen_from_the_side_are_left_out(tmp_path) -> None:
    side = _glasses()
    side[:, 115:] = 0
    side[18:34, 115:150] = 255  # the far lens is narrow and low
    folder = _folder(tmp_path, "cutout_glasses", _glasses())
    cv2.imwrite(str(tmp_path / "glasses" / "side.png"), side)
    assert len(load_photographed(folder, "cutout_glasses")) == 1
    load_photographed.cache_clear()
    for path in (tmp_path / "glasses").glob("*.png"):
        cv2.imwrite(str(path), side)
    with pytest.raises(ConfigError, match="none is seen from the front"):
        load_photographed(folder, "cutout_glasses")


def test_a_layer_lies_where_it_lay_on_its_own_face(tmp_path, face) -> None:
    """A layer that is solid below the eyes alone hides mouth and chin, and no brow."""
    layer = np.zeros((LAYER_SIZE, LAYER_SIZE, 4), np.uint8)
    layer[int(LAYER_ORIGIN[1]) + 40 :] = (40, 60, 80, 255)
    folder = _folder(tmp_path, "cutout_hair", layer)
    crop = np.full((224, 224, 3), 120, np.uint8)
    for seed in range(10):
        drawing = draw("cutout_hair", crop, face, folder, np.random.default_rng(seed))
        hidden = occluded_landmarks(drawing.mask / np.float32(255), face)
        assert hidden[48:60].all() and hidden[8] and not hidden[17:27].any() and not hidden[36:48].any()


def test_a_layer_of_another_size_is_refused(tmp_path, face) -> None:
    folder = _folder(tmp_path, "cutout_hair", np.full((50, 50, 4), 255, np.uint8))
    with pytest.raises(ConfigError, match="is 256 x 256"):
        draw("cutout_hair", np.zeros((224, 224, 3), np.uint8), face, folder, np.random.default_rng(0))


def test_a_hat_lies_on_the_brows_and_hides_no_mouth(tmp_path, face) -> None:
    hat = np.zeros((80, 160, 4), np.uint8)
    cv2.ellipse(hat, (80, 80), (78, 78), 0, 180, 360, (30, 90, 30, 255), -1)
    folder = _folder(tmp_path, "cutout_hat", hat)
    crop = np.full((224, 224, 3), 120, np.uint8)
    covers = []
    for seed in range(20):
        drawing = draw("cutout_hat", crop, face, folder, np.random.default_rng(seed))
        hidden = occluded_landmarks(drawing.mask / np.float32(255), face)
        assert not hidden[48:].any() and not hidden[6:11].any()
        covers.append(drawing.mask[:40].mean())
    assert np.mean(covers) > 60  # the forehead


@pytest.mark.parametrize("kind", ["cutout_hand", "cutout_object"])
def test_hands_and_objects_lie_on_the_face(tmp_path, face, kind) -> None:
    folder = _folder(tmp_path, kind, np.full((120, 60, 4), 255, np.uint8))
    crop = np.full((224, 224, 3), 120, np.uint8)
    hidden = []
    for seed in range(30):
        drawing = draw(kind, crop, face, folder, np.random.default_rng(seed))
        hidden.append(occluded_landmarks(drawing.mask / np.float32(255), face).sum())
    assert np.mean(np.array(hidden) > 0) > 0.7 and np.mean(hidden) < 40


def test_the_colours_are_the_cut_outs_own_without_a_dark_rim(tmp_path, face) -> None:
    image = np.zeros((100, 100, 4), np.uint8)
    cv2.circle(image, (50, 50), 45, (0, 0, 255, 255), -1)  # OpenCV writes blue, green, red
    folder = _folder(tmp_path, "cutout_object", image)
    drawing = draw("cutout_object", np.full((224, 224, 3), 120, np.uint8), face, folder, np.random.default_rng(3))
    solid = drawing.mask > 10
    assert solid.any() and (drawing.paint[solid][:, 0] > 60).all() and (drawing.paint[solid][:, 1:] < 30).all()


def test_a_folder_without_cut_outs_or_alpha_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"'cutouts' is a folder with hands/\*\.png for the kind cutout_hand"):
        load_photographed(str(tmp_path), "cutout_hand")
    folder = _folder(tmp_path, "cutout_hat", np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(ConfigError, match="a cut-out is an 8-bit PNG with alpha"):
        load_photographed(folder, "cutout_hat")
    with pytest.raises(ValueError, match="need a folder of cut-outs in 'cutouts'"):
        OccludeConfig(kinds=("cutout_hat",))
