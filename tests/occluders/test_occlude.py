"""Occluders: the alpha tells the truth about the picture, and each kind hides what it is named for."""

from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

from occlumark import config
from occlumark.errors import ConfigError
from occlumark.occluders import simple
from occlumark.occluders.cutouts import load_cutouts
from occlumark.occluders.erase import erase
from occlumark.occluders.occlude import WITHOUT_LANDMARKS, Kind, OccludeConfig, occlude, occluded_landmarks
from occlumark.occluders.photographed import FOLDERS, LAYER_SIZE

DRAWN = ("patch", "sunglasses", "hand", "hair")
EYES, MOUTH_AND_CHIN = range(36, 48), [*range(48, 68), 7, 8, 9]


@pytest.fixture
def crop() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)


@pytest.fixture
def masks(tmp_path: Path) -> str:
    """Three cut-outs, seen from the front, and turned to the left and to the right as seen, each of its own grey."""
    outlines = {"front": ((20, 40), (100, 10), (180, 40), (160, 90), (100, 140), (40, 90))}
    outlines["left"] = ((20, 10), (100, 10), (120, 90), (60, 140), (20, 120))
    outlines["right"] = tuple((200 - x, y) for x, y in outlines["left"])
    for grey, (name, outline) in zip((100, 150, 200), outlines.items(), strict=True):
        image = np.zeros((150, 200, 4), np.uint8)
        cv2.fillPoly(image, [np.array(outline)], (grey, grey, grey, 255))
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    return str(tmp_path)


@pytest.fixture
def cutouts(tmp_path: Path) -> str:
    """Folders of photographed things, two each: an upright ellipse of two greys; glasses alike on both sides."""
    for folder in FOLDERS.values():
        (tmp_path / folder).mkdir()
        side = LAYER_SIZE if folder == "hair" else 100
        for number in range(2):
            image = np.zeros((side, side, 4), np.uint8)
            cv2.ellipse(image, (side // 2, side // 2), (side // 3, side // 2 - 2), 0, 0, 360, (90, 60, 30, 255), -1)
            cv2.rectangle(image, (side // 3, side // 2), (2 * side // 3, side), (200, 150 + number, 90, 255), -1)
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), image)
    return str(tmp_path)


def _one(kind: str, masks: str = "", cutouts: str = "") -> OccludeConfig:
    return OccludeConfig(probability=1, kinds=(kind,), masks=masks, cutouts=cutouts)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [*DRAWN, "mask"])
def test_alpha_marks_exactly_what_may_change(kind: str, crop, symmetric_face, masks) -> None:
    before = crop.copy()
    for seed in range(20):
        composed, alpha = occlude(crop, symmetric_face, _one(kind, masks), np.random.default_rng(seed))
        assert composed.dtype == np.uint8 and composed.shape == crop.shape
        assert alpha.dtype == np.float32 and alpha.shape == crop.shape[:2]
        assert 0 < alpha.max() <= 1 and alpha.min() == 0
        np.testing.assert_array_equal(composed[alpha == 0], crop[alpha == 0])
        changed = (composed != crop).any(axis=2)
        assert changed[alpha > 0.9].mean() > 0.9
        np.testing.assert_array_equal(crop, before)


def test_where_alpha_is_one_nothing_of_the_face_shines_through(crop, symmetric_face) -> None:
    other = 255 - crop
    for seed in range(20):
        first, alpha = occlude(crop, symmetric_face, _one("hair"), np.random.default_rng(seed))
        second, _ = occlude(other, symmetric_face, _one("hair"), np.random.default_rng(seed))
        np.testing.assert_array_equal(first[alpha == 1], second[alpha == 1])


@pytest.mark.parametrize("kind", [*DRAWN, "mask"])
def test_the_same_generator_gives_the_same_occluder(kind: str, crop, symmetric_face, masks) -> None:
    first, second, third = (
        occlude(crop, symmetric_face, _one(kind, masks), np.random.default_rng(seed)) for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert (first[1] != third[1]).any()


def test_sunglasses_hide_the_eyes_and_leave_mouth_and_chin(crop, symmetric_face) -> None:
    for seed in range(20):
        _, alpha = occlude(crop, symmetric_face, _one("sunglasses"), np.random.default_rng(seed))
        hidden = occluded_landmarks(alpha, symmetric_face)
        assert hidden[EYES].all()
        assert not hidden[MOUTH_AND_CHIN].any()


def test_a_mask_hides_mouth_and_chin_and_leaves_the_eyes(crop, symmetric_face, masks) -> None:
    for seed in range(20):
        _, alpha = occlude(crop, symmetric_face, _one("mask", masks), np.random.default_rng(seed))
        hidden = occluded_landmarks(alpha, symmetric_face)
        assert hidden[MOUTH_AND_CHIN].all()
        assert not hidden[EYES].any()


def test_an_occluder_moves_with_a_turned_face(crop, symmetric_face) -> None:
    quarter = np.column_stack([224 - symmetric_face[:, 1], symmetric_face[:, 0]])
    _, alpha = occlude(crop, symmetric_face, _one("sunglasses"), np.random.default_rng(3))
    _, turned = occlude(crop, quarter, _one("sunglasses"), np.random.default_rng(3))
    assert np.abs(np.rot90(alpha, -1) - turned).mean() < 0.01


def test_hair_hides_a_brow_or_eye_and_a_hand_the_lower_face_often(crop, symmetric_face) -> None:
    def share(kind: str, landmarks: list[int]) -> float:
        alphas = (occlude(crop, symmetric_face, _one(kind), np.random.default_rng(i))[1] for i in range(60))
        return float(np.mean([occluded_landmarks(alpha, symmetric_face)[landmarks].any() for alpha in alphas]))

    assert share("hair", [*range(17, 27), *EYES]) > 0.6
    assert share("hand", [*range(48, 68), *range(2, 15), *range(27, 36)]) > 0.6


def test_a_mask_is_seen_from_the_side_that_the_face_is_seen_from(crop, symmetric_face, masks) -> None:
    by_grey = {int(cutout.image[75, 100, 0] or cutout.image[60, 100, 0]): cutout.turn for cutout in load_cutouts(masks)}
    assert by_grey == {100: 0, 150: -1, 200: 1}
    for shift, turn in ((-40, -1), (0, 0), (40, 1)):
        face = symmetric_face.copy()
        face[27:36, 0] += shift
        untinted = 0
        for seed in range(8):
            composed, alpha = occlude(np.zeros_like(crop), face, _one("mask", masks), np.random.default_rng(seed))
            inside = composed[alpha == 1].astype(float)
            untinted += len(np.unique(np.ptp(inside, axis=1))) == 1
            # the shading lies between 150 / 210 and 250 / 210, the tint between .75 and 1.1
            grey = next(g for g, t in by_grey.items() if t == turn)
            assert 0.5 * grey < inside.mean() < 1.32 * grey
        assert untinted


def test_probability_zero_and_one(crop, symmetric_face) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        same, alpha = occlude(crop, symmetric_face, OccludeConfig(probability=0), rng)
        np.testing.assert_array_equal(same, crop)
        assert not alpha.any()
    occluded = [occlude(crop, symmetric_face, OccludeConfig(probability=0.5), rng)[1].any() for _ in range(400)]
    assert 0.4 < np.mean(occluded) < 0.6  # four standard deviations


def test_a_landmark_is_hidden_by_its_own_pixel_and_never_outside_the_crop() -> None:
    alpha = np.zeros((4, 4), np.float32)
    alpha[1, 2] = 0.6
    alpha[3, 3] = 0.5
    landmarks = np.array(
        [
            (2.0, 1.0),
            (2.99, 1.99),
            (3.0, 1.5),
            (1.5, 2.5),
            (3.5, 3.5),
            (-1.5, 1.5),
            (2.5, -2.5),
            (4.0, 1.0),
            (np.nan,) * 2,
        ]
    )
    expected = [True, True, False, False, False, False, False, False, False]
    assert occluded_landmarks(alpha, landmarks).tolist() == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"probability": 1.5}, "probability is in 0..1, not 1.5"),
        ({"kinds": []}, "occluder kinds are some of patch, sunglasses"),
        ({"kinds": ["hat"]}, "one of patch, sunglasses"),
        ({"kinds": ["mask"]}, "needs a folder of cut-outs"),
    ],
)
def test_a_bad_configuration_says_what_was_expected(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.from_mapping(OccludeConfig, values)


def test_a_folder_without_usable_cutouts_is_an_error(tmp_path: Path, crop, symmetric_face) -> None:
    with pytest.raises(ConfigError, match="holds none"):
        occlude(crop, symmetric_face, _one("mask", str(tmp_path)), np.random.default_rng(0))
    cv2.imwrite(str(tmp_path / "no_alpha.png"), crop)
    with pytest.raises(ConfigError, match=r"with alpha, but .*no_alpha\.png is not"):
        occlude(crop, symmetric_face, _one("mask", str(tmp_path)), np.random.default_rng(0))


def test_real_cutouts_hide_mouth_and_chin(shared: Path, crop, symmetric_face) -> None:
    config_ = _one("mask", str(shared / "data/occluders/masks"))
    for seed in range(12):
        _, alpha = occlude(crop, symmetric_face, config_, np.random.default_rng(seed))
        assert occluded_landmarks(alpha, symmetric_face)[MOUTH_AND_CHIN].all()


@pytest.mark.parametrize("kind", get_args(Kind))
def test_kinds_that_need_no_landmarks_are_named(kind: str, crop, symmetric_face, masks, cutouts) -> None:
    """They give the same picture whatever the landmarks are; the others do not."""
    nowhere, shifted = np.full((19, 2), np.nan), np.add(symmetric_face, [20, 10])
    same = []
    for seed in range(3):
        faces = (nowhere if kind in WITHOUT_LANDMARKS else shifted, symmetric_face)
        first, second = (
            occlude(crop, face, _one(kind, masks, cutouts), np.random.default_rng(seed))[0] for face in faces
        )
        same.append((first == second).all())
    assert all(same) if kind in WITHOUT_LANDMARKS else not all(same)


def test_random_erasing_is_put_on_as_it_is_without_the_photos_light(crop, symmetric_face) -> None:
    for seed in range(10):
        composed, alpha = occlude(crop, symmetric_face, _one("erase"), np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        rng.random(), rng.integers(1)
        expected, rectangle = erase(crop, rng)
        np.testing.assert_array_equal(composed, expected)
        np.testing.assert_array_equal(alpha, rectangle)


def test_a_second_occluder_lies_over_the_first(crop, symmetric_face) -> None:
    once, twice = (OccludeConfig(probability=1, kinds=("medical_mask", "shades"), second=share) for share in (0, 1))
    both = []
    for config_ in (once, twice):
        alphas = [occlude(crop, symmetric_face, config_, np.random.default_rng(seed))[1] for seed in range(30)]
        assert all(alpha.min() >= 0 and alpha.max() <= 1 and alpha.dtype == np.float32 for alpha in alphas)
        hidden = [occluded_landmarks(alpha, symmetric_face) for alpha in alphas]
        both.append(np.mean([mask[EYES].all() and mask[8] for mask in hidden]))
    assert both[0] == 0 and 0.25 < both[1] < 0.75  # two kinds, each as likely
    with pytest.raises(ValueError, match=r"second is in 0..1, not 2"):
        OccludeConfig(probability=0.3, second=2)


def test_older_configurations_draw_no_further_random_number(crop, symmetric_face) -> None:
    """So that what follows the occluder, colour and blur, repeats as well."""
    first, second = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(20):
        occlude(crop, symmetric_face, OccludeConfig(probability=0.5, kinds=("patch", "hair")), first)
        if second.random() < 0.5:
            kind = ("patch", "hair")[second.integers(2)]
            simple.DRAW[kind](crop, symmetric_face, second)
            second.integers(150, 250, (3, 3), np.uint8)
    assert first.random() == second.random()


def test_kinds_of_the_library_are_chosen_by_name_and_those_of_the_benchmark_are_not() -> None:
    assert config.from_mapping(OccludeConfig, {"kinds": ["hand_on_face", "patch"]}).kinds == ("hand_on_face", "patch")
    with pytest.raises(ConfigError, match="not 'leaves'"):
        config.from_mapping(OccludeConfig, {"kinds": ["leaves"]})
