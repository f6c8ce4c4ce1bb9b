"""Scenes for the face detector's training with faces turned to a side among them.

    python studies/turned_scenes.py scenes afw_large_pose 300w/afw --out runs/scenes-turned

Links the scenes' photos and 300W-LP's views of AFW's photos (afw_large_pose) into one folder, with a boxes.csv. Of a
view the tight box of its landmarks is the face; whatever else the face detector may take for one there is ignored. Left
out are the views that turned_to_a_side.py judges by, and those of photos with a face that is in a held-out scene, too
(correlation of the tight boxes' pixels above 0.9).
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from occlumark.boxes import box_iou
from occlumark.data.sample import Sample
from occlumark.data.scenes import SCENE_TABLE, Scene, held_out, read_scenes
from occlumark.data.split import split_validation
from occlumark.data.w300 import read_w300
from occlumark.evaluation.held_out import HELD_OUT, VALIDATION_SEED
from occlumark.files import write_csv
from occlumark.finder import NetworkFinder
from occlumark.photo import read_photo

_SIDE, _SAME, _SMALLEST = 32, 0.9, 12
_MAYBE_A_FACE, _ON_THE_FACE = 0.2, 0.3


def main() -> None:
    """Make the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("views", type=Path, help="afw_large_pose")
    parser.add_argument("photos", type=Path, help="300w/afw")
    parser.add_argument("--out", type=Path, required=True, help="a folder that is not there yet")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    scenes = read_scenes(args.scenes)
    views, _ = read_w300([args.views])
    training, _ = split_validation([view.name for view in views], HELD_OUT["validation"], VALIDATION_SEED)
    seen = _photos_in(held_out(scenes)[1], read_w300([args.photos])[0])
    chosen = [views[i] for i in training if _photo_of(views[i].name) not in seen]
    with (args.scenes / SCENE_TABLE).open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    finder = NetworkFinder(score=_MAYBE_A_FACE, threads=1)
    args.out.mkdir(parents=True)
    for scene in scenes:
        (args.out / scene.name).symlink_to(scene.photo.resolve())
    for view in chosen:
        name, face = f"turned_{view.name}", view.tight_box[None]
        (args.out / name).symlink_to((args.views / view.name).resolve())
        others = [box for box, _ in finder(view.read_photo()) if box_iou(box[None], face)[0, 0] < _ON_THE_FACE]
        boxes = [("manual", face[0]), *(("ignore", box) for box in others)]
        rows += [[name, kind, *(f"{value:.1f}" for value in box)] for kind, box in boxes]
    write_csv(args.out / SCENE_TABLE, header, rows)
    print(f"{len(scenes)} scenes and {len(chosen)} of {len(training)} views; {len(seen)} photos are in held-out scenes")


def _photo_of(name: str) -> str:
    """`134212` of the face 134212_1.jpg and of its view afwlp_AFW_134212_1_11.jpg."""
    return name.partition("AFW_")[2].partition("_")[0] or name.partition("_")[0]


def _photos_in(scenes: Sequence[Scene], samples: Sequence[Sample]) -> set[str]:
    """Which photos have a face that is in one of the scenes as well."""
    known = np.stack([_pixels(sample.read_photo(), sample.tight_box) for sample in samples])
    found = set()
    for scene in scenes:
        photo = read_photo(scene.photo)
        for box in scene.faces:
            if min(box[2:] - box[:2]) >= _SMALLEST and (same := known @ _pixels(photo, box)).max() > _SAME:
                found.add(_photo_of(samples[int(same.argmax())].name))
    return found


def _pixels(photo: np.ndarray, box: np.ndarray) -> np.ndarray:
    """(n,) of a box, grey, their mean 0 and their length 1, so that a product of two is the correlation."""
    height, width = photo.shape[:2]
    (x0, y0), (x1, y1) = np.clip(box.round().reshape(2, 2), 0, [width, height]).astype(int)
    small = cv2.resize(photo[y0:y1, x0:x1], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    values = grey.ravel() - grey.mean()
    return values / max(float(np.linalg.norm(values)), 1e-9)


if __name__ == "__main__":
    main()
