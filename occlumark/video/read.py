"""Frames of a video file or a camera, upright, each with its time."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from occlumark.errors import OcclumarkError
from occlumark.photo import MAX_PIXELS

# Where a file or camera says no rate that can be, frames per second.
_USUAL_RATE, _MOST_RATE = 30.0, 1000.0
# What an MP4 or MOV begins with behind four bytes: they list their frames, as AVI counts them.
_COUNTED = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
# A file that does not count them has ended early where so many seconds of its duration are without a frame.
_MOST_MISSING_S = 1.0


class Frames:
    """The frames of an open video or camera: iterate once, over (frame, time) pairs.

    A frame is (height, width, 3) uint8 RGB, turned as the file says; its time is in seconds, and rises. A file that is
    damaged ends where no more can be read.

    Args:
        capture: OpenCV's, open.
        announced: how many frames the file says that it has; 0: it does not say, or it is a camera.
        is_counted: whether they are counted; else they are guessed from the file's duration and rate.

    Attributes:
        rate: frames per second, of the file or camera.
        announced: as given.
        n_read: how many frames were read so far.
    """

    def __init__(self, capture: cv2.VideoCapture, announced: int = 0, *, is_counted: bool = True) -> None:
        self._capture, self.announced, self.n_read = capture, announced, 0
        self._is_counted, self._last = is_counted, -math.inf
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.rate = float(rate) if 0 < rate <= _MOST_RATE else _USUAL_RATE

    def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
        while True:
            is_there, frame = self._capture.read()
            if not is_there or frame is None:
                return
            time = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if not (math.isfinite(time) and time > self._last):  # some files and most cameras do not tell
                time = self._last + 1 / self.rate if self.n_read else 0.0
            self._last = time
            self.n_read += 1
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB if frame.ndim == 3 else cv2.COLOR_GRAY2RGB), time

    @property
    def ends_early(self) -> bool:
        """Whether the frames, all read, are fewer than the file says: it was cut short, or is damaged.

        Where they are not counted a file of a variable rate has fewer, so it is their times that end before the rest.
        """
        if self._is_counted or not self.n_read:
            return self.n_read < self.announced
        return self._last + 1 / self.rate < self.announced / self.rate - _MOST_MISSING_S


@contextmanager
def open_video(path: Path) -> Iterator[Frames]:
    """A video file's frames: whatever OpenCV's FFmpeg decodes; nothing is fetched that the file points to.

    Raises:
        OcclumarkError: there is no such file, it is no video that can be read, or its frames are too large.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise OcclumarkError(f"cannot read {path}: a video is a file, this is a device or pipe; write it to one")
        with path.open("rb") as file:
            head = file.read(8)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise OcclumarkError(f"cannot read {path}: {reason}") from error
    with quiet():
        capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG)  # noqa: PTH100 - no name is a protocol
    try:
        height, width = (int(capture.get(size)) for size in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
        if not capture.isOpened() or height < 1 or width < 1:
            raise OcclumarkError(
                f"cannot read {path}: no video that FFmpeg knows, or its start or index is missing; "
                "MP4, MOV, MKV, WebM and AVI are read"
            )
        if height * width > MAX_PIXELS:
            raise OcclumarkError(f"{path} has frames of {width} x {height} pixels; at most {MAX_PIXELS} are read")
        is_counted = head[4:] in _COUNTED or head.startswith(b"RIFF")
        yield Frames(capture, max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))), is_counted=is_counted)
    finally:
        capture.release()


@contextmanager
def open_camera(number: int) -> Iterator[Frames]:
    """A camera's frames, without end.

    Raises:
        OcclumarkError: there is no such camera, or another program has it.
    """
    with quiet():
        capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise OcclumarkError(f"cannot open camera {number}: there is none, or another program has it")
        yield Frames(capture)
    finally:
        capture.release()


@contextmanager
def quiet() -> Iterator[None]:
    """Without OpenCV's and FFmpeg's own lines on standard error: what is wrong is said in ours."""
    # OpenCV reads these when it first opens a video. A playlist may name files of other machines.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file")
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
