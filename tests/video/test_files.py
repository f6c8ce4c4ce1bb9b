"""Video files in and out: frames, times, turns, damage."""

import os
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from occlumark.errors import OcclumarkError
from occlumark.video.read import Frames, open_camera, open_video
from occlumark.video.write import VideoWriter, video_written_whole


def bar(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A frame that bears its number: so many of twelve columns of blocks are light; the left top quarter is red."""
    frame = np.full((height, width, 3), 30, np.uint8)
    frame[height // 2 :, : round(number / 12 * width)] = 220
    frame[: height // 2, : width // 2] = (220, 20, 20)
    return frame


def number_of(frame: np.ndarray) -> int:
    light = frame[frame.shape[0] // 2 + 4 :, :, 1].mean(axis=0) > 125
    return round(light.mean() * 12)


def write(path, frames, rate=25.0):
    with video_written_whole(path, rate) as video:
        for i, frame in enumerate(frames):
            video.write(frame, i / rate)
    return path


def read(path) -> list[tuple[np.ndarray, float]]:
    with open_video(path) as frames:
        return list(frames)


@pytest.mark.parametrize("rate", [5.0, 25.0, 29.97, 90.123, 119.993, 120.0, 239.123])
def test_frames_come_back_in_order_with_their_times(tmp_path, rate):
    with open_video(write(tmp_path / "a.mp4", map(bar, range(12)), rate)) as frames:
        assert (frames.announced, frames.rate) == (12, pytest.approx(rate, rel=1e-3))
        found = list(frames)
        assert frames.n_read == 12
    assert [number_of(frame) for frame, _ in found] == list(range(12))
    np.testing.assert_allclose([time for _, time in found], np.arange(12) / rate, atol=0.002)
    red = found[0][0][5:15, 5:25].reshape(-1, 3).mean(axis=0)
    assert red[0] > 180 and red[1:].max() < 70  # RGB in, RGB out


@pytest.mark.parametrize("size", [(1, 1), (31, 47), (16, 500), (500, 16)])
def test_any_size_is_written_an_odd_side_with_a_pixel_more(tmp_path, size):
    (frame, _), *_ = read(write(tmp_path / "a.mp4", [bar(3, *size)] * 2))
    assert frame.shape[:2] == (size[0] + size[0] % 2, size[1] + size[1] % 2)


def test_a_frame_of_another_size_is_scaled(tmp_path):
    found = read(write(tmp_path / "a.mp4", [bar(2), bar(7, 96, 128), bar(9)]))
    assert [number_of(frame) for frame, _ in found] == [2, 7, 9]


def test_a_variable_rate_is_made_constant(tmp_path):
    """At 10 a second: frames at 0, .1 and .4 s, the second shown for three, and one that comes too early left out."""
    with video_written_whole(tmp_path / "a.mp4", 10.0) as video:
        for number, time in ((1, 5.0), (4, 5.1), (6, 5.12), (9, 5.4)):
            video.write(bar(number), time)
    assert [number_of(frame) for frame, _ in read(tmp_path / "a.mp4")] == [1, 4, 4, 4, 9]


def test_a_gap_longer_than_is_filled_is_left_out_once():
    """300 copies at most, by the frame before the gap; the next is a tenth of a second later again, so one frame."""
    writer = VideoWriter(Path("none.mp4"), 10.0)
    writer._writer, writer._size, counts = SimpleNamespace(write=lambda frame: None), (64, 48), []
    for time in (0.0, 0.1, 3600.0, 3600.1, 3600.2):
        before = writer.n_written
        writer.write(bar(3), time)
        counts.append(writer.n_written - before)
    assert counts == [1, 1, 300, 1, 1]


class _Capture:
    """An OpenCV capture of frames at given times, seconds."""

    def __init__(self, rate: float, times: list[float]) -> None:
        self.rate, self.times, self.at = rate, list(times), 0.0

    def get(self, name: int) -> float:
        return self.rate if name == cv2.CAP_PROP_FPS else 1000 * self.at

    def read(self):
        if not self.times:
            return False, None
        self.at = self.times.pop(0)
        return True, bar(1)


@pytest.mark.parametrize(
    ("times", "is_counted", "expected"),
    [
        (np.arange(300) / 30, True, False),
        (np.arange(299) / 30, True, True),  # counted: one is missing
        (np.arange(0, 10, 0.2), False, False),  # a variable rate: 50 of the 300 that duration and rate say
        (np.arange(0, 9.2, 0.2), False, False),
        (np.arange(0, 7, 0.2), False, True),  # cut short
        ([], False, True),
    ],
)
def test_what_ends_early_is_told_by_count_or_by_time(times, is_counted, expected):
    frames = Frames(_Capture(30.0, [float(time) for time in times]), 300, is_counted=is_counted)
    assert len(list(frames)) == len(times) and frames.ends_early is expected


def test_mp4_and_avi_count_their_frames(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    writer.write(bar(1))
    writer.release()
    for path in (write(tmp_path / "a.mp4", [bar(1)]), tmp_path / "a.avi"):
        with open_video(path) as frames:
            assert frames._is_counted and list(frames) and not frames.ends_early


def test_a_turned_video_is_read_upright(tmp_path):
    """As phones write it: the picture lies, and the track's matrix says by how much to turn it."""
    path = write(tmp_path / "a.mp4", [bar(6)] * 3)
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40  # the matrix, in a header of version 0
    one = 1 << 16
    assert struct.unpack(">9i", content[start : start + 36]) == (one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    content[start : start + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)  # a quarter, clockwise
    path.write_bytes(content)
    turned = read(path)[0][0]
    assert turned.shape == (64, 48, 3)
    upright = np.rot90(bar(6), -1).astype(int)  # red is at the right top
    assert np.abs(turned - upright).mean() < 12


def test_a_file_cut_short_is_read_to_its_end(tmp_path):
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25, (640, 480))
    for i in range(12):
        writer.write(np.ascontiguousarray(bar(i, 480, 640)[..., ::-1]))
    writer.release()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    found = read(path)
    assert 4 <= len(found) < 12
    assert [number_of(frame) for frame, _ in found[:-1]] == list(range(len(found) - 1))


BAD = """
import sys
from pathlib import Path
from occlumark.errors import OcclumarkError
from occlumark.video.read import open_video
for name in sys.argv[1:]:
    try:
        with open_video(Path(name)) as frames:
            print(len(list(frames)))
    except OcclumarkError as error:
        print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs pipes with a name")
def test_bad_input_is_one_line_and_ffmpeg_says_nothing(tmp_path):
    whole = write(tmp_path / "whole.mp4", map(bar, range(12))).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(playlist)
    os.mkfifo(tmp_path / "pipe.mp4")
    names = ["cut.mp4", "text.mp4", "empty.mp4", "list.m3u8", "none.mp4", ".", "pipe.mp4"]
    command = [sys.executable, "-c", BAD, *names]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"cannot read {name}" for name in names]
    assert all("no video that FFmpeg knows" in line for line in lines[:4])
    assert lines.pop().endswith("a video is a file, this is a device or pipe; write it to one")
    assert lines[4:] == ["cannot read none.mp4: No such file or directory", "cannot read .: Is a directory"]


def test_times_that_a_camera_does_not_tell_go_on_by_the_rate():
    class Silent:
        left = 3

        def get(self, name):
            return 0.0

        def read(self):
            self.left -= 1
            return self.left >= 0, np.zeros((4, 4, 3), np.uint8)

    frames = Frames(Silent())
    np.testing.assert_allclose([time for _, time in frames], [0, 1 / 30, 2 / 30])
    assert frames.rate == 30


def test_a_camera_that_is_not_there():
    with pytest.raises(OcclumarkError, match="cannot open camera 99: there is none"), open_camera(99):
        pass


def test_nothing_is_left_of_a_video_that_stops(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"before")
    with pytest.raises(ZeroDivisionError), video_written_whole(path, 25.0) as video:
        video.write(bar(1), 0.0)
        raise ZeroDivisionError
    with pytest.raises(OcclumarkError, match=r"there is no frame to write to .*a\.mp4"), video_written_whole(path, 25):
        pass
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_a_video_that_lost_frames_to_a_full_disk_is_none(tmp_path):
    """OpenCV says nothing of it: the file is read again, and here holds fewer frames than were written."""
    path = tmp_path / "a.mp4"
    full = pytest.raises(OcclumarkError, match=r"took 3 of 4 frames; is the disk full\?")
    with full, video_written_whole(path, 25.0) as video:
        for i in range(3):
            video.write(bar(i), i / 25)
        video.n_written += 1
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path):
    with pytest.raises(OcclumarkError, match="cannot write"), video_written_whole(tmp_path / "no" / "a.mp4", 25.0):
        raise AssertionError("the block does not begin")
