"""`occlumark check-data`: whether a copy of a data set is complete."""

import argparse
from pathlib import Path

from occlumark.cli.options import picture_name
from occlumark.errors import one_line

#: How many missing files are named.
_NAMED = 20
_NAMES = ("300w", "cofw", "cofw68", "aflw", "wflw")  # data.check.CHECKS, which --help need not load
_DESCRIPTION = """\
Count the usable faces of a data set's parts beside the published counts, and name what is missing or unusable.

Where each data set is to be had, and what lies where in its folder: docs/datasets.md. cofw, and cofw68 with photos,
need pip install '.[data]' in a clone. The exit code is 0 when the copy is complete, 1 when it is not.
"""
_EXAMPLE = """\
example:
  occlumark check-data wflw WFLW --sheet wflw.png
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "check-data",
        help="say whether a copy of a data set is complete",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", choices=_NAMES, help=f"the data set: {', '.join(_NAMES)}")
    parser.add_argument("folder", metavar="DIR", type=Path, help="where the copy is")
    parser.add_argument("--sheet", metavar="FILE", type=picture_name, help="a picture of some faces with landmarks")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the counts and what is missing; draw the sheet."""
    from occlumark.data.check import CHECKS
    from occlumark.data.face_sheet import face_sheet
    from occlumark.photo import write_photo

    check = CHECKS[args.name](args.folder)
    width = max(len(part.name) for part in check.parts)
    for part in check.parts:
        official = f" of {part.official:>6,}" if part.official is not None else " " * 10
        print(f"{part.name:<{width}}  {part.found:>6,}{official}  {part.note}".rstrip())
    if check.problems:
        print(f"missing or unusable: {len(check.problems):,}")
    for problem in check.problems[:_NAMED]:
        print(f"  {one_line(problem.name)}: {one_line(problem.reason)}")
    if len(check.problems) > _NAMED:
        print(f"  and {len(check.problems) - _NAMED:,} more")
    print("complete" if check.complete else "not complete")
    if args.sheet:
        sheet, unreadable = face_sheet(check.samples)
        write_photo(args.sheet, sheet)
        for problem in unreadable:
            print(f"not on the sheet: {one_line(problem.name)}: {one_line(problem.reason)}")
        print(args.sheet)
        if unreadable:
            return 1
    return 0 if check.complete else 1
