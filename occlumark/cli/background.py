"""`occlumark background`: crops without a face, for training."""

import argparse
from pathlib import Path

from occlumark.errors import ConfigError

_DESCRIPTION = """\
Cut places without a face out of scenes (photos with a boxes.csv of their faces, the held-out ones left out) and write
them to one file, for training's augment.no_face.background: first what the face finder takes for a face there and is
none, then places at random.
"""
_EXAMPLE = """\
example:
  occlumark background scenes --out background.npy --sheet background.jpg
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
    parser.add_argument("--per-scene", type=int, default=3, help="crops a scene, at most (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the places at random (default: %(default)s)")
    parser.add_argument("--sheet", metavar="FILE", type=Path, help="also a picture of some of the crops")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Cut, write, print the number of crops."""
    import cv2
    import numpy as np
    from tqdm import tqdm

    from occlumark.crop import CropConfig
    from occlumark.data.background import background_crops
    from occlumark.data.scenes import held_out, read_scenes
    from occlumark.files import written_whole
    from occlumark.finder import NetworkFinder
    from occlumark.photo import write_photo

    try:
        crop = CropConfig(size=args.size, scale=1.3)
    except ValueError as error:
        raise ConfigError(f"--size: {error}") from error
    if args.per_scene < 1:
        raise ConfigError(f"--per-scene is at least 1, not {args.per_scene}")
    scenes, _ = held_out(read_scenes(args.scenes))
    finder = NetworkFinder(score=_SCORE)

    def find(photo: "np.ndarray") -> "np.ndarray":
        return np.array([box for box, _ in finder(photo)]).reshape(-1, 4)

    bar = tqdm(scenes, "cutting", unit="scene", disable=None)
    crops = np.stack(list(background_crops(bar, find, crop, args.per_scene, args.seed)))
    with written_whole(args.out) as file:
        np.lib.format.write_array(file, crops, allow_pickle=False)
    if args.sheet is not None:
        chosen = np.linspace(0, len(crops) - 1, min(len(crops), _SHEET_COLUMNS * _SHEET_ROWS)).round().astype(int)
        cells = [cv2.resize(crops[i], (_SHEET_SIDE,) * 2, interpolation=cv2.INTER_AREA) for i in chosen]
        cells += [np.full((_SHEET_SIDE, _SHEET_SIDE, 3), 255, np.uint8)] * (-len(cells) % _SHEET_COLUMNS)
        rows = [np.hstack(cells[i : i + _SHEET_COLUMNS]) for i in range(0, len(cells), _SHEET_COLUMNS)]
        write_photo(args.sheet, np.vstack(rows))
    print(f"{len(crops)} crops of {args.size} x {args.size} pixels without a face into {args.out}")
    return 0
