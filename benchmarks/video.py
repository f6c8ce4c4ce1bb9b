"""Tracking 20 clips with known truth: ids, loss and return, exactness beside detecting each frame, jitter, lag, speed.

    python benchmarks/video.py [--model occlumark] [--annotated ../shared/data/300w/helen/testset] [--photos NAME ...]

Ten clips of the bundled portrait, whose truth is its own detected landmarks, and ten of each annotated photo named, or
of one where the folder is there, else of the portrait mirrored. Frames per second are of 640 x 480 pixels with one
thread, in CPU time, and stand beside plain ResNet-18 timed in the same run (with the train extra).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from clips import RATE, Clip, clips, jitter, lag, nme, photo_of

from occlumark import Detector, Tracker, read_photo
from occlumark.data.pts import read_pts
from occlumark.packaged import DEFAULT_MODEL, packaged_names

SAMPLE = Path(__file__).parents[1] / "occlumark" / "samples" / "astronaut.jpg"


@dataclass
class Followed:
    """What came of a clip."""

    ids: set[int] = field(default_factory=set)
    lost_after: int | None = None
    """Frames from the face's going to its being said to be lost."""
    found_after: int | None = None
    """Frames from its return to its being seen again."""
    missed: int = 0
    """Frames that show the face in which it was not seen, but for those of a return."""
    tracked: list[float] = field(default_factory=list)
    """NME of the tracked landmarks, where each frame's detection has one as well."""
    detected: list[float] = field(default_factory=list)
    landmarks: list[np.ndarray] = field(default_factory=list)
    raw: list[np.ndarray] = field(default_factory=list)
    """The landmarks without smoothing."""
    truth: list[np.ndarray] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)


def follow(clip: Clip, detector: Detector, detect_every: int) -> Followed:
    """Track a clip, smoothed and not, and detect anew in every so many of its frames."""
    result = Followed()
    smooth, raw = Tracker(detector), Tracker(detector, smooth=False)
    for i, (frame, truth) in enumerate(clip):
        began = time.process_time()
        tracked = smooth.update(frame, i / RATE)
        result.times_s.append(time.process_time() - began)
        unsmoothed = raw.update(frame, i / RATE)
        result.ids |= {each.id for each in tracked}
        if i in clip.gone:
            if smooth.lost and result.lost_after is None:
                result.lost_after = i + 1 - clip.gone.start
            continue
        if not tracked:
            result.missed += not (clip.gone and 0 <= i - clip.gone.stop < 5)
            continue
        if clip.gone and i >= clip.gone.stop and result.found_after is None:
            result.found_after = i - clip.gone.stop
        nearest = min(tracked, key=lambda each: nme(each.face.landmarks, truth)).face.landmarks
        if unsmoothed:
            result.landmarks.append(nearest)
            result.raw.append(min((each.face.landmarks for each in unsmoothed), key=lambda points: nme(points, truth)))
            result.truth.append(truth)
        if i % detect_every == 0 and (faces := detector.detect(frame)):
            result.detected.append(min(nme(face.landmarks, truth) for face in faces))
            result.tracked.append(nme(nearest, truth))
    return result


def portrait(detector: Detector) -> tuple[np.ndarray, np.ndarray]:
    """The bundled photo and its detected landmarks."""
    photo = read_photo(SAMPLE)
    return photo, max(detector.detect(photo), key=lambda face: face.score).landmarks


def plain_network() -> Callable[[], object] | None:
    """A run of plain ResNet-18 on one crop, one thread; None without the train extra."""
    try:
        import onnxruntime
        from speed import PLAIN, write_onnx
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    crop = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        write_onnx(PLAIN, Path(folder) / "plain.onnx")
        session = onnxruntime.InferenceSession(f"{folder}/plain.onnx", options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"crops": crop})


def time_s(task: Callable[[], object]) -> float:
    """How long a task takes."""
    began = time.process_time()
    task()
    return time.process_time() - began


def main() -> None:
    """A line per clip, then the sums beside their targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=packaged_names(), default=DEFAULT_MODEL)
    parser.add_argument("--annotated", type=Path, default=SAMPLE.parents[3] / "shared/data/300w/helen/testset")
    parser.add_argument(
        "--photos", nargs="+", metavar="NAME", help="of the annotated folder, without endings; default: one"
    )
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--detect-every", type=int, default=4, help="frames between two that are detected anew as well")
    parser.add_argument("--only", default="", help="clips whose names hold this")
    args = parser.parse_args()
    detector = Detector(args.model, threads=1)
    photo, landmarks = portrait(detector)
    made = clips("portrait", photo, landmarks, args.frames)
    annotations = sorted(args.annotated.glob("*.pts"))
    chosen = [args.annotated / f"{name}.pts" for name in args.photos] if args.photos else annotations[70:71]
    for annotation in chosen:
        made += clips(annotation.stem, read_photo(photo_of(annotation)), read_pts(annotation), args.frames)
    if not chosen:
        mirrored = np.ascontiguousarray(photo[:, ::-1])
        mirror_landmarks = max(detector.detect(mirrored), key=lambda face: face.score).landmarks
        made += clips("mirrored", mirrored, mirror_landmarks, args.frames)
    results: dict[str, Followed] = {}
    plain_s: list[float] = []
    plain = plain_network()
    for clip in made:
        if args.only in clip.name:
            results[clip.name] = result = follow(clip, detector, args.detect_every)
            plain_s += [time_s(plain) for _ in range(5)] if plain else []
            report_clip(clip, result)
    report(list(results.values()), statistics.median(plain_s) if plain_s else None)


def report_clip(clip: Clip, result: Followed) -> None:
    """One line."""
    said = f"{clip.name:<32}ids {sorted(result.ids)}, missed {result.missed}"
    if clip.gone:
        said += f", lost after {result.lost_after} frames, found after {result.found_after}"
    if result.detected:
        said += f", NME {100 * np.mean(result.tracked):.2f} beside {100 * np.mean(result.detected):.2f}"
    if " still" in clip.name and len(result.raw) > 12:
        said += f", jitter {jitter(result.landmarks) / jitter(result.raw):.2f} of unsmoothed"
    if clip.name.endswith((" pan", " walk, blur")) and len(result.raw) > 12:
        said += f", lag {lag(result.landmarks, result.raw, result.truth):.2f} frames"
    print(f"{said}, {1000 * statistics.median(result.times_s):.1f} ms", flush=True)


def report(results: list[Followed], plain_s: float | None) -> None:
    """The sums. A frame's time is the mean over all, the searches of the finder among them."""
    tracked, detected = (np.mean([x for r in results for x in getattr(r, key)]) for key in ("tracked", "detected"))
    each_s = float(np.mean([seconds for result in results for seconds in result.times_s]))
    print(f"clips with one id alone: {sum(len(result.ids) == 1 for result in results)} of {len(results)}")
    print(f"NME of tracked over detected: {tracked / detected:.3f} (at most 1.02)")
    print(f"tracking: {1 / each_s:.1f} frames per second")
    if plain_s is not None:
        print(f"a frame over plain ResNet-18 ({1000 * plain_s:.1f} ms): {each_s / plain_s:.2f}")


if __name__ == "__main__":
    main()
