"""How little of a face does a network say is visible, at the least?

    python studies/least_visible.py 300w/afw 300w/lfpw/trainset 300w/helen/trainset [--model occlumark-fast]

Training photos of 300W, most of them seen in training, real occlusion among them; tight boxes, one crop. The least mean
visibilities of a face are what video/tracker.py's threshold lies far below.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from occlumark.data.w300 import read_w300
from occlumark.detect import Detector

_SHOWN = 5


def main() -> None:
    """Print the faces of which least is visible."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="occlumark")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    detector = Detector(args.model, threads=1, recrop="never")
    samples, _ = read_w300(args.folders)
    visible = [detector.detect(sample.read_photo(), sample.tight_box[None])[0].visibility.mean() for sample in samples]
    for i in np.argsort(visible)[:_SHOWN]:
        print(f"{visible[i]:.3f}  {samples[i].name}")
    print(f"the least of {len(samples)} faces")


if __name__ == "__main__":
    main()
