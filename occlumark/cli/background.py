"""`occlumark background`: crops without a face, for training."""

import argparse
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from occlumark.cli.options import part, picture_name, positive_count, seed
from occlumark.cli.problems import is_one_file, report_left_out
from occlumark.errors import AnnotationError, ConfigError

if TYPE_CHECKING:
    import numpy as np

_DESCRIPTION = """\
Cut places without a face out of scenes (photos with a boxes.csv of their faces, the held-out ones left out) and write
them to one file, for training's augment.no_face.background: first what the face finder takes for a face there and is
none, then places at random. With --faces what it rightly takes for one goes into a second file, for
augment.scene_faces.crops; searched at --reduce 2 also in the photos with half their sides, it holds small faces.
"""
_EXAMPLE = """\
example:
  occlumark background scenes --out background.npy --sheet background.jpg
  occlumark background scenes --out background.npy --faces faces.npy --reduce 1 --reduce 2 --leave-out 0.25
"""
#: The finder's boxes of a score that says little: what it doubts is what is to be learnt.
_SCORE = 0.12
_SHEET_SIDE, _SHEET_COLUMNS, _SHEET_ROWS = 96, 16, 12


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "background",
        help="write crops without a face to one file, for training",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenes", metavar="DIR", type=Path, help="folder of photos with their boxes.csv")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the file to write, .npy")
    parser.add_argument("--size", type=int, default=256, help="side of a crop in pixels (default: %(default)s)")
    parser.add_argument(
        "--per-scene", type=positive_count, default=3, help="crops a scene, at most (default: %(default)s)"
    )
    parser.add_argument("--faces", metavar="FILE", type=Path, help="also crops of faces, .npy")
    parser.add_argument(
        "--reduce",
        metavar="N",
        type=positive_count,
        action="append",
        help="search the photos with their sides so many times shorter; may be repeated (default: 1)",
    )
    parser.add_argument(
        "--leave-out", metavar="SHARE", type=part, default=0.0, help="of the scenes, to choose on (default: none)"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the places at random (default: %(default)s)")
    parser.add_argument("--sheet", metavar="FILE", type=picture_name, help="also a picture of some of the crops")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Cut, write, print the number of crops."""
    import cv2
    import numpy as np
    from tqdm import tqdm

    from occlumark.crop import CropConfig
    from occlumark.data.background import LEAVE_OUT_SEED, reduced_scenes, scene_crops
    from occlumark.data.sample import Problem
    from occlumark.data.scenes import held_out, read_scenes
    from occlumark.data.split import split_validation
    from occlumark.files import written_whole
    from occlumark.finder import NetworkFinder
    from occlumark.photo import write_photo

    written = [path for path in (args.out, args.faces, args.sheet) if path is not None]
    if any(is_one_file(*two) for two in combinations(written, 2)):
        args.usage_error("--out, --faces and --sheet are files of their own, not one of them twice")
    try:
        crop = CropConfig(size=args.size, scale=1.3)
    except ValueError as error:
        raise ConfigError(f"--size: {error}") from error
    scenes, _ = held_out(read_scenes(args.scenes))
    used, _ = split_validation([scene.name for scene in scenes], args.leave_out, LEAVE_OUT_SEED)
    finder = NetworkFinder(score=_SCORE)

    def find(photo: "np.ndarray") -> "np.ndarray":
        return np.array([box for box, _ in finder(photo)]).reshape(-1, 4)

    bar = tqdm([scenes[i] for i in used], "cutting", unit="scene", disable=None)
    unreadable: list[Problem] = []
    shown = reduced_scenes(bar, args.reduce or [1], unreadable)
    with ExitStack() as files:  # a place that cannot be written is told before the cutting
        out = files.enter_context(written_whole(args.out))
        faces_out = files.enter_context(written_whole(args.faces)) if args.faces else None
        found = list(scene_crops(shown, find, crop, args.per_scene, args.seed))
        report_left_out(unreadable)
        faces = [cut for cut, is_face in found if is_face]
        without = [cut for cut, is_face in found if not is_face]
        if not without:
            raise AnnotationError(f"no crop without a face can be cut from the {len(used)} scenes of {args.scenes}")
        if args.faces and not faces:
            raise AnnotationError(f"--faces: the face finder found none of the faces in {args.scenes}")
        crops = np.stack(without)
        np.lib.format.write_array(out, crops, allow_pickle=False)
        if faces_out:
            np.lib.format.write_array(faces_out, np.stack(faces), allow_pickle=False)
    if args.sheet is not None:
        chosen = np.linspace(0, len(crops) - 1, min(len(crops), _SHEET_COLUMNS * _SHEET_ROWS)).round().astype(int)
        cells = [cv2.resize(crops[i], (_SHEET_SIDE,) * 2, interpolation=cv2.INTER_AREA) for i in chosen]
        cells += [np.full((_SHEET_SIDE, _SHEET_SIDE, 3), 255, np.uint8)] * (-len(cells) % _SHEET_COLUMNS)
        rows = [np.hstack(cells[i : i + _SHEET_COLUMNS]) for i in range(0, len(cells), _SHEET_COLUMNS)]
        write_photo(args.sheet, np.vstack(rows))
    print(f"{len(crops)} crops of {args.size} x {args.size} pixels without a face into {args.out}")
    if args.faces:
        print(f"{len(faces)} with one into {args.faces}")
    return 1 if unreadable else 0
