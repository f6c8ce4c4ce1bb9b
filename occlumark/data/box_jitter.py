"""Face boxes as face detectors give them, for training: never quite where the landmarks say."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from occlumark.config import Checked, Range

#: Official detector box against tight landmark box, over the 2,129 training photos of 300W, in longer sides of the
#: tight box: mean of the centre's offset (x, y), and mean of the logarithm of the ratio of the longer sides.
DETECTOR_OFFSET = (-0.008, -0.005)
DETECTOR_LOG_RATIO = -0.005


@dataclass(frozen=True)
class BoxJitterConfig(Checked):
    """How far a training box lies from the tight landmark box.

    Not in the paper: it names no box at all. Measured on the 2,129 training photos of 300W, official detector boxes
    against tight ones: centre offset std .038 in x and .027 in y (means -.008 and -.005), in longer sides of the tight
    box; std .064 of the log of the size ratio (mean -.005); IoU .888. The tails are long: the middle half fits .024,
    .014 and .041, the 1st to 99th percentile is -.12..+.10, -.08..+.08 and -.16..+.21. The defaults are a little wider
    in y, because the detector errs more on photos it has not seen.
    """

    official_share: Annotated[float, Range(0, 1)] = 0.6
    """Probability of starting from the face's own official box where it has one. Ours."""
    tight_centre_std: Annotated[float, Range(0, 0.2)] = 0.036
    """Offset of the centre from a tight box, each way, standard deviation in longer sides. Measured."""
    tight_size_std: Annotated[float, Range(0, 0.3)] = 0.065
    """Standard deviation of the log of the size ratio to a tight box. Measured."""
    official_centre_std: Annotated[float, Range(0, 0.2)] = 0.025
    """As tight_centre_std, from an official box, which is off by itself already. Ours."""
    official_size_std: Annotated[float, Range(0, 0.3)] = 0.045
    """As tight_size_std, from an official box. Ours."""
    cut: Annotated[float, Range(1, 5)] = 2.5
    """No jitter goes further than this many standard deviations. Ours."""


def jittered_box(
    tight_box: np.ndarray, official_box: np.ndarray | None, rng: np.random.Generator, config: BoxJitterConfig
) -> np.ndarray:
    """A box such as a face detector might have given: the face's own official box or its tight one, moved and resized.

    A tight box is first moved by the detector's mean offset, unless it is not jittered at all.

    Args:
        tight_box: (4,) x0, y0, x1, y1 in pixels, the smallest box around the landmarks.
        official_box: (4,) in the same pixels, or None where the data set has none.
        rng: the only source of randomness.
        config: how far.

    Returns:
        (4,) float64 in the same pixels, of the starting box's proportions.
    """
    # Drawn whether there is an official box or not, so that one face's box does not shift another draw.
    wants_official = rng.random() < config.official_share
    noise = rng.standard_normal(3).clip(-config.cut, config.cut)
    offset, log_ratio = np.zeros(2), 0.0
    if official_box is not None and wants_official:
        box, centre_std, size_std = official_box, config.official_centre_std, config.official_size_std
    else:
        box, centre_std, size_std = tight_box, config.tight_centre_std, config.tight_size_std
        if centre_std:
            offset += DETECTOR_OFFSET
        if size_std:
            log_ratio = DETECTOR_LOG_RATIO
    low, high = np.asarray(box[:2], float), np.asarray(box[2:], float)
    side = (high - low).max()
    centre = (low + high) / 2 + side * (offset + centre_std * noise[:2])
    half = (high - low) / 2 * np.exp(log_ratio + size_std * noise[2])
    return np.concatenate([centre - half, centre + half])
