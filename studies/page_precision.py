"""What do activations in floating point change, in which the page for browsers computes a network packaged in 8 bits?

    python studies/page_precision.py 300w/afw 300w/lfpw/trainset 300w/helen/trainset [--model occlumark-fast]

Validation photos that the shipped network's last run was not trained on, in the face detector's boxes: NME by the eyes'
outer corners as packaged and as in the page, and by how many pixels of the crop landmarks move.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnx

from occlumark.boxes import box_iou
from occlumark.crop import CropTransform
from occlumark.evaluation.held_out import held_out_photos
from occlumark.export.unquantised import unquantised
from occlumark.finder import NetworkFinder
from occlumark.landmarker import Landmarker
from occlumark.metrics.finder import MIN_OVERLAP
from occlumark.metrics.landmarks import nme
from occlumark.packaged import packaged_weights


def main() -> None:
    """Print both errors and how far landmarks move."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="occlumark-fast")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    finder, packaged = NetworkFinder(threads=1), packaged_weights(args.model)[0]
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.onnx"
        onnx.save(unquantised(onnx.load(packaged)), page)
        networks = [Landmarker(path, threads=1) for path in (packaged, page)]
    errors: list[list[float]] = []
    moved: list[np.ndarray] = []
    for sample in held_out_photos(args.folders):
        photo = sample.read_photo()
        boxes = np.array([box for box, _ in finder(photo)]).reshape(-1, 4)
        overlaps = box_iou(boxes, sample.tight_box[None])[:, 0]
        if overlaps.max(initial=0) < MIN_OVERLAP:
            continue
        crop = CropTransform.from_box(boxes[overlaps.argmax()], networks[0].crop)
        found = [network.predict(crop.cut(photo)[None]).landmarks[0] for network in networks]
        placed = np.stack([crop.to_photo(points) for points in found])
        truth = np.stack([sample.landmarks] * len(placed))
        errors.append(nme(placed, truth, "inter_ocular").tolist())
        moved.append(np.linalg.norm(found[0] - found[1], axis=1))
    for name, error in zip(("as packaged", "as in the page"), 100 * np.mean(errors, axis=0), strict=True):
        print(f"{name:16}{error:7.3f}  of {len(errors)} faces")
    distances = np.concatenate(moved)
    print(
        f"landmarks move by {distances.mean():.2f} of {networks[0].crop.size} pixels,"
        f" one of a thousand by {np.quantile(distances, 0.999):.1f}, at most by {distances.max():.1f}"
    )


if __name__ == "__main__":
    main()
