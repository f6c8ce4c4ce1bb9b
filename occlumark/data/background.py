"""Crops without a face, for the network to learn what is none: from photos with known faces, and the finder's errors.

Not in the paper.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from occlumark.boxes import box_iou
from occlumark.crop import CropConfig, CropTransform
from occlumark.data.scenes import Scene
from occlumark.errors import PhotoError
from occlumark.photo import read_photo

#: No crop's box box_iou a face, or what may be one, by more (intersection over union), nor holds its middle.
MOST_OVERLAP = 0.05
_TRIES = 20

FindBoxes = Callable[[np.ndarray], np.ndarray]
"""From a photo (height, width, 3) to boxes (n, 4) in its pixels."""


def background_crops(
    scenes: Sequence[Scene], find_boxes: FindBoxes, crop: CropConfig, per_scene: int, seed: int
) -> Iterator[np.ndarray]:
    """Crops (size, size, 3) uint8 that hold no annotated face.

    Of each scene first the boxes that a face finder gives and that are no faces, then random ones.

    Args:
        scenes: to train on.
        find_boxes: a face finder that gives doubtful boxes too.
        crop: how a crop is cut from a box.
        per_scene: crops a scene, at most.
        seed: of the random boxes.
    """
    for number, scene in enumerate(scenes):
        try:
            photo = read_photo(scene.photo)
        except PhotoError:
            continue
        faces = np.concatenate([scene.faces, scene.ignored])
        rng = np.random.default_rng((seed, number))
        candidates = [*find_boxes(photo), *_random_boxes(photo.shape[:2], rng)]
        taken = 0
        for box in candidates:
            if taken == per_scene:
                break
            if is_background(box, faces):
                yield CropTransform.from_box(box, crop).cut(photo)
                taken += 1


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
