"""Is one face found twice, and what does face.doubles.without_doubles leave of it?

    python studies/doubles.py scenes 300w/afw 300w/lfpw/trainset 300w/helen/trainset [--model occlumark-fast]

Scenes that are not held out, and validation photos that the shipped network's last run was not trained on, each as it
is and turned by a multiple of 30 degrees. Counted are faces found, false positives and pairs whose boxes or landmarks'
tight boxes overlap; and the annotated faces' own pairs, which say how often faces do lie on one another.
"""

import argparse
from collections import Counter
from itertools import combinations
from pathlib import Path
from unittest import mock

import cv2
import numpy as np

from occlumark import searched
from occlumark.boxes import box_iou
from occlumark.data.rotated import rotated
from occlumark.data.scenes import held_out, read_scenes
from occlumark.detect import Detector
from occlumark.evaluation.held_out import held_out_photos
from occlumark.face import Face
from occlumark.face.doubles import without_doubles
from occlumark.markup import tight_box
from occlumark.metrics.finder import MIN_OVERLAP
from occlumark.photo import read_photo

_OVERLAPS = (0.15, 0.3)


def main() -> None:
    """Print a row a set of photos and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("folders", nargs="+", type=Path, help="of 300W's training photos")
    parser.add_argument("--model", default="occlumark")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    mock.patch.object(searched, "without_doubles", list).start()  # all that detection keeps otherwise
    detector = Detector(args.model, threads=1)
    chosen = held_out_photos(args.folders)
    usable, _ = held_out(read_scenes(args.scenes))
    apart = sum((_pairs(scene.faces, scene.faces) for scene in usable), Counter[float]())
    print(f"annotated faces: {sum(len(scene.faces) for scene in usable)}, pairs by overlap {dict(apart)}")
    _report("scenes", [(detector.detect(read_photo(scene.photo)), scene.faces, scene.ignored) for scene in usable])
    for name, turns in (("upright", [0] * len(chosen)), ("turned", [30 * (1 + n % 11) for n in range(len(chosen))])):
        made = [rotated(sample, turn) for sample, turn in zip(chosen, turns, strict=True)]
        none = np.zeros((0, 4))
        _report(name, [(detector.detect(each.read_photo()), each.tight_box[None], none) for each in made])


def _report(name: str, photos: list[tuple[list[Face], np.ndarray, np.ndarray]]) -> None:
    for way, of in (("all", list[Face]), ("each once", without_doubles)):
        counts: Counter[str] = Counter()
        overlap: Counter[float] = Counter()
        for faces, true, ignored in photos:
            kept = of(faces)
            boxes = np.stack([face.box for face in kept]) if kept else np.zeros((0, 4))
            tight = np.stack([tight_box(face.landmarks) for face in kept]) if kept else boxes
            on_true = box_iou(boxes, true) >= MIN_OVERLAP
            on_ignored = (box_iou(boxes, ignored) > 0).any(axis=1)
            counts["found"] += int(on_true.any(axis=0).sum())
            counts["of"] += len(true)
            counts["elsewhere"] += int((~on_true.any(axis=1) & ~on_ignored).sum())
            counts["twice"] += int((on_true.sum(axis=0) > 1).sum())
            overlap += _pairs(boxes, tight)
        print(f"{name:8} {way:9} {dict(counts)} pairs by overlap {dict(overlap)}")


def _pairs(boxes: np.ndarray, tight: np.ndarray) -> Counter[float]:
    """How many pairs overlap by each of _OVERLAPS, boxes or tight boxes."""
    if not len(boxes):
        return Counter()
    overlaps = np.fmax(box_iou(boxes, boxes), box_iou(tight, tight))
    return Counter({o: sum(int(overlaps[i, k] >= o) for i, k in combinations(range(len(boxes)), 2)) for o in _OVERLAPS})


if __name__ == "__main__":
    main()
