"""Options that several commands share."""

import argparse
from pathlib import Path
from typing import Any


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that builds a Detector."""
    parser.add_argument("--model", default="odn", metavar="NAME", help="a packaged network (default %(default)s)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="an ONNX file of `occlumark export`, instead")
    parser.add_argument("--threads", type=positive_count, metavar="N", help="of the network (default: up to 4)")
    parser.add_argument("--passes", type=positive_count, metavar="N", help="how often a face is cropped, 1 or 2")


def network_options(args: argparse.Namespace) -> dict[str, Any]:
    """What add_network_options parsed, as Detector's arguments."""
    options = {name: getattr(args, name) for name in ("model", "weights", "threads", "passes")}
    return {name: value for name, value in options.items() if value is not None}


def positive_count(text: str) -> int:
    """An argument type: a whole number, at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, not {text}")
    return value
