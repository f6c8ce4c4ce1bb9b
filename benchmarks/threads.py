"""One face by default threads, by one, by four, and by four that spin, on one allowed CPU.

    python benchmarks/threads.py [--repeats 20]

Linux only. Each way runs in processes of its own: one alone, and two side by side. CPU time is measured: on one CPU a
face takes as long while nothing else runs, and it can be had beside other jobs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

import numpy as np
import onnxruntime

from occlumark.network_file import open_network
from occlumark.packaged import packaged_weights

#: Threads, None for the default, and whether they spin while they wait, as ONNX Runtime's do where nobody forbids it.
WAYS = {"1 thread": (1, False), "default": (None, False), "4 threads": (4, False), "4 spinning": (4, True)}


def cpu_ms(name: str, repeats: int) -> float:
    """Median CPU time of one face in this process, ms, of all its threads."""
    path, sha256 = packaged_weights("occlumark")
    threads, spins = WAYS[name]
    session, _ = open_network(path, sha256=sha256, threads=threads)
    if spins:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    crop = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        session.run(None, {"crops": crop})
        times.append(1000 * (time.process_time() - start))
    return statistics.median(times[1:])  # the first is slower


def in_processes(name: str, count: int, repeats: int) -> float:
    """Mean of cpu_ms over so many processes at once on the same CPU."""
    command = [sys.executable, __file__, "--only", name, "--repeats", str(repeats)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return statistics.mean(float(process.communicate()[0]) for process in processes)


def main() -> None:
    """Print each way's time over that of one thread alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if args.only:
        print(cpu_ms(args.only, args.repeats))
        return
    times = {name: (in_processes(name, 1, args.repeats), in_processes(name, 2, args.repeats)) for name in WAYS}
    one = times["1 thread"][0]
    for name, (alone, beside) in times.items():
        print(f"{name}: {alone:.1f} ms = {alone / one:.2f} x; two processes side by side {beside / one:.2f} x each")


if __name__ == "__main__":
    main()
