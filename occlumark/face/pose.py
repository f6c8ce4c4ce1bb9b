"""The head's pose from its landmarks, by a rigid mean face of 51 points in space. Not in the paper.

Camera axes: x to the right in the photo, y down, z away from the camera. A face looks along -z where all angles are 0.
"""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from occlumark.face.align import five_points, similarity
from occlumark.markup import MARKUPS, W300, WFLW_TO_68, Markup

# From here on the 68 points keep their places on the head; the jaw's slide along its outline as the head turns.
_FIRST = 17
# No point counts for nothing: a face without a visible point still has its best guess.
_LEAST_VISIBILITY = 1e-3
_STEPS = 15


class HeadPose(NamedTuple):
    """How a head is turned, in degrees: first by yaw about its own vertical, then by pitch, then by roll in the photo.

    All are 0 where it looks into the camera, upright. Turning the photo changes roll alone.
    """

    yaw_deg: float
    """Above 0 where it is turned to the person's own right, the photo's left; 90 in profile. -180..180."""
    pitch_deg: float
    """Above 0 where it is raised; 0 where eyes and mouth are equally far from the camera. -90..90."""
    roll_deg: float
    """Clockwise as seen, -180..180."""

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) from the head's axes, which are the camera's where all angles are 0, to the camera's."""
        yaw, pitch, roll = np.deg2rad(self)
        about_y = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
        about_x = [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
        about_z = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
        return np.array(about_z) @ about_x @ about_y


def head_pose(landmarks: np.ndarray, visibility: np.ndarray, markup: Markup) -> HeadPose:
    """The rotation under which the mean face, seen from afar (scaled orthographic), fits the landmarks best in squares.

    A point counts by its visibility and by how little it moves from face to face. Of 68 and 98 points 51 are fitted,
    of other markups five (align.five_points).

    Args:
        landmarks: (n, 2), photo pixels.
        visibility: (n,) 0..1.
        markup: which landmark is which.

    Raises:
        ValueError: the markup names no five points.
    """
    face, weights = mean_head()
    if markup == MARKUPS[98]:
        landmarks, visibility, markup = landmarks[WFLW_TO_68], visibility[WFLW_TO_68], W300
    if markup == W300:
        points, seen = landmarks[_FIRST:], visibility[_FIRST:]
    else:
        whole = np.concatenate([np.zeros((_FIRST, 3)), face])
        face, weights = five_points(whole, W300), np.ones(5)
        points, seen = five_points(landmarks, markup), five_points(visibility[:, None], markup)[:, 0]
    return _pose(_fit(points, face, weights * np.maximum(seen, _LEAST_VISIBILITY)))


def roll_of(landmarks: np.ndarray, markup: Markup) -> float:
    """By how much a face is turned in the photo, clockwise as seen, -180..180 degrees, from all its landmarks at once.

    The rotation of the similarity that lays the mean face, seen from the front, onto the landmarks best in squares: for
    heads turned to a side less exact than head_pose, but at once.

    Args:
        landmarks: (n, 2), photo pixels.
        markup: which landmark is which.
    """
    face, _ = mean_head()
    if markup == W300:
        points, front = landmarks[_FIRST:], face[:, :2]
    else:
        whole = np.concatenate([np.zeros((_FIRST, 3)), face])
        points, front = five_points(landmarks, markup), five_points(whole, W300)[:, :2]
    cos, sin = similarity(front, points)[:, 0]
    return float(np.rad2deg(np.arctan2(sin, cos)))


@cache
def mean_head() -> tuple[np.ndarray, np.ndarray]:
    """(51, 3) points 17 to 67 of the 68, their mean at 0, the outer eye corners 1 apart, and (51,) weights."""
    text = files("occlumark.face").joinpath("mean_face_3d.csv").read_text(encoding="utf-8")
    table = np.loadtxt(text.splitlines(), delimiter=",", skiprows=1)
    return table[:, 1:4], table[:, 4]


def _fit(points: np.ndarray, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(3, 3) rotation: Gauss-Newton over rotation and scale, from two starts, as a flat face has two answers."""
    weights = weights / weights.sum()
    points, face = points - weights @ points, face - weights @ face
    linear = np.linalg.lstsq(np.sqrt(weights)[:, None] * face, np.sqrt(weights)[:, None] * points, rcond=None)[0].T
    left, _, right = np.linalg.svd(linear, full_matrices=False)
    first = _completed(left @ right)
    flipped = _completed(first[:2] * [1, 1, -1])  # its mirror image in the photo's plane
    return min((_refined(start, points, face, weights) for start in (first, flipped)), key=lambda found: found[1])[0]


def _refined(
    rotation: np.ndarray, points: np.ndarray, face: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, float]:
    """The rotation after so many steps, and the weighted sum of squares that it leaves."""
    for step in range(_STEPS + 1):
        turned = face @ rotation.T
        flat = turned[:, :2]
        scale = (weights @ (points * flat).sum(axis=1)) / (weights @ (flat**2).sum(axis=1))
        left_over = points - scale * flat
        if step == _STEPS:
            break
        x, y, z = turned.T
        nothing = np.zeros_like(x)
        # What a small turn about each camera axis, and a small change of scale, does to the points.
        change = np.stack([np.stack([nothing, -z], 1), np.stack([z, nothing], 1), np.stack([-y, x], 1)], 2) * scale
        columns = np.concatenate([change, flat[..., None]], axis=2).reshape(-1, 4)
        root = np.sqrt(np.repeat(weights, 2))
        turn = np.linalg.lstsq(root[:, None] * columns, root * left_over.ravel(), rcond=None)[0][:3]
        rotation = _about(turn) @ rotation
    return rotation, float(weights @ (left_over**2).sum(axis=1))


def _about(turn: np.ndarray) -> np.ndarray:
    """Rodrigues: the rotation about an axis by the axis's length in radians."""
    angle = float(np.linalg.norm(turn))
    if angle == 0:
        return np.eye(3)
    x, y, z = turn / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _completed(rows: np.ndarray) -> np.ndarray:
    """The rotation that begins with two rows at a right angle."""
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    second = rows[1] - rows[0] * (rows[0] @ rows[1])
    second = second / np.linalg.norm(second)
    return np.stack([rows[0], second, np.cross(rows[0], second)])


def _pose(rotation: np.ndarray) -> HeadPose:
    """The angles of a rotation, as in HeadPose.rotation."""
    yaw = np.arctan2(-rotation[2, 0], rotation[2, 2])
    pitch = np.arcsin(np.clip(-rotation[2, 1], -1, 1))
    roll = np.arctan2(-rotation[0, 1], rotation[1, 1])
    return HeadPose(*(float(angle) for angle in np.rad2deg([yaw, pitch, roll])))
