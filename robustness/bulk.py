"""kill -9 of `occlumark bulk` at random moments: the driver, or one of its workers; then the same command again.

At the end there must be the rows of a run that nobody disturbed: no photo lost, none doubled, every value the same.
`python -m robustness.bulk --photos DIR --kills 5 --seed 0`; needs the bulk extra.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq


def main() -> int:
    """Run the kills, print a line each and the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, help="a source of `occlumark bulk`")
    parser.add_argument("--kills", type=int, default=5, help="of the driver, and as many of a worker (default 5)")
    parser.add_argument("--shard", default="8", help="photos in a shard (default 8)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        whole = Path(folder) / "whole.parquet"
        if _start(args, whole).wait():
            return 1
        seconds, expected = time.perf_counter() - began, pq.read_table(whole)
        shards = _finished(whole)
        print(f"undisturbed: {len(expected)} rows, {shards} shards in {seconds:.0f} s", flush=True)
        wrong = 0
        for kind in ("driver", "worker"):
            for number in range(args.kills):
                out = Path(folder) / f"{kind}-{number}.parquet"
                moment = rng.randrange(shards), rng.uniform(0, 1)
                struck, finished = _disturbed(args, out, kind, *moment)
                same = pq.read_table(out).equals(expected)
                wrong += not same
                came = "" if struck else ", too late to strike"
                print(f"{kind} {number}: {finished} shards finished when it came{came}; same rows: {same}", flush=True)
                shutil.rmtree(out)
    print(f"{2 * args.kills} kills, {wrong} with other rows")
    return 1 if wrong else 0


def _disturbed(args: argparse.Namespace, out: Path, kind: str, shards: int, delay: float) -> tuple[bool, int]:
    """A run killed so many seconds after so many shards were finished, and then the same command to its end.

    Returns:
        Whether it still ran, and how many shards were finished then.
    """
    driver = _start(args, out)
    while driver.poll() is None and not (_finished(out) >= shards and _workers(driver.pid)):
        time.sleep(0.02)
    time.sleep(delay)
    finished, struck = _finished(out), driver.poll() is None
    victims = [driver.pid] if kind == "driver" else _workers(driver.pid)[:1]
    for victim in victims if struck else ():
        os.kill(victim, signal.SIGKILL)
    if driver.wait() and kind == "worker":
        raise SystemExit("a run did not survive the loss of a worker")
    if _start(args, out).wait():
        raise SystemExit("the same command did not go on")
    return struck and bool(victims), finished


def _finished(out: Path) -> int:
    return len(list(out.glob("shard-*")))


def _start(args: argparse.Namespace, out: Path) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable,
        "-m",
        "occlumark",
        "bulk",
        args.photos,
        str(out),
        "--workers",
        "2",
        "--shard",
        args.shard,
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _workers(driver: int) -> list[int]:
    """The processes of Ray's workers that detect, below a driver."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:  # it has ended
            continue
        parents[int(status.parent.name)] = int(text.rpartition(")")[2].split()[1])
    found = []
    for pid in parents:
        ancestor = pid
        while ancestor in parents and ancestor != driver:
            ancestor = parents[ancestor]
        try:
            is_worker = Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::ShardWorker")
        except OSError:
            continue
        if ancestor == driver and is_worker:
            found.append(pid)
    return sorted(found)


if __name__ == "__main__":
    raise SystemExit(main())
