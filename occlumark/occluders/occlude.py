"""Occluders over training faces: what is put over a face, how often, and which landmarks it occludes.

Not in the paper: it augments by rotation, scale, translation and mirroring alone (docs/paper.md, "Augmentation").
"""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import cv2
import numpy as np

from occlumark.config import Checked, Range
from occlumark.occluders import cutouts, photographed, simple
from occlumark.occluders.compose import compose
from occlumark.occluders.drawing import Source
from occlumark.occluders.erase import erase
from occlumark.occluders.kinds import TRAINING

Kind = Literal[
    "patch",
    "sunglasses",
    "hand",
    "hair",
    "mask",
    "erase",
    "medical_mask",
    "cloth_mask",
    "respirator",
    "shades",
    "spectacles",
    "goggles",
    "hand_on_face",
    "both_hands",
    "finger",
    "spread_hand",
    "strands",
    "fringe",
    "curtains",
    "shapes",
    "other_face",
    "shadow",
    "highlight",
    "cutout_hand",
    "cutout_glasses",
    "cutout_hat",
    "cutout_object",
    "cutout_hair",
]
#: Kinds that are not drawn from landmarks; all others need the 68.
WITHOUT_LANDMARKS: tuple[Kind, ...] = ("patch", "erase")
NOTHING_BORROWED = Source()


@dataclass(frozen=True)
class OccludeConfig(Checked):
    """How often a training face gets an occluder, and of which kinds."""

    probability: Annotated[float, Range(0, 1)] = 0.35
    """Share of faces that get one. Ours."""
    kinds: tuple[Kind, ...] = ("patch", "sunglasses", "hand", "hair")
    """Kinds to choose from, each as likely as it is often named: the first four and "mask" are older and plainer than
    the rest, which docs/occluders.md describes; "erase" is random erasing. Ours."""
    second: Annotated[float, Range(0, 1)] = 0.0
    """Share of the faces with an occluder that get a second one over the first. Ours."""
    cutouts: str = ""
    """Folder of photographed.FOLDERS, PNG with alpha; the kinds "cutout_..." need it, nothing else reads it. Ours."""
    masks: str = ""
    """Folder of face-mask cut-outs, PNG with alpha; the kind "mask" needs it, nothing else reads it. Ours."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.kinds or set(self.kinds) - set(get_args(Kind)):
            raise ValueError(f"occluder kinds are some of {', '.join(get_args(Kind))}, not {self.kinds}")
        if "mask" in self.kinds and not self.masks:
            raise ValueError("the occluder kind 'mask' needs a folder of cut-outs in 'masks'")
        if photographed.FOLDERS.keys() & set(self.kinds) and not self.cutouts:
            raise ValueError("the occluder kinds 'cutout_...' need a folder of cut-outs in 'cutouts'")


def check_folders(config: OccludeConfig) -> None:
    """Read what the kinds are cut out of: a wrong folder fails here, not in a loading process.

    Raises:
        ConfigError: a folder of config has no such cut-outs.
    """
    for kind in config.kinds if config.probability else ():
        if kind in photographed.FOLDERS:
            photographed.load_photographed(config.cutouts, kind)
        elif kind == "mask":
            cutouts.load_cutouts(config.masks)


def occlude(
    crop: np.ndarray,
    landmarks: np.ndarray,
    config: OccludeConfig,
    rng: np.random.Generator,
    source: Source = NOTHING_BORROWED,
) -> tuple[np.ndarray, np.ndarray]:
    """Put one or two occluders over a face, or leave the face as it is.

    Args:
        crop: (S, S, 3) uint8, RGB; not modified.
        landmarks: (68, 2), crop pixels; of another markup for kinds WITHOUT_LANDMARKS. Where some are NaN, a kind that
            is drawn from landmarks is left out.
        config: how often, and which kinds.
        rng: the same state gives the same occluder.
        source: pictures and faces to borrow from.

    Returns:
        The composed crop, (S, S, 3) uint8, a new array unless nothing was put on; and how much of each pixel is
        occluded, (S, S) float32 in 0..1. Where that is 0, nothing occludes the face, though a shadow may lie on it.

    Raises:
        ConfigError: config.masks holds no cut-out.
    """
    if rng.random() >= config.probability:
        return crop, np.zeros(crop.shape[:2], np.float32)
    composed, alpha = _one(crop, landmarks, config, rng, source)
    # no draw where the answer is known: older configurations repeat pixel for pixel
    if config.second and rng.random() < config.second:
        composed, above = _one(composed, landmarks, config, rng, source)
        alpha = 1 - (1 - alpha) * (1 - above)
    return composed, alpha


def _one(
    crop: np.ndarray, landmarks: np.ndarray, config: OccludeConfig, rng: np.random.Generator, source: Source
) -> tuple[np.ndarray, np.ndarray]:
    kind = config.kinds[rng.integers(len(config.kinds))]
    if kind == "erase":
        return erase(crop, rng)
    if kind not in WITHOUT_LANDMARKS and np.isnan(landmarks).any():
        return crop, np.zeros(crop.shape[:2], np.float32)
    if kind in TRAINING or kind in photographed.FOLDERS:
        if kind in TRAINING:
            drawing = TRAINING[kind](crop, landmarks, rng, source)
        else:
            drawing = photographed.draw(kind, crop, landmarks, config.cutouts, rng)
        composed, alpha, _light = compose(crop, landmarks, drawing, rng)
        return composed, alpha
    if kind == "mask":
        paint, mask = cutouts.mask(crop, landmarks, config.masks, rng)
    else:
        paint, mask = simple.DRAW[kind](crop, landmarks, rng)
    light = cv2.resize(rng.integers(150, 250, (3, 3), np.uint8), crop.shape[:2], interpolation=cv2.INTER_LINEAR)
    paint = cv2.multiply(paint, cv2.cvtColor(light, cv2.COLOR_GRAY2RGB), scale=1 / 210)
    alpha = cv2.GaussianBlur(mask, (3, 3), 0.8).astype(np.float32) * np.float32(1 / 255)
    return cv2.blendLinear(paint, crop, alpha, 1 - alpha), alpha


def occluded_landmarks(alpha: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Which landmarks an occluder occludes: those whose pixel it occludes by more than half.

    Args:
        alpha: (S, S), as occlude returns it.
        landmarks: (n, 2), crop pixels; NaN where not annotated.

    Returns:
        (n,) bool; False outside the crop and where not annotated.
    """
    columns, rows = np.floor(np.nan_to_num(landmarks, nan=-1)).astype(int).T
    size = alpha.shape[0]
    inside = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    occluded = np.zeros(len(landmarks), bool)
    occluded[inside] = alpha[rows[inside], columns[inside]] > 0.5
    return occluded
