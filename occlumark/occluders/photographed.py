"""Real things cut out of photos (PNG with alpha), laid over the face where such things are: hands, glasses, hats, more.

A folder of cut-outs has a folder a kind: glasses/, hands/, hats/, objects/, and hair/ with layers of aligned faces.
"""

import functools
from pathlib import Path

import cv2
import numpy as np

from occlumark.errors import ConfigError
from occlumark.markup import LEFT_EYE, RIGHT_EYE
from occlumark.occluders.drawing import Drawing
from occlumark.occluders.frame import Frame

#: The folder of each kind of cut-out.
FOLDERS = {
    "cutout_hand": "hands",
    "cutout_glasses": "glasses",
    "cutout_hat": "hats",
    "cutout_object": "objects",
    "cutout_hair": "hair",
}
#: Side of an aligned layer (hair/), the middle of its eyes and its unit (frame.Frame), pixels.
LAYER_SIZE, LAYER_ORIGIN, LAYER_UNIT = 256, (128.0, 112.0), 80.0
#: Share of a glasses' width from the left at which a lens has its middle, and the height of both.
_LENS, _LENS_HEIGHT = 0.25, 0.45
#: Glasses whose two halves differ by more are seen from the side and are left out: halves are bent for turned heads.
_SYMMETRY = 0.8


@functools.cache
def load_photographed(folder: str, kind: str) -> tuple[np.ndarray, ...]:
    """The cut-outs of a kind, by name: (height, width, 4) uint8 RGBA each.

    Args:
        folder: holds FOLDERS[kind].
        kind: a key of FOLDERS.

    Raises:
        ConfigError: the folder has no PNG of the kind, or one without alpha.
    """
    paths = sorted((Path(folder) / FOLDERS[kind]).glob("*.png"))
    if not paths:
        raise ConfigError(f"'cutouts' is a folder with {FOLDERS[kind]}/*.png for the kind {kind}; {folder} has none")
    pictures = []
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 4:
            raise ConfigError(f"a cut-out is an 8-bit PNG with alpha, but {path} is not; remove it from the folder")
        pictures.append(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA))
    if kind == "cutout_glasses":
        pictures = list(filter(_is_frontal, pictures))
        if not pictures:
            raise ConfigError(f"of the glasses in {Path(folder) / FOLDERS[kind]} none is seen from the front")
    return tuple(pictures)


def draw(kind: str, crop: np.ndarray, landmarks: np.ndarray, folder: str, rng: np.random.Generator) -> Drawing:
    """A cut-out over a face.

    Args:
        kind: a key of FOLDERS.
        crop: (S, S, 3) uint8 RGB.
        landmarks: (68, 2), crop pixels.
        folder: of the cut-outs.
        rng: chooses the cut-out and where it lies.
    """
    pictures = load_photographed(folder, kind)
    picture = pictures[int(rng.integers(len(pictures)))]
    if rng.random() < 0.5 and kind != "cutout_glasses":
        picture = picture[:, ::-1]
    size, frame = crop.shape[0], Frame.of(landmarks)
    if kind == "cutout_glasses":
        layer = _on_the_eyes(picture, landmarks, frame, size, rng)
        return _drawing(layer, crop, lift=0.02, match=0.3, rng=rng)
    if kind == "cutout_hair":
        return _drawing(_layer_on_face(picture, frame, size, rng), crop, lift=0.02, match=0.6, rng=rng)
    if kind == "cutout_hat":
        layer = _warped(picture, *_on_the_brows(picture, landmarks, frame, rng), size)
        return _drawing(layer, crop, lift=0.06, match=0.3, rng=rng)
    if kind == "cutout_hand":
        layer = _warped(picture, *_hand_place(picture, landmarks, frame, rng), size)
        return _drawing(layer, crop, lift=float(rng.choice([0, 0.04, 0.08])), match=0.7, rng=rng)
    layer = _warped(picture, *_object_place(picture, landmarks, frame, rng), size)
    return _drawing(layer, crop, lift=float(rng.choice([0, 0.05, 0.1])), match=0.3, rng=rng)


def _is_frontal(glasses: np.ndarray) -> bool:
    rows, columns = np.nonzero(glasses[..., 3] > 60)
    if not len(rows):
        return False
    body = glasses[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 3] > 60
    return bool((body & body[:, ::-1]).sum() > _SYMMETRY * (body | body[:, ::-1]).sum())


def _on_the_eyes(
    glasses: np.ndarray, landmarks: np.ndarray, frame: Frame, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Glasses bent at the bridge, so that each half follows its side of a turned head."""
    rows, columns = np.nonzero(glasses[..., 3] > 20)
    x0, x1, y0, y1 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    width, height = x1 - x0, y1 - y0
    eyes = np.array([landmarks[list(RIGHT_EYE)].mean(axis=0), landmarks[list(LEFT_EYE)].mean(axis=0)])
    bridge = landmarks[27] + rng.uniform(0, 0.25) * (landmarks[28] - landmarks[27])
    wide = rng.uniform(1.0, 1.22)
    # pixels of the crop for one of the cut-out, down the face: as for a head seen from the front
    down = frame.down * 0.66 * frame.unit * wide / (2 * (0.5 - _LENS) * width) * rng.uniform(0.9, 1.2)
    slipped = frame.down * frame.unit * rng.uniform(-0.03, 0.08)
    halves = []
    for eye, share in zip(eyes, (_LENS, 1 - _LENS), strict=True):
        source = np.array(
            [
                (x0 + 0.5 * width, y0 + _LENS_HEIGHT * height),
                (x0 + 0.5 * width, y1),
                (x0 + share * width, y0 + _LENS_HEIGHT * height),
            ]
        )
        middle = bridge + frame.down * frame.down.dot(eyes.mean(axis=0) - bridge)
        target = np.array([middle, middle + down * (1 - _LENS_HEIGHT) * height, middle + (eye - middle) * wide])
        matrix = cv2.getAffineTransform((source - 0.5).astype(np.float32), (target + slipped - 0.5).astype(np.float32))
        halves.append(cv2.warpAffine(_premultiplied(glasses), matrix, (size, size), flags=cv2.INTER_LINEAR))
    far = frame.right * 4 * size
    ridge = [bridge - frame.down * 4 * size, bridge + frame.down * 4 * size]
    on_left = np.zeros((size, size), np.uint8)
    cv2.fillPoly(on_left, [np.array([*ridge, ridge[1] - far, ridge[0] - far]).astype(np.int32)], (255,))
    return cv2.copyTo(halves[0], on_left, halves[1])


def _layer_on_face(layer: np.ndarray, frame: Frame, size: int, rng: np.random.Generator) -> np.ndarray:
    """A layer of an aligned face over this one: eyes on eyes, chin on chin, give or take."""
    if layer.shape[:2] != (LAYER_SIZE, LAYER_SIZE):
        raise ConfigError(f"a layer in {FOLDERS['cutout_hair']}/ is {LAYER_SIZE} x {LAYER_SIZE}, not {layer.shape[:2]}")
    zoom = frame.unit / LAYER_UNIT * rng.uniform(0.92, 1.1)
    moved = frame.origin + frame.unit * (rng.normal(0, 0.06) * frame.right + rng.normal(0.03, 0.08) * frame.down)
    linear = zoom * np.column_stack([frame.right, frame.down])
    return _warped(layer, linear, moved - linear @ LAYER_ORIGIN, size)


def _on_the_brows(
    hat: np.ndarray, landmarks: np.ndarray, frame: Frame, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A hat's lower edge at the brows, or a little above or below."""
    solid = hat[..., 3] > 127
    middle = hat.shape[1] // 2
    column = np.flatnonzero(solid[:, middle - 2 : middle + 3].any(axis=1))
    edge = np.array([middle, float(column[-1] + 1) if len(column) else hat.shape[0]])
    brows = landmarks[17:27].mean(axis=0)
    wide = float(np.ptp((landmarks[0:17] - frame.origin) @ frame.right))
    columns = np.flatnonzero(solid.any(axis=0))
    zoom = max(wide, 0.9 * frame.unit) * rng.uniform(1.05, 1.35) / max(1, np.ptp(columns) if len(columns) else 1)
    tilt = rng.normal(0, 0.08)
    linear = zoom * _turned(frame, tilt)
    target = brows + frame.unit * (rng.normal(-0.1, 0.17) * frame.down + rng.normal(0, 0.05) * frame.right)
    return linear, target - linear @ edge


def _hand_place(
    hand: np.ndarray, landmarks: np.ndarray, frame: Frame, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A hand on the face whose wrist, the lower edge of the cut-out, points away from it, mostly downwards."""
    on = landmarks[int(rng.choice([*range(1, 16), *range(17, 27), *range(29, 36), *range(48, 60)]))]
    away = on - frame.origin - 0.3 * frame.unit * frame.down
    angle = np.arctan2(away @ frame.down, away @ frame.right) if rng.random() < 0.6 else np.pi / 2
    turn = angle - np.pi / 2 + rng.normal(0, 0.5)
    length = frame.unit * rng.uniform(1.1, 1.9)
    linear = length / max(hand.shape[:2]) * _turned(frame, turn)
    touching = np.array(hand.shape[1::-1]) * [rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.55)]
    return linear, on + rng.normal(0, 0.08, 2) * frame.unit - linear @ touching


def _object_place(
    thing: np.ndarray, landmarks: np.ndarray, frame: Frame, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Anything, anywhere over the face, more often over its lower half."""
    candidates = [*range(0, 17), *range(27, 36), *range(48, 68)] if rng.random() < 0.7 else range(68)
    on = landmarks[int(rng.choice(list(candidates)))]
    turn = rng.normal(0, 0.5) if rng.random() < 0.6 else rng.uniform(-np.pi, np.pi)
    linear = frame.unit * rng.uniform(0.5, 1.7) / max(thing.shape[:2]) * _turned(frame, turn)
    held = np.array(thing.shape[1::-1]) * rng.uniform(0.25, 0.75, 2)
    return linear, on - linear @ held


def _turned(frame: Frame, angle: float) -> np.ndarray:
    """(2, 2) rotation from a cut-out's axes to the picture's, for a face that may be turned itself."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([frame.right, frame.down]) @ np.array([[cos, -sin], [sin, cos]])


def _warped(picture: np.ndarray, linear: np.ndarray, shift: np.ndarray, size: int) -> np.ndarray:
    """A cut-out moved by linear @ point + shift, in photo coordinates, to (size, size, 4), alpha premultiplied."""
    reduce = int(1 / max(float(np.hypot(*linear[:, 0])), 1e-6))
    if reduce > 1:  # average first: nothing aliases
        smaller = (max(1, picture.shape[1] // reduce), max(1, picture.shape[0] // reduce))
        linear = linear @ np.diag([picture.shape[1] / smaller[0], picture.shape[0] / smaller[1]])
        picture = cv2.resize(_premultiplied(picture), smaller, interpolation=cv2.INTER_AREA)
    else:
        picture = _premultiplied(picture)
    # OpenCV puts a pixel's centre on whole numbers, we on halves
    matrix = np.column_stack([linear, shift + linear @ [0.5, 0.5] - 0.5])
    return cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR)


def _premultiplied(picture: np.ndarray) -> np.ndarray:
    """RGBA with its colours times alpha, so that nothing from outside of the cut-out is mixed in."""
    alpha = cv2.cvtColor(np.ascontiguousarray(picture[..., 3]), cv2.COLOR_GRAY2RGB)
    colours = cv2.multiply(np.ascontiguousarray(picture[..., :3]), alpha, scale=1 / 255)
    return np.dstack([colours, picture[..., 3]])


def _drawing(layer: np.ndarray, crop: np.ndarray, lift: float, match: float, rng: np.random.Generator) -> Drawing:
    """A premultiplied layer as a drawing; with the chance `match` its brightness is drawn to the crop's."""
    mask = np.ascontiguousarray(layer[..., 3])
    paint = layer[..., :3].astype(np.float32) * (255 / np.maximum(mask, 1)[..., None].astype(np.float32))
    solid = mask > 127
    if solid.any() and rng.random() < match:
        middle = crop[crop.shape[0] // 4 : -crop.shape[0] // 4, crop.shape[1] // 4 : -crop.shape[1] // 4]
        gain = (middle.reshape(-1, 3).mean(axis=0) + 10) / (paint[solid].mean(axis=0) + 10)
        paint *= np.clip(gain ** rng.uniform(0.4, 1), 0.35, 1.6).astype(np.float32)
    paint *= np.float32(rng.uniform(0.75, 1.2))
    return Drawing(np.clip(paint, 0, 255).astype(np.uint8), mask, lift=lift, borrowed=True)
