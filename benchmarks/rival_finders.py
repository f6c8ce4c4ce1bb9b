"""OpenCV's face cascade and dlib's HOG finder, in an environment of their own, answering over a pipe.

`make bench-finders` makes the environment. Run by it as `python rival_finders.py NAME`, this file reads photos from
standard input, each a line of JSON {"height", "width", "everything"} and the bytes of its RGB pixels, and answers each
with a line {"boxes", "scores", "seconds"}. Imported, it is the other end: Rival calls such a process as a face finder.
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Found = tuple[np.ndarray, np.ndarray]
PYTHON = Path(__file__).parents[1] / ".venv-rivals" / "bin" / "python"

#: By name: which finder, and how often the photo is doubled before it is searched.
RIVALS = {"cascade": ("cascade", 0), "cascade x2": ("cascade", 1), "dlib": ("dlib", 0), "dlib x2": ("dlib", 1)}
#: The landmarks' tight box in a rival's box: its left, top, right and bottom, in widths and heights of that box.
#: Medians over 300W's training photos (fit_boxes.py).
TIGHT_IN_BOX = {
    "cascade": np.array([0.089, 0.234, 0.928, 1.061]),
    "cascade x2": np.array([0.090, 0.237, 0.927, 1.063]),
    "dlib": np.array([0.022, 0.126, 0.965, 1.050]),
    "dlib x2": np.array([0.024, 0.112, 0.984, 1.054]),
}
#: The score from which on a box is a face by default.
DEFAULT_SCORES = {"cascade": -math.inf, "cascade x2": -math.inf, "dlib": 0.0, "dlib x2": 0.0}


class Rival:
    """A rival's process, as a face finder that answers with the rival's own boxes and scores.

    Args:
        name: one of RIVALS.
        everything: answer with all that has any score; else with what is a face by default.
    """

    def __init__(self, name: str, *, everything: bool) -> None:
        self.everything = everything
        command = [str(PYTHON), __file__, name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.seconds = 0.0

    def __call__(self, photo: np.ndarray) -> list[tuple[np.ndarray, float]]:
        """Find faces (finder.FaceFinder); `seconds` says how long the rival itself took."""
        assert self.process.stdin and self.process.stdout
        head = {"height": photo.shape[0], "width": photo.shape[1], "everything": self.everything}
        self.process.stdin.write(json.dumps(head).encode() + b"\n" + photo.tobytes())
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.seconds = answer["seconds"]
        return list(zip(np.array(answer["boxes"]).reshape(-1, 4), answer["scores"], strict=True))

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def cascade(doublings: int) -> Callable[[np.ndarray, bool], Found]:
    """OpenCV 4's frontal-face cascade, the faces of which are at least 24 pixels wide.

    A score is the last stage's margin of the best of four raw finds or more, which make a face by default. Smaller
    groups, raw finds thinned out by their scores, and the size of a group as its score were tried undoubled: on the
    held-out scenes each finds fewer faces in all at 0.1 false positives per image, though the last finds two more of
    w300's exact ones. So everything is no more than usual.
    """
    import cv2
    import cv2.data

    cv2.setNumThreads(1)
    path = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
    classifier = cv2.CascadeClassifier(str(path))  # type: ignore[attr-defined]  # OpenCV 4, not 5

    def find(photo: np.ndarray, _everything: bool) -> Found:
        grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
        for _ in range(doublings):
            grey = cv2.pyrUp(grey)
        squares, _, weights = classifier.detectMultiScale3(grey, outputRejectLevels=True)
        corners = np.asarray(squares, float).reshape(-1, 4) / 2**doublings
        return np.hstack([corners[:, :2], corners[:, :2] + corners[:, 2:]]), np.asarray(weights, float).reshape(-1)

    return find


def dlib_hog(doublings: int) -> Callable[[np.ndarray, bool], Found]:
    """dlib's frontal HOG finder, the faces of which are at least 80 pixels wide. Everything: scores from -1."""
    import dlib

    detector = dlib.get_frontal_face_detector()

    def find(photo: np.ndarray, everything: bool) -> Found:
        found, scores, _ = detector.run(photo, doublings, -1.0 if everything else 0.0)
        # A rectangle's right and bottom are its last pixels.
        boxes = [[r.left(), r.top(), r.right() + 1, r.bottom() + 1] for r in found]
        return np.array(boxes, float).reshape(-1, 4), np.array(scores)

    return find


def answer(name: str) -> None:
    """Answer the photos on standard input until it ends."""
    kind, doublings = RIVALS[name]
    find = {"cascade": cascade, "dlib": dlib_hog}[kind](doublings)
    while line := sys.stdin.buffer.readline():
        head: dict[str, Any] = json.loads(line)
        shape = (head["height"], head["width"], 3)
        photo = np.frombuffer(sys.stdin.buffer.read(int(np.prod(shape))), np.uint8).reshape(shape)
        began = time.perf_counter()
        boxes, scores = find(photo, head["everything"])
        seconds = time.perf_counter() - began
        print(json.dumps({"boxes": boxes.tolist(), "scores": scores.tolist(), "seconds": seconds}), flush=True)


if __name__ == "__main__":
    answer(sys.argv[1])
