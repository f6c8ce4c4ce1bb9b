"""occlumark occluders: a contact sheet of everything that can be drawn before a face."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from occlumark.cli.options import picture_name, positive_count, seed
from occlumark.cli.problems import report_left_out

if TYPE_CHECKING:
    import numpy as np

_SIZE = 224


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "occluders",
        help="a contact sheet of the occluders that are drawn over faces",
        description="Write a picture with a row for each kind of occluder, those for training and those for the "
        "benchmark, over the bundled sample portrait or over faces of a folder.",
        epilog="example: occlumark occluders --out sheet.png --kinds medical_mask,leaves --alpha",
    )
    parser.add_argument(
        "--out", type=picture_name, required=True, metavar="FILE", help="the picture to write, .png or .jpg"
    )
    parser.add_argument(
        "--faces", type=Path, metavar="DIR", help="photos with .pts files (default: the sample portrait)"
    )
    parser.add_argument("--kinds", metavar="A,B", help="some kinds alone (default: all)")
    parser.add_argument("--columns", type=positive_count, default=6, metavar="N", help="faces a row (default 6)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="what differs between sheets (default 0)")
    parser.add_argument("--alpha", action="store_true", help="outline what counts as occluded")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from occlumark.data.face_sheet import faces_of_folder
    from occlumark.data.occluder_sheet import KINDS, occluder_sheet
    from occlumark.photo import write_photo

    kinds = [kind.strip() for kind in args.kinds.split(",")] if args.kinds is not None else list(KINDS)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        args.usage_error(f"no occluder is called {unknown[0]!r}; there are {', '.join(KINDS)}")
    faces, problems = faces_of_folder(args.faces, args.columns, _SIZE) if args.faces else ([], [])
    faces = faces or [_sample_face()] * args.columns
    write_photo(args.out, occluder_sheet(faces, kinds, args.seed, alpha=args.alpha))
    print(args.out)
    report_left_out(problems)
    return 1 if problems else 0


def _sample_face() -> "tuple[np.ndarray, np.ndarray]":
    """The bundled portrait's crop with its landmarks, as the packaged network finds them."""
    from occlumark.data.face_sheet import cropped
    from occlumark.demo import SAMPLES
    from occlumark.detect import Detector
    from occlumark.markup import tight_box
    from occlumark.photo import read_photo

    photo = read_photo(SAMPLES / "astronaut.jpg")
    face = Detector(threads=1).detect(photo)[0]
    return cropped(photo, face.landmarks, tight_box(face.landmarks), _SIZE)
