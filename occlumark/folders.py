"""Searching folders."""

import os


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
