"""How long drawing an occluder takes, one kind after the other, on one thread.

    python benchmarks/occluders.py photos/ [--size 224] [--times 60]

photos/ holds photos with .pts files. Printed per kind: the median times of drawing it and of putting it into the photo,
in milliseconds; then the median over all training kinds alike, and what a face of the benchmark takes.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from occlumark.data.face_sheet import faces_of_folder
from occlumark.occluders.compose import compose
from occlumark.occluders.drawing import Source
from occlumark.occluders.kinds import BENCHMARK, TRAINING
from occlumark.occluders.occlude_share import occlude_share


def main() -> None:
    """Draw, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--times", type=int, default=60)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    faces, _ = faces_of_folder(args.faces, 12, args.size)
    source = Source(textures=[crop for crop, _ in faces], faces=faces)
    whole: list[float] = []
    print("kind: draw, compose (median ms)")
    for kind, draw in {**TRAINING, **BENCHMARK}.items():
        times = []
        for i in range(args.times):
            crop, landmarks = faces[i % len(faces)]
            rng = np.random.default_rng(i)
            start = time.perf_counter()
            drawing = draw(crop, landmarks, rng, source)
            drawn = time.perf_counter()
            compose(crop, landmarks, drawing, rng)
            times.append((drawn - start, time.perf_counter() - drawn))
        if kind in TRAINING:
            whole += [sum(pair) for pair in times]
        of_drawing, of_composing = 1000 * np.median(times, axis=0)
        print(f"{kind}: {of_drawing:.2f}, {of_composing:.2f}")
    print(
        f"training kinds, each as likely: median {1000 * np.median(whole):.2f} ms, mean {1000 * np.mean(whole):.2f} ms"
    )
    for share in (0.1, 0.25, 0.4):
        times = []
        for i in range(args.times):
            start = time.perf_counter()
            occlude_share(*faces[i % len(faces)], share, np.random.default_rng(i), source)
            times.append((time.perf_counter() - start, 0.0))
        print(f"benchmark, {share:.0%} of the face: median {1000 * np.median(times, axis=0)[0]:.0f} ms")


if __name__ == "__main__":
    main()
