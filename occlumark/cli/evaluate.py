"""`occlumark evaluate`: the error on annotated photos."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from occlumark.cli.options import (
    add_network_options,
    add_own_options,
    check_own_options,
    degrees,
    network_options,
    picture_name,
    positive_count,
    seed,
)
from occlumark.cli.problems import check_table, report_skipped
from occlumark.cli.text_table import cell, text_table

if TYPE_CHECKING:
    from occlumark.detect import Detector
    from occlumark.evaluation.result import Evaluation

_DESCRIPTION = """\
Detect the faces of annotated photos and print how far the landmarks are from their annotated places.

A face is a NAME.pts of 68 points beside NAME.jpg (or .png, ...), anywhere below the folders. Official boxes are in
the nearest detector_boxes.csv at or above a folder; a face without one is detected from its tight box and listed.
Tight boxes are made of the annotated landmarks, so results from them are better than what a user gets: name the boxes
beside every result.

With --dataset, DIR is the folder of another data set in its published form (docs/datasets.md), and measured are its
test faces, from its own boxes and over its published normaliser where nothing else is said: cofw (29 points), aflw (19;
Full and Frontal, box width), wflw (98; with its six subsets), each by a network of that markup, and cofw68.

Photos of your own are of the network's markup (docs/own-landmarks.md): DIR may also be a .json file of COCO key points
or a .csv table, --list names those to take, and boxes are the face finder's where nothing else is said.

A face that cannot be used is excluded from all statistics, is listed on stderr, and the exit code is then 1. One that
the face finder misses (--box finder) is counted and listed, and the exit code is 0.
"""
_EXAMPLE = """\
example:
  occlumark evaluate 300w/lfpw/testset 300w/helen/testset
  occlumark evaluate 300w/ibug --box finder --json --per-photo ibug.csv
  occlumark evaluate COFW --dataset cofw --weights cofw.onnx
  occlumark evaluate my-photos --list test.txt --weights mine.onnx
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
    add(
        "folders",
        metavar="DIR",
        nargs="+",
        type=Path,
        help="folder of photos with .pts files; of own photos also COCO's .json or a .csv",
    )
    add(
        "--dataset",
        choices=("300w", "cofw", "cofw68", "aflw", "wflw"),  # evaluate.PUBLISHED, which --help need not load
        default="300w",
        help="which data set DIR is the folder of (default: %(default)s, whose folders are its parts)",
    )
    add(
        "--rotate",
        metavar="DEGREES",
        type=degrees,
        default=0.0,
        help="turn each photo by so much, clockwise as seen, its points and boxes with it",
    )
    add_evaluation_options(parser)
    add_own_options(parser)
    parser.set_defaults(box=None)  # which it is depends on what is evaluated
    # What was here before it became `occlumark evaluate-occlusion`: still taken, with a line that says so.
    add("--occlude", metavar="SEED", type=seed, help=argparse.SUPPRESS)
    add("--models", metavar="M", nargs="+", help=argparse.SUPPRESS)
    add("--sheet", metavar="FILE", type=picture_name, help=argparse.SUPPRESS)
    add_network_options(parser)
    parser.set_defaults(run=run)


def add_evaluation_options(parser: argparse.ArgumentParser) -> None:
    """The options of both commands that measure landmarks."""
    add = parser.add_argument
    add(
        "--box",
        choices=("official", "tight", "finder"),
        default="official",
        help="face boxes (default: official, the data set's own, of own photos finder; tight: of the landmarks)",
    )
    add(
        "--normaliser",
        choices=("inter_ocular", "inter_pupil", "box_width", "box_size", "box_longer", "box_diagonal"),
        help="what an error is divided by (default: the markup's, inter_ocular of 68 points)",
    )
    add("--json", action="store_true", help="print one JSON object, all fractions")
    add("--per-photo", metavar="FILE.csv", type=Path, help="write each face's photo, error and box to a table")
    add("--limit", metavar="N", type=positive_count, default=None, help="N faces alone, evenly spaced")


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the summaries, write the table."""
    from occlumark.detect import Detector
    from occlumark.evaluation.landmarks import PUBLISHED, evaluate, evaluate_data_set, evaluate_own
    from occlumark.files import write_csv

    if args.occlude is not None and args.dataset == "300w":
        return _run_occlusion(args)
    for option in ("models", "sheet"):
        if getattr(args, option):
            args.usage_error(f"--{option} goes with `occlumark evaluate-occlusion`")
    if args.dataset != "300w" and (len(args.folders) > 1 or args.occlude is not None):
        args.usage_error(f"--dataset {args.dataset} takes one DIR, the data set's own, and no --occlude")
    if args.dataset != "300w" and (args.lists or args.photos):
        args.usage_error("--list and --photos go with photos of your own, not with --dataset")
    check_own_options(args)
    check_table(args.per_photo)
    normaliser = args.normaliser or PUBLISHED[args.dataset]
    detector = Detector(**network_options(args))
    own = args.dataset == "300w" and _is_own(args, detector)
    args.box = args.box or ("finder" if own else "official")
    if own:
        source = (args.folders, detector, args.box, args.normaliser, args.limit, args.rotate)
        result = evaluate_own(*source, args.photos, args.lists)
    elif args.dataset == "300w":
        result = evaluate(args.folders, detector, args.box, normaliser, args.limit, args.rotate)
    else:
        folder = args.folders[0]
        result = evaluate_data_set(args.dataset, folder, detector, args.box, normaliser, args.limit, args.rotate)
    print(json.dumps(result.to_json()) if args.json else _table(result))
    report_skipped(result.skipped)
    if args.per_photo:
        rows = zip(result.names, result.errors.tolist(), result.boxes.tolist(), strict=True)
        heads = ["name", "error", "x0", "y0", "x1", "y1"]
        write_csv(args.per_photo, heads, ([name, error, *box] for name, error, box in rows))
    return 1 if len(result.skipped) > len(result.missed) else 0


def _is_own(args: argparse.Namespace, detector: "Detector") -> bool:
    """Whether the photos are of nobody's protocol: of another markup, or in another form than 300W's."""
    from occlumark.data.own import is_annotation_file
    from occlumark.markup import W300

    in_files = any(map(is_annotation_file, args.folders))
    return bool(in_files or args.lists or args.photos or detector.markup != W300)


def _run_occlusion(args: argparse.Namespace) -> int:
    """What `evaluate --occlude` did."""
    from occlumark.cli import evaluate_occlusion

    for option in ("rotate", "lists", "photos"):
        if getattr(args, option):
            args.usage_error(
                f"--{option.removesuffix('s') if option == 'lists' else option} does not go with --occlude"
            )
    print(
        f"occlumark: evaluate --occlude {args.occlude} is called evaluate-occlusion --seed {args.occlude} now",
        file=sys.stderr,
    )
    args.seed, args.box = args.occlude, args.box or "official"
    return evaluate_occlusion.run(args)


def _table(result: "Evaluation") -> str:
    heads = ["set", "n", "NME x10^-2", "95 % interval", "FR.08 %", "FR.10 %", "AUC.08 %", "AUC.10 %", "skipped"]
    table = text_table([heads, *(_row(name, part) for name, part in result.sets.items()), _row("all", result)])
    lines = [table, f"boxes: {result.box}; errors over {result.normaliser}"]
    if result.missed:
        lines.append(f"missed by the face finder, excluded from all statistics: {len(result.missed)}")
    if result.fallback:
        lines.append(f"without an official box, detected from the tight one: {', '.join(result.fallback)}")
    return "\n".join(lines)


def _row(name: str, part: "Evaluation") -> list[str]:
    low, high = part.nme_interval
    shares = [part.failure_rate(0.08), part.failure_rate(0.10), part.auc(0.08), part.auc(0.10)]
    interval = f"{cell(low, 2, 100)} to {cell(high, 2, 100)}"
    return [
        name,
        str(part.n),
        cell(part.nme, 2, 100),
        interval,
        *(cell(s, 2, 100) for s in shares),
        str(len(part.skipped)),
    ]
