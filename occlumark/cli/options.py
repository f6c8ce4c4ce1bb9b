"""Options that several commands share."""

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from occlumark.config import MOST_SEED
from occlumark.packaged import DEFAULT_MODEL

#: More threads than any machine has would only be refused by the system, in its own words; so would a larger count.
MOST_THREADS = 1024
MOST_COUNT = 2**31 - 1
#: What add_network_options parses that are arguments of Detector's and of NetworkFinder's, but for files.
OF_DETECTOR = ("model", "threads", "providers", "mirror", "recrop")
OF_FINDER = ("min_face", "score", "max_faces", "threads", "providers")


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that builds a Detector."""
    add_finder_options(parser)
    network = parser.add_mutually_exclusive_group()
    network.add_argument("--model", metavar="NAME", help=f"a packaged network (default {DEFAULT_MODEL})")
    network.add_argument("--weights", type=Path, metavar="FILE", help="an ONNX file of `occlumark export`, instead")
    parser.add_argument("--threads", type=threads, metavar="N", help="of the network (default: up to 4, in bulk 1)")
    parser.add_argument(
        "--provider",
        dest="providers",
        action="append",
        metavar="NAME",
        help="what runs the networks instead of the CPU, where ONNX Runtime has it: cuda, coreml, ...; again: a second",
    )
    parser.add_argument(
        "--mirror",
        action="store_true",
        default=None,
        help="predict each face mirrored as well: more exact, twice the time",
    )
    recrop = parser.add_mutually_exclusive_group()
    recrop.add_argument(
        "--recrop",
        type=_recrop,
        metavar="WHEN",
        help="crop a face again around its landmarks: never, auto (default: where its box is off) or N times",
    )
    recrop.add_argument("--passes", type=positive_count, help=argparse.SUPPRESS)  # the old word, N crops in all


def add_finder_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that finds faces by the package's own finder."""
    parser.add_argument(
        "--min-face",
        type=positive,
        metavar="PIXELS",
        help="smallest face to find (default: 20, within a 64th to a 32nd of the photo)",
    )
    parser.add_argument(
        "--score",
        type=share,
        metavar="S",
        help="least score of a face, 0..1 (default 0.54, lower where the network is sure)",
    )
    parser.add_argument("--max-faces", type=positive_count, metavar="N", help="the best N alone (default: all)")
    parser.add_argument("--finder", type=Path, metavar="FILE", help="a face finder of `occlumark export`, instead")


def add_own_options(parser: argparse.ArgumentParser) -> None:
    """The options of the commands that read annotated photos of one's own."""
    parser.add_argument(
        "--photos", metavar="DIR", type=Path, help="where the photos of .json and .csv files are (default: beside them)"
    )
    parser.add_argument(
        "--list",
        dest="lists",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="take the photos that a text file names, one a line, alone; may be repeated",
    )


def check_own_options(args: argparse.Namespace) -> None:
    """Photos of one's own are named by .json and .csv files alone; wrong usage ends the program."""
    from occlumark.data.own import is_annotation_file

    if args.photos and not any(map(is_annotation_file, args.folders)):
        args.usage_error("--photos goes with a .json or .csv file: the photos of .pts files are beside them")


def network_options(args: argparse.Namespace) -> dict[str, Any]:
    """What add_network_options parsed, as Detector's arguments."""
    from occlumark.finder import NetworkFinder

    take_old_word(args)
    options = {name: getattr(args, name) for name in ("weights", *OF_DETECTOR)}
    found = {name: getattr(args, name) for name in OF_FINDER}
    finder = NetworkFinder(weights=args.finder, **{name: value for name, value in found.items() if value is not None})
    return {"face_finder": finder} | {name: value for name, value in options.items() if value is not None}


def take_old_word(args: argparse.Namespace) -> None:
    """--passes as --recrop, with a line that says so."""
    from occlumark.recrop import recrop_of_passes

    if args.passes is not None:
        args.recrop = recrop_of_passes(args.passes)
        print(f"occlumark: --passes {args.passes} is called --recrop {args.recrop} now", file=sys.stderr)


def _recrop(text: str) -> str | int:
    """An argument type: never, auto, or a whole number, at least 1."""
    if text in ("never", "auto"):
        return text
    try:
        return positive_count(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected never, auto or a whole number, not {text}") from None


def positive(text: str) -> float:
    """An argument type: a finite number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text}")
    return value


def megapixels(text: str) -> int:
    """An argument type: megapixels, above 0, as pixels."""
    pixels = float(text) * 1e6
    if not 1 <= pixels < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, at least a pixel, not {text}")
    return int(pixels)


def share(text: str) -> float:
    """An argument type: a number in 0..1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number in 0..1, not {text}")
    return value


def part(text: str) -> float:
    """An argument type: a share that leaves something, at least 0 and below 1."""
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 on and below 1, not {text}")
    return value


def picture_name(text: str) -> Path:
    """An argument type: the name of a picture that can be written."""
    from occlumark.photo import WRITTEN_SUFFIXES

    path = Path(text)
    if path.suffix.lower() not in WRITTEN_SUFFIXES:
        raise argparse.ArgumentTypeError(f"expected a name in {', '.join(WRITTEN_SUFFIXES)}, not {text}")
    return path


def degrees(text: str) -> float:
    """An argument type: an angle, -360..360."""
    value = float(text)
    if not -360 <= value <= 360:
        raise argparse.ArgumentTypeError(f"expected degrees in -360..360, not {text}")
    return value


def positive_count(text: str) -> int:
    """An argument type: a whole number, at least 1."""
    return _whole(text, 1, MOST_COUNT)


def threads(text: str) -> int:
    """An argument type: how many threads."""
    return _whole(text, 1, MOST_THREADS)


def seed(text: str) -> int:
    """An argument type: a seed, a whole number of at most 63 bits."""
    return _whole(text, 0, MOST_SEED)


def _whole(text: str, least: int, most: int) -> int:
    value = int(text)
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"expected {least}..{most}, not {text}")
    return value
