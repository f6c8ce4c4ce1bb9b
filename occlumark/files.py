"""Files written whole or not at all, and the search of folders."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from occlumark.errors import OcclumarkError


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name only when the block ends well; until then it is `path.partial` beside it.

    When the block stops early, by an error, Ctrl-C or a full disk, nothing of it stays, and a file that had the name
    before is as it was.

    Args:
        path: the file to write.

    Returns:
        The file, open for binary writing; it may be sought.

    Raises:
        OcclumarkError: it cannot be written.
    """
    if os.path.isdir(path):  # noqa: PTH112 - where nobody may look, opening says so
        raise OcclumarkError(f"cannot write {path}: it is a folder; name a file")
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OcclumarkError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it has its name by now, or was never made
            partial.unlink()


def files_below(folder: str) -> list[str]:
    """Every file below a folder, its subfolders' included.

    Names that start with a dot are left out, of files and of folders. Symbolic links are followed; a folder that is
    reached a second time, by a link to it or around a loop, is not searched again.

    Args:
        folder: its own name may start with a dot.

    Returns:
        Paths that begin with the folder's, in no order.

    Raises:
        OSError: a folder cannot be listed.
    """
    found = []
    seen = {_identity(folder)}
    for parent, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        found += [os.path.join(parent, name) for name in names if not name.startswith(".")]  # noqa: PTH118 - fast
        shown = sorted(name for name in folders if not name.startswith("."))
        folders.clear()  # os.walk goes on with what is left in it
        for name in shown:
            identity = _identity(os.path.join(parent, name))  # noqa: PTH118
            if identity not in seen:
                seen.add(identity)
                folders.append(name)
    return found


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116
    return status.st_dev, status.st_ino


def _raise(error: OSError) -> None:
    raise error
