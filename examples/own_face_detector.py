"""Landmarks in the boxes of a face detector of your own.

python examples/own_face_detector.py occlumark/samples/astronaut.jpg

occlumark takes any function of an RGB photo that returns (box, score) pairs. Landmarks are best in boxes as tight
as the landmarks themselves, from brows to chin; most face detectors draw larger ones, so `tight` brings them down.
"""

import sys

import cv2
import numpy as np

from occlumark import Detector

# Where the tight box begins and ends in your detector's box, in its widths and heights. Measure it once, on photos
# where Detector() finds the landmarks. For YuNet it is (-0.015, 0.256, 1.0, 1.003), for the one below about this:
LEFT, TOP, RIGHT, BOTTOM = 0.18, 0.42, 0.84, 0.94


def my_detector(photo: np.ndarray) -> list[tuple[int, int, int, int, float]]:
    """Put yours here: x, y, width, height, score of each face. This one takes the largest region of skin colour."""
    skin = cv2.inRange(cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb), (60, 135, 85), (255, 170, 130))
    skin = cv2.morphologyEx(skin, cv2.MORPH_OPEN, np.ones((9, 9)))
    _, _, regions, _ = cv2.connectedComponentsWithStats(skin)
    if len(regions) < 2:  # the first is what lies around
        return []
    x, y, width, height, _ = max(regions[1:].tolist(), key=lambda region: region[4])
    return [(x, y, width, height, 1.0)]


def tight(x: float, y: float, width: float, height: float) -> np.ndarray:
    """The landmarks' tight box in a box of the detector: x0, y0, x1, y1."""
    return np.array([x + LEFT * width, y + TOP * height, x + RIGHT * width, y + BOTTOM * height])


def face_finder(photo: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """What occlumark calls for each photo."""
    return [(tight(x, y, width, height), score) for x, y, width, height, score in my_detector(photo)]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python examples/own_face_detector.py PHOTO...")
    detector = Detector(face_finder=face_finder)
    for name in sys.argv[1:]:
        for face in detector.detect(name):
            print(name, face.box.round(1), face.hidden_regions())
