"""`occlumark evaluate`: the error on annotated photos."""

import argparse
import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from occlumark.cli.options import add_network_options, network_options, positive_count, seed
from occlumark.errors import OcclumarkError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from occlumark.detect import Detector
    from occlumark.evaluation.result import BoxSource, Evaluation

_DESCRIPTION = """\
Detect the faces of annotated photos and print how far the landmarks are from their true places.

A face is a NAME.pts of 68 points beside NAME.jpg (or .png, ...), anywhere below the folders. Official boxes are in
the nearest detector_boxes.csv at or above a folder; a face without one is detected from its tight box and listed.
Tight boxes are made of the true landmarks, so results from them are better than what a user gets: name the boxes
beside every result.

With --dataset, DIR is the folder of another data set in its published form (docs/datasets.md), and measured are its
test faces, from its own boxes and over its published normaliser where nothing else is said: cofw (29 points), aflw (19;
Full and Frontal, box width), wflw (98; with its six subsets), each by a network of that markup, and cofw68.

With --occlude, things that no training shows are drawn over the faces, at 10, 25 and 40 % of each, the same for every
model and whenever the seed is the same; printed are the errors on the covered faces and on the same ones open, and how
well each model's visibility names the hidden points (docs/experiments/occlusion.md, "Drawn occluders").

A face that cannot be used is in no number, is listed on stderr, and the exit code is then 1. One that the face
finder misses (--box finder) is in no error either; it is counted and listed, and the exit code is 0.
"""
_EXAMPLE = """\
example:
  occlumark evaluate 300w/lfpw/testset 300w/helen/testset --box official
  occlumark evaluate 300w/ibug --box finder --json --per-photo ibug.csv
  occlumark evaluate 300w/lfpw/testset 300w/helen/testset --occlude 0 --models odn mine.onnx
  occlumark evaluate COFW --dataset cofw --weights cofw.onnx
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "evaluate",
        help="measure the landmarks' error on annotated photos",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folders", metavar="DIR", nargs="+", type=Path, help="folder of photos with .pts files")
    add(
        "--dataset",
        choices=("300w", "cofw", "cofw68", "aflw", "wflw"),  # evaluate.PUBLISHED, which --help need not load
        default="300w",
        help="which data set DIR is the folder of (default: %(default)s, whose folders are its parts)",
    )
    add(
        "--box",
        choices=("tight", "official", "finder"),
        help="face boxes (default: tight; with --occlude or --dataset official)",
    )
    add(
        "--normaliser",
        choices=("inter_ocular", "inter_pupil", "box_width", "box_size", "box_longer", "box_diagonal"),
        help="what an error is divided by (default: inter_ocular; for aflw box_width)",
    )
    add("--json", action="store_true", help="print one JSON object, all fractions")
    add("--per-photo", metavar="FILE.csv", type=Path, help="write each face's photo, error and box to a table")
    add("--limit", metavar="N", type=positive_count, default=None, help="N faces alone, evenly spaced")
    add("--occlude", metavar="SEED", type=seed, help="draw occluders over the faces and measure what they cost")
    add("--models", metavar="M", nargs="+", help="with --occlude: packaged networks or ONNX files, side by side")
    add("--sheet", metavar="FILE", type=Path, help="with --occlude: draw the first model's answers, .png or .jpg")
    add_network_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the summaries, write the table."""
    from occlumark.detect import Detector
    from occlumark.evaluation.landmarks import PUBLISHED, evaluate, evaluate_data_set

    for option in ("models", "sheet"):
        if getattr(args, option) and args.occlude is None:
            args.usage_error(f"--{option} goes with --occlude SEED")
    if args.per_photo and not args.per_photo.parent.is_dir():
        raise OcclumarkError(f"cannot write {args.per_photo}: no folder {args.per_photo.parent}; make it first")
    args.normaliser = args.normaliser or PUBLISHED[args.dataset]
    if args.dataset != "300w" and (len(args.folders) > 1 or args.occlude is not None):
        args.usage_error(f"--dataset {args.dataset} takes one DIR, the data set's own, and no --occlude")
    if args.occlude is not None:
        return _run_occluded(args)
    detector = Detector(**network_options(args))
    if args.dataset == "300w":
        result = evaluate(args.folders, detector, args.box or "tight", args.normaliser, args.limit)
    else:
        (folder,) = args.folders
        box_source: BoxSource = args.box or "official"
        result = evaluate_data_set(args.dataset, folder, detector, box_source, args.normaliser, args.limit)
    print(json.dumps(result.to_json()) if args.json else _table(result))
    for problem in result.skipped:
        print(f"occlumark: skipped {one_line(problem.name)}: {one_line(problem.reason)}", file=sys.stderr)
    if args.per_photo:
        _write_per_photo(result, args.per_photo)
    return 1 if len(result.skipped) > len(result.missed) else 0


def _run_occluded(args: argparse.Namespace) -> int:
    from occlumark.cli.occlusion_table import tables
    from occlumark.evaluation.landmarks import check_markup
    from occlumark.evaluation.occlusion import evaluate_occlusion
    from occlumark.evaluation.occlusion_sheet import occlusion_sheet
    from occlumark.markup import N_LANDMARKS
    from occlumark.photo import WRITTEN_SUFFIXES, write_photo

    if args.sheet and args.sheet.suffix.lower() not in WRITTEN_SUFFIXES:
        args.usage_error(f"--sheet is a picture, {', '.join(WRITTEN_SUFFIXES)}; not {args.sheet}")
    detectors = _detectors(args)
    for detector in detectors.values():
        check_markup(detector, N_LANDMARKS, "the benchmark")
    result = evaluate_occlusion(
        args.folders, detectors, args.occlude, args.box or "official", args.normaliser, args.limit
    )
    print(json.dumps(result.to_json()) if args.json else tables(result))
    for problem in result.skipped:
        print(f"occlumark: skipped {one_line(problem.name)}: {one_line(problem.reason)}", file=sys.stderr)
    if args.per_photo:
        _write_table(args.per_photo, ["name", "model", "share", "kind", "error"], result.per_photo())
    if args.sheet:
        first = result.models[0]
        write_photo(args.sheet, occlusion_sheet(result, first, detectors[first]))
    return 1 if len(result.skipped) > len(result.missed) else 0


def _detectors(args: argparse.Namespace) -> "dict[str, Detector]":
    """By label: the packaged networks and ONNX files of --models, or the one that the other options name."""
    from occlumark.detect import Detector
    from occlumark.packaged import DEFAULT_MODEL

    options = network_options(args)
    if not args.models:
        return {str(args.weights or args.model or DEFAULT_MODEL): Detector(**options)}
    if args.model or args.weights:
        args.usage_error("--models is given in place of --model and --weights, not beside them")
    if len(set(args.models)) < len(args.models):
        args.usage_error(f"--models names one network twice: {' '.join(args.models)}")
    short = [Path(name).stem for name in args.models]
    labels = short if len(set(short)) == len(short) else args.models
    files = [{"weights": name} if name.endswith(".onnx") else {"model": name} for name in args.models]
    return {label: Detector(**options | file) for label, file in zip(labels, files, strict=True)}


def _write_per_photo(result: "Evaluation", path: Path) -> None:
    rows = zip(result.names, result.errors.tolist(), result.boxes.tolist(), strict=True)
    heads = ["name", "error", "x0", "y0", "x1", "y1"]
    _write_table(path, heads, ([name, error, *box] for name, error, box in rows))


def _write_table(path: Path, heads: list[str], rows: "Iterable[Sequence[str | float]]") -> None:
    from occlumark.files import written_whole

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(heads)
    table.writerows(rows)
    with written_whole(path) as file:
        file.write(text.getvalue().encode())


def _table(result: "Evaluation") -> str:
    heads = ["set", "n", "NME x10^-2", "95 % interval", "FR.08 %", "FR.10 %", "AUC.08 %", "AUC.10 %", "skipped"]
    rows = [heads, *(_row(name, part) for name, part in result.sets.items()), _row("all", result)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    lines.append(f"boxes: {result.box}; errors over {result.normaliser}")
    if result.missed:
        lines.append(f"missed by the face finder, in no number above: {len(result.missed)}")
    if result.fallback:
        lines.append(f"without an official box, detected from the tight one: {', '.join(result.fallback)}")
    return "\n".join(lines)


def _row(name: str, part: "Evaluation") -> list[str]:
    low, high = part.nme_interval
    shares = [part.failure_rate(0.08), part.failure_rate(0.10), part.auc(0.08), part.auc(0.10)]
    return [
        name,
        str(part.n),
        f"{100 * part.nme:.2f}",
        f"{100 * low:.2f} to {100 * high:.2f}",
        *(f"{100 * share:.2f}" for share in shares),
        str(len(part.skipped)),
    ]
