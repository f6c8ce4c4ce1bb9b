"""Lists of WFLW's training faces and tables of five points of them: what the walks of docs/own-landmarks.md start from.

    python studies/own_landmarks.py wflw/train walk

Of the 999 faces, in the order of their names, every fifth is for testing (199), the others for training (800); the
files are walk/train.txt, walk/test.txt, walk/five-train.csv and walk/five-test.csv, whose photos are below the folder.
"""

import argparse
from pathlib import Path

import numpy as np

from occlumark.data.sample import Sample
from occlumark.data.wflw import read_wflw_points
from occlumark.face.align import five_points
from occlumark.files import write_csv
from occlumark.markup import MARKUPS


def main() -> None:
    """Write the four files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wflw", type=Path, help="folder of photos with .pts files of 98 points")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    samples, _ = read_wflw_points(args.wflw)
    args.out.mkdir(parents=True, exist_ok=True)
    test = set(range(4, len(samples), 5))
    for part, is_test in (("train", False), ("test", True)):
        chosen = [sample for i, sample in enumerate(samples) if (i in test) == is_test]
        (args.out / f"{part}.txt").write_text("".join(f"{sample.name}\n" for sample in chosen), encoding="utf-8")
        heads = [f"{name}_{axis}" for name in MARKUPS[5].names for axis in "xy"]
        write_csv(args.out / f"five-{part}.csv", ["photo", *heads], map(_row, chosen))
        print(f"{part}: {len(chosen)} faces")


def _row(sample: Sample) -> list[object]:
    return [sample.name, *np.round(five_points(sample.landmarks, sample.markup), 2).ravel().tolist()]


if __name__ == "__main__":
    main()
