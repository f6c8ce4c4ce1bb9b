"""How much of what the drawn benchmark counts as errors is right: it takes real occluders in its photos for nothing.

    python studies/drawn_and_real.py annotations/labels.csv --photos ../shared/data [--model occlumark-fast]

Labelled faces that the shipped network's last run did not see, official boxes, under evaluate-occlusion's occluders.
The AP of "occluded" with what is drawn as the only truth, as the benchmark has it; with what the labels tell of real
occluders beside it, points that nobody can tell left out; and on faces that are surely clean, of which both say the
same.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from occlumark.boxes import box_in_photo
from occlumark.data.split import held_out_whole
from occlumark.data.visibility_labels import VisibilityLabels
from occlumark.detect import Detector
from occlumark.errors import OcclumarkError
from occlumark.evaluation.held_out import HELD_OUT, VALIDATION_SEED
from occlumark.evaluation.loop import given_box
from occlumark.evaluation.occluded_faces import SHARES, pictures_of
from occlumark.evaluation.visibility import labelled_samples
from occlumark.metrics.visibility import average_precision


def main() -> None:
    """Print a row a share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--model", default="occlumark")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    labels = VisibilityLabels.read(args.labels)
    samples, _ = labelled_samples(labels, args.photos)
    names, groups = [sample.name for sample in samples], [sample.group for sample in samples]
    held_out = held_out_whole(names, HELD_OUT["validation"], VALIDATION_SEED, groups)
    samples = [samples[i] for i in held_out]
    detector = Detector(args.model, threads=1)
    rows: dict[float, list[tuple[np.ndarray, ...]]] = {share: [] for share in (0.0, *SHARES)}
    without = 0
    for sample in samples:
        real, unknown = sample.occluded, sample.unknown
        if real is None or unknown is None or unknown.all():
            continue
        photo = sample.read_photo()
        start = box_in_photo(given_box(sample, "official"), *photo.shape[:2])
        try:
            pictures = pictures_of(photo, sample.landmarks, start, 0, sample.name)
        except OcclumarkError:  # no occluder fits
            without += 1
            continue
        label = labels.find(Path(str(sample.photo)))
        clean = np.full(68, label is not None and label.screen == "clean")
        for picture in pictures:
            (face,) = detector.detect(picture.photo, picture.box[None])
            rows[picture.share].append((face.visibility, picture.occluded, real, unknown, clean))
    print(f"{len(rows[0.0])} faces, {without} more that no occluder fits")
    for share, each in rows.items():
        visibility, drawn, real, unknown, clean = (np.stack(column) for column in zip(*each, strict=True))
        told = drawn | ~unknown
        aps = [
            average_precision(-visibility[chosen], truth[chosen]) if truth[chosen].any() else np.nan
            for truth, chosen in (
                (drawn, np.ones_like(drawn)),
                (drawn | real, told),
                (drawn, clean),
            )
        ]
        shares = [
            100 * (truth[chosen]).mean() for truth, chosen in ((drawn, np.ones_like(drawn)), (drawn | real, told))
        ]
        print(
            f"{share:4.0%}: AP, drawn alone {100 * aps[0]:.1f} (chance {shares[0]:.1f}),"
            f" drawn and real {100 * aps[1]:.1f} (chance {shares[1]:.1f}),"
            f" clean faces {100 * aps[2]:.1f} of {clean[:, 0].sum()}"
        )


if __name__ == "__main__":
    main()
