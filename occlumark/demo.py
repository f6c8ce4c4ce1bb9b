"""The demonstration: bundled photos, without and with something drawn over the face."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from occlumark.crop import CropConfig, CropTransform
from occlumark.detect import Detector
from occlumark.draw import SHIFT, draw_faces, fixed_length, fixed_point
from occlumark.errors import PhotoError
from occlumark.face import Face
from occlumark.markup import LEFT_EYE, RIGHT_EYE, W300
from occlumark.photo import find_photos, read_photo, write_photo

SAMPLES = Path(__file__).with_name("samples")

# Head and shoulders, large enough to see single landmarks.
_PORTRAIT = CropConfig(size=512, scale=2.2)


def write_demo(out: Path, detector: Detector) -> list[Path]:
    """Detect on every sample photo's portrait, as it is and under each occluder.

    An occluded portrait is detected from the box that the face finder found on the clean one, so that the pictures
    show what occlusion does to the landmarks; the finder itself may miss an occluded face. Where to draw an occluder 68
    landmarks say: of a detector of another markup the packaged network's.

    Args:
        out: folder for the pictures, made where it is missing.
        detector: of any markup, with its face finder.

    Returns:
        The pictures written: for each sample and occluder the landmarks beside the occlusion map, and `demo.jpg`, all
        landmarks in a row for each sample.

    Raises:
        PhotoError: no face is found in a sample photo, or a picture cannot be written.
    """
    placing = detector if detector.markup == W300 else Detector(face_finder=detector.face_finder)
    written, rows = [], []
    for path in find_photos([SAMPLES]):
        faces = detector.detect(path)
        if not faces:
            raise PhotoError(f"no face found in the sample photo {path.name}; ask the face finder for more faces")
        portrait, box = _portrait(read_photo(path), faces[0].box)
        (clean,) = placing.detect(portrait, box[None])
        row = []
        for name, occlude in OCCLUDERS.items():
            occluded = occlude(portrait.copy(), clean)
            faces = detector.detect(occluded, box[None])
            row.append(draw_faces(occluded, faces))
            picture = out / f"{path.stem}-{name}.jpg"
            write_photo(picture, np.hstack([row[-1], draw_faces(occluded, faces, overlay=True)]))
            written.append(picture)
        rows.append(np.hstack(row))
    write_photo(out / "demo.jpg", np.vstack(rows))
    return [*written, out / "demo.jpg"]


def _portrait(photo: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A face's head and shoulders, and its box there."""
    cut = CropTransform.from_box(box, _PORTRAIT)
    return cut.cut(photo), cut.to_crop(box.reshape(2, 2)).reshape(4)


def _nothing(portrait: np.ndarray, face: Face) -> np.ndarray:
    return portrait


def _mask(portrait: np.ndarray, face: Face) -> np.ndarray:
    """A surgical mask: from the nose's bridge along the cheeks to below the chin, with folds and straps."""
    points = face.landmarks
    outline = np.vstack([points[2:15], points[[28]]])
    outline[1:12] += 0.04 * (outline[1:12] - points[30])  # the cloth stands off the chin
    for ear, corner in ((0, 2), (16, 14)):
        _stroke(portrait, points[ear], points[corner], _width(face) / 60, (235, 240, 240))
    cv2.fillPoly(portrait, [fixed_point(outline)], (160, 205, 220), cv2.LINE_AA, SHIFT)
    for share in (0.3, 0.5, 0.7):
        left, right = points[3] + share * (points[6] - points[3]), points[13] + share * (points[10] - points[13])
        _stroke(portrait, left, right, _width(face) / 150, (130, 175, 195))
    return portrait


def _sunglasses(portrait: np.ndarray, face: Face) -> np.ndarray:
    """Two dark glasses, a bridge and the temples."""
    points, colour = face.landmarks, (18, 18, 22)
    right, left = points[RIGHT_EYE].mean(axis=0), points[LEFT_EYE].mean(axis=0)
    between = left - right
    angle_deg = float(np.rad2deg(np.arctan2(between[1], between[0])))
    axes = [fixed_length(share * float(np.linalg.norm(between))) for share in (0.42, 0.33)]
    for eye in (right, left):
        cv2.ellipse(
            portrait, fixed_point(eye).tolist(), axes, angle_deg, 0, 360, colour, cv2.FILLED, cv2.LINE_AA, SHIFT
        )
    _stroke(portrait, right, left, _width(face) / 25, colour)
    _stroke(portrait, right, points[0], _width(face) / 40, colour)
    _stroke(portrait, left, points[16], _width(face) / 40, colour)
    return portrait


def _hand(portrait: np.ndarray, face: Face) -> np.ndarray:
    """A gloved hand that comes from below and lies over the left cheek up to the eye: palm and four fingers."""
    points, width = face.landmarks, _width(face)
    up, aside = np.array([0, -1]), np.array([1, 0])
    palm = points[8] + 0.28 * width * aside
    for i, length in enumerate((0.72, 0.82, 0.78, 0.62)):
        knuckle = palm + (0.15 * i - 0.24) * width * aside
        for thickness, colour in ((0.15, (70, 55, 45)), (0.125, (118, 92, 74))):
            _stroke(portrait, knuckle, knuckle + length * width * up, thickness * width, colour)
    _stroke(portrait, palm - 0.8 * width * up, palm, 0.56 * width, (118, 92, 74))
    return portrait


#: Name to function: draws on a portrait where its face lies. The first leaves it as it is.
OCCLUDERS: dict[str, Callable[[np.ndarray, Face], np.ndarray]] = {
    "plain": _nothing,
    "mask": _mask,
    "sunglasses": _sunglasses,
    "hand": _hand,
}


def _width(face: Face) -> float:
    return float(face.box[2] - face.box[0])


def _stroke(portrait: np.ndarray, start: np.ndarray, end: np.ndarray, width: float, colour: tuple[int, ...]) -> None:
    thickness = max(1, round(width))
    cv2.line(portrait, fixed_point(start).tolist(), fixed_point(end).tolist(), colour, thickness, cv2.LINE_AA, SHIFT)
