"""The page in headless Chromium: its first result after load, and a camera's frames, beside ONNX Runtime outside.

    make web && python benchmarks/browser.py [--dist web/dist] [--seconds 10]

Prints the clock's times, and the CPU time of the page's process, which says more on a busy machine, beside that of the
same landmark network in ONNX Runtime on one thread. Where a frame takes half a second of the clock, the face detector
runs in each; so frames are counted a second time with a clock that goes on by a 20th of a second with each.
"""

import argparse
import functools
import http.server
import json
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from occlumark import read_photo
from occlumark.demo import SAMPLES
from occlumark.landmarker import Landmarker

WEB = Path(__file__).parents[1] / "web"
PHOTO = SAMPLES / "astronaut.jpg"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the page without a line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def write_camera(path: Path) -> None:
    """A video of 640 x 480 pixels and 60 frames per second that the browser takes for the camera."""
    frame = np.zeros((480, 640, 3), np.uint8)
    part = read_photo(PHOTO)[:480, :640]
    frame[: part.shape[0], : part.shape[1]] = part
    planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes()
    path.write_bytes(b"YUV4MPEG2 W640 H480 F60:1 Ip A1:1 C420\n" + 2 * (b"FRAME\n" + planes))


def drive(dist: Path, seconds: float) -> dict:
    """What came of driving the page (web/test/drive.mjs)."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("benchmarks/browser.py: there is no chromium")
    with (
        tempfile.TemporaryDirectory() as folder,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(dist))) as server,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        write_camera(Path(folder) / "camera.y4m")
        task = {
            "chromium": chromium,
            "url": f"http://127.0.0.1:{server.server_port}/index.html",
            "photos": [str(PHOTO)],
            "video": f"{folder}/camera.y4m",
            "seconds": seconds,
            "frameMs": 50,
        }
        run = subprocess.run(
            ["node", WEB / "test" / "drive.mjs"], input=json.dumps(task), capture_output=True, text=True
        )
        server.shutdown()
    if run.returncode:
        raise SystemExit(f"benchmarks/browser.py: {run.stderr}")
    return json.loads(run.stdout)


def native_ms(network: Path) -> float:
    """CPU time of a face by ONNX Runtime on one thread, the median of many."""
    landmarker = Landmarker(network, threads=1)
    crops = np.random.default_rng(0).integers(0, 256, (1, landmarker.crop.size, landmarker.crop.size, 3), np.uint8)
    times = []
    for _ in range(30):
        began = time.process_time()
        landmarker.predict(crops)
        times.append(1000 * (time.process_time() - began))
    return statistics.median(times)


def main() -> None:
    """Drive it, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dist", type=Path, default=WEB / "dist", help="the built page; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=10, help="of the camera; default: %(default)s")
    args = parser.parse_args()
    native = native_ms(args.dist / "landmarks.onnx")
    result = drive(args.dist, args.seconds)
    (photo,), camera = result["photos"], result["camera"]
    print(f"first result after the page was loaded: {photo['waitedMs']:.0f} ms")
    print(f"CPU time of the page till then: {photo['cpuMs']:.0f} ms")
    said = re.search(r"([\d.]+) ms per frame, ([\d.]+) frames per second", camera["said"])
    print(f"camera: {said[1] if said else '?'} ms per frame, {said[2] if said else '?'} frames per second")
    for word, key in (("by the clock", "cpuMsPerFrame"), ("of 20 in a second", "cpuMsPerFrameInTime")):
        print(f"CPU time of the page per frame {word}: {camera[key]:.1f} ms, {1000 / camera[key]:.1f} per CPU second")
    print(f"the landmark network in ONNX Runtime, one thread: {native:.1f} ms of CPU")


if __name__ == "__main__":
    main()
