"""The networks that come with the package: their files by name, and which one is the default."""

import json
from pathlib import Path
from typing import TypedDict

from occlumark.errors import CheckpointError

#: The landmark network that detection takes where the caller names none.
DEFAULT_MODEL = "occlumark"

_FOLDER = Path(__file__).with_name("weights")
# The face finder's name in the table; every other name there is a landmark network's.
_FINDER = "finder"


class _Entry(TypedDict):
    file: str
    sha256: str


def packaged_weights(model: str) -> tuple[Path, str]:
    """A packaged landmark network's file and the SHA-256 recorded for it.

    Raises:
        CheckpointError: the package carries no landmark network of this name, or its table is broken.
    """
    networks = _networks()
    models = packaged_names()
    if model not in models:
        raise CheckpointError(f"no packaged model '{model}'; there is {', '.join(models) or 'none'}")
    return networks[model]


def packaged_names() -> tuple[str, ...]:
    """The landmark networks of the package, by name."""
    return tuple(sorted(set(_networks()) - {_FINDER}))


def packaged_finder() -> tuple[Path, str]:
    """The packaged face finder's file and the SHA-256 recorded for it.

    Raises:
        CheckpointError: the package carries none, or its table is broken.
    """
    networks = _networks()
    if _FINDER not in networks:
        raise CheckpointError(f"no face finder in {_FOLDER}; install the package again")
    return networks[_FINDER]


def _networks() -> dict[str, tuple[Path, str]]:
    return {name: (_FOLDER / entry["file"], entry["sha256"]) for name, entry in _table().items()}


def _table() -> dict[str, _Entry]:
    table = _FOLDER / "weights.json"
    try:
        entries: dict[str, _Entry] = json.loads(table.read_bytes())
        for entry in entries.values():
            entry["file"], entry["sha256"] = str(entry["file"]), str(entry["sha256"])
    except OSError as error:
        raise CheckpointError(f"cannot read weights {table}: {error.strerror}") from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{table} is broken; install the package again") from error
    return entries
