"""`occlumark pack`: the crops of annotated photos in one file, for training."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from occlumark.cli.options import add_own_options, check_own_options, part
from occlumark.cli.problems import report_left_out

if TYPE_CHECKING:
    import numpy as np

    from occlumark.data.sample import Problem, Sample

#: Share of the photos that our networks' runs hold out; what is held out by less is part of it.
_VALIDATION = 0.2
_DESCRIPTION = """\
Cut the faces out of annotated photos and write them to one file, from which training reads.

A face is a NAME.pts of 68 points beside NAME.jpg (or .png, ...), anywhere below the folders. With --dataset it is one
of another data set's training part, in its published form (docs/datasets.md): of 29 points (cofw), 19 (aflw) or 98
(wflw). With --markup the landmarks are your own (docs/own-landmarks.md), in .pts files, a .json file of COCO key points
or a .csv table; the markup then travels in the pack, the checkpoint and the exported file.

A face that cannot be used is left out, the first 20 are listed on stderr, and the exit code is then 1; the file is
whole all the same.
"""
_EXAMPLE = """\
example:
  occlumark pack 300w/afw 300w/lfpw/trainset 300w/helen/trainset --out train.pack
  occlumark pack 300w/afw 300w/lfpw/trainset 300w/helen/trainset --wflw wflw/train --out more.pack
  occlumark pack photos/ --markup mine.toml --list train.txt --out mine.pack
  occlumark pack COFW --dataset cofw --out cofw.pack     # then: occlumark train --set n_landmarks=29 ...
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "pack",
        help="write the crops of annotated photos to one file, for training",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folders", metavar="DIR", nargs="+", type=Path, help="folder of photos with .pts files, or a .json or .csv file"
    )
    parser.add_argument(
        "--markup",
        metavar="FILE",
        help="landmarks of your own: a markup file, or one of the package (300w, cofw, aflw, wflw, five)",
    )
    add_own_options(parser)
    parser.add_argument(
        "--boxes",
        choices=("finder", "annotated"),
        help="the boxes of faces of your own: what the face finder gives, from which detection starts (default), or "
        "those of the annotation",
    )
    parser.add_argument(
        "--dataset",
        choices=("300w", "cofw", "aflw", "wflw"),  # data.data_sets.DATA_SETS with a training part
        default="300w",
        help="which data set DIR is the folder of (default: %(default)s)",
    )
    parser.add_argument(
        "--wflw",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="folder of photos with .pts files of WFLW's 98 points, packed as 68 (docs/paper.md); may be repeated",
    )
    parser.add_argument(
        "--visibility",
        metavar="FILE",
        type=Path,
        help="which landmarks something real occludes, by photo: annotations/labels.csv (annotations/README.md)",
    )
    parser.add_argument(
        "--merl-rav",
        metavar="DIR",
        type=Path,
        help="folder of photos with .pts and .vis files, for their visibility alone (docs/datasets.md)",
    )
    parser.add_argument(
        "--celebamask",
        metavar="DIR",
        type=Path,
        help="folder of photos with .mask.png files, for visibility alone; the default network finds the landmarks",
    )
    parser.add_argument(
        "--teacher",
        metavar="MODEL",
        help="work the labels of a packaged network into the faces' own, for a smaller network to learn from: "
        "places become the mean of both, and unknown visibility becomes the network's where it is sure",
    )
    parser.add_argument(
        "--unlabelled",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="with --teacher: a folder of photos with a boxes.csv, whose faces the network labels alone; "
        "held-out scenes and faces that it is not sure of are left out; may be repeated",
    )
    parser.add_argument(
        "--apart-from",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="with --unlabelled: leave out near copies of these photos with .pts files, besides those packed",
    )
    parser.add_argument(
        "--validation-share",
        type=part,
        help=f"with --teacher: the run's validation_share, whose faces keep their own labels (default: {_VALIDATION})",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the pack to write")
    parser.add_argument("--size", type=int, default=320, help="side of a crop in pixels (default: %(default)s)")
    parser.add_argument(
        "--extent",
        type=float,
        default=1.9,
        help="side of a crop over the longer side of the face's tight landmark box (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def _check(args: argparse.Namespace) -> None:
    """Options that go together; wrong usage ends the program."""
    if args.dataset != "300w":
        if len(args.folders) > 1 or args.wflw:
            args.usage_error(f"--dataset {args.dataset} takes one DIR, the data set's own, and no --wflw")
        for option in ("visibility", "merl_rav", "celebamask", "teacher"):
            if getattr(args, option) is not None:
                args.usage_error(f"--{option.replace('_', '-')} is of 68 points; leave out --dataset {args.dataset}")
    if args.teacher is None and (args.unlabelled or args.validation_share is not None):
        args.usage_error("--unlabelled and --validation-share say what a network labels: they go with --teacher")
    if args.apart_from and not args.unlabelled:
        args.usage_error("--apart-from says what --unlabelled leaves out: it goes with it")
    check_own_options(args)


def run(args: argparse.Namespace) -> int:
    """Pack, print the number of faces, list what was left out."""
    _check(args)
    from occlumark.data.celebamask import read_celebamask
    from occlumark.data.data_sets import faces_for_training
    from occlumark.data.merl_rav import read_merl_rav
    from occlumark.data.own import is_annotation_file
    from occlumark.data.pack import PackConfig, write_pack
    from occlumark.data.visibility_labels import VisibilityLabels
    from occlumark.data.w300 import read_w300
    from occlumark.data.wflw import read_wflw_points
    from occlumark.data.wflw_to_68 import to_68
    from occlumark.errors import AnnotationError
    from occlumark.markup import W300

    try:
        config = PackConfig(size=args.size, extent=args.extent)
    except ValueError as error:
        args.usage_error(f"argument --size or --extent: {error}")
    around: Literal["tight", "official"] = "tight"
    if args.markup or any(map(is_annotation_file, args.folders)) or args.lists or args.photos or args.boxes:
        samples, problems = _own(args)
        around = "official"
    elif args.dataset != "300w":
        samples, problems = faces_for_training(args.dataset, args.folders[0])
    else:
        samples, problems = read_w300(args.folders)
    for folder in args.wflw:
        more, unusable = read_wflw_points(folder)
        samples += map(to_68, more)
        problems += unusable
    if args.visibility is not None:
        faces = len(samples)
        samples, unusable = VisibilityLabels.read(args.visibility).apply(samples)
        problems += unusable
        with_label = len(unusable) + sum(sample.unknown is not None for sample in samples)
        if not with_label:
            raise AnnotationError(f"{args.visibility} has no label of any of the {faces} faces: its paths name others")
        print(f"{with_label} of {faces} faces have a label in {args.visibility}")
    if args.merl_rav is not None:
        more, unusable = read_merl_rav(args.merl_rav)
        samples, problems = [*samples, *more], [*problems, *unusable]
    if args.celebamask is not None:
        more, unusable = read_celebamask(args.celebamask, _landmarks_by_the_default_network())
        samples, problems = [*samples, *more], [*problems, *unusable]
    if args.teacher is not None:
        samples, unusable = _teach(args, samples)
        problems += unusable
    packed, unreadable = write_pack(samples, args.out, config, around)
    problems += unreadable
    points = "" if samples[0].markup == W300 else f" with {samples[0].markup.n} points"
    print(f"packed {packed} faces{points} of {config.size} x {config.size} pixels into {args.out}")
    report_left_out(problems)
    return 1 if problems else 0


def _teach(args: argparse.Namespace, samples: "list[Sample]") -> "tuple[list[Sample], list[Problem]]":
    """The samples with a network's labels worked in, and those that it labels alone; says how many were left out.

    And faces that cannot be used, of --apart-from as well: their copies would be packed.
    """
    from occlumark.data.teacher import label_faces, read_boxed_faces, teach, without_copies
    from occlumark.data.w300 import read_w300
    from occlumark.detect import Detector

    detector = Detector(model=args.teacher, threads=1)
    if args.unlabelled and not detector.has_expected_error:
        args.usage_error(f"--teacher {args.teacher} cannot label --unlabelled faces: it predicts no expected error")
    boxed = [face for folder in args.unlabelled for face in read_boxed_faces(folder)]
    labelled, unsure, unusable = label_faces(boxed, lambda photo, boxes: detector.detect(photo, boxes))
    apart, problems = read_w300(args.apart_from) if args.apart_from else ([], [])
    labelled, copies = without_copies(labelled, [*samples, *apart])
    if boxed:
        print(
            f"{len(labelled)} of {len(boxed)} faces labelled by {args.teacher}, of {len(unsure)} it is not sure, "
            f"{len(copies)} are near copies"
        )
    share = _VALIDATION if args.validation_share is None else args.validation_share
    return [*teach(samples, lambda photo, boxes: detector.detect(photo, boxes), share, 0), *labelled], [
        *unusable,
        *problems,
    ]


def _own(args: argparse.Namespace) -> "tuple[list[Sample], list[Problem]]":
    """Faces of one's own, with the boxes that training takes."""
    from occlumark.data.finder_boxes import with_finder_boxes
    from occlumark.data.own import read_own
    from occlumark.finder import NetworkFinder
    from occlumark.markup import named_markup

    if args.dataset != "300w" or args.wflw or args.visibility or args.merl_rav or args.celebamask or args.teacher:
        args.usage_error("photos of your own are packed by themselves, without --dataset, --wflw or labels of others")
    samples, problems = read_own(args.folders, named_markup(args.markup or "300w"), args.photos, args.lists)
    if args.boxes != "annotated":
        samples, found = with_finder_boxes(samples, NetworkFinder())
        print(f"the face finder found {found} of {len(samples)} annotated faces", file=sys.stderr)
    return samples, problems


def _landmarks_by_the_default_network() -> "Callable[[np.ndarray, np.ndarray], np.ndarray]":
    from occlumark.detect import Detector

    detector = Detector()
    return lambda photo, box: detector.detect(photo, box[None])[0].landmarks
