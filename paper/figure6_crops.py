"""The crops that Figure 6 shows: a portrait, unoccluded and under drawn occluders, or faces of a folder.

The portrait's crops are kept beside the page, as the errors per photo are kept for the tables. Drawn again they differ
a little by the version of OpenCV: 5 interpolates a crop's pixels exactly, 4 at steps of 1/32 pixel, so that grey levels
differ by up to 2, the landmarks found by hundredths of a pixel, and with them what is drawn.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from occlumark.crop import CropTransform
from occlumark.data.sample import evenly_spaced
from occlumark.data.w300 import read_w300
from occlumark.demo import SAMPLES
from occlumark.detect import Detector
from occlumark.errors import AnnotationError
from occlumark.landmarker import Landmarker
from occlumark.occluders.compose import compose
from occlumark.occluders.kinds import TRAINING
from occlumark.occluders.occlude import NOTHING_BORROWED
from occlumark.photo import read_photo, write_photo

#: Title to kind of occluder; "" draws none.
SHOWN = {
    "unoccluded": "",
    "face mask": "medical_mask",
    "sunglasses": "shades",
    "hand": "hand_on_face",
    "hair": "curtains",
}
_SEED = 4


class Crop(NamedTuple):
    """A face as the network sees it."""

    title: str
    pixels: np.ndarray
    """(S, S, 3) uint8, RGB."""
    occlusion: np.ndarray
    """(S, S) uint8: how much of each pixel the drawn occluder hides, 255 all of it."""


def portrait_crops(path: Path, model: str, network: Landmarker) -> list[Crop]:
    """The sample's face, one crop for each of SHOWN: as they are kept, or drawn and then kept where there is no file.

    Args:
        path: a PNG with the crops side by side, and below each how much of its pixels is occluded.
        model: the packaged network that finds the face's landmarks where the crops are drawn.
        network: the same; its crop is what is shown.

    Raises:
        AnnotationError: the file holds other crops than these.
        OcclumarkError: it cannot be read or written.
    """
    size = network.crop.size
    if not path.exists():
        crops = _drawn(model, network)
        occlusion = np.hstack([np.repeat(crop.occlusion[..., None], 3, axis=2) for crop in crops])
        write_photo(path, np.vstack([np.hstack([crop.pixels for crop in crops]), occlusion]))
        return crops
    kept = read_photo(path)
    if kept.shape != (2 * size, len(SHOWN) * size, 3):
        raise AnnotationError(
            f"{path}: expected {len(SHOWN)} crops of {size} pixels and as many below, not {kept.shape[1]} x"
            f" {kept.shape[0]} pixels; remove it, and it is drawn again"
        )
    columns = np.split(kept, len(SHOWN), axis=1)
    return [Crop(title, cell[:size], cell[size:, :, 0]) for title, cell in zip(SHOWN, columns, strict=True)]


def folder_crops(folder: Path, network: Landmarker) -> list[Crop]:
    """As many faces of a folder in the 300W layout, evenly spaced, cut from their tight boxes; nothing is drawn.

    Raises:
        OcclumarkError: the folder or a photo cannot be read.
    """
    samples, _problems = read_w300([folder])
    crops = []
    for sample in evenly_spaced(samples, len(SHOWN)):
        pixels = CropTransform.from_box(sample.tight_box, network.crop).cut(sample.read_photo())
        crops.append(Crop(Path(sample.name).stem, pixels, np.zeros(pixels.shape[:2], np.uint8)))
    return crops


def _drawn(model: str, network: Landmarker) -> list[Crop]:
    photo = read_photo(SAMPLES / "astronaut.jpg")
    face = max(Detector(model, threads=1).detect(photo), key=lambda found: found.score)
    transform = CropTransform.from_box(face.box, network.crop)
    crop, landmarks = transform.cut(photo), transform.to_crop(face.landmarks)
    crops = []
    for column, (title, kind) in enumerate(SHOWN.items()):
        pixels, alpha = crop, np.zeros(crop.shape[:2], np.float32)
        if kind:
            rng = np.random.default_rng((_SEED, column))
            drawing = TRAINING[kind](crop, landmarks, rng, NOTHING_BORROWED)
            pixels, alpha, _light = compose(crop, landmarks, drawing, rng)
        crops.append(Crop(title, pixels, np.round(255 * alpha).astype(np.uint8)))
    return crops
