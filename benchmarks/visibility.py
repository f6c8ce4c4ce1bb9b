"""How much visibility tells of occlusion: drawn occluders over the validation faces, hidden against shown landmarks.

    python benchmarks/visibility.py train.pack [--weights odn.onnx] [--seed 0]

Each validation face of the pack gets one occluder of each drawn kind. Printed per kind: the mean visibility of
landmarks under the occluder and of the others, and the area under the ROC curve of 1 - visibility (0.5: tells nothing).
What real objects already cover in the photos counts as shown, for nobody has labelled it.
"""

import argparse
from pathlib import Path

import numpy as np

from occlumark.data.augment import plain_crop
from occlumark.data.occlude import Kind, OccludeConfig, hidden_landmarks, occlude
from occlumark.data.pack import Pack
from occlumark.data.split import split_validation
from occlumark.landmarker import Landmarker
from occlumark.packaged import packaged_weights
from occlumark.train.config import LandmarkConfig

KINDS: tuple[Kind, ...] = ("patch", "sunglasses", "hand", "hair")


def roc_area(hidden: np.ndarray, shown: np.ndarray) -> float:
    """The chance that a hidden landmark's score is above a shown one's, ties half."""
    scores = np.concatenate([hidden, shown])
    _, ranks, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = (np.cumsum(counts) - (counts - 1) / 2)[ranks]
    return float((mean_rank[: len(hidden)].sum() / len(hidden) - (len(hidden) + 1) / 2) / len(shown))


def main() -> None:
    """Occlude, predict, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    landmarker = Landmarker(args.weights or packaged_weights("odn")[0])
    pack, run = Pack.open(args.pack), LandmarkConfig()
    _, held_out = split_validation(pack.names, run.validation_share, run.validation_seed)
    print(f"{len(held_out)} faces; kind: mean visibility hidden, shown; ROC area")
    for kind in KINDS:
        config = OccludeConfig(probability=1.0, kinds=(kind,))
        crops, covered = [], []
        for index in held_out:
            crop, landmarks = plain_crop(
                pack.crops[index], pack.landmarks[index], pack.tight_boxes[index], landmarker.crop
            )
            crop, alpha = occlude(crop, landmarks, config, np.random.default_rng((args.seed, int(index))))
            crops.append(crop)
            covered.append(hidden_landmarks(alpha, landmarks))
        visibility, mask = landmarker.predict(np.stack(crops)).visibility, np.stack(covered)
        area = roc_area(1 - visibility[mask], 1 - visibility[~mask])
        print(f"{kind}: {visibility[mask].mean():.3f}, {visibility[~mask].mean():.3f}; {area:.3f}")


if __name__ == "__main__":
    main()
