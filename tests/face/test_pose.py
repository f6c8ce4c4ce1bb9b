import csv
import itertools

import numpy as np
import pytest

from occlumark.data.pts import read_pts
from occlumark.face.pose import HeadPose, head_pose, mean_head, roll_of
from occlumark.markup import MARKUPS, WFLW_TO_68

M68 = MARKUPS[68]
POSES = [HeadPose(*angles) for angles in itertools.product((-85, -40, 0, 30, 70), (-50, 0, 35), (-150, -20, 0, 60))]


def seen(pose: HeadPose, size: float = 120.0, centre=(300.0, 200.0)) -> np.ndarray:
    """(68, 2) landmarks of the mean face turned so, from afar; the jaw, which does not count, anywhere."""
    face, _ = mean_head()
    jaw = np.random.default_rng(0).uniform(200, 400, (17, 2))
    return np.concatenate([jaw, size * (face @ pose.rotation.T)[:, :2] + centre])


def test_the_mean_face_is_symmetric_and_lies_in_its_axes():
    face, weights = mean_head()
    swap = M68.mirror[17:] - 17
    np.testing.assert_allclose(face[swap] * [-1, 1, 1], face, atol=1e-4)
    np.testing.assert_allclose(weights[swap], weights, atol=1e-3)
    assert face[45 - 17, 0] - face[36 - 17, 0] == pytest.approx(1, abs=1e-3)
    assert face[30 - 17, 2] == face[:, 2].min()  # the nose's tip is nearest to the camera
    eyes, mouth = face[[36 - 17, 45 - 17]].mean(axis=0), face[[48 - 17, 54 - 17]].mean(axis=0)
    assert eyes[2] == pytest.approx(mouth[2], abs=1e-3) and eyes[1] < mouth[1]


@pytest.mark.parametrize("pose", POSES, ids=str)
def test_turned_points_give_their_angles_back(pose):
    found = head_pose(seen(pose), np.ones(68), M68)
    np.testing.assert_allclose(found, pose, atol=1e-3)
    np.testing.assert_allclose(found.rotation, pose.rotation, atol=1e-4)


def test_the_signs_of_the_angles():
    """Where the nose's tip goes, from the middle of the eyes and the mouth."""
    middle = [36, 45, 48, 54]

    def nose(pose: HeadPose) -> np.ndarray:
        points = seen(pose)
        return points[30] - points[middle].mean(axis=0)

    frontal = nose(HeadPose(0, 0, 0))
    assert nose(HeadPose(30, 0, 0))[0] < frontal[0] - 10  # to the photo's left, the person's right
    assert nose(HeadPose(0, 30, 0))[1] < frontal[1] - 10  # up
    right, left = seen(HeadPose(0, 0, 30))[[36, 45]]
    assert left[1] > right[1] + 10  # clockwise: the photo's right comes down


def test_mirroring_changes_the_signs_of_yaw_and_roll():
    landmarks = seen(HeadPose(25, -10, 15)) + np.random.default_rng(1).normal(0, 2, (68, 2))
    pose = head_pose(landmarks, np.ones(68), M68)
    mirrored = head_pose((landmarks * [-1, 1])[M68.mirror], np.ones(68), M68)
    np.testing.assert_allclose(mirrored, np.array(pose) * [-1, 1, -1], atol=1e-3)


def test_turning_the_photo_changes_roll_alone():
    landmarks = seen(HeadPose(40, 15, 0)) + np.random.default_rng(2).normal(0, 2, (68, 2))
    before = head_pose(landmarks, np.ones(68), M68)
    lying = landmarks[:, ::-1] * [-1, 1]  # 90 degrees clockwise as seen
    np.testing.assert_allclose(head_pose(lying, np.ones(68), M68), np.add(before, [0, 0, 90]), atol=1e-3)


def test_hidden_points_do_not_count():
    pose = HeadPose(35, 10, -20)
    landmarks, visibility = seen(pose), np.ones(68)
    hidden = [*range(48, 68), *range(42, 48)]  # a mask's hand: mouth and left eye, guessed far off
    landmarks[hidden] += [40, -30]
    visibility[hidden] = 0
    np.testing.assert_allclose(head_pose(landmarks, visibility, M68), pose, atol=0.5)
    assert np.abs(np.array(head_pose(landmarks, np.ones(68), M68)) - pose).max() > 5


def test_a_face_without_a_visible_point_has_its_best_guess():
    pose = HeadPose(20, 5, 3)
    np.testing.assert_allclose(head_pose(seen(pose), np.zeros(68), M68), pose, atol=1e-3)


def test_98_points_are_read_as_68_and_others_by_five():
    pose = HeadPose(-30, 10, 20)
    points = np.zeros((98, 2))
    points[WFLW_TO_68] = seen(pose)
    np.testing.assert_allclose(head_pose(points, np.ones(98), MARKUPS[98]), pose, atol=1e-3)
    of_68 = seen(pose)
    for n in (19, 29):
        markup, few = MARKUPS[n], np.zeros((n, 2))
        for mine, theirs in zip(markup.pupils, M68.pupils, strict=True):
            few[list(mine)] = of_68[list(theirs)].mean(axis=0)
        few[[markup.nose_tip, *markup.mouth_corners]] = of_68[[30, 48, 54]]
        np.testing.assert_allclose(head_pose(few, np.ones(n), markup), pose, atol=1e-3)


def test_the_yaw_of_views_whose_yaw_is_known(shared):
    """afw_large_pose: 68 points of views turned by 45 to 90 degrees. The mean face was made of other photos."""
    folder = shared / "data" / "afw_large_pose"
    if not folder.is_dir():
        pytest.skip("needs afw_large_pose of the research data")
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        known = {row["name"]: float(row["yaw_deg"]) for row in list(csv.DictReader(file))[::6]}
    found = [head_pose(read_pts(folder / f"{name}.pts"), np.ones(68), M68).yaw_deg for name in known]
    errors = np.array(found) - list(known.values())
    assert len(errors) == 100 and np.abs(errors).mean() < 2.5 and abs(errors.mean()) < 1


@pytest.mark.parametrize("turn", [0, 17, -80, 135, 179])
def test_roll_of_is_the_rotation_in_the_photo(turn: float) -> None:
    face, _ = mean_head()
    points = np.concatenate([np.zeros((17, 2)), face[:, :2]])
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    turned = 40 * points @ np.array([[cos, sin], [-sin, cos]]) + [300, 200]
    assert roll_of(turned, MARKUPS[68]) == pytest.approx(turn, abs=1e-6)


def test_roll_of_a_face_without_extent_is_none() -> None:
    assert roll_of(np.zeros((68, 2)), MARKUPS[68]) == 0
