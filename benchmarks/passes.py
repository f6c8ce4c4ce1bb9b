"""What a second crop, made around the landmarks of the first, is worth on the validation photos.

    python benchmarks/passes.py 300w/afw 300w/lfpw/trainset 300w/helen/trainset [--weights odn.onnx]

The photos are those that `occlumark train` keeps out of training (validation_share and seed of the configuration's
defaults). Boxes: the official ones, and the tight ones moved and resized as training does it.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from occlumark.data.box_jitter import BoxJitterConfig, jittered_box
from occlumark.data.sample import Sample
from occlumark.data.split import split_validation
from occlumark.data.w300 import read_w300
from occlumark.detect import Detector
from occlumark.metrics import mean_interval, nme
from occlumark.photo import read_photo
from occlumark.train.config import LandmarkConfig

BoxSource = Callable[[Sample, np.random.Generator], np.ndarray]


def official(sample: Sample, _: np.random.Generator) -> np.ndarray:
    """The data set's own detector's box, or the tight one where it has none."""
    return sample.tight_box if sample.official_box is None else sample.official_box


def jittered(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """The tight box, moved and resized."""
    return jittered_box(sample.tight_box, None, rng, BoxJitterConfig())


def main() -> None:
    """Print the error for one and two passes, and of two against one, face by face."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--weights", type=Path)
    args = parser.parse_args()
    samples, _ = read_w300(args.folders)
    run = LandmarkConfig()
    _, held_out = split_validation([sample.name for sample in samples], run.validation_share, run.validation_seed)
    print(f"{len(held_out)} validation faces, inter-ocular NME x 10^-2, 95 % interval")
    for source in (official, jittered):
        errors = {}
        for passes in (1, 2):
            detector = Detector(weights=args.weights, passes=passes)
            errors[passes] = np.array([_error(samples[i], detector, source, int(i)) for i in held_out])
            low, high = mean_interval(errors[passes])
            print(
                f"{source.__name__} boxes, {passes} passes: {100 * errors[passes].mean():.3f} "
                f"({100 * low:.3f} to {100 * high:.3f})"
            )
        change = errors[2] - errors[1]
        spread = 1.96 * change.std(ddof=1) / len(change) ** 0.5
        print(f"{source.__name__} boxes, two less one: {100 * change.mean():+.3f} +- {100 * spread:.3f}")


def _error(sample: Sample, detector: Detector, source: BoxSource, seed: int) -> float:
    box = source(sample, np.random.default_rng(seed))
    (face,) = detector.detect(read_photo(sample.photo), [box])
    return float(nme(face.landmarks[None], sample.landmarks[None], "inter_ocular")[0])


if __name__ == "__main__":
    main()
