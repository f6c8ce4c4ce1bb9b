"""The memory and time of `occlumark detect` over a folder of many photos.

    python benchmarks/memory.py [--photos 10000] [--side 160]

The photos are the bundled sample at a reduced size, under as many names: what counts is their number.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2

from occlumark.demo import SAMPLES
from occlumark.photo import read_photo, write_photo


def main() -> None:
    """Run the command and print its peak memory, time and number of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=160, help="of a photo, pixels")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = read_photo(SAMPLES / "astronaut.jpg")
        first = Path(folder) / "0.jpg"
        write_photo(first, cv2.resize(photo, (args.side, args.side), interpolation=cv2.INTER_AREA))
        for number in range(1, args.photos):
            (Path(folder) / f"{number}.jpg").hardlink_to(first)
        began = time.perf_counter()
        command = [sys.executable, "-m", "occlumark", "detect", folder, "--json", "--threads", "1"]
        lines = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.count(b"\n")
        elapsed_s = time.perf_counter() - began
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{lines} photos: peak {peak_mb:.0f} MB, {elapsed_s:.0f} s, {1000 * elapsed_s / lines:.1f} ms per photo")


if __name__ == "__main__":
    main()
