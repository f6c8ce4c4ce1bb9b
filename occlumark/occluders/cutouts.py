"""Face masks from cut-outs (PNG with alpha), bent over the nose and drawn to the chin and the cheeks."""

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from occlumark.errors import ConfigError
from occlumark.occluders.frame import Frame


@dataclass(frozen=True, eq=False)
class Cutout:
    """A cut-out with the four points that go onto a face."""

    image: np.ndarray
    """(height, width, 4) uint8, RGBA."""
    anchors: np.ndarray
    """(4, 2) pixels: top on the ridge, bottom on the ridge, left edge, right edge."""
    turn: int
    """The side, as seen, to which the mask's ridge is turned: -1 left, 0 none, 1 right."""


@functools.cache
def load_cutouts(folder: str) -> tuple[Cutout, ...]:
    """Read all cut-outs of a folder, by name.

    Raises:
        ConfigError: the folder has no PNG, or one that cannot be read or has no alpha.
    """
    paths = sorted(Path(folder).glob("*.png"))
    if not paths:
        raise ConfigError(f"'masks' is a folder of PNG cut-outs, but {folder} holds none")
    return tuple(_load(path) for path in paths)


def _load(path: Path) -> Cutout:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 4 or image[..., 3].max() < 128:
        raise ConfigError(f"a mask cut-out is an 8-bit PNG with alpha, but {path} is not; remove it from the folder")
    solid = cv2.morphologyEx(image[..., 3], cv2.MORPH_OPEN, np.ones((25, 25), np.uint8)) > 127
    if not solid.any():
        solid = image[..., 3] > 127
    rows, columns = np.nonzero(solid.any(axis=1))[0], np.nonzero(solid.any(axis=0))[0]
    y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    body = solid[y0:y1, x0:x1]
    alike = (body & body[:, ::-1]).sum() / (body | body[:, ::-1]).sum()
    quarter = max(1, body.shape[1] // 4)
    turn = 0 if alike > 0.85 else (-1 if body[:, :quarter].sum() > body[:, -quarter:].sum() else 1)
    # Where the ridge of a mask seen from the side lies, and where its edges meet the cheeks: measured by eye.
    top, bottom = 0.5 + 0.3 * turn, 0.5 + 0.17 * turn
    shares = np.array([(top, 0), (bottom, 1), (0, 0.3), (1, 0.3)])
    return Cutout(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA), np.array([x0, y0]) + shares * [x1 - x0, y1 - y0], turn)


def mask(
    crop: np.ndarray, landmarks: np.ndarray, folder: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A face mask from the bridge of the nose to below the chin.

    Args:
        crop: (S, S, 3) uint8, RGB.
        landmarks: (68, 2), crop pixels.
        folder: of the cut-outs.
        rng: chooses the cut-out and how it sits.

    Returns:
        The paint (S, S, 3) and the mask (S, S), both uint8.
    """
    frame = Frame.of(landmarks)
    nose = landmarks[27] + (landmarks[29] - landmarks[27]) * rng.uniform(0.1, 0.9)
    chin = landmarks[8] + frame.down * frame.unit * rng.uniform(0.04, 0.14)
    out = frame.right * frame.unit * rng.uniform(0.01, 0.06)
    left, right = landmarks[[1, 2]].mean(axis=0) - out, landmarks[[14, 15]].mean(axis=0) + out
    cutout = _choose(load_cutouts(folder), frame, nose, left, right, rng)
    size = crop.shape[0]
    halves = [
        _warp(cutout, (0, 1, edge), np.array([nose, chin, point]), size) for edge, point in ((2, left), (3, right))
    ]
    far = frame.right * 4 * size
    ridge = [nose + (nose - chin) * 4, chin + (chin - nose) * 4]
    on_left = np.zeros((size, size), np.uint8)
    cv2.fillPoly(on_left, [np.array([*ridge, ridge[1] - far, ridge[0] - far]).astype(np.int32)], (255,))
    whole = cv2.copyTo(halves[0], on_left, halves[1])
    tint = np.diag(rng.uniform(0.75, 1.1, 3)) if rng.random() < 0.5 else np.eye(3)
    paint = cv2.transform(whole[..., :3].copy(), tint)
    return paint, whole[..., 3].copy()


def _choose(
    all_of_them: tuple[Cutout, ...],
    frame: Frame,
    nose: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    rng: np.random.Generator,
) -> Cutout:
    """A cut-out seen from the side that the face is seen from."""
    to_left, to_right = max(0.0, float((nose - left) @ frame.right)), max(0.0, float((right - nose) @ frame.right))
    share = to_left / max(to_left + to_right, 1e-6)
    turn = -1 if share < 0.33 else (1 if share > 0.67 else 0)
    fitting = [cutout for cutout in all_of_them if cutout.turn == turn] or list(all_of_them)
    return fitting[rng.integers(len(fitting))]


def _warp(cutout: Cutout, which: tuple[int, int, int], target: np.ndarray, size: int) -> np.ndarray:
    source = cutout.anchors[list(which)].astype(np.float32)
    matrix = cv2.getAffineTransform(source - np.float32(0.5), target.astype(np.float32) - np.float32(0.5))
    return cv2.warpAffine(cutout.image, matrix, (size, size), flags=cv2.INTER_LINEAR)
