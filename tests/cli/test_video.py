import json
import os
import pydoc
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from occlumark.cli import video
from occlumark.cli.main import main
from occlumark.face import Face
from occlumark.video.read import Frames, open_video
from occlumark.video.write import video_written_whole


class StillFace:
    """A Detector that finds one face in every frame but those that are black."""

    def __init__(self, landmarks, **options):
        from occlumark.markup import MARKUPS

        self.landmarks, self.options = landmarks, options
        self.markup, self.min_presence = MARKUPS[68], 0.3

    def face_finder(self, frame):
        box = np.concatenate([self.landmarks.min(axis=0), self.landmarks.max(axis=0)])
        return [(box, 0.8)] if frame.mean() > 20 else []

    def detect(self, frame, boxes):
        return self.detect_near(frame, [self.landmarks] * len(boxes))

    def detect_near(self, frame, landmarks, scores=None):
        from occlumark.crop import CropTransform

        box, crop = [0, 0, 224, 224], CropTransform(np.eye(2, 3), 224)
        presence = float(frame.mean() > 20)
        told = {"presence": presence, "expected_error": np.full(68, 1.0)}
        return [Face(box, 1.0, self.landmarks, np.ones(68), np.zeros((7, 7)), crop, **told) for _ in landmarks]


@pytest.fixture
def still_face(monkeypatch, symmetric_face):
    monkeypatch.setattr("occlumark.detect.Detector", lambda **options: StillFace(symmetric_face, **options))


def frames_of(levels) -> list[np.ndarray]:
    return [np.full((224, 250, 3), level, np.uint8) for level in levels]


@pytest.fixture
def clip(tmp_path):
    """Eleven frames at 10 a second, four of them black."""
    with video_written_whole(tmp_path / "clip.mp4", 10.0) as writer:
        for i, frame in enumerate(frames_of([120] * 3 + [0] * 4 + [120] * 4)):
            writer.write(frame, i / 10)
    return tmp_path / "clip.mp4"


def test_a_line_per_frame_and_a_drawing(clip, tmp_path, still_face, capsys, symmetric_face):
    out, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    assert main(["video", str(clip), "--out", str(out), "--jsonl", str(lines)]) == 0
    values = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [v["frame"] for v in values] == list(range(11))
    np.testing.assert_allclose([v["time_s"] for v in values], np.arange(11) / 10, atol=0.002)
    assert {(v["width"], v["height"]) for v in values} == {(250, 224)}
    told = [[(face["id"], face["state"]) for face in v["faces"]] for v in values]
    assert told == [[(1, "new")], *[[(1, "tracked")]] * 2, *[[]] * 4, [(1, "returned")], *[[(1, "tracked")]] * 3]
    assert [v["lost"] for v in values] == [[]] * 5 + [[1]] + [[]] * 5
    np.testing.assert_allclose(Face.from_json(values[0]["faces"][0]).landmarks, symmetric_face, atol=0.01)
    with open_video(out) as drawn:
        drawings = [frame for frame, _ in drawn]
    nose = symmetric_face[30].astype(int)
    greens = [frame[nose[1] - 1 : nose[1] + 2, nose[0] - 1 : nose[0] + 2, 1].mean() for frame in drawings]
    assert len(drawings) == 11 and drawings[0].shape == (224, 250, 3)
    assert [green > 150 for green in greens] == [True] * 3 + [False] * 4 + [True] * 4
    said = f"occlumark: 11 frames, faces under 1 ids; wrote {out} (pictures alone, no sound), {lines}\n"
    assert capsys.readouterr() == ("", said)


def test_lines_to_standard_output_and_a_folder_that_is_made(clip, tmp_path, still_face, capfdbinary):
    assert main(["video", str(clip), "--jsonl", "-", "--out", str(tmp_path / "new" / "out.mp4")]) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(11))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.mp4"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a full disk")  # noqa: PTH110
def test_a_full_disk_behind_standard_output(clip):
    command = [sys.executable, "-m", "occlumark", "video", str(clip), "--jsonl", "-", "--model", "occlumark-fast"]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "occlumark: standard output: No space left on device\n")


def test_options_reach_the_tracker(clip, tmp_path, still_face, monkeypatch):
    seen = []
    monkeypatch.setattr("occlumark.video.tracker.Tracker.update", lambda self, frame, time: seen.append(self) or [])
    main(["video", str(clip), "--jsonl", str(tmp_path / "a"), "--no-smooth", "--threads", "1", "--model", "odn"])
    assert (seen[0].smooth, seen[0].detector.options["model"], seen[0].detector.options["threads"]) == (False, "odn", 1)


def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, still_face, capsys):
    (tmp_path / "text.mp4").write_text("no video")
    for name in ("text.mp4", "none.mp4"):
        arguments = ["video", str(tmp_path / name), "--out", str(tmp_path / "o.mp4"), "--jsonl", str(tmp_path / "o")]
        assert main(arguments) == 1
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1) and err.startswith(f"occlumark: cannot read {tmp_path / name}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_a_video_that_ends_too_early_is_told(clip, tmp_path, still_face, capsys, monkeypatch):
    """MP4 has its index at the end; here it says more frames than can be read."""
    init = Frames.__init__
    monkeypatch.setattr(Frames, "__init__", lambda self, capture, n, **counted: init(self, capture, n + 9, **counted))
    lines = tmp_path / "o.jsonl"
    assert main(["video", str(clip), "--jsonl", str(lines)]) == 0
    said = f"occlumark: {clip} ends too early or is damaged: 11 of its 20 frames are read\n"
    assert capsys.readouterr().err.splitlines(True)[1:] == [said] and len(lines.read_text().splitlines()) == 11


def test_the_video_itself_is_not_overwritten(clip, still_face, capsys):
    before = clip.read_bytes()
    assert main(["video", str(clip), "--out", str(clip)]) == 1
    assert capsys.readouterr().err == f"occlumark: {clip} would overwrite the video to read; name another file\n"
    assert clip.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-", "--jsonl", "a"], "a video is read from a file, not from standard input"),
        (["a.mp4"], "nothing to write: name --out OUT.mp4, --jsonl FILE or both"),
        (["a.mp4", "--out", "b.avi"], "--out writes .mp4, not .avi"),
        (["a.mp4", "--out", "b.mp4", "--jsonl", "./b.mp4"], "--out and --jsonl are two files, not b.mp4 twice"),
        (["a.mp4", "--jsonl", "b.jsonl", "--overlay"], "--overlay draws: it goes with --out or a window"),
        ([], "one of the arguments VIDEO --camera is required"),
        (["--camera", "-1"], "expected a camera's number, 0 or more, not -1"),
    ],
)
def test_wrong_usage_is_2(arguments, said, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["video", *arguments])
    assert caught.value.code == 2 and said in capsys.readouterr().err


class FakeCapture:
    """A camera of frames given, that then gives no more."""

    def __init__(self, frames):
        self.frames, self.is_released = list(frames), False

    def isOpened(self):
        return True

    def get(self, name):
        return 10.0 if name == cv2.CAP_PROP_FPS else 0.0

    def read(self):
        return (True, self.frames.pop(0)) if self.frames else (False, None)

    def release(self):
        self.is_released = True


@pytest.fixture
def camera(monkeypatch):
    capture = FakeCapture(frames_of([120] * 6))
    real = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda source, *way: capture if source == 0 else real(source, *way))
    return capture


def test_a_camera_without_a_window_is_one_line(still_face, monkeypatch, capsys):
    monkeypatch.setattr(video, "_opencv_has_windows", lambda: False)
    assert main(["video", "--camera", "0"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("occlumark: this OpenCV has no windows (opencv-python-headless has none") and "--out" in line


def test_whether_opencv_has_windows_is_what_it_says_of_itself(monkeypatch):
    for gui, expected in (
        ("  GUI:                           NONE", False),
        ("  GUI:                           QT5", True),
    ):
        monkeypatch.setattr(cv2, "getBuildInformation", lambda gui=gui: f"General\n{gui}\n    x: NONE\n")
        assert video._opencv_has_windows() is expected


@pytest.mark.parametrize(
    "place",
    [
        (FakeCapture, "read"),
        ("occlumark.video.tracker.Tracker", "update"),
        ("occlumark.video.write.VideoWriter", "write"),
    ],
    ids=str,
)
def test_a_recording_ends_well_with_ctrl_c_wherever_it_falls(place, camera, tmp_path, still_face, monkeypatch):
    owner, name = place
    path = owner if isinstance(owner, str) else f"{owner.__module__}.{owner.__qualname__}"
    owner = owner if not isinstance(owner, str) else pydoc.locate(path)
    method, calls = getattr(owner, name), []

    def pressed(self, *args, **options):
        calls.append(name)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return method(self, *args, **options)

    monkeypatch.setattr(owner, name, pressed)
    monkeypatch.setattr(video, "_opencv_has_windows", lambda: False)
    before, out, lines = signal.getsignal(signal.SIGINT), tmp_path / "o.mp4", tmp_path / "o.jsonl"
    assert main(["video", "--camera", "0", "--out", str(out), "--jsonl", str(lines)]) == 0
    assert [json.loads(line)["frame"] for line in lines.read_text().splitlines()] == [0, 1] and camera.is_released
    with open_video(out) as frames:
        assert list(frames)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_twice_ends_a_recording_at_once(camera, tmp_path, still_face, monkeypatch, capsys):
    def pressed_twice(self, frame, time):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("occlumark.video.tracker.Tracker.update", pressed_twice)
    monkeypatch.setattr(video, "_opencv_has_windows", lambda: False)
    assert main(["video", "--camera", "0", "--jsonl", str(tmp_path / "o.jsonl")]) == 130
    assert list(tmp_path.iterdir()) == [] and capsys.readouterr().err.endswith("occlumark: interrupted\n")


def test_a_camera_is_shown_till_q(camera, still_face, monkeypatch):
    monkeypatch.setattr(video, "_opencv_has_windows", lambda: True)
    shown, keys, windows = [], [-1, ord("q")], []
    monkeypatch.setattr(cv2, "namedWindow", lambda name, kind: windows.append(name))
    monkeypatch.setattr(cv2, "destroyWindow", windows.remove)
    monkeypatch.setattr(cv2, "imshow", lambda name, picture: shown.append(picture))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: keys.pop(0))
    assert main(["video", "--camera", "0"]) == 0
    assert len(shown) == 2 and shown[0].shape == (224, 250, 3) and windows == []


def test_ctrl_c_in_a_file_leaves_nothing(clip, tmp_path, still_face, monkeypatch, capsys):
    def interrupt(self, frame, time):
        raise KeyboardInterrupt

    monkeypatch.setattr("occlumark.video.tracker.Tracker.update", interrupt)
    assert main(["video", str(clip), "--jsonl", str(tmp_path / "o"), "--out", str(tmp_path / "o.mp4")]) == 130
    assert list(tmp_path.iterdir()) == [clip] and capsys.readouterr().err == "occlumark: interrupted\n"
