"""`occlumark evaluate-finder`: recall and false positives of the face finder on annotated scenes."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from occlumark.cli.problems import check_table, report_skipped
from occlumark.cli.text_table import percent, text_table
from occlumark.errors import AnnotationError

if TYPE_CHECKING:
    from occlumark.data.scenes import Scene
    from occlumark.evaluation.finder import FinderEvaluation
    from occlumark.finder import FaceFinder

_DESCRIPTION = """\
Search whole photos for faces and print the recall and the false positives per image (FPPI).

The folder holds the photos and a boxes.csv of file, kind, x0, y0, x1, y1. The kinds are manual, the tight box of
annotated landmarks (exact here); auto, a face by another finder's box; ignore, neither face nor background; none, a
photo without a face. A file's name up to the first underscore is the part of the photos that it belongs to; false
positives are counted on the part `other`. A face is found by a box whose overlap, intersection over union, with it is
0.4 or more. Numbers are given at two scores: the lowest one at which the part `other` has at most 0.1 false
positives per image, and the finder's default.

A photo that cannot be read is excluded from all statistics, is listed on stderr, and the exit code is then 1.
"""
_EXAMPLE = """\
example:
  occlumark evaluate-finder scenes
  occlumark evaluate-finder scenes --weights finder.onnx --json --per-face faces.csv
"""

_RECALL_HEADS = [
    "part",
    "photos",
    *(f"{kind} {head}" for kind in ("exact", "auto") for head in ("n", "found %", "95 %")),
]
_RECALL_HEADS += ["FPPI", "AP %"]
_SIZE_HEADS = ["longer side, px", "faces", "found %, low FPPI", "found %, default"]
_BOX_HEADS = ["exact faces found", "n", "IoU", "offset x", "offset y", "log of size"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "evaluate-finder",
        help="measure the face finder on annotated photos",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folder", metavar="DIR", type=Path, help="folder of photos with a boxes.csv")
    add(
        "--part",
        choices=("held-out", "training", "all"),
        default="held-out",
        help="which photos: the 15 %% that training never sees, the others, or all (default: %(default)s)",
    )
    add("--json", action="store_true", help="print one JSON object, all fractions")
    add("--per-face", metavar="FILE.csv", type=Path, help="write each face's boxes, score and overlap to a table")
    add("--weights", type=Path, metavar="FILE", help="an ONNX file of `occlumark export`, instead of the package's")
    add(
        "--present",
        metavar="MODEL",
        help="measure the faces that detection keeps with this landmark network, a packaged one or an ONNX file, which "
        "tells what is no face",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the summaries, write the table; returns the exit code."""
    from occlumark.evaluation.finder import LOWEST_SCORE, evaluate_finder
    from occlumark.finder import SCORE, FaceFinder, NetworkFinder

    check_table(args.per_face)
    scenes = _scenes(args.folder, args.part)
    finder: FaceFinder = NetworkFinder(score=None if args.present else LOWEST_SCORE, weights=args.weights)
    if args.present:
        finder = _present_faces(finder, args.present)
    result = evaluate_finder(scenes, finder, 0.0 if args.present else SCORE)
    values = result.to_json()
    print(json.dumps({"part": args.part, **values}) if args.json else _report(args.part, values))
    report_skipped(result.skipped)
    if args.per_face:
        _write_per_face(result, args.per_face)
    return 1 if result.skipped else 0


def _present_faces(finder: "FaceFinder", network: str) -> "FaceFinder":
    """A face finder of those faces that detection keeps."""
    from occlumark.detect import Detector

    weights = {"weights": network} if network.endswith(".onnx") else {"model": network}
    detector = Detector(face_finder=finder, **weights)  # type: ignore[arg-type]
    return lambda photo: [(face.box, face.score) for face in detector.detect(photo)]


def _scenes(folder: Path, part: str) -> "list[Scene]":
    from occlumark.data.scenes import held_out, read_scenes

    scenes = read_scenes(folder)
    training, other = held_out(scenes)
    chosen = {"held-out": other, "training": training, "all": scenes}[part]
    if not chosen:
        raise AnnotationError(f"none of the {len(scenes)} photos in {folder} is in the part {part}; choose another")
    return chosen


def _write_per_face(result: "FinderEvaluation", path: Path) -> None:
    from occlumark.files import write_csv

    faces = result.faces
    corners = ["x0", "y0", "x1", "y1"]
    heads = ["photo", "kind", *corners, "score", *(f"found_{corner}" for corner in corners), "overlap"]
    rows = []
    columns = zip(faces.names, faces.exact, faces.boxes, faces.scores, faces.found, faces.overlaps, strict=True)
    for name, exact, box, score, found, overlap in columns:
        # What no box found has no score: empty cells.
        answer = [score, *found, overlap] if score == score else [""] * 6
        rows.append([name, "exact" if exact else "auto", *box, *answer])
    write_csv(path, heads, rows)


def _report(part: str, values: dict[str, Any]) -> str:
    parts = {**values["parts"], "all": values}
    few, default = values["thresholds"]["low_fppi"], values["thresholds"]["default"]
    allowed = f"at most {values['max_fppi']:g} FPPI on `{values['background']}`"
    titles = {
        "low_fppi": f"{allowed}: {'any score' if few is None else f'score {few:.3f}'}",
        "default": f"default: score {default:g}" if default else "default: all that detection keeps",
    }
    sections = [
        [title, text_table([_RECALL_HEADS, *(_recall_row(name, values, at) for name, values in parts.items())])]
        for at, title in titles.items()
    ]
    sections.append([text_table([_SIZE_HEADS, *(_size_row(name, band) for name, band in values["sizes"].items())])])
    at_default = {name: values["at"]["default"] for name, values in parts.items()}
    rows = [_box_row(name, values) for name, values in at_default.items() if values["exact"]["found"]]
    sections.append(
        [text_table([_BOX_HEADS, *rows]), "default score; mean +- deviation, over the true box's longer side"]
    )
    missed = len(values["missed"])
    sections.append([f"photos: {part}; skipped: {values['skipped']}; faces missed at the default score: {missed}"])
    return "\n\n".join("\n".join(section) for section in sections)


def _recall_row(name: str, part: dict[str, Any], at: str) -> list[str]:
    values = part["at"][at]
    row = [name, str(part["photos"])]
    for kind in ("exact", "auto"):
        share = values[kind]
        row += [str(share["n"]), percent(share["recall"]), _interval(*share["interval"])]
    return [*row, f"{values['fppi']:.3f}", percent(part["average_precision"])]


def _size_row(name: str, band: dict[str, Any]) -> list[str]:
    shares = (band["low_fppi"], band["default"])
    return [name, str(band["default"]["n"]), *(percent(share["recall"]) for share in shares)]


def _box_row(name: str, values: dict[str, Any]) -> list[str]:
    errors = [f"{error['mean']:.3f} +- {error['std']:.3f}" for error in values["exact_box_error"].values()]
    return [name, str(values["exact"]["found"]), f"{values['exact_overlap']:.3f}", *errors]


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None else f"{percent(low)} to {percent(high)}"
