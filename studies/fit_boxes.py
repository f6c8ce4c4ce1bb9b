"""Where the landmarks' tight box lies in a finder's box: medians and quartiles, for whoever must make the two agree.

    python studies/fit_boxes.py auto ../shared/data/scenes
    python studies/fit_boxes.py rivals ../shared/data/300w/{afw,lfpw/trainset,helen/trainset} --photos 400

auto: YuNet's boxes of scenes (data/scenes.py, TIGHT_IN_AUTO). No face there has such a box and an annotated one, so the
landmarks are found: from several first guesses, to see that the answer does not hang on the guess. rivals: the boxes of
the finders of rival_finders.py (TIGHT_IN_BOX) on annotated photos; training photos alone, and no face twice.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from rival_finders import RIVALS, Rival

from occlumark.data.scenes import SCENE_TABLE
from occlumark.data.w300 import read_w300
from occlumark.detect import Detector
from occlumark.markup import tight_box
from occlumark.photo import read_photo

#: Photos of clean faces: below a mask the landmarks are themselves a guess.
OPEN_FACES = ("w300_", "wflw_")
MIN_SIDE = 30
#: Pixels that a box keeps from the photo's edge, for the whole face to be seen.
MARGIN = 2
#: First guesses: the tight box's top, in heights of the auto box; its other sides are the auto box's.
FIRST_TOPS = (0.237, 0.15, 0.35)


def place_in(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """The sides of one box (4,) in widths and heights of another, from its left and top."""
    return (inner - np.tile(outer[:2], 2)) / np.tile(outer[2:] - outer[:2], 2)


def report(what: str, places: list[np.ndarray]) -> None:
    """Print the quartiles of some places (4,) of the tight box."""
    print(f"{what}: {len(places)} faces")
    quartiles = np.percentile(places, [25, 50, 75], axis=0)
    for name, values in zip(("lower quartile", "median", "upper quartile"), quartiles, strict=True):
        print(f"  {name:<15}" + "".join(f"{value:8.3f}" for value in values))


def fit_auto(folder: Path) -> None:
    """YuNet's boxes against the landmarks found in them."""
    detector = Detector(recrop=1, threads=1)
    places: dict[float, list[np.ndarray]] = {top: [] for top in FIRST_TOPS}
    for photo, boxes in auto_boxes(folder).items():
        pixels = read_photo(photo)
        edge = np.array([pixels.shape[1], pixels.shape[0]]) - MARGIN
        for box in boxes:
            if (box[:2] < MARGIN).any() or (box[2:] > edge).any():
                continue
            for top, found in places.items():
                first = box + np.array([0, top * (box[3] - box[1]), 0, 0])
                (face,) = detector.detect(pixels, first[None])
                found.append(place_in(tight_box(face.landmarks), box))
    for top, found in places.items():
        report(f"tight box in an auto box, left, top, right, bottom; first guess of the top {top}", found)


def auto_boxes(folder: Path) -> dict[Path, list[np.ndarray]]:
    """The large auto boxes of photos of clean faces, as they stand in the table."""
    boxes: dict[Path, list[np.ndarray]] = {}
    with (folder / SCENE_TABLE).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["kind"] == "auto" and row["file"].startswith(OPEN_FACES):
                box = np.array([float(row[key]) for key in ("x0", "y0", "x1", "y1")])
                if (box[2:] - box[:2]).min() >= MIN_SIDE:
                    boxes.setdefault(folder / row["file"], []).append(box)
    return boxes


def fit_rivals(folders: list[Path], photos: int) -> None:
    """The rivals' boxes against annotated landmarks."""
    samples, _ = read_w300(folders)
    samples = samples[:: max(1, len(samples) // photos)]
    for name in RIVALS:
        rival = Rival(name, everything=False)
        places = []
        for sample in samples:
            found = [box for box, _ in rival(sample.read_photo()) if on_face(box, sample.tight_box)]
            places += [place_in(sample.tight_box, box) for box in found[:1]]
        rival.close()
        report(f"tight box in a box of {name}, left, top, right, bottom; {len(samples)} faces searched", places)


def on_face(box: np.ndarray, tight: np.ndarray) -> bool:
    """A box's centre lies in the tight box and its width is half to three times the longer side of that."""
    centre = (box[:2] + box[2:]) / 2
    width = (box[2] - box[0]) / max(tight[2:] - tight[:2])
    return bool((tight[:2] < centre).all() and (centre < tight[2:]).all() and 0.5 < width < 3)


def main() -> None:
    """Fit what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["auto", "rivals"])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--photos", type=int, default=400, help="for rivals: how many, evenly taken (default 400)")
    args = parser.parse_args()
    if args.what == "auto":
        for folder in args.folders:
            fit_auto(folder)
    else:
        fit_rivals(args.folders, args.photos)


if __name__ == "__main__":
    main()
