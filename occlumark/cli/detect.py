"""occlumark detect: photos in, every face's landmarks with their visibility out."""

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from occlumark.cli.face_text import FaceText
from occlumark.cli.options import add_network_options, network_options, positive
from occlumark.cli.pictures import STDIN, picture_paths
from occlumark.errors import OcclumarkError, PhotoError, one_line

if TYPE_CHECKING:
    from occlumark.detect import Detector

_EPILOG = """examples:
  occlumark detect family.jpg --out family-faces.jpg
  occlumark detect holiday/ --json > faces.jsonl
  occlumark detect holiday/ --format csv > faces.csv
  occlumark detect portrait.png --box 180 90 265 170 --overlay --out pictures/
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "detect",
        help="find the faces of photos and their landmarks",
        description="Find every face of one or more photos, its landmarks (68 by the models of the package), the "
        "visibility of each, and the expected error of each where the model predicts one.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO",
        help="a file, a folder (with its subfolders), a glob, or - for standard input",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--format",
        dest="form",
        choices=["text", "json", "csv", "pts", "coco"],
        default="text",
        help="print a readable line per face (default), one JSON object per photo, a table with a row per face, or one "
        "document of COCO key points; or write a .pts per face (with --to)",
    )
    form.add_argument("--json", dest="form", action="store_const", const="json", help="short for --format json")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="of the .pts files (with --format pts)")
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="draw: a folder, or for one photo a .jpg, .png or .webp"
    )
    parser.add_argument("--overlay", action="store_true", help="draw the occlusion map as well (with --out)")
    parser.add_argument(
        "--errors", action="store_true", help="draw each landmark's expected error as a circle (with --out)"
    )
    parser.add_argument(
        "--box",
        type=float,
        nargs=4,
        action="append",
        metavar=("X0", "Y0", "X1", "Y1"),
        help="a face's box in pixels of the upright photo, instead of finding faces; again for more faces (one photo)",
    )
    parser.add_argument(
        "--max-megapixels",
        dest="max_pixels",
        type=_megapixels,
        default=100_000_000,
        metavar="N",
        help="refuse larger photos before they are decoded (default 100)",
    )
    parser.add_argument(
        "--max-seconds",
        type=positive,
        metavar="S",
        help="give up reading a photo after so long (default: no limit); for photos of strangers",
    )
    add_network_options(parser)
    parser.set_defaults(run=run)


def _megapixels(text: str) -> int:
    """An argument type: megapixels, above 0, as pixels."""
    pixels = float(text) * 1e6
    if not 0 < pixels < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text}")
    return int(pixels)


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from tqdm import tqdm

    from occlumark.detect import Detector
    from occlumark.photo import find_photos

    if (args.form == "pts") != (args.to is not None):
        args.usage_error("--format pts writes a file per face: it goes with --to FOLDER, and --to with it")
    photos = find_photos(args.photos)
    pictures = picture_paths(args, photos)
    detector = Detector(**network_options(args))
    if args.errors and not detector.has_expected_error:
        raise OcclumarkError(
            f"model '{detector.model}' predicts no expected error; leave --errors out or name another --model"
        )
    text = FaceText(args.form, detector.markup, args.to)
    for line in text.start():
        print(line)
    failures = []
    # disable=None: no bar where standard error is no terminal
    for photo in tqdm(photos, unit="photo", disable=True if len(photos) == 1 else None, leave=False):
        try:
            lines, notes = _detect(photo, next(pictures), detector, text, args)
        except OcclumarkError as error:
            failures.append(str(error))
            continue
        for line in lines:
            tqdm.write(line, file=sys.stdout)
        sys.stdout.flush()  # what is told of a photo is not lost with a later one
        for note in notes:
            tqdm.write(f"occlumark: {one_line(note)}", file=sys.stderr)
    for line in text.end():
        print(line)
    for failure in failures:
        print(f"occlumark: {failure}", file=sys.stderr)
    if failures and len(photos) > 1:
        print(f"occlumark: {len(failures)} of {len(photos)} photos failed", file=sys.stderr)
    return 1 if failures else 0


def _detect(
    photo: Path, picture: Path | None, detector: "Detector", text: FaceText, args: argparse.Namespace
) -> tuple[list[str], list[str]]:
    """One photo's lines for standard output, and notes for standard error."""
    from occlumark.draw import draw_faces
    from occlumark.photo import read_photo, write_photo

    notes: list[str] = []
    pixels = read_photo(_source(photo), args.max_pixels, max_seconds=args.max_seconds, notes=notes)
    faces = detector.detect(pixels, args.box)
    if picture is not None:
        write_photo(picture, draw_faces(pixels, faces, overlay=args.overlay, errors=args.errors))
    notes += [] if faces else [f"no face found in {photo}"]
    height, width = pixels.shape[:2]
    return text.photo(str(photo), height, width, faces), notes


def _source(photo: Path) -> Path | BinaryIO:
    if photo != STDIN:
        return photo
    if sys.stdin is None:
        raise PhotoError("cannot read standard input: it is closed")
    return sys.stdin.buffer
