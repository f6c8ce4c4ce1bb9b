"""Landmarks and finding of MediaPipe and dlib beside ours on 300W's test photos, and their times, in one run.

    make bench-rivals
    PYTHONPATH=. python benchmarks/rivals.py ../shared/data/300w [--out docs/experiments] [--only ours]

Writes each photo's errors (rivals-68.csv, rivals-51.csv), the times (rivals-times.csv) and a picture of both
(rivals.png), and prints the tables; `--only report` does so from what is written, `--only ours` after our own errors
are measured again, beside the rivals' as they are written. What MediaPipe's points are moved by, and where dlib's box
lies in an official one, is fitted on training photos. Systems take turns; times are CPU times of one thread.
"""

import argparse
import csv
import functools
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime
from speed import write_onnx
from tqdm import tqdm
from training_step import PLAIN

from benchmarks.photo_size import fitted
from benchmarks.rival_faces import Points, face_errors, inside, mesh_68, on_face, place_in
from benchmarks.rival_landmarks import RivalLandmarks, cpu_time_s
from benchmarks.rival_points import Adaptation
from benchmarks.rivals_report import ERRORS, TIMES, report
from occlumark.boxes import box_iou
from occlumark.data.sample import Sample, evenly_spaced
from occlumark.data.w300 import read_w300
from occlumark.detect import Detector
from occlumark.evaluation.loop import given_box
from occlumark.files import write_csv
from occlumark.metrics.finder import MIN_OVERLAP

OURS = ("occlumark", "occlumark-fast", "odn")
MESHES = {"mesh": "mesh", "mesh-refined": "mesh refined"}
TRAINING = ("afw", "lfpw/trainset", "helen/trainset")
TESTS = {"common": ("lfpw/testset", "helen/testset"), "challenging": ("ibug",)}
#: Training photos that tell where dlib's box is, that MediaPipe's points are fitted on, and that times are measured on.
BOX_PHOTOS, FIT_PHOTOS, TIME_PHOTOS = 100, 1000, 6
#: Weight of the squared weights of MediaPipe's linear map: of 1e-7, 1e-6 ... 1e-2 the best on every fifth
#: training photo.
RIDGE = 1e-5


class Ours(NamedTuple):
    """Our networks alone."""

    detectors: dict[str, Detector]

    def rows(self, photo: np.ndarray, box: np.ndarray) -> Iterator[tuple[str, Points]]:
        """Their rows' landmarks of a photo; those by an official box are of its face alone."""
        for name, detector in self.detectors.items():
            yield f"{name} official", np.stack([face.landmarks for face in detector.detect(photo, box[None])])
            found = [face.landmarks for face in detector.detect(photo)]
            yield f"{name} own", np.array(found).reshape(-1, 68, 2)


class Systems(NamedTuple):
    """What is measured."""

    ours: Ours
    dlib: RivalLandmarks
    meshes: dict[str, RivalLandmarks]
    dlib_place: np.ndarray
    """(4,) the sides of dlib's box in widths and heights of the official one."""
    adaptations: dict[str, Callable[[np.ndarray], np.ndarray]]
    """By names of rows: what moves a mesh's 68 points."""

    def rows(self, photo: np.ndarray, box: np.ndarray) -> Iterator[tuple[str, Points]]:
        """Every row's landmarks of a photo; those by an official box are of its face alone."""
        yield from self.ours.rows(photo, box)
        yield "dlib official", self.dlib(photo, box[None]).points
        yield "dlib moved", self.dlib(photo, inside(box, self.dlib_place)[None]).points
        yield "dlib own", self.dlib(photo).points
        for name, mesh in self.meshes.items():
            points = mesh_68(mesh(photo).points)
            yield f"{name} own", points
            for move in ("offset", "linear"):
                moved = [self.adaptations[f"{name} {move}"](face) for face in points]
                yield f"{name} {move}", np.array(moved).reshape(-1, 68, 2)


def fit(samples: list[Sample], dlib: RivalLandmarks, meshes: dict[str, RivalLandmarks]) -> tuple[np.ndarray, dict]:
    """dlib's place in an official box, and what moves the meshes' points: from training photos."""
    places = []
    for sample in tqdm(evenly_spaced(samples, BOX_PHOTOS), "dlib's box", disable=None):
        answer, official = dlib(sample.read_photo()), given_box(sample, "official")
        shared = [box_iou(box[None], official[None])[0, 0] for box in answer.boxes]
        if shared and max(shared) >= MIN_OVERLAP:
            box = answer.boxes[int(np.argmax(shared))]
            places.append(place_in(box, official))
    print(f"dlib's box in the official one, from {len(places)} training photos: {np.median(places, axis=0).round(3)}")
    adaptations = {}
    for name, mesh in meshes.items():
        pairs = []
        chosen = evenly_spaced(samples, FIT_PHOTOS)
        for sample in tqdm(chosen, name, disable=None):
            face = on_face(mesh_68(mesh(sample.read_photo()).points), sample)
            if face is not None:
                pairs.append((face, sample.landmarks))
        predictions, truths = (np.stack(of) for of in zip(*pairs, strict=True))
        adaptations[f"{name} offset"] = Adaptation.fit(predictions, truths, None)
        adaptations[f"{name} linear"] = Adaptation.fit(predictions, truths, RIDGE)
        print(f"{name}: fitted on {len(pairs)} of {len(chosen)} training photos")
    return np.median(places, axis=0), adaptations


def measure(root: Path, systems: Systems | Ours, limit: int | None, out: Path) -> None:
    """Write each test photo's errors; what is written already of rows that the systems do not have is kept."""
    kept = {points: _written(out / name) if isinstance(systems, Ours) else {} for points, name in ERRORS.items()}
    rows: dict[str, list[dict[str, str]]] = {points: [] for points in ERRORS}
    for subset, folders in TESTS.items():
        samples, _ = read_w300([root / folder for folder in folders])
        for sample in tqdm(evenly_spaced(samples, limit), subset, disable=None):
            found = dict(systems.rows(sample.read_photo(), given_box(sample, "official")))
            each = {
                name: face_errors(points, sample, given=name.endswith(("official", "moved")))
                for name, points in found.items()
            }
            place = Path(os.path.relpath(sample.photo, root)).as_posix()  # links stay, as read_w300 leaves them
            for points, errors in zip(ERRORS, zip(*each.values(), strict=True), strict=True):  # all 68, the inner 51
                values = {
                    name: "" if np.isnan(value) else f"{value:.4f}" for name, value in zip(each, errors, strict=True)
                }
                rows[points].append({"name": place, "subset": subset, **kept[points].get(place, {}), **values})
    for points, name in ERRORS.items():
        heads = list(rows[points][0])
        write_csv(out / name, heads, [[row[head] for head in heads] for row in rows[points]])


def _written(path: Path) -> dict[str, dict[str, str]]:
    """By photo: a row of a file of errors."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def times(samples: list[Sample], systems: Systems, turns: int, repetitions: int, out: Path) -> None:
    """Write median CPU times; systems take turns at each photo."""
    photos = [fitted(s.read_photo(), given_box(s, "official")) for s in evenly_spaced(samples, TIME_PHOTOS)]
    with tempfile.TemporaryDirectory() as folder:
        write_onnx(PLAIN, Path(folder) / "plain.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        plain = onnxruntime.InferenceSession(Path(folder) / "plain.onnx", options, providers=["CPUExecutionProvider"])
    crop = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    rivals = {"dlib": systems.dlib, **systems.meshes}
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ("plain", *systems.ours.detectors, *rivals)}
    for turn in range(turns + 1):
        for photo, box in photos:
            now = {"plain": (median_s(lambda: plain.run(None, {"crops": crop}), repetitions), float("nan"))}
            for name, detector in systems.ours.detectors.items():
                by_box = functools.partial(detector.detect, photo, box[None])
                whole = functools.partial(detector.detect, photo)
                now[name] = (median_s(by_box, repetitions), median_s(whole, repetitions))
            for name, rival in rivals.items():
                answer = rival(photo, box[None], repetitions)
                now[name] = (answer.given_s, answer.whole_s)
            if turn:
                for name, pair in now.items():
                    took[name].append(pair)
    medians = {name: [statistics.median(of) for of in zip(*pairs, strict=True)] for name, pairs in took.items()}
    rows = [[name, *("" if np.isnan(s) else f"{1e3 * s:.3f}" for s in pair)] for name, pair in medians.items()]
    write_csv(out / TIMES, ["system", "given_ms", "whole_ms"], rows)


def median_s(task: Callable[[], object], repetitions: int) -> float:
    """Median CPU time of a task."""
    return statistics.median(cpu_time_s(task) for _ in range(repetitions))


def main() -> None:
    """Measure everything, or report what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos300", type=Path, help="300W")
    parser.add_argument("--out", type=Path, default=Path("docs/experiments"), help="default %(default)s")
    parser.add_argument("--only", choices=["report", "times", "errors", "ours"])
    parser.add_argument("--limit", type=int, help="so many test photos of each set, to try it")
    parser.add_argument("--turns", type=int, default=2, help="of the times (default %(default)s)")
    parser.add_argument("--repetitions", type=int, default=3, help="in each turn (default %(default)s)")
    args = parser.parse_args()
    if args.only == "ours" and args.limit is not None:
        parser.error("--only ours measures all test photos anew: --limit would drop the rivals' errors of the others")
    if args.only == "ours" and not all((args.out / name).exists() for name in ERRORS.values()):
        parser.error(f"--only ours needs the rivals' errors in {args.out}: {', '.join(ERRORS.values())}")
    if args.only != "report":
        logging.disable(logging.WARNING)  # the exporter names every operator that it does not know
        cv2.setNumThreads(1)
        began = time.perf_counter()
        ours = Ours({name: Detector(name, threads=1) for name in OURS})
        if args.only == "ours":
            measure(args.photos300, ours, args.limit, args.out)
        else:
            _with_rivals(ours, args)
        print(f"measured in {time.perf_counter() - began:.0f} s")
    if all((args.out / name).exists() for name in (*ERRORS.values(), TIMES)):
        report(args.out)


def _with_rivals(ours: Ours, args: argparse.Namespace) -> None:
    training, _ = read_w300([args.photos300 / folder for folder in TRAINING])
    dlib, meshes = RivalLandmarks("dlib"), {key: RivalLandmarks(name) for key, name in MESHES.items()}
    systems = Systems(ours, dlib, meshes, np.array([0.0, 0, 1, 1]), {})
    if args.only != "errors":
        times(training, systems, args.turns, args.repetitions, args.out)
    if args.only != "times":
        place, adaptations = fit(training, dlib, meshes)
        systems = systems._replace(dlib_place=place, adaptations=adaptations)
        measure(args.photos300, systems, args.limit, args.out)
    for rival in (dlib, *meshes.values()):
        rival.close()


if __name__ == "__main__":
    main()
