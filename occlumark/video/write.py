"""A video written whole or not at all, and tracked faces drawn."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from occlumark.draw import SHIFT, draw_faces, fixed_point
from occlumark.errors import OcclumarkError
from occlumark.files import written_whole
from occlumark.video.read import quiet
from occlumark.video.tracker import TrackedFace

# A gap in the times of a damaged file is filled with at most so many frames.
_MOST_COPIES = 300
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


class VideoWriter:
    """An MP4 of a constant rate, opened by its first frame, which gives the size.

    Args:
        path: of the file, which ends in .mp4.
        rate: frames per second; above 65 rounded as far as the format has it (a numerator of 16 bits).

    Attributes:
        n_written: frames so far.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate, self.n_written = path, round(rate, 3 if rate < 65 else 2 if rate < 650 else 0), 0
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._start = 0.0
        self._shown: np.ndarray | None = None

    def write(self, frame: np.ndarray, time: float) -> None:
        """Add a frame at its time, the one before it as often as it takes until then: variable rates become constant.

        Args:
            frame: (height, width, 3) uint8, RGB; an odd side gets a pixel more, other sizes are scaled to the first's.
            time: seconds, later than the last frame's.

        Raises:
            OcclumarkError: OpenCV cannot write such a video.
        """
        height, width = frame.shape[:2]
        if self._writer is None:
            self._size, self._start = (width + width % 2, height + height % 2), time
            kind = cv2.VideoWriter.fourcc(*"mp4v")
            with quiet():
                self._writer = cv2.VideoWriter(str(self._path), cv2.CAP_FFMPEG, kind, self._rate, self._size)
            if not self._writer.isOpened():
                raise OcclumarkError(f"OpenCV writes no MP4 of {width} x {height} pixels at {self._rate:g} a second")
        frame = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        if frame.shape[1::-1] != self._size:
            frame = cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA)
        due = round((time - self._start) * self._rate) + 1 - self.n_written
        if due > _MOST_COPIES:
            self._start += (due - _MOST_COPIES) / self._rate  # what is left out of the gap stays left out
            due = _MOST_COPIES
        if due < 1:
            return
        shown = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        before = shown if self._shown is None else self._shown
        for picture in (*[before] * (due - 1), shown):
            self._writer.write(picture)
            self.n_written += 1
        self._shown = shown

    def close(self) -> None:
        """Finish the file, and see that every frame is in it: OpenCV says nothing of a full disk.

        Raises:
            OcclumarkError: the file is not whole.
        """
        if self._writer is None:
            return
        self._writer.release()
        written = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        count = int(written.get(cv2.CAP_PROP_FRAME_COUNT)) if written.isOpened() else 0
        written.release()
        if count != self.n_written:
            raise OcclumarkError(f"{self._path.parent} took {count} of {self.n_written} frames; is the disk full?")


@contextmanager
def video_written_whole(path: Path, rate: float) -> Iterator[VideoWriter]:
    """A video that takes its name only when the block ends well; until then it is made in the temporary folder.

    Without a frame there is no video, and no file.

    Raises:
        OcclumarkError: it cannot be written.
    """
    with written_whole(path) as file, tempfile.TemporaryDirectory(prefix="occlumark-") as folder:
        made = Path(folder) / "made.mp4"
        writer = VideoWriter(made, rate)
        yield writer
        writer.close()
        if not writer.n_written:
            raise OcclumarkError(f"there is no frame to write to {path}")
        with made.open("rb") as source:
            shutil.copyfileobj(source, file)


def draw_tracked(frame: np.ndarray, tracked: Iterable[TrackedFace], *, overlay: bool = False) -> np.ndarray:
    """draw_faces' drawing with each face's id at the top of its box.

    Args:
        frame: (height, width, 3) uint8, RGB; left as it is.
        tracked: its faces.
        overlay: lay the occlusion map under the drawing.

    Returns:
        The drawing, of the frame's shape.
    """
    tracked = list(tracked)
    drawing = draw_faces(frame, [each.face for each in tracked], overlay=overlay)
    for number, face, _ in tracked:
        x, y = (fixed_point(face.box[:2]) // 2**SHIFT).tolist()
        size = max(0.4, float((face.box[2:] - face.box[:2]).max()) / 250)
        for colour, thickness in ((_BLACK, 4), (_WHITE, 1)):
            place, thick = (x, y - round(5 * size)), max(1, round(thickness * size))
            cv2.putText(drawing, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
    return drawing
