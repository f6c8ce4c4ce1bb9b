"""What a second crop, made around the landmarks of the first, is worth on the validation photos.

    python studies/recrop.py 300w/afw 300w/lfpw/trainset 300w/helen/trainset [--model odn] [--occlude]

The photos are those that `occlumark train` keeps out of training (validation_share and seed of the configuration's
defaults). Boxes: the official ones; the tight ones moved and resized as training does it, and 1.75 times as far.
Cropped again: never; where box and landmarks disagree, the default; always once.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.box_jitter import BoxJitterConfig, jittered_box
from occlumark.data.sample import Sample
from occlumark.data.split import split_validation
from occlumark.data.w300 import read_w300
from occlumark.detect import Detector
from occlumark.metrics.landmarks import nme
from occlumark.occluders.occlude import occlude
from occlumark.packaged import DEFAULT_MODEL
from occlumark.train.config import LandmarkConfig
from occlumark.train.validation import VALIDATION_OCCLUDERS

BoxSource = Callable[[Sample, np.random.Generator], np.ndarray]
_WIDER = 1.75


def official(sample: Sample, _: np.random.Generator) -> np.ndarray:
    """The data set's own detector's box, or the tight one where it has none."""
    return sample.tight_box if sample.official_box is None else sample.official_box


def jittered(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """The tight box, moved and resized."""
    return jittered_box(sample.tight_box, None, rng, BoxJitterConfig())


def wild(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """The tight box, moved and resized further than training does it."""
    usual = BoxJitterConfig()
    further = BoxJitterConfig(
        tight_centre_std=_WIDER * usual.tight_centre_std, tight_size_std=_WIDER * usual.tight_size_std
    )
    return jittered_box(sample.tight_box, None, rng, further)


def main() -> None:
    """Print the error without a second crop, by default and with one always, and the last two against the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a packaged network (default %(default)s)")
    parser.add_argument("--weights", type=Path, help="an ONNX file instead")
    parser.add_argument("--occlude", action="store_true", help="draw over every face one of training's occluders")
    parser.add_argument("--draws", type=int, default=1, help="boxes and occluders a face (default %(default)s)")
    args = parser.parse_args()
    samples, _ = read_w300(args.folders)
    run = LandmarkConfig()
    _, held_out = split_validation([sample.name for sample in samples], run.validation_share, run.validation_seed)
    print(f"{len(held_out)} validation faces{', occluded' * args.occlude}, inter-ocular NME x 10^-2")
    detectors = [Detector(args.model, weights=args.weights, recrop=when, threads=1) for when in ("never", "auto", 1)]
    for source in (official, jittered, wild):
        found = np.array(
            [
                _errors(samples[i], detectors, source, (draw, int(i)), args.occlude)
                for i in held_out
                for draw in range(args.draws)
            ]
        )
        once, default, twice = found[:, :3].T
        again = 100 * found[:, 3].mean()
        print(f"{source.__name__} boxes: one crop {100 * once.mean():.3f}; {again:.0f} % cropped again by auto")
        for name, errors in (("auto", default), ("always", twice)):
            change = errors - once
            spread = 1.96 * change.std(ddof=1) / len(change) ** 0.5
            print(
                f"  {name}: {100 * errors.mean():.3f}, less one crop {100 * change.mean():+.3f} +- {100 * spread:.3f}"
            )


def _errors(
    sample: Sample, detectors: list[Detector], source: BoxSource, seed: tuple[int, int], occluded: bool
) -> list[float]:
    """The error with each detector, then 1 where the second one cropped again."""
    rng = np.random.default_rng(seed)
    # a square around the face, as packs hold it: what occluders are drawn on
    square = CropTransform.from_box(sample.tight_box, CropConfig(size=448, scale=2.4))
    picture, landmarks = square.cut(sample.read_photo()), square.to_crop(sample.landmarks)
    box = square.to_crop(source(sample, rng).reshape(2, 2)).ravel()
    if occluded:
        picture, _ = occlude(picture, landmarks, VALIDATION_OCCLUDERS, rng)
    faces = [detector.detect(picture, [box])[0] for detector in detectors]
    errors = [float(nme(face.landmarks[None], landmarks[None], "inter_ocular")[0]) for face in faces]
    return [*errors, float((faces[0].crop.matrix != faces[1].crop.matrix).any())]


if __name__ == "__main__":
    main()
