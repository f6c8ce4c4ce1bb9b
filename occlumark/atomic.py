"""Writing a file whole or not at all."""

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
