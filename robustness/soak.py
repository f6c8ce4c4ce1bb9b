"""Long runs: memory that stays, no slowdown, and eight threads that answer as one: `make soak`.

    python -m robustness.soak [--photos 100000] [--faces 0.03] [--minutes 10] [--threads 8]

First `occlumark detect` over a folder of so many small photos (a few pictures under as many names), in a process of its
own: its memory and CPU time after every hundredth of them, and whether each picture's answer is always the same. Then
one Detector in several threads for so many minutes, each answer compared with that of a single thread.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from occlumark import Detector
from occlumark.demo import SAMPLES
from occlumark.photo import read_photo, write_photo

MOST_GROWTH = 0.1
_SIDES = (96, 96, 96, 128, 160)


class Sample(NamedTuple):
    """The process after so many photos."""

    photos: int
    memory: int
    """Bytes that it holds."""
    cpu_s: float
    """Of all its threads since it began."""


def main() -> int:
    """Run both; returns 1 where memory or time grows by more than a tenth, or an answer differs."""
    parser = argparse.ArgumentParser(prog="python -m robustness.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--faces", type=float, default=0.03, help="share of photos with a face (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=8)
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts it in the background has it ignored
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_pictures(Path(folder, "pictures"))
        if args.photos:
            problems += many_photos(pictures, Path(folder, "photos"), args.photos, args.faces)
        if args.minutes:
            problems += many_threads(sorted(pictures.rglob("*.*")), args.threads, args.minutes * 60)
    print("\n".join(problems) or "as promised")
    return int(bool(problems))


def write_pictures(folder: Path) -> Path:
    """Small pictures of the bundled photo in two folders, face/ and none/, as JPEG and PNG."""
    photo = read_photo(SAMPLES / "astronaut.jpg")
    for kind, part in (("face", photo[20:260, 110:350]), ("none", photo[250:500, :120])):
        (folder / kind).mkdir(parents=True)
        for i, side in enumerate(_SIDES):
            small = cv2.resize(np.roll(part, 3 * i, axis=1), (side, side), interpolation=cv2.INTER_AREA)
            write_photo(folder / kind / f"{i}.{'png' if i % 2 else 'jpg'}", small)
    return folder


def many_photos(pictures: Path, folder: Path, count: int, faces: float) -> list[str]:
    """What grows, or changes, while a folder of so many photos is read."""
    folder.mkdir()
    every = round(1 / faces) if faces else count + 1
    picture_of = {}
    for number in range(count):
        choice = sorted((pictures / ("none" if number % every else "face")).iterdir())[number // every % len(_SIDES)]
        name = f"{number:07d}{choice.suffix}"
        (folder / name).hardlink_to(choice)
        picture_of[name] = choice
    command = [sys.executable, "-m", "occlumark", "detect", str(folder), "--json", "--threads", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    samples: list[Sample] = []
    answers: dict[Path, object] = {}
    found, read = Counter[str](), Counter[str]()
    differing = 0
    try:
        for number, line in enumerate(process.stdout or (), start=1):
            answer = json.loads(line)
            picture = picture_of[Path(answer["photo"]).name]
            read[picture.parent.name] += 1
            found[picture.parent.name] += bool(answer["faces"])
            differing += answers.setdefault(picture, answer["faces"]) != answer["faces"]
            if number % max(1, count // 1000) == 0:
                samples.append(sample(process.pid, number))
                print(f"\r{number} photos, {samples[-1].memory / 1e6:.0f} MB", end="", file=sys.stderr, flush=True)
        code = process.wait()
    except KeyboardInterrupt:  # it ends early: what was seen by then is judged
        process.kill()
        code = process.wait() and 0
    print(
        f"\n{read.total()} photos, {read['face']} with a face; a face is found in {found['face']} and {found['none']}"
    )
    return [
        *([f"exit code {code}"] if code else []),
        *([f"{differing} answers differ from the first of the same picture"] if differing else []),
        *(["no face in a photo of one"] if found["face"] < read["face"] else []),
        *judge(samples),
    ]


def sample(process: int, photos: int) -> Sample:
    """A process's memory and time, as Linux says."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    memory = next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmRSS:"))
    user, system = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
    return Sample(photos, memory, (int(user) + int(system)) / 100)


def judge(samples: list[Sample]) -> list[str]:
    """What grows: the most memory after the first tenth against it; the last fifth's time against the second's."""
    print("photos,memory_mb,cpu_s")
    print("\n".join(f"{s.photos},{s.memory / 1e6:.1f},{s.cpu_s:.1f}" for s in samples[9 :: max(1, len(samples) // 20)]))
    tenth, fifth = samples[max(0, len(samples) // 10 - 1)], max(1, len(samples) // 5)
    if len(samples) < 10:
        return []
    growth = max(s.memory for s in samples) / tenth.memory - 1

    def time_of(start: Sample, end: Sample) -> float:
        return (end.cpu_s - start.cpu_s) / (end.photos - start.photos)

    slower = time_of(samples[-fifth - 1], samples[-1]) / time_of(samples[fifth - 1], samples[2 * fifth - 1]) - 1
    print(f"memory {growth:+.1%}, CPU time per photo {slower:+.1%}")
    return [
        *([f"memory grows by {growth:.0%}"] if growth > MOST_GROWTH else []),
        *([f"photos take {slower:.0%} longer in the end"] if slower > MOST_GROWTH else []),
    ]


def many_threads(photos: list[Path], n: int, seconds: float) -> list[str]:
    """How many answers of one Detector in n threads differ from a single thread's."""
    detector = Detector(threads=1)
    expected = {photo: list(_numbers(detector, photo)) for photo in photos}
    end, counts, differing = time.monotonic() + seconds, Counter[int](), Counter[Path]()

    def work(thread: int) -> None:
        dice = np.random.default_rng(thread)
        while time.monotonic() < end:
            photo = photos[int(dice.integers(len(photos)))]
            answer = list(_numbers(detector, photo))
            same = len(answer) == len(expected[photo]) and all(map(np.array_equal, answer, expected[photo]))
            counts[thread] += 1
            differing[photo] += not same

    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total, wrong = sum(counts.values()), sum(differing.values())
    print(
        f"{n} threads, {seconds:.0f} s: {total} answers, {wrong} differ ({min(counts.values())} in the slowest thread)"
    )
    return [f"{wrong} answers of {total} in {n} threads differ from a single thread's"] if wrong else []


def _numbers(detector: Detector, photo: Path) -> Iterator[np.ndarray]:
    for face in detector.detect(photo):
        yield from (face.box, face.landmarks, face.visibility, face.occlusion_map, np.array(face.score))


if __name__ == "__main__":
    sys.exit(main())
