"""What is found, and how long it takes, where the fine scale is searched around what may be a small face alone?

    python studies/looking_twice.py scenes --every 4
    python studies/looking_twice.py scenes --side-by-side 6 4

Scenes that are not held out: those that no run of the finder was trained on, and every so many of the others. "All at
three scales" searches the whole photo at the fine scale too; the other rows change one of finder's constants each.
Side by side, scenes make large photos, with faces between a 128th and all of the longer side: what is found of them by
default, and with the fine scale for a 32nd as in small photos?
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from occlumark import finder
from occlumark.boxes import box_iou, longer_sides
from occlumark.data.scenes import Scene, held_out, read_scenes
from occlumark.data.split import split_validation
from occlumark.evaluation.finder import evaluate_finder
from occlumark.finder import SCORE, NetworkFinder
from occlumark.metrics.finder import MIN_OVERLAP
from occlumark.photo import read_photo
from occlumark.train.config import FinderConfig

_VARIANTS: dict[str, dict[str, Any]] = {
    "all at three scales": {"_DOUBTFUL": 0.0, "_SMALL_AT_HALF": np.inf, "_ALL_FROM": 0.0, "_MAX_IN_FOUND": 1.0},
    "as it is": {},
    "doubtful from 0.05": {"_DOUBTFUL": 0.05},
    "from 0.1": {"_DOUBTFUL": 0.1},
    "from 0.2": {"_DOUBTFUL": 0.2},
    "an eighth for a sixth": {"_SIXTH": 8},
    "small up to 30 pixels at half": {"_SMALL_AT_HALF": 30.0},
    "at half up to 80 pixels": {"_LARGEST_AT_HALF": 80.0},
    "margin of 16 pixels": {"_MARGIN": 16},
    "half alone": {"_DOUBTFUL": 2.0},
}


_BOTH_SCALES: dict[str, dict[str, Any]] = {"a 32nd": {"_PHOTO_OVER_FACE": (32, 32)}, "by default": {}}
# Side by side: a scene's place, pixels, and every so many of those with faces, at most so many.
_SIDE, _SPREAD, _SCENES = 448, 7, 216


def main() -> None:
    """Print a row a variant for each of the two parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--every", type=int, default=4, help="of the scenes trained on (default %(default)s)")
    parser.add_argument("--side-by-side", type=int, nargs=2, metavar=("COLUMNS", "ROWS"), help="scenes to a photo")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    usable, _ = held_out(read_scenes(args.scenes))
    if args.side_by_side:
        side_by_side([scene for scene in usable if len(scene.faces)][::_SPREAD][:_SCENES], *args.side_by_side)
        return
    config = FinderConfig(name="finder")
    training, validation = split_validation(
        [scene.name for scene in usable], config.validation_share, config.validation_seed + 1
    )
    parts = {"validation": [usable[i] for i in validation], "trained on": [usable[i] for i in training][:: args.every]}
    for part, scenes in parts.items():
        print(f"{part}: {len(scenes)} photos, recall at the default score by the face's longer side, FPPI, CPU time")
        for name, constants in _VARIANTS.items():
            with _set(constants):
                print(f"{name:32}{_row(scenes)}", flush=True)


def side_by_side(scenes: list[Scene], columns: int, rows: int) -> None:
    """Print what is found in photos of so many scenes each, by the face's size over the photo's longer side."""
    count = columns * rows
    for name, constants in _BOTH_SCALES.items():
        found, faces, taken = Counter[str](), Counter[str](), []
        with _set(constants):
            network = NetworkFinder(threads=1)
            for start in range(0, len(scenes) - count + 1, count):
                photo, boxes = _laid_out(scenes[start : start + count], columns, rows)
                began = time.process_time()
                answers = np.reshape([box for box, _ in network(photo)], (-1, 4))
                taken.append(time.process_time() - began)
                overlaps = box_iou(boxes, answers).max(axis=1, initial=0)
                for share, overlap in zip(max(photo.shape) / longer_sides(boxes), overlaps, strict=True):
                    band = next((f"from 1/{end}" for end in (32, 45, 64, 128) if share <= end), "smaller")
                    faces[band] += 1
                    found[band] += bool(overlap >= MIN_OVERLAP)
        told = [f"{band}: {found[band]} of {faces[band]}" for band in sorted(faces)]
        print(f"{name:12}{', '.join(told)}, {1e3 * float(np.median(taken)):.0f} ms per photo", flush=True)


def _laid_out(scenes: list[Scene], columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo of scenes on grey, and the boxes of the faces that are whole in it."""
    photo, boxes = np.full((_SIDE * rows, _SIDE * columns, 3), 110, np.uint8), [np.zeros((0, 4))]
    for i, scene in enumerate(scenes):
        pixels = read_photo(scene.photo)[:_SIDE, :_SIDE]
        x, y = i % columns * _SIDE, i // columns * _SIDE
        photo[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
        whole = (scene.faces[:, 2:] <= pixels.shape[1::-1]).all(axis=1)
        boxes.append(scene.faces[whole] + [x, y, x, y])
    return photo, np.concatenate(boxes)


@contextmanager
def _set(constants: Mapping[str, Any]) -> Iterator[None]:
    before = {name: getattr(finder, name) for name in constants}
    try:
        for name, value in constants.items():
            setattr(finder, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(finder, name, value)


def _row(scenes: list[Scene]) -> str:
    network, taken = NetworkFinder(threads=1), 0.0

    def search(photo: np.ndarray, /) -> list[tuple[np.ndarray, float]]:
        nonlocal taken
        began = time.process_time()
        found = network(photo)
        taken += time.process_time() - began
        return found

    found = evaluate_finder(scenes, search, SCORE).to_json()
    sizes = [f"{band}: {_share(at['default'])}" for band, at in found["sizes"].items()]
    at, other = found["at"]["default"], found["parts"]["other"]["at"]["default"]
    told = [f"exact {_share(at['exact'])}", f"auto {_share(at['auto'])}", *sizes]
    return ", ".join([*told, f"FPPI {at['fppi']:.3f}, other {other['fppi']:.3f}, {1e3 * taken / len(scenes):.1f} ms"])


def _share(faces: Mapping[str, float]) -> str:
    return f"{faces['found']} of {faces['n']}"


if __name__ == "__main__":
    main()
