"""Crops of scenes, for the network to learn what is a face and what is none: where a face finder is right or wrong.

Not in the paper.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np

from occlumark.boxes import box_iou
from occlumark.crop import CropConfig, CropTransform
from occlumark.data.sample import Problem
from occlumark.data.scenes import Scene
from occlumark.errors import PhotoError
from occlumark.photo import read_photo

#: No crop's box overlaps a face, or what may be one, by more (intersection over union), nor holds its middle.
MOST_OVERLAP = 0.05
#: A box of the finder's shows a face that it overlaps by at least so much.
LEAST_OVERLAP = 0.4
#: Seed of the scenes that are left out to choose on; another than that of the finder's validation part.
LEAVE_OUT_SEED = 7
_TRIES = 20

FindBoxes = Callable[[np.ndarray], np.ndarray]
"""From a photo (height, width, 3) to boxes (n, 4) in its pixels."""


def scene_crops(
    scenes: Iterable[tuple[Scene, np.ndarray]], find_boxes: FindBoxes, crop: CropConfig, per_scene: int, seed: int
) -> Iterator[tuple[np.ndarray, bool]]:
    """Crops (size, size, 3) uint8 of scenes, and whether each shows a face.

    Of each scene the boxes that a face finder gives: those of a face, and those that hold none; then random ones that
    hold none.

    Args:
        scenes: to train on, each with its photo.
        find_boxes: a face finder that gives doubtful boxes too.
        crop: how a crop is cut from a box.
        per_scene: crops without a face a scene, at most; and as many with one.
        seed: of the random boxes.
    """
    for number, (scene, photo) in enumerate(scenes):
        rng = np.random.default_rng((seed, number))
        found = find_boxes(photo)
        for shown in islice(face_crops(photo, scene.faces, found, crop), per_scene):
            yield shown, True
        faces = np.concatenate([scene.faces, scene.ignored])
        candidates = [*found, *_random_boxes(photo.shape[:2], rng)]
        for box in islice((box for box in candidates if is_background(box, faces)), per_scene):
            yield CropTransform.from_box(box, crop).cut(photo), False


def reduced_scenes(
    scenes: Iterable[Scene], reductions: Sequence[int], unreadable: list[Problem]
) -> Iterator[tuple[Scene, np.ndarray]]:
    """Each scene whose photo can be read with the photo, once for each reduction, boxes and photo reduced alike.

    Args:
        scenes: with photos on the disk.
        reductions: by which whole factors the sides are divided; 1 leaves them.
        unreadable: gets the scenes that are left out.
    """
    for scene in scenes:
        try:
            photo = read_photo(scene.photo)
        except PhotoError as error:
            unreadable.append(Problem(scene.name, str(error)))
            continue
        for factor in reductions:
            size = [max(1, side // factor) for side in photo.shape[1::-1]]
            small = photo if factor == 1 else cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
            ratio = np.tile(np.array(size) / photo.shape[1::-1], 2)
            yield replace(scene, faces=scene.faces * ratio, ignored=scene.ignored * ratio), small


def face_crops(photo: np.ndarray, faces: np.ndarray, found: np.ndarray, crop: CropConfig) -> Iterator[np.ndarray]:
    """Crops (size, size, 3) uint8 of what a face finder rightly takes for a face, by its own boxes.

    Args:
        photo: (height, width, 3) uint8.
        faces: (n, 4) the true ones.
        found: (k, 4) the finder's boxes.
        crop: how a crop is cut from a box.
    """
    for box in found:
        if len(faces) and float(box_iou(box[None], faces).max()) >= LEAST_OVERLAP:
            yield CropTransform.from_box(box, crop).cut(photo)


def is_background(box: np.ndarray, faces: np.ndarray) -> bool:
    """Whether a box (4,) shows none of the faces (n, 4)."""
    if not len(faces):
        return True
    centres = (faces[:, :2] + faces[:, 2:]) / 2
    grown = (box[2:] - box[:2]) * 0.15
    inside = ((centres > box[:2] - grown) & (centres < box[2:] + grown)).all(axis=1)
    return not inside.any() and float(box_iou(box[None], faces).max()) <= MOST_OVERLAP


def _random_boxes(size: tuple[int, int], rng: np.random.Generator) -> list[np.ndarray]:
    height, width = size
    boxes = []
    for _ in range(_TRIES):
        side = min(height, width) * 2.0 ** rng.uniform(-3, -0.3)
        corner = rng.uniform(0, 1, 2) * [max(width - side, 0), max(height - side, 0)]
        boxes.append(np.concatenate([corner, corner + side]))
    return boxes
