"""Options that several commands share."""

import argparse
import math
from pathlib import Path
from typing import Any

from occlumark.packaged import DEFAULT_MODEL


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that builds a Detector."""
    add_finder_options(parser)
    network = parser.add_mutually_exclusive_group()
    network.add_argument("--model", metavar="NAME", help=f"a packaged network (default {DEFAULT_MODEL})")
    network.add_argument("--weights", type=Path, metavar="FILE", help="an ONNX file of `occlumark export`, instead")
    parser.add_argument("--threads", type=positive_count, metavar="N", help="of the network (default: up to 4)")
    parser.add_argument(
        "--passes",
        type=positive_count,
        metavar="N",
        help="how often a face is cropped (default: once, twice where its box is off)",
    )


def add_finder_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that finds faces by the package's own finder."""
    parser.add_argument(
        "--min-face", type=_positive, metavar="PIXELS", help="smallest face to find (default: a 32nd of the photo)"
    )
    parser.add_argument("--score", type=_share, metavar="S", help="least score of a face, 0..1 (default 0.54)")
    parser.add_argument("--max-faces", type=positive_count, metavar="N", help="the best N alone (default: all)")
    parser.add_argument("--finder", type=Path, metavar="FILE", help="a face finder of `occlumark export`, instead")


def network_options(args: argparse.Namespace) -> dict[str, Any]:
    """What add_network_options parsed, as Detector's arguments."""
    from occlumark.finder import NetworkFinder

    options = {name: getattr(args, name) for name in ("model", "weights", "threads", "passes")}
    found = {name: getattr(args, name) for name in ("min_face", "score", "max_faces", "threads")}
    finder = NetworkFinder(weights=args.finder, **{name: value for name, value in found.items() if value is not None})
    return {"face_finder": finder} | {name: value for name, value in options.items() if value is not None}


def _positive(text: str) -> float:
    """An argument type: a finite number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text}")
    return value


def _share(text: str) -> float:
    """An argument type: a number in 0..1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number in 0..1, not {text}")
    return value


def positive_count(text: str) -> int:
    """An argument type: a whole number, at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, not {text}")
    return value
