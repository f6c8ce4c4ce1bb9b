"""Speed of detection, loading and training beside a plain ResNet-18 in the same run, as ratios.

    python benchmarks/speed.py [--only detect|folder|load|train] [--repetitions 30]
    python benchmarks/speed.py --photos 300w/lfpw/trainset

What is compared takes turns, and medians count, so that a busy moment of the machine falls on both alike. With --photos
the face detector and whole photos alone, over 30 photos below a folder brought to 640 x 480: their time depends on the
photo.
"""

import argparse
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from photo_size import SIZE, fitted
from training_step import PLAIN, Training, batch_of

from occlumark.data.sample import evenly_spaced
from occlumark.demo import SAMPLES
from occlumark.detect import Detector
from occlumark.export.landmarks import to_onnx
from occlumark.finder import NetworkFinder
from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.network_file import usable_cpus
from occlumark.packaged import packaged_names, packaged_weights
from occlumark.photo import read_photo, write_photo
from occlumark.train.config import LandmarkConfig

BATCH = 32
#: Most time of the packaged networks, over plain ResNet-18's.
TARGETS = {"odn": 1.2, "occlumark": 0.36, "occlumark-fast": 0.06, "finder": 0.15}
#: Photos below a folder that --photos times, and turns of each.
MANY, TURNS = 30, 5
#: Photos in the folder that `occlumark detect` reads.
FOLDER_PHOTOS = 100


def median_times_s(tasks: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """The median wall time of each task, all tasks taking turns, after one turn that does not count."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(repetitions + 1):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            if turn:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def report(what: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None) -> None:
    """One line: the figure, the target and whether it is met."""
    missed = (at_most is not None and value > at_most) or (at_least is not None and value < at_least)
    targets = [f"({word} {end:g})" for word, end in (("at most", at_most), ("at least", at_least)) if end is not None]
    print(f"{what:<56}{value:8.3f} {unit:<3}{' '.join(targets)}{' MISSED' if missed else ''}")


def write_onnx(config: NetworkConfig, path: Path) -> None:
    """Export an untrained network with fp32 weights."""
    torch.manual_seed(0)
    network = OcclusionAdaptiveNetwork(config).eval()
    path.write_bytes(to_onnx(network, LandmarkConfig(network=config), fp16=False).SerializeToString())


def crop_through(path: Path) -> Callable[[], object]:
    """One crop of noise through an exported network, one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[1]
    crop = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    return lambda: session.run(None, {"crops": crop})


def detect(repetitions: int, folder: Path) -> None:
    """The packaged networks, the face detector and whole photos beside plain ResNet-18 in fp32, one thread each."""
    write_onnx(PLAIN, folder / "plain.onnx")
    networks = {name: crop_through(packaged_weights(name)[0]) for name in packaged_names()}
    photo = cv2.resize(read_photo(SAMPLES / "astronaut.jpg"), SIZE)
    networks["finder"] = partial(NetworkFinder(threads=1), photo)
    detectors = {f"photo {name}": partial(Detector(name, threads=1).detect, photo) for name in packaged_names()}
    took = median_times_s({**networks, **detectors, "plain": crop_through(folder / "plain.onnx")}, repetitions)
    said = ", ".join(f"{name} {seconds * 1e3:.1f} ms" for name, seconds in took.items())
    print(f"detect, 1 thread, plain in fp32: {said}")
    for name in networks:
        report(f"{name} over plain ResNet-18, time", took[name] / took["plain"], "x", at_most=TARGETS.get(name))
    for name in detectors:
        report(f"{name} of 640 x 480, over plain ResNet-18", took[name] / took["plain"], "x")
    report("the same, occlumark-fast over occlumark", took["photo occlumark-fast"] / took["photo occlumark"], "x")


def detect_photos(photos: list[Path], turns: int, folder: Path) -> None:
    """The face detector and whole photos over plain ResNet-18: the median photo, and the tenths at either end."""
    write_onnx(PLAIN, folder / "plain.onnx")
    plain = crop_through(folder / "plain.onnx")
    tasks: dict[str, Callable[[np.ndarray], object]] = {"finder": NetworkFinder(threads=1)}
    tasks |= {f"photo {name}": Detector(name, threads=1).detect for name in packaged_names()}
    took: dict[str, list[float]] = {name: [] for name in (*tasks, "plain")}
    for path in photos:
        photo, _ = fitted(read_photo(path), np.zeros(4))
        each = {name: partial(task, photo) for name, task in tasks.items()}
        for name, median in median_times_s({**each, "plain": plain}, turns).items():
            took[name].append(median)
    one = statistics.median(took.pop("plain"))
    print(
        f"{len(photos)} photos brought to {SIZE[0]} x {SIZE[1]}, 1 thread, plain ResNet-18 in fp32 {one * 1e3:.1f} ms"
    )
    for name, seconds in took.items():
        low, middle, high = np.quantile(seconds, [0.1, 0.5, 0.9]) / one
        report(f"{name} over plain ResNet-18, median photo", middle, "x", at_most=TARGETS.get(name))
        print(f"    a tenth below {low:.2f}, a tenth above {high:.2f}")


def detect_folder(photos: Path) -> None:
    """Photos per second of `occlumark detect` on a folder of JPEGs of 640 x 480, its start and reading included."""
    photo = cv2.resize(read_photo(SAMPLES / "astronaut.jpg"), SIZE)
    for index in range(FOLDER_PHOTOS):
        write_photo(photos / f"{index:03}.jpg", photo)
    speed = {}
    for jobs in (1, 2) if usable_cpus() > 1 else (1,):
        command = [sys.executable, "-m", "occlumark", "detect", str(photos), "--json", "--model", "occlumark-fast"]
        began = time.perf_counter()
        subprocess.run(
            [*command, *(["--jobs", str(jobs)] if jobs > 1 else ["--threads", "1"])], check=True, capture_output=True
        )
        speed[jobs] = FOLDER_PHOTOS / (time.perf_counter() - began)
        report(f"folder, occlumark-fast, --jobs {jobs}, photos per second", speed[jobs], "")
    if 2 in speed:
        report("--jobs 2 over 1", speed[2] / speed[1], "x", at_least=1.8)
    else:
        print("folder: one CPU is allowed, so --jobs 2 is not compared")


def load(repetitions: int) -> None:
    """Times of `import occlumark` and of making a Detector, each in a fresh process whose files are in the cache."""
    code = (
        "import json, sys, time; began = time.perf_counter(); import occlumark; imported = time.perf_counter(); "
        "from occlumark.detect import Detector; ready = time.perf_counter(); "
        "Detector(*sys.argv[1:]); made = time.perf_counter(); "
        "print(json.dumps([imported - began, ready - imported, made - ready]))"
    )
    for model, ready, whole in (("occlumark", 0.5, 0.5), ("occlumark-fast", 0.15, 0.3)):
        command = [sys.executable, "-c", code, model]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(repetitions + 1)
        ]
        imported, libraries, made = (statistics.median(values) for values in zip(*runs[1:], strict=True))
        report(f'import occlumark, for Detector("{model}")', imported, "s", at_most=0.3)
        report(f'Detector("{model}")', made, "s", at_most=ready)
        report("the same, with the import of ONNX Runtime and OpenCV", libraries + made, "s", at_most=whole)


def train(repetitions: int) -> None:
    """Images a second of a training step; M's decomposition is shared among its steps."""
    crops, landmarks = batch_of(BATCH, np.random.default_rng(0))
    runs = {
        f"{name} {precision}": Training(config, precision)
        for name, config in (("odn", NetworkConfig()), ("plain", PLAIN))
        for precision in ("bf16", "fp32", "fp32 NCHW")
    }
    tasks: dict[str, Callable[[], object]] = {name: partial(run.step, crops, landmarks) for name, run in runs.items()}
    tasks["svd"] = runs["odn bf16"].decompose
    took = median_times_s(tasks, repetitions)
    each_step = took.pop("svd") / runs["odn bf16"].objective.refresh_every
    speed = {name: BATCH / (s + each_step * name.startswith("odn")) for name, s in took.items()}
    said = ", ".join(f"{name} {images:.1f}" for name, images in speed.items())
    print(f"train, {torch.get_num_threads()} threads, batch {BATCH}, images a second: {said}")
    for other, least in (("plain bf16", 0.75), ("odn fp32 NCHW", 3), ("plain fp32 NCHW", 3), ("odn fp32", 3)):
        report(f"odn bf16 over {other}, images a second", speed["odn bf16"] / speed[other], "x", at_least=least)


def main() -> None:
    """Run all parts, or the one asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["detect", "folder", "load", "train"])
    parser.add_argument("--repetitions", type=int, help="default: detect 50, load 7, train 7")
    parser.add_argument("--photos", metavar="DIR", type=Path, help=f"{MANY} photos below this folder alone")
    args = parser.parse_args()
    logging.disable(logging.WARNING)  # the exporter names every operator that it does not know
    if args.photos is not None:
        found = sorted(path for path in args.photos.rglob("*") if path.suffix.lower() in (".jpg", ".png"))
        if not found:
            parser.error(f"no .jpg or .png below {args.photos}")
        with tempfile.TemporaryDirectory() as folder:
            detect_photos(evenly_spaced(found, MANY), args.repetitions or TURNS, Path(folder))
        return
    if args.only in (None, "detect"):
        with tempfile.TemporaryDirectory() as folder:
            detect(args.repetitions or 50, Path(folder))
    if args.only in (None, "folder"):
        with tempfile.TemporaryDirectory() as photos:
            detect_folder(Path(photos))
    if args.only in (None, "load"):
        load(args.repetitions or 7)
    if args.only in (None, "train"):
        train(args.repetitions or 7)


if __name__ == "__main__":
    main()
