"""What the tables and figures are made of: where it lies, and what to say where it does not."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from occlumark.errors import OcclumarkError


class MissingInputError(OcclumarkError):
    """Data or a package that a target needs is not here. The target is skipped and its committed result stays."""


@dataclass(frozen=True)
class Inputs:
    """Where a target reads and writes."""

    shared: Path
    """The research data beside the repository; it may be missing."""
    results: Path
    """Where pages, tables and pictures go; per-photo errors are read from errors/ in it."""

    @property
    def errors(self) -> Path:
        """The per-photo errors of the networks."""
        return self.results / "errors"

    @property
    def logs(self) -> Path:
        """The logs of the trainings."""
        return self.results.parent / "logs"

    def data(self, *parts: str) -> Path:
        """A file or folder of the research data.

        Raises:
            MissingInputError: it is not here.
        """
        path = self.shared.joinpath("data", *parts)
        if not path.exists():
            raise MissingInputError(f"no {path}; name the research data's folder by --shared DIR (make: SHARED=DIR)")
        return path


def need_package(name: str, extra: str) -> None:
    """Make sure that a package is installed.

    Raises:
        MissingInputError: it is not.
    """
    if importlib.util.find_spec(name) is None:
        raise MissingInputError(f"{name} is not installed; install it: pip install '.[{extra}]' in a clone")
