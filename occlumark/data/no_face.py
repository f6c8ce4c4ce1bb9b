"""Training crops that show no face, missed the one they were cut for, or show one of which no more is known.

Not in the paper.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from occlumark.crop import CropConfig, CropTransform
from occlumark.errors import ConfigError

#: Of the crops without a face: those that missed a face, and those of nothing at all; the rest show background.
_MISSED, _PLAIN = 0.3, 0.1


@cache
def load_background(path: str, key: str = "background") -> np.ndarray:
    """Crops (n, S, S, 3) uint8 RGB that `occlumark background` wrote, mapped into memory.

    Args:
        path: the file.
        key: of the configuration, for the message.

    Raises:
        ConfigError: no such file, or it holds something else.
    """
    try:
        crops = np.load(Path(path), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"'{key}' is a file that `occlumark background` wrote; {path} is not: {error}") from error
    if crops.ndim != 4 or crops.dtype != np.uint8 or crops.shape[1] != crops.shape[2] or crops.shape[3] != 3:
        raise ConfigError(f"'{key}' holds crops (n, S, S, 3) uint8; {path} holds {crops.shape} {crops.dtype}")
    if not len(crops):
        raise ConfigError(f"'{key}' holds at least one crop; {path} holds none")
    return crops


def no_face_crop(
    background: np.ndarray, pack_crop: np.ndarray, tight_box: np.ndarray, crop: CropConfig, rng: np.random.Generator
) -> np.ndarray:
    """A crop (size, size, 3) uint8 RGB, as the network would be given it, that shows no face.

    Args:
        background: (n, S, S, 3) uint8 RGB.
        pack_crop: (S, S, 3) uint8 RGB of some face, to be missed.
        tight_box: (4,) of that face, pixels of the packed crop.
        crop: the crop that the network sees.
        rng: the only source of randomness.
    """
    what = rng.random()
    if what < _MISSED:
        return missed_crop(pack_crop, tight_box, crop, rng)
    if what < _MISSED + _PLAIN:
        return _plain(crop.size, rng)
    picture = background[int(rng.integers(len(background)))]
    box = _box_within(picture.shape[0], crop, 0.7, 0.06, rng)
    angle = float(rng.choice([0, rng.uniform(-180, 180)]))
    return CropTransform.from_box(box, crop, angle_deg=angle, mirror=bool(rng.random() < 0.5)).cut(picture)


def scene_face_crop(faces: np.ndarray, crop: CropConfig, rng: np.random.Generator) -> np.ndarray:
    """A crop (size, size, 3) uint8 RGB of a face in a scene.

    Args:
        faces: (n, S, S, 3) uint8 RGB, by a face finder's boxes, whose errors they have.
        crop: the crop that the network sees.
        rng: the only source of randomness.
    """
    picture = faces[int(rng.integers(len(faces)))]
    box = _box_within(picture.shape[0], crop, 0.9, 0.02, rng)
    return CropTransform.from_box(
        box, crop, angle_deg=float(rng.uniform(-15, 15)), mirror=bool(rng.random() < 0.5)
    ).cut(picture)


def _box_within(side: int, crop: CropConfig, smallest: float, shift: float, rng: np.random.Generator) -> np.ndarray:
    """A box about as large as the one that a picture was cut for, with the network's own crop around it within it."""
    half = side / 2 / crop.scale * rng.uniform(smallest, 1.0)
    return np.tile(side / 2 + rng.uniform(-shift, shift, 2) * side, 2) + half * np.array([-1, -1, 1, 1])


def missed_crop(pack_crop: np.ndarray, tight_box: np.ndarray, crop: CropConfig, rng: np.random.Generator) -> np.ndarray:
    """A crop of a box that lies beside the face, or on a small part of it."""
    centre, side = (tight_box[:2] + tight_box[2:]) / 2, float((tight_box[2:] - tight_box[:2]).max())
    if rng.random() < 0.7:
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.85, 1.2)
        centre = centre + away * side * np.array([np.cos(angle), np.sin(angle)])
        half = side / 2 * rng.uniform(0.6, 1.1)
    else:
        centre = centre + rng.uniform(-0.4, 0.4, 2) * side
        half = side / 2 * rng.uniform(0.1, 0.25)
    box = np.concatenate([centre - half, centre + half])
    return CropTransform.from_box(box, crop, angle_deg=float(rng.uniform(-30, 30))).cut(pack_crop)


def _plain(size: int, rng: np.random.Generator) -> np.ndarray:
    """One colour, a slope of colours, or noise."""
    kind = rng.random()
    if kind < 0.35:
        return (
            np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
            if rng.random() < 0.7
            else np.zeros((size, size, 3), np.uint8)
        )
    cells = int(rng.choice([2, 3, 8, 32, size]))
    small = rng.integers(0, 256, (cells, cells, 3), np.uint8)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
