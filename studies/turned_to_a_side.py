"""How exact are faces turned to a side, what does the expected error tell of them, and are they found?

    python studies/turned_to_a_side.py afw_large_pose 300w/afw 300w/lfpw/trainset 300w/helen/trainset [--model NAME]

Photos that the shipped network's last run held out, tight boxes, one crop: 300W's by the yaw that their points tell,
and the views of AFW's photos that a 3D model turned (300W-LP), by the yaw of their index.csv; their points are fitted,
not annotated. Errors are over the square root of the tight box's area, as eyes lie behind one another in profile. A
face is found where one that detection finds in the whole photo overlaps the tight box by 0.4.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from occlumark.boxes import areas, box_iou
from occlumark.data.sample import Sample
from occlumark.data.split import split_validation
from occlumark.data.w300 import read_w300
from occlumark.detect import Detector
from occlumark.evaluation.held_out import HELD_OUT, VALIDATION_SEED, held_out_photos
from occlumark.face.pose import head_pose
from occlumark.markup import N_LANDMARKS, W300
from occlumark.metrics.finder import MIN_OVERLAP
from occlumark.packaged import packaged_names

_BOUNDS = (10, 20, 30, 45, 60, 75, 90)


def main() -> None:
    """Print a row for each range of yaw, of photos and of turned views."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("views", type=Path, help="afw_large_pose")
    parser.add_argument("folders", nargs="+", type=Path, help="folders of 300W's training photos")
    parser.add_argument("--model", default="occlumark", help=f"{', '.join(packaged_names())}, or an ONNX file")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    packaged = args.model in packaged_names()
    detector = Detector(**({"model": args.model} if packaged else {"weights": args.model}), threads=1, recrop="never")
    photos = held_out_photos(args.folders)
    yaws_of = [abs(head_pose(photo.landmarks, np.ones(N_LANDMARKS), W300).yaw_deg) for photo in photos]
    _print_rows("photos", list(zip(photos, yaws_of, strict=True)), detector)
    with (args.views / "index.csv").open(newline="", encoding="utf-8") as file:
        yaws = {row["name"]: abs(float(row["yaw_deg"])) for row in csv.DictReader(file)}
    views, _ = read_w300([args.views])
    _, held_out = split_validation([view.name for view in views], HELD_OUT["validation"], VALIDATION_SEED)
    _print_rows("turned views", [(views[i], yaws[views[i].photo.stem]) for i in held_out], detector)


def _print_rows(what: str, faces: list[tuple[Sample, float]], detector: Detector) -> None:
    found = defaultdict(list)
    for sample, yaw in faces:
        (face,) = detector.detect(sample.read_photo(), sample.tight_box[None])
        unit = areas(sample.tight_box[None])[0] ** 0.5
        error = np.linalg.norm(face.landmarks - sample.landmarks, axis=1).mean() / unit
        boxes = np.array([each.box for each in detector.detect(sample.read_photo())]).reshape(-1, 4)
        is_found = box_iou(boxes, sample.tight_box[None]).max(initial=0) >= MIN_OVERLAP
        found[int(np.searchsorted(_BOUNDS, yaw))].append((error, face.expected_error.mean() / unit, is_found))
    for place, errors in sorted(found.items()):
        error, expected, share = 100 * np.mean(errors, axis=0)
        low, high = (0, *_BOUNDS, 180)[place : place + 2]
        print(
            f"{what:14}{low:3} to {high:3} degrees: {len(errors):4} faces,"
            f" error {error:5.2f}, expected {expected:5.2f}, found {share:5.1f} %"
        )


if __name__ == "__main__":
    main()
