"""A pack's faces as PyTorch tensors, each training face augmented by a generator of its own."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from occlumark.crop import CropConfig
from occlumark.data.augment import AugmentConfig, augment, plain_crop
from occlumark.data.colour import as_small, degrade, recolour
from occlumark.data.no_face import load_background, no_face_crop, scene_face_crop
from occlumark.data.pack import Pack
from occlumark.markup import MARKUPS
from occlumark.occluders.drawing import Source

#: Crop pixels a cell of the occlusion map that TrainingFaces gives, as the refinement's fine map has.
OCCLUSION_STRIDE = 8


#: More of a pixel occluded hides what lies there, less shows it; between them nobody can tell.
OCCLUDED_ABOVE, VISIBLE_BELOW = 0.7, 0.35
#: Cells from a drawn occluder, each way, in which what it does not occlude counts as visible.
NEAR = 3


class LandmarkBatch(NamedTuple):
    """Augmented faces and what is known of their occlusion; without the first axis it is one face.

    Crops without a face, and those of faces in scenes, have no landmarks and no known occlusion.
    """

    crops: UInt8[Tensor, "B size size 3"]
    """RGB."""
    landmarks: Float[Tensor, "B L 2"]
    """Ground truth in crop pixels, NaN where not annotated or not exactly enough."""
    occluded: Float[Tensor, "B L"]
    """1 where something, drawn or real, occludes the landmark, 0 where it is visible, NaN where that is unknown."""
    occlusion: Float[Tensor, "B h w"]
    """The share of each cell that is occluded, NaN where unknown; a cell is OCCLUSION_STRIDE pixels wide and high."""
    presence: Float[Tensor, "B"]
    """1 where the crop shows the face that it was cut for, 0 where it shows none."""


class TrainingFaces(Dataset[LandmarkBatch]):
    """Augmented faces. Face i of epoch e is the same whoever loads it: its generator is (seed, e, i).

    Args:
        pack: the faces.
        indices: those of the training part.
        crop: what the network sees.
        config: the augmentation.
        seed: of the run.
        epoch: which pass this is.
    """

    def __init__(
        self, pack: Pack, indices: np.ndarray, crop: CropConfig, config: AugmentConfig, seed: int, epoch: int
    ) -> None:
        self.pack, self.indices, self.crop, self.config = pack, indices, crop, config
        self.seed, self.epoch = seed, epoch

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> LandmarkBatch:
        """One face and what is known of its occlusion, without the batch's axis."""
        index = int(self.indices[position])
        kind = self._kind(index)
        if kind != "packed":
            return self._without_landmarks(index, kind)
        rng = np.random.default_rng((self.seed, self.epoch, index))
        face = augment(
            self.pack.crops[index],
            self.pack.landmarks[index],
            self.pack.tight_boxes[index],
            official_box(self.pack, index),
            self.crop,
            self.config,
            rng,
            self._others(index),
            self.pack.markup.mirror,
        )
        states = landmark_occlusion(self.pack.occlusion[index][face.order], face.alpha, face.landmarks)
        landmarks = face.landmarks.astype(np.float32)
        landmarks[self.pack.exact[index][face.order] == 0] = np.nan
        return LandmarkBatch(
            torch.from_numpy(face.crop),
            torch.from_numpy(landmarks),
            torch.from_numpy(states),
            torch.from_numpy(map_occlusion(states, face.alpha, face.landmarks)),
            torch.tensor(1.0),
        )

    def _kind(self, index: int) -> Literal["packed", "no face", "scene"]:
        no_face, scene = self.config.no_face.share, self.config.scene_faces.share
        if not (no_face or scene):
            return "packed"
        # a generator apart, as in _others
        drawn = np.random.default_rng((self.seed, self.epoch, index, 2)).random()
        return "no face" if drawn < no_face else "scene" if drawn < no_face + scene else "packed"

    def _without_landmarks(self, index: int, kind: Literal["no face", "scene"]) -> LandmarkBatch:
        rng = np.random.default_rng((self.seed, self.epoch, index, 3))
        if kind == "scene":
            crop = scene_face_crop(load_background(self.config.scene_faces.crops, "crops"), self.crop, rng)
        else:
            background = load_background(self.config.no_face.background)
            crop = no_face_crop(background, self.pack.crops[index], self.pack.tight_boxes[index], self.crop, rng)
        crop = as_small(recolour(crop, rng, self.config.colour), rng, self.config.small, self.crop.scale)
        crop = degrade(crop, rng, self.config.blur)
        cells, n_landmarks = self.crop.size // OCCLUSION_STRIDE, self.pack.landmarks.shape[1]
        return LandmarkBatch(
            torch.from_numpy(crop),
            torch.full((n_landmarks, 2), torch.nan),
            torch.full((n_landmarks,), torch.nan),
            torch.full((cells, cells), torch.nan),
            torch.tensor(1.0 if kind == "scene" else 0.0),
        )

    def _others(self, index: int) -> Source:
        """Two more of the faces, for occluders to borrow from."""
        # a generator apart: what else happens to a face does not depend on this
        rng = np.random.default_rng((self.seed, self.epoch, index, 1))
        first, second = (int(i) for i in rng.choice(self.indices, 2))
        crops = _Each(lambda i: self.pack.crops[(first, second)[i]])
        if np.isnan(self.pack.landmarks[[first, second]]).any():  # nobody knows their outline
            return Source(textures=crops)
        return Source(textures=crops, faces=_Each(lambda i: (crops[i], self.pack.landmarks[(first, second)[i]])))


class _Each(Sequence[Any]):
    """Two things that are made when they are asked for: most occluders borrow nothing."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self._make = make

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: Any) -> Any:
        return self._make(range(2)[index])


def landmark_occlusion(known: np.ndarray, alpha: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """What is known of each landmark behind a drawn occluder.

    Args:
        known: (n,) of the face as photographed: pack.VISIBLE, OCCLUDED or UNKNOWN.
        alpha: (S, S), how much of each pixel the drawn occluder occludes.
        landmarks: (n, 2), crop pixels; NaN where not annotated.

    Returns:
        (n,) float32: 1 occluded, 0 visible, NaN unknown or outside of the crop.
    """
    states = np.array([0.0, 1.0, np.nan], np.float32)[known]
    size = alpha.shape[0]
    columns, rows = np.floor(np.nan_to_num(landmarks, nan=-1)).astype(int).T
    inside = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    mask = np.zeros(len(landmarks), np.float32)
    mask[inside] = alpha[rows[inside], columns[inside]]
    states[(mask >= VISIBLE_BELOW) & (states == 0)] = np.nan
    states[mask > OCCLUDED_ABOVE] = 1
    states[~inside] = np.nan
    return states


def map_occlusion(states: np.ndarray, alpha: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """What is known of each cell: under and near a drawn occluder, and about landmarks whose state is known.

    Args:
        states: (n,), by landmark_occlusion.
        alpha: (S, S), how much of each pixel the drawn occluder occludes.
        landmarks: (n, 2), crop pixels; NaN where not annotated.

    Returns:
        (h, w) float32: the share that is occluded, 1 where an occluded landmark lies and no visible one; NaN where
        unknown.
    """
    cells = alpha.shape[0] // OCCLUSION_STRIDE
    drawn = cv2.resize(alpha, (cells, cells), interpolation=cv2.INTER_AREA)
    near = cv2.dilate(drawn, np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)) > 0
    marks = np.zeros((3, cells, cells), np.uint8)  # visible, occluded, unknown
    columns, rows = np.floor(np.nan_to_num(landmarks, nan=-1) / OCCLUSION_STRIDE).astype(int).T
    inside = (columns >= 0) & (columns < cells) & (rows >= 0) & (rows < cells)
    kind = np.where(np.isnan(states), 2, np.nan_to_num(states)).astype(int)
    marks[kind[inside], rows[inside], columns[inside]] = 1
    around = np.ones((3, 3), np.uint8)
    visible, uncertain = cv2.dilate(marks[0], around) > 0, cv2.dilate(marks[1] | marks[2], around) > 0
    found = np.where(near | visible, np.float32(0), np.float32(np.nan))
    found[uncertain & ~(marks[0] > 0)] = np.nan
    found[(marks[1] > 0) & ~(marks[0] > 0)] = 1
    return np.where(drawn > 0, np.maximum(drawn, np.nan_to_num(found)), found).astype(np.float32)


def official_box(pack: Pack, index: int) -> np.ndarray | None:
    """The official box of a packed face in pack pixels, or None where the data set has none."""
    box = pack.official_boxes[index]
    return None if np.isnan(box).any() else box


def validation_box(pack: Pack, index: int) -> np.ndarray:
    """(4,) the box that a face is validated from, pack pixels: the official one, else the tight one."""
    box = official_box(pack, index)
    return pack.tight_boxes[index] if box is None else box


def validation_batches(
    pack: Pack, indices: np.ndarray, crop: CropConfig, batch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Crops from the faces' validation_box, nothing augmented, with their landmarks in crop pixels."""
    for start in range(0, len(indices), batch):
        pairs = []
        for index in indices[start : start + batch]:
            pairs.append(plain_crop(pack.crops[index], pack.landmarks[index], validation_box(pack, index), crop))
        yield np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])


def faces_digest(pack: Pack) -> str:
    """Names the faces of a pack and what is known of them: two SHA-256, as hexadecimal digits, a colon between.

    The first is of their names and landmarks, and all that runs of before 0.2 knew.
    """
    digest = hashlib.sha256("\n".join(pack.names).encode())
    digest.update(np.ascontiguousarray(pack.landmarks).tobytes())
    if pack.markup != MARKUPS.get(pack.n_landmarks):
        digest.update(json.dumps(pack.markup.to_json(), sort_keys=True).encode())
    more = hashlib.sha256("\n".join(pack.groups).encode())
    for array in (pack.occlusion, pack.exact, pack.tight_boxes, pack.official_boxes):
        more.update(np.ascontiguousarray(array).tobytes())
    return f"{digest.hexdigest()}:{more.hexdigest()}"


def mean_face(pack: Pack, indices: np.ndarray, crop: CropConfig, boxes: np.ndarray | None = None) -> np.ndarray:
    """(n, 2): the mean of the landmarks in crop pixels, without augmentation, cut from boxes (N, 4) of all the pack's
    faces; None: their tight boxes.

    Over the faces where a landmark is annotated; NaN where it is in none.
    """
    boxes, landmarks = (pack.tight_boxes if boxes is None else boxes)[indices], pack.landmarks[indices]
    centres = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    sides = (boxes[:, 2:] - boxes[:, :2]).max(1)[:, None, None] * crop.scale
    in_crop = (landmarks - centres) / sides * crop.size + crop.size / 2
    known = np.isfinite(in_crop)
    with np.errstate(invalid="ignore"):  # 0 / 0 of a landmark that no face has
        return np.where(known, in_crop, 0).sum(0, dtype=in_crop.dtype) / known.sum(0)
