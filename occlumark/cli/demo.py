"""occlumark demo: the bundled sample photos, without and with something before the face."""

import argparse
from pathlib import Path

from occlumark.cli.options import add_network_options, network_options


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "demo",
        help="detect on the bundled sample photos, with and without occluders",
        description="Detect on the bundled sample photos, as they are and with a mask, sunglasses and a hand drawn "
        "over the face, and write the pictures.",
        epilog="example: occlumark demo --out demo",
    )
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="for the pictures (default demo)")
    add_network_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from occlumark.demo import write_demo
    from occlumark.detect import Detector

    for picture in write_demo(args.out, Detector(**network_options(args))):
        print(picture)
    return 0
