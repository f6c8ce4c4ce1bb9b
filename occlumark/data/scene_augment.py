"""A training canvas for the face finder: parts of scenes at random scales, some faces occluded, all of it changed.

Not in the paper: all of it (docs/paper.md, "Face boxes").
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, ClassVar, NamedTuple

import cv2
import numpy as np

from occlumark.config import Checked, Range
from occlumark.data.colour import BlurConfig, ColourConfig, degrade, recolour
from occlumark.data.mean_face import MEAN_FACE
from occlumark.data.scenes import Scene
from occlumark.occluders.occlude import OccludeConfig, occlude

# An occluder is drawn in a square so much larger than the face's longer side, and on faces no smaller than this.
_AROUND_FACE = 1.4
_SMALLEST_OCCLUDED = 28


@dataclass(frozen=True)
class SceneAugmentConfig(Checked):
    """What becomes of scenes. All ours."""

    size: Annotated[int, Range(64, 2048, multiple_of=32)] = 320
    """Side of the square canvas in pixels."""
    mosaic: Annotated[float, Range(0, 1)] = 0.5
    """Share of canvases made of four scenes; the others show one."""
    face_sides: Annotated[tuple[float, float], Range(above=0, most=10_000, ascending=True)] = (10.0, 320.0)
    """A scene is scaled so that one of its faces gets a longer side between these, log-uniformly, pixels."""
    smallest_photo: Annotated[float, Range(0, 1)] = 0.4
    """Longer side of a scene over that of its tile, at least, even where its face gets larger by that."""
    largest_zoom: Annotated[float, Range(1, 100)] = 3.0
    """A scene is enlarged at most so much."""
    smallest_face: Annotated[float, Range(above=0, most=10_000)] = 7.0
    """A face with a longer side below is neither face nor background, pixels."""
    visible: Annotated[tuple[float, float], Range(0, 1, ascending=True)] = (0.3, 0.55)
    """A face with a smaller share of its box within its tile is no face, from the second share on it is one; between:
    neither. 0 to 1, the second above 0."""
    mirror: Annotated[float, Range(0, 1)] = 0.5
    """Probability of swapping left and right."""
    turn_std_deg: Annotated[float, Range(0, 45)] = 10.0
    """Standard deviation of the turn, degrees."""
    quarter_turn: Annotated[float, Range(0, 1)] = 0.05
    """Probability of a further turn by 90, 180 or 270 degrees."""
    any_turn: Annotated[float, Range(0, 1)] = 0.0
    """Probability of a turn by any angle whatever instead."""
    stretch: Annotated[float, Range(0, 0.5)] = 0.1
    """Largest relative change of width over height."""
    blank: Annotated[float, Range(0, 1)] = 0.02
    """Share of canvases with nothing but one colour, noise or a gradient."""
    most_occluded: Annotated[float, Range(0, 1)] = 0.6
    """A face with a larger share of its box under a drawn occluder is neither face nor background."""
    occlude: OccludeConfig = field(default_factory=lambda: OccludeConfig(probability=0.25))
    """Occluders over faces, drawn as if every face were the usual one seen from the front."""
    colour: ColourConfig = field(default_factory=ColourConfig)
    """Light."""
    blur: BlurConfig = field(default_factory=lambda: BlurConfig(probability=0.1, resolution=0.4))
    """Lost sharpness."""

    RENAMED: ClassVar = {"most_covered": "most_occluded"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.visible[1] == 0:
            raise ValueError("the second share of visible is above 0")


@dataclass(frozen=True, eq=False)
class TrainingScenes:
    """The scenes that canvases are made of."""

    scenes: Sequence[Scene]
    """At least one."""
    photos: Sequence[np.ndarray]
    """Their pixels, (height, width, 3) uint8 RGB each."""

    @cached_property
    def faceless(self) -> np.ndarray:
        """Indices of the scenes without any box, for what is around a scene that fills no canvas."""
        return np.array([i for i, s in enumerate(self.scenes) if not len(s.faces) + len(s.ignored)], dtype=int)


class Canvas(NamedTuple):
    """What the network sees in training, with what it should find."""

    pixels: np.ndarray
    """(size, size, 3) uint8 RGB."""
    faces: np.ndarray
    """(n, 4) tight boxes, canvas pixels; they may leave the canvas."""
    ignored: np.ndarray
    """(m, 4) neither face nor background."""


def training_canvas(source: TrainingScenes, first: int, config: SceneAugmentConfig, rng: np.random.Generator) -> Canvas:
    """One canvas. The same generator gives the same canvas.

    Args:
        source: the scenes of the training part.
        first: index of the scene that is surely on the canvas, unless it stays blank.
        config: what is changed and how much.
        rng: the only source of randomness.
    """
    size = config.size
    none = np.empty((0, 4))
    if rng.random() < config.blank:
        return Canvas(_blank(size, rng), none, none)
    tiles, chosen = [(0, 0, size, size)], [first]
    if rng.random() < config.mosaic:
        x, y = rng.integers(size // 4, size - size // 4 + 1, 2).tolist()
        tiles = [(0, 0, x, y), (x, 0, size, y), (0, y, x, size), (x, y, size, size)]
        chosen += rng.integers(len(source.scenes), size=3).tolist()
        rng.shuffle(chosen)
    pixels = _background(source, size, rng)
    parts = [
        _lay(pixels, tile, source.scenes[index], source.photos[index], config, rng)
        for tile, index in zip(tiles, chosen, strict=True)
    ]
    faces, ignored = (np.concatenate(boxes) for boxes in zip(*parts, strict=True))
    occluded = np.array([_occlude(pixels, face, config, rng) for face in faces], dtype=float)
    lost = occluded > config.most_occluded
    pixels = degrade(recolour(pixels, rng, config.colour), rng, config.blur)
    return Canvas(pixels, faces[~lost], np.concatenate([ignored, faces[lost]]))


def _background(source: TrainingScenes, size: int, rng: np.random.Generator) -> np.ndarray:
    """What shows beside scenes that leave canvas over: a scene without faces, or one colour."""
    if not len(source.faceless) or rng.random() < 0.3:
        return np.full((size, size, 3), rng.integers(0, 256, 3) if rng.random() < 0.5 else 0, np.uint8)
    photo = source.photos[rng.choice(source.faceless)]
    side = max(1, round(min(photo.shape[:2]) * rng.uniform(0.5, 1)))
    y, x = (int(rng.integers(extent - side + 1)) for extent in photo.shape[:2])
    return cv2.resize(photo[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)


def _lay(
    pixels: np.ndarray,
    tile: tuple[int, int, int, int],
    scene: Scene,
    photo: np.ndarray,
    config: SceneAugmentConfig,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Lay a part of a scene onto a tile of the canvas; returns its faces and ignored boxes, canvas pixels."""
    x0, y0, x1, y1 = tile
    sides = np.array([x1 - x0, y1 - y0], float)
    linear, anchor, target = _placing(scene, photo.shape[:2], sides, config, rng)
    matrix = np.column_stack([linear, target - linear @ anchor])
    view = pixels[y0:y1, x0:x1]
    view[:] = _warp(photo, matrix, (y1 - y0, x1 - x0), view)
    faces, ignored = (_moved(boxes, matrix) for boxes in (scene.faces, scene.ignored))
    inside = _clipped(faces, sides)
    shares = np.prod(inside[:, 2:] - inside[:, :2], axis=1) / np.prod(faces[:, 2:] - faces[:, :2], axis=1)
    small = (faces[:, 2:] - faces[:, :2]).max(axis=1, initial=0) < config.smallest_face
    is_face = (shares >= config.visible[1]) & ~small
    unsure = ~is_face & (shares > 0) & ((shares >= config.visible[0]) | small)
    offset = np.array([x0, y0, x0, y0], float)
    unclear = _clipped(np.concatenate([ignored, faces[unsure]]), sides)  # beyond the tile another scene shows
    return faces[is_face] + offset, unclear[(unclear[:, 2:] > unclear[:, :2]).all(axis=1)] + offset


def _clipped(boxes: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) within width and height."""
    return np.concatenate([np.clip(boxes[:, :2], 0, sides), np.clip(boxes[:, 2:], 0, sides)], axis=1)


def _placing(
    scene: Scene, shape: tuple[int, ...], sides: np.ndarray, config: SceneAugmentConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The linear part of the map onto a tile, and a point of the photo with its place on the tile."""
    extent = np.array(shape[::-1], float)
    if len(scene.faces):
        face = scene.faces[rng.integers(len(scene.faces))]
        low, high = config.face_sides
        high = max(low, min(high, 1.1 * sides.max()))
        zoom = low * (high / low) ** rng.random() / (face[2:] - face[:2]).max()
        zoom = max(zoom, config.smallest_photo * sides.max() / extent.max())
        anchor = (face[:2] + face[2:]) / 2
        half = np.minimum((face[2:] - face[:2]) / 2 * min(zoom, config.largest_zoom), sides / 2)
        target = rng.uniform(half * 0.8, sides - half * 0.8)
    else:
        zoom = (sides / extent).max() * 2.5 ** rng.uniform(-0.5, 1)
        anchor, target = rng.uniform(0.25, 0.75, 2) * extent, sides / 2
    zoom = min(zoom, config.largest_zoom)
    turn = np.deg2rad(config.turn_std_deg * np.clip(rng.standard_normal(), -3, 3))
    if rng.random() < config.quarter_turn:
        turn += np.pi / 2 * rng.integers(1, 4)
    # no draw where the answer is known: older configurations repeat pixel for pixel
    if config.any_turn and rng.random() < config.any_turn:
        turn = rng.uniform(-np.pi, np.pi)
    mirror = -1 if rng.random() < config.mirror else 1
    stretch = (1 + config.stretch) ** rng.uniform(-1, 1, 2)
    cos, sin = np.cos(turn), np.sin(turn)
    return zoom * np.array([[cos, -sin], [sin, cos]]) @ np.diag([mirror * stretch[0], stretch[1]]), anchor, target


def _moved(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) under an affine map (2, 3): around the ellipse that each holds, which turns as a face does."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    halves = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (matrix[:, :2] ** 2).T)
    return np.concatenate([centres - halves, centres + halves], axis=1)


def _warp(photo: np.ndarray, matrix: np.ndarray, shape: tuple[int, int], under: np.ndarray) -> np.ndarray:
    """The photo under an affine map, (height, width, 3), over what was there; shrunk first, so that nothing aliases."""
    zoom = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if zoom < 0.7:
        small = [max(1, round(side * zoom * 1.2)) for side in photo.shape[1::-1]]
        matrix = matrix.copy()
        matrix[:, :2] = matrix[:, :2] @ np.diag(np.array(photo.shape[1::-1]) / small)
        photo = cv2.resize(photo, small, interpolation=cv2.INTER_AREA)
    matrix = matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5  # OpenCV puts a pixel's centre on whole numbers
    return cv2.warpAffine(
        photo, matrix, shape[::-1], dst=under.copy(), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )


def _occlude(pixels: np.ndarray, face: np.ndarray, config: SceneAugmentConfig, rng: np.random.Generator) -> float:
    """Perhaps draw an occluder over a face, in place; returns the share of the face's box that it occludes."""
    side = float((face[2:] - face[:2]).max())
    if side < _SMALLEST_OCCLUDED:
        return 0.0
    corner = np.floor((face[:2] + face[2:] - side * _AROUND_FACE) / 2).astype(int)
    around = int(np.ceil(side * _AROUND_FACE))
    low, high = np.maximum(corner, 0), np.minimum(corner + around, pixels.shape[0])
    patch = np.zeros((around, around, 3), np.uint8)
    here = (slice(low[1], high[1]), slice(low[0], high[0]))
    there = (slice(low[1] - corner[1], high[1] - corner[1]), slice(low[0] - corner[0], high[0] - corner[0]))
    patch[there] = pixels[here]
    patch, alpha = occlude(patch, face[:2] - corner + MEAN_FACE * (face[2:] - face[:2]), config.occlude, rng)
    pixels[here] = patch[there]
    (x0, y0), (x1, y1) = np.rint(face[:2] - corner).astype(int), np.rint(face[2:] - corner).astype(int)
    return float(alpha[y0:y1, x0:x1].mean())


def _blank(size: int, rng: np.random.Generator) -> np.ndarray:
    """One colour, noise of any coarseness, or a gradient."""
    kind = rng.integers(4)
    if kind == 0:
        return np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
    if kind == 1:
        return np.zeros((size, size, 3), np.uint8)
    cells = int(rng.integers(2, 4)) if kind == 2 else int(2 ** rng.uniform(2, np.log2(size)))
    channels = 3 if rng.random() < 0.5 else 1
    coarse = rng.integers(0, 256, (cells, cells, channels), np.uint8)
    return np.broadcast_to(
        cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR).reshape(size, size, channels), (size, size, 3)
    ).copy()
