"""What happens to a training face before the network sees it: one geometric transform, occluders, colour, blur."""

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import numpy as np

from occlumark.config import Checked, Range
from occlumark.crop import CropConfig, CropTransform
from occlumark.data.box_jitter import BoxJitterConfig, jittered_box
from occlumark.data.colour import BlurConfig, ColourConfig, SmallConfig, as_small, degrade, recolour
from occlumark.markup import MARKUPS
from occlumark.occluders.drawing import Source
from occlumark.occluders.occlude import NOTHING_BORROWED, OccludeConfig, occlude


@dataclass(frozen=True)
class SimilarityConfig(Checked):
    """Random similarity and mirroring, on top of the box's own jitter.

    Paper: section 5, implementation details: rotation, scale, translation and flip, without their ranges.
    """

    rotation_std_deg: Annotated[float, Range(0, 90)] = 12.0
    """Standard deviation of the rotation in the picture's plane, degrees."""
    rotation_max_deg: Annotated[float, Range(0, 180)] = 35.0
    """No rotation goes further, degrees."""
    zoom: Annotated[float, Range(0, 0.5)] = 0.06
    """Largest relative enlargement or reduction of the face, log-uniformly."""
    shift: Annotated[float, Range(0, 0.5)] = 0.02
    """Largest shift of the crop each way, uniformly, in sides of the box."""
    mirror: Annotated[float, Range(0, 1)] = 0.5
    """Probability of swapping left and right."""
    any_angle: Annotated[float, Range(0, 1)] = 0.0
    """Share of faces that are turned by any angle whatever. Ours."""


@dataclass(frozen=True)
class NoFaceConfig(Checked):
    """Crops that show no face, in place of faces. Ours."""

    share: Annotated[float, Range(0, 0.5)] = 0.0
    """Of the crops of an epoch."""
    background: str = ""
    """File of crops without a face, as `occlumark background` writes it; needed where share is above 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.share and not self.background:
            raise ValueError("crops that show no face need a file of them in 'background'")


@dataclass(frozen=True)
class SceneFacesConfig(Checked):
    """Faces in scenes, of which nothing is known but that they are there, in place of the packed ones. Ours."""

    share: Annotated[float, Range(0, 0.5)] = 0.0
    """Of the crops of an epoch."""
    crops: str = ""
    """File of crops, as `occlumark background --faces` writes it; needed where share is above 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.share and not self.crops:
            raise ValueError("faces in scenes need a file of them in 'crops'")


@dataclass(frozen=True)
class AugmentConfig:
    """Everything done to a training face. Each part has a probability or share that switches it off at 0."""

    box: BoxJitterConfig = field(default_factory=BoxJitterConfig)
    """Face boxes as detectors give them."""
    geometry: SimilarityConfig = field(default_factory=SimilarityConfig)
    """The paper's four: rotation, scale, translation, flip."""
    occlude: OccludeConfig = field(default_factory=OccludeConfig)
    """Things before the face."""
    colour: ColourConfig = field(default_factory=ColourConfig)
    """Light and colour."""
    blur: BlurConfig = field(default_factory=BlurConfig)
    """Loss of sharpness."""
    small: SmallConfig = field(default_factory=SmallConfig)
    """Faces of few pixels."""
    no_face: NoFaceConfig = field(default_factory=NoFaceConfig)
    """What is no face."""
    scene_faces: SceneFacesConfig = field(default_factory=SceneFacesConfig)
    """More of what is one."""


class TrainingFace(NamedTuple):
    """A face as the network sees it in training."""

    crop: np.ndarray
    """(size, size, 3) uint8 RGB."""
    landmarks: np.ndarray
    """(n, 2) pixels of that crop, in the markup's order also when mirrored; NaN where not annotated."""
    alpha: np.ndarray
    """(size, size) float32, 0..1: how much of each pixel a drawn occluder occludes."""
    order: np.ndarray
    """(n,) which landmark of the packed face each one is: the markup's mirror table where the face is mirrored."""


def augment(
    pack_crop: np.ndarray,
    landmarks: np.ndarray,
    tight_box: np.ndarray,
    official_box: np.ndarray | None,
    crop_config: CropConfig,
    config: AugmentConfig,
    rng: np.random.Generator,
    source: Source = NOTHING_BORROWED,
    mirror: np.ndarray | None = None,
) -> TrainingFace:
    """One training face, changed at random. The same generator gives the same face.

    Args:
        pack_crop: (S, S, 3) uint8 RGB, the packed crop, wider than what the network sees.
        landmarks: (n, 2) pixels of the packed crop, of any markup; NaN where not annotated.
        tight_box: (4,) pixels of the packed crop, the smallest box around the landmarks.
        official_box: (4,) in the same pixels, the data set's detector box, or None.
        crop_config: the crop that the network sees.
        config: what is changed and how much.
        rng: the only source of randomness.
        source: pictures and faces that occluders may borrow from.
        mirror: (n,) the markup's table; None: that of the package's markup of n landmarks.
    """
    box = jittered_box(tight_box, official_box, rng, config.box)
    transform, mirrored = random_transform(box, crop_config, config.geometry, rng, landmarks)
    table = mirror if mirror is not None else MARKUPS[len(landmarks)].mirror
    order = table if mirrored else np.arange(len(landmarks))
    crop, points = transform.cut(pack_crop), transform.to_crop(landmarks[order])
    crop, alpha = occlude(crop, points, config.occlude, rng, source)
    crop = as_small(recolour(crop, rng, config.colour), rng, config.small, crop_config.scale)
    return TrainingFace(degrade(crop, rng, config.blur), points, alpha, order)


def random_transform(
    box: np.ndarray,
    crop_config: CropConfig,
    config: SimilarityConfig,
    rng: np.random.Generator,
    landmarks: np.ndarray | None = None,
) -> tuple[CropTransform, bool]:
    """A crop transform around a box, turned, zoomed, shifted and perhaps mirrored at random.

    Args:
        box: (4,) x0, y0, x1, y1, pixels.
        crop_config: the crop's size and scale.
        config: the ranges.
        rng: the only source of randomness.
        landmarks: (n, 2), in the same pixels: a box around a face that is turned by any angle is as large as the turned
            face wants, so that it must be known.

    Returns:
        The transform, and whether it mirrors: then the caller reorders the landmarks by their markup's mirror table.
    """
    angle = config.rotation_std_deg * rng.standard_normal()
    angle = float(np.clip(angle, -config.rotation_max_deg, config.rotation_max_deg))
    low, high = np.asarray(box[:2], float), np.asarray(box[2:], float)
    # 1 / (1 + zoom) to 1 + zoom, log-uniformly
    half = (high - low) / 2 * (1 + config.zoom) ** rng.uniform(-1, 1)
    centre = (low + high) / 2 + (high - low).max() * config.shift * rng.uniform(-1, 1, 2)
    mirrored = bool(rng.random() < config.mirror)
    # no draw where the answer is known: older configurations repeat pixel for pixel
    if config.any_angle and rng.random() < config.any_angle:
        angle = float(rng.uniform(-180, 180))
        if landmarks is not None:
            shift, growth = _turned_box(landmarks, angle)
            centre, half = centre + shift, half * growth
    moved = np.concatenate([centre - half, centre + half])
    return CropTransform.from_box(moved, crop_config, angle_deg=angle, mirror=mirrored), mirrored


def _turned_box(landmarks: np.ndarray, angle_deg: float) -> tuple[np.ndarray, float]:
    """How the tight box of a face changes when the face is turned, seen in the unturned photo.

    Returns:
        (2,) shift of its centre, and its longer side over that of the unturned face.
    """
    known = landmarks[np.isfinite(landmarks).all(axis=1)].astype(np.float64)
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    turn = np.array([[cos, -sin], [sin, cos]])
    turned = known @ turn.T
    middle = (turned.min(axis=0) + turned.max(axis=0)) / 2 @ turn  # back in the unturned photo
    growth = np.ptp(turned, axis=0).max() / max(float(np.ptp(known, axis=0).max()), 1e-6)
    return middle - (known.min(axis=0) + known.max(axis=0)) / 2, float(growth)


def plain_crop(
    pack_crop: np.ndarray, landmarks: np.ndarray, box: np.ndarray, crop_config: CropConfig
) -> tuple[np.ndarray, np.ndarray]:
    """The crop around a box with nothing changed, as validation and detection see a face.

    Args:
        pack_crop: (S, S, 3) uint8 RGB.
        landmarks: (n, 2) pixels of the packed crop.
        box: (4,) x0, y0, x1, y1 in the same pixels.
        crop_config: the crop's size and scale.

    Returns:
        The (size, size, 3) uint8 crop and the (n, 2) landmarks in its pixels.
    """
    transform = CropTransform.from_box(box, crop_config)
    return transform.cut(pack_crop), transform.to_crop(landmarks)
