"""`occlumark evaluate-occlusion`: the error on annotated photos under drawn occluders."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from occlumark.cli.evaluate import add_evaluation_options
from occlumark.cli.options import add_network_options, network_options, picture_name, seed
from occlumark.cli.problems import check_table, report_skipped

if TYPE_CHECKING:
    from occlumark.detect import Detector

_DESCRIPTION = """\
Draw occluders that no training shows over annotated faces, at 10, 25 and 40 % of each, and print what they cost.

The folders are those of `occlumark evaluate`. The occluders are the same for every network, and whenever the seed is
the same. Printed are the errors on the occluded faces and on the same ones clean, and how well each network's
visibility predicts the occluded points (docs/experiments/occlusion.md, "Drawn occluders").

A face that cannot be used is excluded from all statistics, is listed on stderr, and the exit code is then 1. One that
the face finder misses (--box finder) is counted and listed, and the exit code is 0.
"""
_EXAMPLE = """\
example:
  occlumark evaluate-occlusion 300w/lfpw/testset 300w/helen/testset
  occlumark evaluate-occlusion 300w/ibug --models odn mine.onnx --sheet sheet.png
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "evaluate-occlusion",
        help="measure the landmarks' error under drawn occluders",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folders", metavar="DIR", nargs="+", type=Path, help="folder of photos with .pts files")
    add("--seed", metavar="N", type=seed, default=0, help="of the occluders (default: %(default)s)")
    add("--models", metavar="M", nargs="+", help="packaged networks or ONNX files, side by side")
    add("--sheet", metavar="FILE", type=picture_name, help="draw the first network's predictions, .png or .jpg")
    add_evaluation_options(parser)
    add_network_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the tables, write what was asked for; returns the exit code."""
    from occlumark.cli.occlusion_table import tables
    from occlumark.evaluation.landmarks import check_markup
    from occlumark.evaluation.occlusion import evaluate_occlusion
    from occlumark.evaluation.occlusion_sheet import occlusion_sheet
    from occlumark.files import write_csv
    from occlumark.markup import N_LANDMARKS
    from occlumark.photo import write_photo

    check_table(args.per_photo)
    detectors = _detectors(args)
    for detector in detectors.values():
        check_markup(detector, N_LANDMARKS, "the benchmark")
    args.normaliser = args.normaliser or "inter_ocular"
    result = evaluate_occlusion(args.folders, detectors, args.seed, args.box, args.normaliser, args.limit)
    print(json.dumps(result.to_json()) if args.json else tables(result))
    report_skipped(result.skipped)
    if args.per_photo:
        write_csv(args.per_photo, ["name", "model", "share", "kind", "error"], result.per_photo())
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
