"""dlib's 68 points and MediaPipe's face mesh, in an environment of their own, answering over a pipe.

`make bench-rivals` makes the environment. Run by it as `python rival_landmarks.py NAME`, this file reads photos from
standard input, each a line of JSON {"height", "width", "boxes", "repetitions"} and the bytes of its RGB pixels, and
answers each with a line {"points", "boxes", "given_s", "whole_s"}. Imported, it is the other end: RivalLandmarks.
"""

import functools
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np

PYTHON = Path(__file__).parents[1] / ".venv-rivals" / "bin" / "python"
#: More faces than any photo here has.
_MOST_FACES = 10


class Answer(NamedTuple):
    """What a rival says of a photo."""

    points: np.ndarray
    """(n, k, 2) photo pixels, the first pixel's centre at (0.5, 0.5): 68 of dlib's, 468 or 478 of the mesh."""
    boxes: np.ndarray
    """(n, 4) of its own finder or as given; of the mesh, which says none, the points' tight boxes."""
    given_s: float
    """Median CPU time of the landmarks of one face whose box, or place in the frame before, is known; NaN untimed."""
    whole_s: float
    """Median CPU time of finding and landmarks; NaN untimed."""


class System(Protocol):
    """A rival within its own process."""

    def whole(self, photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points and boxes of all faces that it finds."""

    def given(self, photo: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Points of the faces in boxes (n, 4)."""

    def timed_given(self, photo: np.ndarray, boxes: np.ndarray, repetitions: int) -> list[float]:
        """CPU times of the landmarks of the first of some boxes, s."""


class Dlib:
    """dlib's HOG finder on the photo at twice its size, as in dlib's own example, and its 68-point predictor."""

    def __init__(self) -> None:
        import dlib

        # The package itself needs one that is no longer everywhere, its file does not.
        spec = importlib.util.find_spec("face_recognition_models")
        assert spec and spec.origin
        file = Path(spec.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"
        self.rectangle = dlib.rectangle
        self.detector, self.predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(file))

    def whole(self, photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See System."""
        found = list(self.detector(photo, 1))
        # A rectangle's right and bottom are its last pixels.
        boxes = np.array([[r.left(), r.top(), r.right() + 1, r.bottom() + 1] for r in found], float).reshape(-1, 4)
        return self._points(photo, found), boxes

    def given(self, photo: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """See System."""
        return self._points(photo, [self.rectangle(*map(round, box - [0, 0, 1, 1])) for box in boxes])

    def timed_given(self, photo: np.ndarray, boxes: np.ndarray, repetitions: int) -> list[float]:
        """See System."""
        return [cpu_time_s(lambda: self.given(photo, boxes[:1])) for _ in range(repetitions)]

    def _points(self, photo: np.ndarray, rectangles: Sequence[Any]) -> np.ndarray:
        # dlib's points are whole pixels, counted from the first pixel's centre.
        shapes = [[(p.x + 0.5, p.y + 0.5) for p in self.predictor(photo, r).parts()] for r in rectangles]
        return np.array(shapes, float).reshape(-1, 68, 2)


class Mesh:
    """MediaPipe's face mesh, which finds faces itself and takes no boxes.

    Args:
        refined: with the model that attends to eyes and lips.
    """

    def __init__(self, *, refined: bool) -> None:
        from mediapipe.python.solutions.face_mesh import FaceMesh

        self.mesh = FaceMesh(static_image_mode=True, max_num_faces=_MOST_FACES, refine_landmarks=refined)
        self.one = FaceMesh(static_image_mode=True, max_num_faces=1, refine_landmarks=refined)
        # Of a video it finds a face once and follows it from then on, by its landmarks in the frame before.
        self.follower = FaceMesh(static_image_mode=False, max_num_faces=1, refine_landmarks=refined)

    def whole(self, photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See System."""
        faces = self.mesh.process(photo).multi_face_landmarks or []
        if not faces:
            return np.empty((0, 468, 2)), np.empty((0, 4))
        points = np.array([[(p.x, p.y) for p in face.landmark] for face in faces]) * photo.shape[1::-1]
        boxes = [np.hstack([face.min(axis=0), face.max(axis=0)]) for face in points]
        return points, np.array(boxes)

    def given(self, photo: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """See System."""
        raise ValueError("the face mesh takes no boxes")

    def timed_given(self, photo: np.ndarray, boxes: np.ndarray, repetitions: int) -> list[float]:
        """Times of following one face through frames that are all the same."""
        self.follower.reset()
        self.follower.process(photo)
        return [cpu_time_s(lambda: self.follower.process(photo)) for _ in range(repetitions)]


#: By name.
RIVALS: dict[str, Callable[[], System]] = {
    "dlib": Dlib,
    "mesh": lambda: Mesh(refined=False),
    "mesh refined": lambda: Mesh(refined=True),
}


def cpu_time_s(task: Callable[[], object]) -> float:
    """CPU time of a task, of all the process's threads."""
    began = time.process_time()
    task()
    return time.process_time() - began


def answer(system: System, photos: BinaryIO, answers: BinaryIO) -> None:
    """Answer the photos that come until they end."""
    while line := photos.readline():
        head: dict[str, Any] = json.loads(line)
        shape = (head["height"], head["width"], 3)
        photo = np.frombuffer(photos.read(int(np.prod(shape))), np.uint8).reshape(shape)
        given = None if head["boxes"] is None else np.array(head["boxes"], float).reshape(-1, 4)
        said: dict[str, Any] = {"given_s": None, "whole_s": None}
        if head["repetitions"]:
            assert given is not None
            whole = [cpu_time_s(functools.partial(system.whole, photo)) for _ in range(head["repetitions"])]
            said["whole_s"] = statistics.median(whole)
            said["given_s"] = statistics.median(system.timed_given(photo, given, head["repetitions"]))
            given = None
        points, boxes = system.whole(photo) if given is None else (system.given(photo, given), given)
        said |= {"points": points.tolist(), "boxes": boxes.tolist()}
        answers.write(json.dumps(said).encode() + b"\n")
        answers.flush()


class RivalLandmarks:
    """A rival's process.

    Args:
        name: one of RIVALS.
        command: what is run instead of this file by the rivals' own Python.
    """

    def __init__(self, name: str, command: Sequence[str] | None = None) -> None:
        command = command or [str(PYTHON), __file__, name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, photo: np.ndarray, boxes: np.ndarray | None = None, repetitions: int = 0) -> Answer:
        """Find landmarks.

        Args:
            photo: (height, width, 3) uint8, RGB.
            boxes: (n, 4) of the faces; None: its own finder's.
            repetitions: how often to time the first box's landmarks, and finding with landmarks; the points of an
                answer with times are then those of its own finder.
        """
        assert self.process.stdin and self.process.stdout
        given = None if boxes is None else boxes.tolist()
        head = {"height": photo.shape[0], "width": photo.shape[1], "boxes": given, "repetitions": repetitions}
        self.process.stdin.write(json.dumps(head).encode() + b"\n" + photo.tobytes())
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        found = np.array(said["boxes"], float).reshape(-1, 4)
        points = np.array(said["points"], float).reshape(len(found), -1, 2) if len(found) else np.empty((0, 68, 2))
        times = (np.nan if said[key] is None else said[key] for key in ("given_s", "whole_s"))
        return Answer(points, found, *times)

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


if __name__ == "__main__":
    answer(RIVALS[sys.argv[1]](), sys.stdin.buffer, sys.stdout.buffer)
