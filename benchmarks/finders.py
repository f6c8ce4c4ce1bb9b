"""Our face finder beside OpenCV's cascade and dlib's HOG finder: faces found, false positives, speed, in one run.

    make bench-finders
    python benchmarks/finders.py ../shared/data/scenes --photos300 ../shared/data/300w [--weights finder.onnx]

Quality is on the held-out scenes, in percent of the faces. The exact boxes are those of annotated landmarks; the auto
ones are another finder's, open to more doubt. Each finder is measured at two scores: the lowest one with at most 0.1
false positives per image on the part "other", and its own default. Its boxes are moved to where the landmarks' tight
box is (rival_finders.py, TIGHT_IN_BOX); beside that stands what its boxes as they are would find.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from rival_finders import DEFAULT_SCORES, RIVALS, TIGHT_IN_BOX, Rival

from occlumark.boxes import box_iou
from occlumark.cli.text_table import percent, text_table
from occlumark.data.sample import Sample
from occlumark.data.scenes import Scene, held_out, read_scenes
from occlumark.data.w300 import read_w300
from occlumark.evaluation.finder import LOWEST_SCORE, FinderEvaluation, evaluate_finder
from occlumark.finder import SCORE, FaceFinder, NetworkFinder
from occlumark.metrics.finder import MIN_OVERLAP
from occlumark.photo import read_photo

Found = list[tuple[np.ndarray, float]]
OURS = "ours"
#: The columns: a part of the scenes and which of its faces.
COLUMNS = [("w300", "exact"), ("wflw", "exact"), ("mask", "auto"), ("crowd", "auto"), ("wflw", "auto")]
#: 300W's test photos, below its folder.
TEST_PHOTOS = {"Common": ["lfpw/testset", "helen/testset"], "Challenging": ["ibug"]}
SPEED_SIZE = (640, 480)


class Candidate(NamedTuple):
    """A finder that is measured."""

    name: str
    everything: FaceFinder
    """Answers with all that has any score."""
    default_score: float
    tight: np.ndarray | None
    """Where the tight box is in its boxes; None: these are it."""

    def found(self, photo: np.ndarray) -> Found:
        """What the finder answers, as tight boxes."""
        found = self.everything(photo)
        return found if self.tight is None else [(_inside(box, self.tight), score) for box, score in found]


class Remembered:
    """A finder that is asked once about each photo."""

    def __init__(self, finder: FaceFinder) -> None:
        self.finder = finder
        self.answers: dict[int, Found] = {}

    def __call__(self, photo: np.ndarray) -> Found:
        """The finder's answer, from memory the second time."""
        key = hash((photo.shape, photo.tobytes()))
        if key not in self.answers:
            self.answers[key] = self.finder(photo)
        return self.answers[key]


def _inside(box: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.tile(box[:2], 2) + np.tile(box[2:] - box[:2], 2) * place


def print_table(rows: list[list[str]]) -> None:
    """The first row is the head."""
    print(text_table(rows), flush=True)
    print(flush=True)


def quality(scenes: list[Scene], candidates: list[Candidate]) -> dict[str, FinderEvaluation]:
    """Print the tables of the held-out scenes; returns the finders' evaluations, as tight boxes."""
    results = {c.name: evaluate_finder(scenes, c.found, c.default_score) for c in candidates}
    as_they_are = {
        c.name: evaluate_finder(scenes, c.everything, c.default_score) for c in candidates if c.tight is not None
    }
    for name, title in [
        ("low_fppi", "at most 0.1 FPPI on `other`"),
        ("default", "default score"),
    ]:
        head = [title, "score", *(f"{part} {kind}" for part, kind in COLUMNS), "FPPI", "IoU"]
        rows = [row for c in candidates for row in _rows(c.name, results[c.name], as_they_are.get(c.name), name)]
        print_table([head, *rows])
    first = next(iter(results.values())).to_json()
    counts = ", ".join(f"{part} {kind} {first['parts'][part]['at']['default'][kind]['n']}" for part, kind in COLUMNS)
    print(f"faces: {counts}; `other` has {first['parts']['other']['photos']} photos, on which false ones are counted")
    sizes = {c.name: results[c.name].to_json()["sizes"] for c in candidates}
    bands = list(next(iter(sizes.values())))
    head = ["all faces by longer side, px, at most 0.1 false", *bands]
    print_table([head, *([n, *(percent(of[b]["low_fppi"]["recall"]) for b in bands)] for n, of in sizes.items())])
    return results


def _rows(name: str, fitted: FinderEvaluation, raw: FinderEvaluation | None, at: str) -> list[list[str]]:
    rows = []
    for title, result in [(name, fitted), (f"{name}, its own boxes", raw)]:
        if result is not None:
            parts = result.to_json()["parts"]
            shares = [percent(parts[part]["at"][at][kind]["recall"]) for part, kind in COLUMNS]
            false = parts["other"]["at"][at]["fppi"]
            overlap = parts["w300"]["at"][at]["exact_overlap"]
            score = "any" if np.isinf(result.thresholds[at]) else f"{result.thresholds[at]:.3f}"
            rows.append([title, score, *shares, f"{false:.3f}", "-" if overlap is None else f"{overlap:.3f}"])
    return rows


def test_photos(root: Path, candidates: list[Candidate], results: dict[str, FinderEvaluation]) -> None:
    """Print how many of the annotated faces of 300W's test photos are found, at both scores."""
    sets = {name: read_w300([root / folder for folder in folders])[0] for name, folders in TEST_PHOTOS.items()}
    heads = [f"{name} ({len(samples)}), {at}" for name, samples in sets.items() for at in ("0.1 false", "default")]
    rows = []
    for candidate in candidates:
        thresholds = results[candidate.name].thresholds.values()
        scores = [np.array([best_score(sample, candidate) for sample in samples]) for samples in sets.values()]
        rows.append([candidate.name, *(percent(float(np.mean(s >= t))) for s in scores for t in thresholds)])
    print_table([["annotated faces found on 300W's test photos", *heads], *rows])


def best_score(sample: Sample, candidate: Candidate) -> float:
    """The best score of a box on the annotated face; nan where there is none."""
    found = candidate.found(sample.read_photo())
    on_face = [score for box, score in found if box_iou(box[None], sample.tight_box[None])[0, 0] >= MIN_OVERLAP]
    return max(on_face, default=float("nan"))


def speed(scenes: list[Scene], weights: Path | None, repetitions: int) -> None:
    """Print times on one thread; all finders take turns at each of some photos of one size."""
    with_faces = [scene for scene in scenes if len(scene.faces)]
    photos = [of_speed_size(read_photo(scene.photo)) for scene in with_faces[:: len(with_faces) // 8]]
    ours = NetworkFinder(weights=weights, threads=1)
    rivals = {name: Rival(name, everything=False) for name in RIVALS}
    tasks: dict[str, Callable[[np.ndarray], float]] = {OURS: lambda photo: timed(ours, photo)}
    tasks |= {name: lambda photo, rival=rival: (rival(photo), rival.seconds)[1] for name, rival in rivals.items()}
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(repetitions + 1):
        for photo in photos:
            for name, task in tasks.items():
                took = task(photo)
                if turn:
                    times[name].append(took)
    for rival in rivals.values():
        rival.close()
    medians = {name: statistics.median(values) for name, values in times.items()}
    rows = [[name, f"{1e3 * s:.1f}", f"{s / medians[OURS]:.2f}"] for name, s in medians.items()]
    print_table([[f"{SPEED_SIZE[0]} x {SPEED_SIZE[1]}, one thread, {len(photos)} photos", "ms", "of ours"], *rows])


def timed(finder: FaceFinder, photo: np.ndarray) -> float:
    """How long a finder takes, seconds."""
    began = time.perf_counter()
    finder(photo)
    return time.perf_counter() - began


def of_speed_size(photo: np.ndarray) -> np.ndarray:
    """The middle of a photo, as large as fits, at SPEED_SIZE."""
    width, height = SPEED_SIZE
    share = min(photo.shape[1] / width, photo.shape[0] / height)
    cut_w, cut_h = int(width * share), int(height * share)
    left, top = (photo.shape[1] - cut_w) // 2, (photo.shape[0] - cut_h) // 2
    return cv2.resize(photo[top : top + cut_h, left : left + cut_w], SPEED_SIZE, interpolation=cv2.INTER_CUBIC)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path, help="folder of photos with a boxes.csv")
    parser.add_argument("--photos300", type=Path, metavar="DIR", help="300W, for its test photos")
    parser.add_argument("--weights", type=Path, metavar="FINDER.onnx", help="instead of the package's")
    parser.add_argument("--repetitions", type=int, default=10, help="of the speed (default %(default)s)")
    parser.add_argument("--only", choices=["quality", "speed"])
    args = parser.parse_args()
    cv2.setNumThreads(1)
    _, scenes = held_out(read_scenes(args.scenes))
    if args.only != "quality":
        speed(scenes, args.weights, args.repetitions)
    if args.only == "speed":
        return
    rivals = {name: Rival(name, everything=True) for name in RIVALS}
    ours = NetworkFinder(weights=args.weights, score=LOWEST_SCORE)
    candidates = [Candidate(OURS, Remembered(ours), SCORE, None)]
    candidates += [Candidate(n, Remembered(r), DEFAULT_SCORES[n], TIGHT_IN_BOX[n]) for n, r in rivals.items()]
    results = quality(scenes, candidates)
    if args.photos300:
        test_photos(args.photos300, candidates, results)
    for rival in rivals.values():
        rival.close()


if __name__ == "__main__":
    main()
