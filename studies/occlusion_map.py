"""How much of the occluded pixels an occlusion map predicts, and what its grid is worth.

    python studies/occlusion_map.py train.pack odn occlumark

Each validation face of the pack, cut from its tight box, gets one of training's occluders, the same for every network.
Every fourth pixel of the crop each way counts. Per network: the map as it is, and averaged to coarser grids, read
bilinearly at the pixel; average precision of "occluded", and intersection over union of what is above 0.5. The rows
"truth" are the true mask averaged to a grid, read the same way: no map on that grid can do better.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from occlumark.crop import CropConfig
from occlumark.data.augment import plain_crop
from occlumark.data.pack import Pack
from occlumark.data.split import split_validation
from occlumark.landmarker import Landmarker
from occlumark.metrics.visibility import average_precision
from occlumark.occluders.occlude import occlude
from occlumark.packaged import packaged_weights
from occlumark.train.config import LandmarkConfig
from occlumark.train.validation import VALIDATION_OCCLUDERS

STEP = 4
GRIDS = (7, 14, 28)


def occluded_faces(pack: Pack, crop: CropConfig) -> tuple[np.ndarray, np.ndarray]:
    """(n, S, S, 3) occluded crops of the validation part and (n, S, S) how much of each pixel is occluded."""
    run = LandmarkConfig()
    _, chosen = split_validation(pack.names, run.validation_share, run.validation_seed)
    crops, alphas = [], []
    for index in chosen:
        plain, landmarks = plain_crop(pack.crops[index], pack.landmarks[index], pack.tight_boxes[index], crop)
        occluded, alpha = occlude(plain, landmarks, VALIDATION_OCCLUDERS, np.random.default_rng((0, int(index))))
        crops.append(occluded)
        alphas.append(alpha)
    return np.stack(crops), np.stack(alphas)


def at_pixels(maps: np.ndarray, size: int) -> np.ndarray:
    """(n, ...) the maps (n, h, w) enlarged bilinearly to the crop, every STEP-th pixel."""
    return np.stack([cv2.resize(one, (size, size))[::STEP, ::STEP] for one in maps])


def coarsened(maps: np.ndarray, grid: int) -> np.ndarray:
    """(n, grid, grid) means of the cells."""
    return np.stack([cv2.resize(one, (grid, grid), interpolation=cv2.INTER_AREA) for one in maps])


def report(name: str, maps: np.ndarray, truth: np.ndarray, size: int) -> None:
    """Print one line."""
    scores = at_pixels(maps, size)
    called = scores > 0.5
    overlap = (called & truth).sum() / max((called | truth).sum(), 1)
    print(f"{name:30}{average_precision(scores, truth):8.3f}{overlap:8.3f}", flush=True)


def main() -> None:
    """Occlude, predict, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("models", nargs="+", help="packaged networks or ONNX files, of one size of crop")
    args = parser.parse_args()
    networks = [Landmarker(Path(m) if m.endswith(".onnx") else packaged_weights(m)[0]) for m in args.models]
    crops, alphas = occluded_faces(Pack.open(args.pack), networks[0].crop)
    size, truth = networks[0].crop.size, alphas[:, ::STEP, ::STEP] > 0.5
    print(f"{len(crops)} faces, {truth.mean():.1%} of the pixels occluded")
    print(f"{'map':30}{'AP':>8}{'IoU':>8}")
    for grid in GRIDS:
        report(f"truth, {grid} x {grid}", coarsened(alphas, grid), truth, size)
    for network in networks:
        maps = network.predict(crops).occlusion_maps
        for grid in GRIDS:
            if grid <= maps.shape[1]:
                report(f"{network.model}, {grid} x {grid}", coarsened(maps, grid), truth, size)


if __name__ == "__main__":
    main()
