"""`occlumark evaluate-visibility`: predicted visibility beside labels of real occlusion."""

import argparse
import json
from pathlib import Path
from typing import Any

from occlumark.cli.options import add_network_options, network_options, share
from occlumark.cli.problems import report_skipped
from occlumark.cli.text_table import percent, text_table

_DESCRIPTION = """\
Predict the visibility of faces whose occlusion by real things is labelled (annotations/README.md), and print average
precision, precision and recall at the threshold, and recall at 80 % precision, over all, by kind of occluder and by
region; the share of clean faces' points that are predicted occluded; whether visibility is a probability; and whether
the expected error is right, over the inter-ocular distance. What nobody can tell is left out. Intervals are of 95 %, by
bootstrap over faces.

Faces are of the photos that the last run of the shipped network was not trained on, unless --part says otherwise:
unseen, those that none of its runs was trained on, or all.
"""
_EXAMPLE = """\
example:
  occlumark evaluate-visibility annotations/labels.csv --photos data    # data holds 300w/ and wflw/
  occlumark evaluate-visibility annotations/labels.csv --photos data --weights network.onnx --json
"""
_KEYS = ("average_precision", "precision", "recall", "recall_at_80_precision", "false_positives")
_EXPECTED_KEYS = ("points", "predicted", "true", "gap_intervals")
_HEADS = ["", "faces", "occluded", "visible", "AP %", "precision %", "recall %", "recall at 80 % precision", "false %"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "evaluate-visibility",
        help="measure visibility on faces whose real occlusion is labelled",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("labels", metavar="LABELS", type=Path, help="annotations/labels.csv")
    parser.add_argument("--photos", metavar="DIR", type=Path, required=True, help="folder that holds 300w/ and wflw/")
    parser.add_argument(
        "--part",
        choices=("unseen", "validation", "all"),
        default="validation",
        help="which faces (default: %(default)s)",
    )
    parser.add_argument(
        "--box", choices=("official", "tight"), default="official", help="which boxes (default: %(default)s)"
    )
    parser.add_argument(
        "--threshold",
        type=share,
        help="points with a visibility below are predicted occluded (default: that of detection)",
    )
    add_network_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object, all fractions")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the tables; returns the exit code."""
    from occlumark.detect import Detector
    from occlumark.evaluation.visibility import evaluate_visibility
    from occlumark.face import HIDDEN_BELOW

    threshold = HIDDEN_BELOW if args.threshold is None else args.threshold
    detector = Detector(**network_options(args))
    result = evaluate_visibility(args.labels, args.photos, detector, threshold, args.part, args.box)
    values = {"part": args.part, "box": args.box, **result.to_json()}
    print(json.dumps(values) if args.json else _report(values))
    report_skipped(result.skipped)
    return 1 if result.skipped else 0


def _report(values: dict[str, Any]) -> str:
    parts = [("all", values["all"])]
    parts += [("clean faces", values["clean"])] if values["clean"] else []
    parts += list(values["kinds"].items()) + list(values["regions"].items())
    ends = [
        f"{key.replace('_', ' ')} {percent(low)} to {percent(high)}" for key, (low, high) in values["intervals"].items()
    ]
    bins = values["reliability"]
    columns = zip(bins["points"], bins["predicted"], bins["visible"], strict=True)
    table = [["visibility", "points", "predicted %", "visible %"]]
    for i, (points, predicted, visible) in enumerate(columns):
        table.append([f"{i / 10:.1f} to {(i + 1) / 10:.1f}", str(points), percent(predicted), percent(visible)])
    lines = [""] if any(values["expected_error"].values()) else []
    lines += [_expected(name, of) for name, of in values["expected_error"].items() if of]
    return "\n".join(
        [
            text_table([_HEADS, *([name, *_cells(part)] for name, part in parts)]),
            f"95 % intervals over faces: {'; '.join(ends)}",
            "",
            text_table(table),
            f"largest gap of a bin with at least 2 % of the points: {100 * bins['largest_gap']:.1f} points",
            *lines,
        ]
    )


def _expected(name: str, bins: dict[str, Any]) -> str:
    """A line a bin by the expected error, of all and of ten."""
    whole = bins["all"]
    rows = [[f"{name} points", "n", "expected error %", "true %", "off %", "95 %"]]
    rows.append(_expected_row("all", whole["points"], whole["predicted"], whole["true"], whole["gap_interval"]))
    for i, each in enumerate(zip(*(bins[key] for key in _EXPECTED_KEYS), strict=True), start=1):
        rows.append(_expected_row(f"tenth {i}", *each))
    return text_table(rows)


def _expected_row(name: str, points: int, predicted: float, true: float, gap: list[float]) -> list[str]:
    off = f"{100 * (predicted / true - 1):+.0f}" if true else "-"
    return [
        name,
        str(points),
        f"{100 * predicted:.2f}",
        f"{100 * true:.2f}",
        off,
        f"{100 * gap[0]:+.0f} to {100 * gap[1]:+.0f}",
    ]


def _cells(part: dict[str, Any]) -> list[str]:
    return [str(part["faces"]), str(part["occluded"]), str(part["visible"]), *(percent(part[key]) for key in _KEYS)]
