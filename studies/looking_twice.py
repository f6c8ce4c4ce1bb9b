"""What is found, and how long it takes, where the fine scale is searched around what may be a small face alone?

    python studies/looking_twice.py scenes --every 4

Scenes that are not held out: those that no run of the finder was trained on, and every so many of the others. "All at
three scales" searches the whole photo at the fine scale too; the other rows change one of finder's constants each.
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from occlumark import finder
from occlumark.data.scenes import Scene, held_out, read_scenes
from occlumark.data.split import split_validation
from occlumark.evaluation.finder import evaluate_finder
from occlumark.finder import SCORE, NetworkFinder
from occlumark.train.config import FinderConfig

_VARIANTS: dict[str, dict[str, float]] = {
    "all at three scales": {"_DOUBTFUL": 0.0, "_SMALL_AT_HALF": np.inf, "_ALL_FROM": 0.0, "_MAX_SHARE": 1.0},
    "as it is": {},
    "doubtful from 0.05": {"_DOUBTFUL": 0.05},
    "from 0.1": {"_DOUBTFUL": 0.1},
    "from 0.2": {"_DOUBTFUL": 0.2},
    "an eighth for a sixth": {"_SIXTH": 8},
    "small up to 30 pixels at half": {"_SMALL_AT_HALF": 30.0},
    "at half up to 80 pixels": {"_LARGEST_AT_HALF": 80.0},
    "margin of 32 pixels": {"_MARGIN": 32},
    "half alone": {"_DOUBTFUL": 2.0},
}


def main() -> None:
    """Print a row a variant for each of the two parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--every", type=int, default=4, help="of the scenes trained on (default %(default)s)")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    usable, _ = held_out(read_scenes(args.scenes))
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


@contextmanager
def _set(constants: Mapping[str, float]) -> Iterator[None]:
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
