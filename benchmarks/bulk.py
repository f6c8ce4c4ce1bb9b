"""Photos per second of `occlumark bulk` beside `occlumark detect`, side by side on the same photos.

    python benchmarks/bulk.py photos --workers 2

Both run at once, so that whatever else the machine does slows both; counted are the photos that each finishes while
both are detecting. `bulk` runs with so many workers and `detect` with so many jobs, each by one thread.
"""

import argparse
import bisect
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq

_SHARD = 8


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", help="a folder")
    parser.add_argument("--workers", default="1", help="of bulk, and jobs of detect (default 1)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "faces.parquet"
        command = [sys.executable, "-m", "occlumark"]
        options = ["--workers", args.workers, "--shard", str(_SHARD)]
        # Ray's workers stand back behind all else (niceness 15): not beside what they are measured by.
        environment = {**os.environ, "RAY_worker_niceness": "0"}
        bulk = subprocess.Popen([*command, "bulk", args.photos, str(out), *options], env=environment)
        while not list(out.glob("shard-*")):  # Ray starts for seconds
            time.sleep(0.05)
            if bulk.poll() is not None:
                raise SystemExit("bulk ended before its first shard")
        jobs = ["--json", "--jobs", args.workers, "--threads", "1"]
        detect = subprocess.Popen([*command, "detect", args.photos, *jobs], stdout=subprocess.PIPE)
        seen: list[float] = []
        reader = threading.Thread(target=lambda: seen.extend(time.time() for _ in detect.stdout or ()))
        reader.start()
        bulk.wait()
        ended = time.time()
        detect.kill()
        reader.join()
        # A shard's photos have been finished one after another since the file before it of the same worker.
        files = sorted((path.stat().st_mtime, _photos(path)) for path in out.glob("shard-*"))
    first = bisect.bisect_left([moment for moment, _ in files], seen[0])
    start, end = files[first][0], min(ended, files[-1][0], seen[-1])
    of_bulk = sum(count for moment, count in files if start < moment <= end) / (end - start)
    of_detect = sum(start < moment <= end for moment in seen) / (end - start)
    if not (of_bulk and of_detect):
        raise SystemExit("one ended before the other had begun: more photos are needed")
    rates = f"bulk {of_bulk:.2f}, detect {of_detect:.2f} photos per second, {of_bulk / of_detect:.2f} x"
    print(f"{end - start:.0f} s: {rates}")


def _photos(path: Path) -> int:
    return len(set(pq.read_table(path, columns=["photo"])["photo"].to_pylist()))


if __name__ == "__main__":
    main()
