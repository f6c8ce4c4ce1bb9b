"""What could not be used, told on standard error, and tables that have nowhere to lie."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from occlumark.errors import OcclumarkError, one_line

if TYPE_CHECKING:
    from occlumark.data.sample import Problem

#: How many of what was left out are named.
_NAMED = 20


def check_table(path: Path | None) -> None:
    """Refuse a table that has no folder to lie in, before anything is measured.

    Raises:
        OcclumarkError: there is no such folder.
    """
    if path and not path.parent.is_dir():
        raise OcclumarkError(f"cannot write {path}: no folder {path.parent}; make it first")


def is_one_file(first: Path, second: Path) -> bool:
    """Whether two names are one file's, there already or not."""
    if first.exists() and second.exists():
        return first.samefile(second)
    return os.path.realpath(first) == os.path.realpath(second)


def report_skipped(problems: "Sequence[Problem]") -> None:
    """List what was skipped, a line each."""
    for problem in problems:
        print(f"occlumark: skipped {one_line(problem.name)}: {one_line(problem.reason)}", file=sys.stderr)


def report_left_out(problems: "Sequence[Problem]") -> None:
    """List the first of what was left out, a line each, and how many there are."""
    for problem in problems[:_NAMED]:
        print(f"occlumark: left out {one_line(problem.name)}: {one_line(problem.reason)}", file=sys.stderr)
    if len(problems) > _NAMED:
        print(f"occlumark: left out {len(problems) - _NAMED:,} more; {len(problems):,} in all", file=sys.stderr)
