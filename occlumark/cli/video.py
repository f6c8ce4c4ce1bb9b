"""occlumark video: a video or camera in, its faces drawn and their landmarks a line per frame out."""

import argparse
import json
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from occlumark.cli.options import add_network_options, network_options
from occlumark.cli.problems import is_one_file
from occlumark.errors import OcclumarkError

if TYPE_CHECKING:
    from occlumark.video.read import Frames
    from occlumark.video.tracker import Tracker

_EPILOG = """examples:
  occlumark video walk.mp4 --out walk-faces.mp4 --jsonl walk.jsonl
  occlumark video walk.mp4 --jsonl walk.jsonl --no-smooth
  occlumark video --camera 0
"""
_STDOUT = Path("-")
_WINDOW = "occlumark (q ends)"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "video",
        help="follow the faces of a video or camera",
        description="Follow every face of a video from frame to frame, under an id that stays: its landmarks, "
        "smoothed, with their visibility. Sound is not carried over.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("video", nargs="?", type=Path, metavar="VIDEO", help="an MP4, MOV, MKV, WebM or AVI file")
    source.add_argument(
        "--camera",
        type=_camera,
        metavar="N",
        help="a camera, from 0 on: shown in a window where OpenCV has one, till q or Ctrl-C",
    )
    parser.add_argument("--out", type=Path, metavar="OUT.mp4", help="draw: the video with every face's landmarks")
    parser.add_argument("--jsonl", type=Path, metavar="FILE", help="one JSON object per frame; - is standard output")
    parser.add_argument(
        "--overlay", action="store_true", help="draw the occlusion map as well (with --out or a window)"
    )
    parser.add_argument("--no-smooth", action="store_true", help="landmarks as predicted in each frame by itself")
    add_network_options(parser)
    parser.set_defaults(run=run)


def _camera(text: str) -> int:
    """An argument type: a camera's number."""
    number = int(text)
    if not 0 <= number < 1000:
        raise argparse.ArgumentTypeError(f"expected a camera's number, 0 or more, not {text}")
    return number


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from occlumark.detect import Detector
    from occlumark.video.read import open_camera, open_video
    from occlumark.video.tracker import Tracker

    has_window = _check(args)
    tracker = Tracker(Detector(**network_options(args)), smooth=not args.no_smooth)
    if args.camera is not None:
        with open_camera(args.camera) as frames, _ctrl_c_once() as is_stopped:
            _follow(_until_stopped(frames, is_stopped), frames, tracker, args, has_window)
        return 0
    with open_video(args.video) as frames:
        _follow(_with_progress(frames), frames, tracker, args, False)
        if frames.ends_early:
            said = f"{frames.n_read} of its {frames.announced} frames are read"
            print(f"occlumark: {args.video} ends too early or is damaged: {said}", file=sys.stderr)
    return 0


def _check(args: argparse.Namespace) -> bool:
    """Whether there is a window for the camera; wrong usage ends the program."""
    if args.video == _STDOUT:
        args.usage_error("a video is read from a file, not from standard input")
    if args.out is not None and args.out.suffix.lower() != ".mp4":
        args.usage_error(f"--out writes .mp4, not {args.out.suffix or args.out}")
    if args.out is not None and args.jsonl is not None and is_one_file(args.out, args.jsonl):
        args.usage_error(f"--out and --jsonl are two files, not {args.out} twice")
    if args.camera is None:
        if args.out is None and args.jsonl is None:
            args.usage_error("nothing to write: name --out OUT.mp4, --jsonl FILE or both")
        for out in (args.out, args.jsonl):
            if out is not None and is_one_file(out, args.video):
                raise OcclumarkError(f"{out} would overwrite the video to read; name another file")
        _check_overlay(args)
        return False
    has_window = _opencv_has_windows()
    if not has_window:
        said = "this OpenCV has no windows (opencv-python-headless has none, opencv-python has)"
        if args.out is None and args.jsonl is None:
            raise OcclumarkError(f"{said}; name --out OUT.mp4 or --jsonl FILE to record without one")
        _check_overlay(args)
        print(f"occlumark: {said}; recording until Ctrl-C", file=sys.stderr)
    return has_window


def _check_overlay(args: argparse.Namespace) -> None:
    if args.overlay and args.out is None:
        args.usage_error("--overlay draws: it goes with --out or a window")


def _opencv_has_windows() -> bool:
    import cv2

    lines = [line.split() for line in cv2.getBuildInformation().splitlines()]
    return ["GUI:", "NONE"] not in lines


def _with_progress(frames: "Frames") -> Iterator[tuple[Any, float]]:
    from tqdm import tqdm

    # disable=None: no bar where standard error is no terminal
    return iter(tqdm(frames, total=frames.announced or None, unit="frame", disable=None, leave=False))


@contextmanager
def _ctrl_c_once() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed: how a recording ends, after the frame in hand; pressed again it ends the program."""
    pressed = False

    def press(number: int, frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _until_stopped(frames: "Frames", is_stopped: Callable[[], bool]) -> Iterator[tuple[Any, float]]:
    """A camera's frames by the clock."""
    start, last = time.monotonic(), -math.inf
    for frame, _ in frames:
        last = max(time.monotonic() - start, last + 1e-6)
        yield frame, last
        if is_stopped():
            return


def _follow(
    timed: Iterator[tuple[Any, float]], frames: "Frames", tracker: "Tracker", args: argparse.Namespace, has_window: bool
) -> None:
    """Track through all frames, writing and showing."""
    from occlumark.files import written_whole
    from occlumark.photo.write import make_folder_of
    from occlumark.video.write import draw_tracked, video_written_whole

    written = [path for path in (args.out, args.jsonl) if path not in (None, _STDOUT)]
    for path in written:
        make_folder_of(path)
    ids: set[int] = set()
    with ExitStack() as files:
        lines = files.enter_context(written_whole(args.jsonl)) if args.jsonl in written else None
        video = files.enter_context(video_written_whole(args.out, frames.rate)) if args.out is not None else None
        show = files.enter_context(_window()) if has_window else None
        for number, (frame, at) in enumerate(timed):
            tracked = tracker.update(frame, at)
            ids.update(each.id for each in tracked)
            if args.jsonl is not None:
                faces = [{"id": each.id, "state": each.state, **each.face.to_json()} for each in tracked]
                height, width = frame.shape[:2]
                values = {"frame": number, "time_s": round(at, 4), "width": width, "height": height, "faces": faces}
                line = json.dumps(values | {"lost": tracker.lost}) + "\n"
                if lines is None:
                    sys.stdout.write(line)
                    sys.stdout.flush()
                else:
                    lines.write(line.encode())
                    lines.flush()
            if video is not None or show is not None:
                drawing = draw_tracked(frame, tracked, overlay=args.overlay)
                if video is not None:
                    video.write(drawing, at)
                if show is not None and not show(drawing):
                    break
        if not frames.n_read:
            raise OcclumarkError(f"no frame can be read from {args.video if args.camera is None else 'the camera'}")
    names = [f"{path} (pictures alone, no sound)" if path == args.out else str(path) for path in written]
    wrote = f"; wrote {', '.join(names)}" if names else ""
    print(f"occlumark: {frames.n_read} frames, faces under {len(ids)} ids{wrote}", file=sys.stderr)


@contextmanager
def _window() -> Iterator[Any]:
    """A window; what it gives shows a picture (height, width, 3), RGB, and is false once q is pressed."""
    import cv2

    def show(drawing: Any) -> bool:
        cv2.imshow(_WINDOW, cv2.cvtColor(drawing, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF != ord("q")

    cv2.namedWindow(_WINDOW, cv2.WINDOW_NORMAL)
    try:
        yield show
    finally:
        cv2.destroyWindow(_WINDOW)
