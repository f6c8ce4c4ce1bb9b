"""A pack's faces as PyTorch tensors, each training face augmented by a generator of its own."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from occlumark.crop import CropConfig
from occlumark.data.augment import AugmentConfig, augment, plain_crop
from occlumark.data.pack import Pack
from occlumark.occluders.drawing import Source
from occlumark.occluders.occlude import occluded_landmarks

#: Crop pixels a cell of the occlusion map that TrainingFaces gives, as the refinement's fine map has.
OCCLUSION_STRIDE = 8


class LandmarkBatch(NamedTuple):
    """Augmented faces and what drawn occluders occlude of them; without the first axis it is one face."""

    crops: UInt8[Tensor, "B size size 3"]
    """RGB."""
    landmarks: Float[Tensor, "B L 2"]
    """Ground truth in crop pixels, NaN where not annotated."""
    occluded: Float[Tensor, "B L"]
    """1 where a drawn occluder occludes the landmark, else 0."""
    occlusion: Float[Tensor, "B h w"]
    """The share of each cell under a drawn occluder; a cell is OCCLUSION_STRIDE pixels wide and high."""


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
        """One face and what a drawn occluder occludes of it, without the batch's axis."""
        index = int(self.indices[position])
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
        )
        cells = (self.crop.size // OCCLUSION_STRIDE,) * 2
        return LandmarkBatch(
            torch.from_numpy(face.crop),
            torch.from_numpy(face.landmarks.astype(np.float32)),
            torch.from_numpy(occluded_landmarks(face.alpha, face.landmarks).astype(np.float32)),
            torch.from_numpy(cv2.resize(face.alpha, cells, interpolation=cv2.INTER_AREA)),
        )

    def _others(self, index: int) -> Source:
        """Two more of the faces, for occluders to borrow from."""
        # a generator apart: what else happens to a face does not depend on this
        rng = np.random.default_rng((self.seed, self.epoch, index, 1))
        first, second = (int(i) for i in rng.choice(self.indices, 2))
        faces = [(self.pack.crops[i], self.pack.landmarks[i]) for i in (first, second)]
        return Source(textures=[crop for crop, _ in faces], faces=faces)


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
    """Names the faces of a pack: SHA-256 of their names and landmarks, as hexadecimal digits."""
    digest = hashlib.sha256("\n".join(pack.names).encode())
    digest.update(np.ascontiguousarray(pack.landmarks).tobytes())
    return digest.hexdigest()


def mean_face(pack: Pack, indices: np.ndarray, crop: CropConfig) -> np.ndarray:
    """(n, 2): the mean of the landmarks in crop pixels, cut from tight boxes without augmentation.

    Over the faces where a landmark is annotated; NaN where it is in none.
    """
    boxes, landmarks = pack.tight_boxes[indices], pack.landmarks[indices]
    centres = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    sides = (boxes[:, 2:] - boxes[:, :2]).max(1)[:, None, None] * crop.scale
    in_crop = (landmarks - centres) / sides * crop.size + crop.size / 2
    known = np.isfinite(in_crop)
    with np.errstate(invalid="ignore"):  # 0 / 0 of a landmark that no face has
        return np.where(known, in_crop, 0).sum(0, dtype=in_crop.dtype) / known.sum(0)
