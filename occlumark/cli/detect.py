"""occlumark detect: photos in, every face's landmarks with their visibility out."""

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from occlumark.cli.face_text import FaceText
from occlumark.cli.jobs import in_order
from occlumark.cli.options import add_network_options, megapixels, network_options, positive, threads
from occlumark.cli.pictures import STDIN, picture_paths, without_own_pictures
from occlumark.errors import OcclumarkError, PhotoError, one_line

if TYPE_CHECKING:
    from occlumark.detect import Detector
    from occlumark.face import Face

_EPILOG = """examples:
  occlumark detect family.jpg --out family-faces.jpg
  occlumark detect holiday/ --json > faces.jsonl
  occlumark detect holiday/ --format csv --jobs 4 > faces.csv
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
        type=megapixels,
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
    parser.add_argument(
        "--jobs", type=threads, default=1, metavar="N", help="photos at once, each by one thread (default 1)"
    )
    add_network_options(parser)
    parser.set_defaults(run=run)


class _Found(NamedTuple):
    """What came of a photo: its sides in pixels, its faces, and notes for standard error."""

    height: int
    width: int
    faces: "list[Face]"
    notes: list[str]


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from tqdm import tqdm

    from occlumark.detect import Detector
    from occlumark.photo import find_photos

    if (args.form == "pts") != (args.to is not None):
        args.usage_error("--format pts writes a file per face: it goes with --to FOLDER, and --to with it")
    for option in ("min_face", "score", "max_faces", "finder") if args.box else ():
        if getattr(args, option) is not None:
            args.usage_error(f"--{option.replace('_', '-')} is about finding faces, which --box leaves out")
    photos = [photo for source in args.photos for photo in ([STDIN] if source == "-" else find_photos([source]))]
    photos, own = without_own_pictures(photos, args.photos)
    pairs = zip(photos, picture_paths(args, photos), strict=False)  # without --out pictures do not end
    if args.jobs > 1:
        _share_cpus(args)
    detector = Detector(**network_options(args))
    if args.errors and not detector.has_expected_error:
        raise OcclumarkError(
            f"model '{detector.model}' predicts no expected error; leave --errors out or name another --model"
        )
    text = FaceText(args.form, detector.markup, args.to, are_given=bool(args.box))
    for line in text.start():
        print(line)
    failures = []
    with closing(in_order(lambda pair: _detect(*pair, detector, args), pairs, args.jobs)) as results:
        # disable=None: no bar where standard error is no terminal
        bar = tqdm(results, total=len(photos), unit="photo", disable=True if len(photos) == 1 else None, leave=False)
        for (photo, _), result in bar:
            try:
                found = result()
                lines = text.photo(str(photo), found.height, found.width, found.faces)
            except OcclumarkError as error:
                failures.append(str(error))
                continue
            for line in lines:
                tqdm.write(line, file=sys.stdout)
            sys.stdout.flush()  # what is told of a photo is not lost with a later one
            for note in found.notes:
                tqdm.write(f"occlumark: {one_line(note)}", file=sys.stderr)
    for line in text.end():
        print(line)
    if own:
        left_out = f"{len(own)} pictures that detect had made, as {one_line(str(own[0]))}"
        print(f"occlumark: left out {left_out}; name them to detect in them", file=sys.stderr)
    for failure in failures:
        print(f"occlumark: {failure}", file=sys.stderr)
    if failures and len(photos) > 1:
        print(f"occlumark: {len(failures)} of {len(photos)} photos failed", file=sys.stderr)
    return 1 if failures else 0


def _share_cpus(args: argparse.Namespace) -> None:
    """With several photos at once each is done by one thread: more would wait for one another."""
    import cv2

    cv2.setNumThreads(1)
    args.threads = args.threads or 1


def _detect(photo: Path, picture: Path | None, detector: "Detector", args: argparse.Namespace) -> _Found:
    """Read a photo, find its faces, and draw them where a picture is asked for."""
    from occlumark.draw import draw_faces
    from occlumark.photo import read_reduced, write_photo

    notes: list[str] = []
    # a picture shows the photo as it is
    reduction = detector.most_reduction(args.box) if picture is None else 1
    read = read_reduced(_source(photo), reduction, args.max_pixels, max_seconds=args.max_seconds, notes=notes)
    faces = detector.detect(read, args.box)
    if picture is not None:
        write_photo(picture, draw_faces(read.pixels, faces, overlay=args.overlay, errors=args.errors))
    notes += [] if faces else [f"no face found in {photo}"]
    return _Found(*read.size, faces, notes)


def _source(photo: Path) -> Path | BinaryIO:
    if photo != STDIN:
        return photo
    if sys.stdin is None:
        raise PhotoError("cannot read standard input: it is closed")
    return sys.stdin.buffer
