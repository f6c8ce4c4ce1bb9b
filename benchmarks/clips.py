"""Clips with known truth, made on the fly: a photo with known landmarks is moved, spoilt, occluded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

#: Of every clip, frames per second.
RATE = 30.0

#: Changes a frame (height, width, 3) in which the landmarks (n, 2) are known.
Spoil = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Motion:
    """Where the face is in a frame."""

    x: float = 0.5
    """Centre of its tight box, share of the frame's width."""
    y: float = 0.5
    """The same of its height."""
    zoom: float = 1.0
    """Frame pixels per photo pixel."""
    roll_deg: float = 0.0
    """By how much the photo is turned, clockwise as seen."""


@dataclass(frozen=True)
class Clip:
    """A photo with one face, on its way.

    Iterating gives frames (height, width, 3) uint8 RGB, each with the face's true landmarks (n, 2) in it, always the
    same ones.
    """

    name: str
    photo: np.ndarray
    landmarks: np.ndarray
    motions: list[Motion]
    spoils: dict[int, Spoil] = field(default_factory=dict)
    """By the frame's number, what is done to it; nothing where there is none."""
    gone: range = range(0)
    """The frames in which nothing is left of the face."""
    size: tuple[int, int] = (480, 640)
    """Height and width."""

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(0)
        height, width = self.size
        for number, motion in enumerate(self.motions):
            matrix = self._matrix(motion)
            landmarks = self.landmarks @ matrix[:, :2].T + matrix[:, 2]
            # OpenCV puts a pixel's centre on whole numbers, we on halves.
            matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
            border = cv2.BORDER_REPLICATE  # a mirrored one would show the face again
            frame = cv2.warpAffine(self.photo, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
            yield self.spoils.get(number, unspoilt)(frame, landmarks, rng), landmarks

    def _matrix(self, motion: Motion) -> np.ndarray:
        """(2, 3) photo pixels to frame pixels."""
        height, width = self.size
        angle = np.deg2rad(motion.roll_deg)
        linear = motion.zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = (self.landmarks.min(axis=0) + self.landmarks.max(axis=0)) / 2
        return np.column_stack([linear, np.array([motion.x * width, motion.y * height]) - linear @ centre])


def unspoilt(frame: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The frame as it is."""
    return frame


def black(frame: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Nothing."""
    return np.zeros_like(frame)


def noise_alone(frame: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise in place of the picture."""
    return rng.integers(0, 256, frame.shape, np.uint8)


def noisy(strength: float) -> Spoil:
    """Noise of a sensor, its standard deviation in grey levels."""

    def spoil(frame: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.clip(frame + rng.normal(0, strength, frame.shape), 0, 255).astype(np.uint8)

    return spoil


def compressed(quality: int) -> Spoil:
    """JPEG of a quality in 1..100."""

    def spoil(frame: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        decoded = cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
        assert decoded is not None
        return decoded

    return spoil


def blurred(share: float) -> Spoil:
    """Motion blur across, as wide as a share of the face."""

    def spoil(frame: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return cv2.blur(frame, (max(1, round(share * float(np.ptp(landmarks[:, 0])))), 1))

    return spoil


def palm(across: float, width: float = 0.75, height: float = 0.85) -> Spoil:
    """A hand's palm without fingers before the face: an oval of skin.

    Args:
        across: where its middle is, in sides of the face right of the face's middle.
        width: half its width, in sides of the face.
        height: half its height, the same.
    """

    def spoil(frame: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        side = np.ptp(landmarks, axis=0).max()
        x, y = (landmarks.min(axis=0) + landmarks.max(axis=0)) / 2 + [across * side, 0]
        spoilt, axes = frame.copy(), (round(width * side), round(height * side))
        cv2.ellipse(spoilt, (round(x), round(y)), axes, 0, 0, 360, (205, 150, 125), cv2.FILLED, cv2.LINE_AA)
        return spoilt

    return spoil


def nme(landmarks: np.ndarray, truth: np.ndarray) -> float:
    """By the distance of the outer eye corners."""
    between = np.linalg.norm(truth[36] - truth[45])
    return float(np.linalg.norm(landmarks - truth, axis=1).mean() / between)


def jitter(landmarks: list[np.ndarray]) -> float:
    """Root mean square step from frame to frame, the first ten left out."""
    return float(np.sqrt((np.diff(landmarks[10:], axis=0) ** 2).sum(axis=-1).mean()))


def lag(landmarks: list[np.ndarray], raw: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """By how many frames the face's middle is behind that of the unsmoothed landmarks, along its true motion.

    The frames in which it moves by less than a pixel, and the first ten, are left out; NaN where it moves in none.
    """
    middles, unsmoothed, true = (np.mean(each, axis=1) for each in (landmarks, raw, truth))
    steps = np.diff(true, axis=0)[9:]
    behind = ((unsmoothed - middles)[10:] * steps).sum(axis=1)
    moves = np.linalg.norm(steps, axis=1) >= 1
    return float(np.mean(behind[moves] / (steps[moves] ** 2).sum(axis=1))) if moves.any() else float("nan")


def photo_of(annotation: Path) -> Path:
    """The photo beside an annotation."""
    return next(path for ending in (".jpg", ".png") if (path := annotation.with_suffix(ending)).exists())


def clips(name: str, photo: np.ndarray, landmarks: np.ndarray, n: int = 40) -> list[Clip]:
    """Ten clips of a photo: each kind of motion, of damage, and of loss once.

    Args:
        name: the photo's.
        photo: (height, width, 3) uint8, RGB.
        landmarks: (n, 2), of the one face.
        n: frames of a clip, at least 30.
    """
    fit = 150 / np.ptp(landmarks, axis=0).max()  # the face has 150 pixels
    steps = np.linspace(-1, 1, n)
    still = [Motion(zoom=fit)] * n
    away = range(n // 3, n // 3 + 12)  # less than half a second
    walk = 1.4 / 0.16 / RATE * 150 / 640  # a step of who walks by at 1.4 m/s, in frame widths: a face is 0.16 m

    def whole(spoil: Spoil) -> dict[int, Spoil]:
        return dict.fromkeys(range(n), spoil)

    def gone(kind: str, spoil: Spoil) -> Clip:
        return Clip(f"{name} {kind}", photo, landmarks, still, dict.fromkeys(away, spoil), gone=away)

    walked = [Motion(x=0.15 + min(i * walk, 0.7), zoom=fit) for i in range(n)]
    rolled = [Motion(roll_deg=60 * s, zoom=fit) for s in steps]
    passing = {i: palm(3 * s, 0.3, 0.5) for i, s in enumerate(steps)}
    return [
        Clip(f"{name} still, noise", photo, landmarks, still, whole(noisy(8))),
        Clip(f"{name} pan", photo, landmarks, [Motion(x=0.5 + 0.3 * s, zoom=fit) for s in steps]),
        Clip(f"{name} walk, blur", photo, landmarks, walked, whole(blurred(0.08))),
        Clip(f"{name} zoom", photo, landmarks, [Motion(zoom=fit * 1.5**s) for s in steps]),
        Clip(f"{name} roll", photo, landmarks, rolled),
        Clip(f"{name} still, compressed", photo, landmarks, still, whole(compressed(25))),
        Clip(f"{name} hand passes", photo, landmarks, still, passing),
        gone("black", black),
        gone("noise alone", noise_alone),
        gone("hand over all", palm(0)),
    ]
