"""Where the labels of AFLW's reduced copy lie, and the error that a perfect network would still be given by them.

    python studies/aflw_labels.py AFLW

The copy's labels were moved onto its photos by a scale and a shift a face, fitted on five points. Two questions:

offset: how far the packaged network finds the eyes, the nose tip and the mouth corners from the labels, mean over
training faces with all points visible, as they are and mirrored (what the network itself errs to one side, it errs to
the other in a mirror). data.aflw_table.OFFSET is this.

floor: the distance over the box's width of labels from where they should be, mean over the test faces' landmarks. Low:
from what the fit left over at its five points, taken as independent noise of each, as it moves scale and shift. High:
from how far a face's labels lie together from the network's points; this has the network's own error in it.
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from occlumark import Detector
from occlumark.data.aflw_table import OFFSET, TableRow, read_rows
from occlumark.data.sample import Sample
from occlumark.markup import MIRROR

#: Landmarks of the 68 whose mean is one of AFLW's 19. The eyes' corners are left out: the two schemes place them apart.
COMMON = {7: range(36, 42), 10: range(42, 48), 13: (30,), 15: (48,), 17: (54,)}
#: The points that the copy's labels were fitted on: eyes, nose tip, mouth corners.
FITTED = list(COMMON)
#: Numbers that a scale and a shift take from the coordinates.
PARAMETERS = 3
DRAWS = 200


def official_box(sample: Sample) -> np.ndarray:
    """Which every face of AFLW has."""
    assert sample.official_box is not None
    return sample.official_box


def found_less_labelled(detector: Detector, sample: Sample, mirrored: bool) -> np.ndarray:
    """(5, 2) the network's common points less the labelled ones, photo pixels."""
    photo, box = sample.read_photo(), official_box(sample)
    width = photo.shape[1]
    if mirrored:
        photo, box = np.ascontiguousarray(photo[:, ::-1]), np.array([width - box[2], box[1], width - box[0], box[3]])
    (face,) = detector.detect(photo, box[None])
    landmarks = face.landmarks
    if mirrored:
        landmarks = landmarks[MIRROR] * [-1, 1] + [width, 0]
    return np.array([landmarks[list(ours)].mean(axis=0) - sample.landmarks[i] for i, ours in COMMON.items()])


def placement_error(row: TableRow, rng: np.random.Generator) -> float:
    """A face's mean label error over the box's width, of DRAWS fits to points as noisy as its residual says."""
    sample = row.sample
    points = sample.landmarks[FITTED]
    points = points[np.isfinite(points).all(axis=1)]
    n = len(FITTED)
    sigma = row.residual * np.sqrt(n / (2 * n - PARAMETERS))  # of one coordinate; the residual is of both
    centre = points.mean(axis=0)
    spread = np.sqrt(((points - centre) ** 2).sum())
    shift = rng.normal(0, sigma / np.sqrt(n), (DRAWS, 1, 2))
    scale = rng.normal(0, sigma / spread, (DRAWS, 1, 1))
    moved = shift + scale * (sample.landmarks[sample.annotated] - centre)
    box = official_box(sample)
    return float(np.linalg.norm(moved, axis=2).mean() / (box[2] - box[0]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("aflw", type=Path, metavar="AFLW", help="folder of aflw19.csv")
    parser.add_argument("--every", type=int, default=5, help="of the training faces (default %(default)s)")
    args = parser.parse_args()
    rows, _ = read_rows(args.aflw)
    detector = Detector(recrop="never", threads=1)
    chosen = [r.sample for r in rows if "train" in r.sample.subsets and r.sample.annotated.all()][:: args.every]
    parts = []
    for sample in tqdm(chosen, "training faces", disable=None):
        parts.append([found_less_labelled(detector, sample, mirrored).mean(axis=0) for mirrored in (False, True)])
    found = np.array(parts) + OFFSET  # from the table's own pixels
    for name, values in (("as they are", found[:, 0]), ("mirrored", found[:, 1])):
        mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
        print(f"offset, {len(values)} faces {name}: {mean[0]:+.2f}, {mean[1]:+.2f} px (+-{error.max():.2f})")
    boxes = [official_box(sample) for sample in chosen]
    widths = np.array([box[2] - box[0] for box in boxes])
    rng = np.random.default_rng(0)
    low = np.mean([placement_error(row, rng) for row in rows if "full" in row.sample.subsets])
    high = np.mean(np.linalg.norm(found.mean(axis=1) - OFFSET, axis=1) / widths)
    print(f"floor, % of the box's width: low {low:.2%}, high {high:.2%}")
    for error in (0.0138, 0.0163, 0.02):
        seen = " to ".join(f"{np.hypot(error, floor):.2%}" for floor in (low, high))
        print(f"a network with {error:.2%} on perfect labels is measured at about {seen}")


if __name__ == "__main__":
    main()
