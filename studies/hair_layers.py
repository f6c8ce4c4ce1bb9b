"""Hair and hats of CelebAMask-HQ faces as aligned layers, for the occluder kind cutout_hair.

    python studies/hair_layers.py ../shared/data/celebamask runs/cutouts/hair

A layer is kept where it lies over the face: between the brows' height and the chin, or on the brows.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from occlumark.data.celebamask import HAIR, HAT, face_box, list_masked_photos
from occlumark.detect import Detector
from occlumark.errors import AnnotationError
from occlumark.occluders.frame import Frame
from occlumark.occluders.photographed import LAYER_ORIGIN, LAYER_SIZE, LAYER_UNIT
from occlumark.photo import read_photo

#: Landmarks that a layer must hide so many of to be kept.
_LEAST_OCCLUDED = 2


def aligned_layer(photo: np.ndarray, mask: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, int]:
    """The layer (LAYER_SIZE, LAYER_SIZE, 4) uint8 RGBA, and how many landmarks it hides."""
    frame = Frame.of(landmarks)
    linear = LAYER_UNIT / frame.unit * np.stack([frame.right, frame.down])
    matrix = np.column_stack([linear, np.array(LAYER_ORIGIN) - linear @ (frame.origin - 0.5) - 0.5])
    occluding = np.isin(mask, (HAIR, HAT))
    opacity = cv2.GaussianBlur(occluding.astype(np.uint8) * 255, (3, 3), 0.7)
    size = (LAYER_SIZE, LAYER_SIZE)
    colours = cv2.warpAffine(photo, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(opacity, matrix, size, flags=cv2.INTER_LINEAR)
    columns, rows = np.floor(landmarks).astype(int).T.clip(0, np.array(mask.shape[::-1])[:, None] - 1)
    return np.dstack([colours, alpha]), int(occluding[rows, columns].sum())


def main() -> None:
    """Write the layers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    detector, written = Detector(), 0
    for pair in tqdm(list_masked_photos(args.folder), disable=None):
        mask, photo = pair.read_mask(), read_photo(pair.photo)
        try:
            box = face_box(mask)
        except AnnotationError:
            continue
        (face,) = detector.detect(photo, box[None])
        layer, n_occluded = aligned_layer(photo, mask, face.landmarks)
        if n_occluded >= _LEAST_OCCLUDED:
            cv2.imwrite(str(args.out / f"{pair.photo.stem}.png"), cv2.cvtColor(layer, cv2.COLOR_RGBA2BGRA))
            written += 1
    print(f"{written} layers in {args.out}")


if __name__ == "__main__":
    main()
