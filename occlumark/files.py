"""Files written whole or not at all, folders with one owner, and the search of folders."""

import contextlib
import csv
import errno
import io
import os
import re
import secrets
import stat
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from occlumark.errors import OcclumarkError

#: The lock of a folder that has an owner; it goes when the owner is done.
LOCK_NAME = ".occlumark.lock"

# A dot: no search of a folder finds it. Of a fixed length, as a name may be as long as the file system allows.
_TEMPORARY = ".occlumark-{}.part"
_TEMPORARY_PATTERN = re.compile(r"\.occlumark-[0-9a-f]{16}\.part")

# POSIX alone: a file that a folder's entry became a link to meanwhile is not followed.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)  # Windows alone
# What a system says of a lock that somebody else holds.
_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)

_NO_FILES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}

# Folders whose leftovers this process has removed, by (device, inode).
_cleaned: set[tuple[int, int]] = set()
# Locks that this process holds: a forked child closes its copies, or it would hold them on after our death.
_held: set[int] = set()


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV, as many cells in each row as there are heads; None and "" are empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([heads, *rows])
    return text.getvalue()


def write_csv(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write csv_text's table, whole or not at all.

    Raises:
        OcclumarkError: it cannot be written.
    """
    text = csv_text(heads, rows)
    with written_whole(path) as file:
        file.write(text.encode())


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name only when the block ends well.

    Until then it lies in the same folder under a name that nobody can foresee, made by us alone. When the block stops
    early, by an error, Ctrl-C or a full disk, nothing of it stays, and a file that had the name before is as it was.
    What a killed process left in the folder is removed by the next that writes there. Of two writers the last whole
    file stays. A link is kept and what it points to is replaced; a file that is replaced passes on its permissions.

    Args:
        path: the file to write.

    Returns:
        The file, open for binary writing; it may be sought.

    Raises:
        OcclumarkError: it cannot be written, or is a folder, device, pipe or socket.
    """
    try:
        target, mode = _target(path)
        with suppress(OSError):
            _remove_leftovers(target.parent)
        with _temporary_beside(target, 0o666 if mode is None else 0o600) as (file, temporary):
            yield file
            file.flush()
            if mode is not None:
                os.chmod(temporary, mode)  # noqa: PTH101 - a second name of the file that is open
            os.fsync(file.fileno())
            if sys.platform == "win32":  # no open file takes another name there
                file.close()
            temporary.replace(target)
    except OSError as error:
        raise OcclumarkError(f"cannot write {path}: {error.strerror or error}") from error
    except ValueError as error:  # a name with a zero byte
        if "null" not in str(error):
            raise
        raise OcclumarkError(f"cannot write {path}: {error}") from error


def _target(path: Path) -> tuple[Path, int | None]:
    """Where the file lies, links followed, and the permissions that it has now."""
    # realpath takes "folder/.." and "" for folders as well, and gives up on a loop of links.
    target = Path(os.path.realpath(path))
    try:
        status = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return target, None
    kind = _NO_FILES.get(stat.S_IFMT(status.st_mode))
    if kind:
        raise OcclumarkError(f"cannot write {path}: it is {kind}; name a file")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return target, stat.S_IMODE(status.st_mode)


@contextmanager
def _temporary_beside(target: Path, mode: int) -> Iterator[tuple[BinaryIO, Path]]:
    """A new, locked file in the folder of target; removed at the end, unless it has another name by then."""
    while True:
        temporary = target.with_name(_TEMPORARY.format(secrets.token_hex(8)))
        with open(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY, mode), "w+b") as file:  # noqa: PTH123
            try:
                # Between making and locking it, somebody who cleans may have taken it for a leftover.
                if _lock(file.fileno()) is False or not _is_still(temporary, file.fileno()):
                    continue
                yield file, temporary
                return
            finally:
                with suppress(OSError):  # it has its name by now
                    temporary.unlink()


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of processes that are gone: those that nobody holds a lock on."""
    identity = _identity(str(folder))
    if identity in _cleaned:
        return
    _cleaned.add(identity)
    with os.scandir(folder) as entries:
        found = [entry.path for entry in entries if _TEMPORARY_PATTERN.fullmatch(entry.name)]
    for name in found:
        with suppress(OSError):
            opened = os.open(name, os.O_RDWR | _NO_LINK | _BINARY)
            try:
                if stat.S_ISREG(os.fstat(opened).st_mode) and _lock(opened) and _is_still(name, opened):
                    os.unlink(name)  # noqa: PTH108
            finally:
                os.close(opened)


@contextmanager
def owned_folder(folder: Path) -> Iterator[None]:
    """While the block runs, nobody else gets the folder from this function.

    The lock is the operating system's, on a file LOCK_NAME in the folder: it ends with its owner however that ends, so
    that the file of a killed owner hinders nobody.

    Args:
        folder: made where it is missing, and then removed again if it is empty at the end.

    Raises:
        OcclumarkError: somebody else owns it, or it cannot be made or written.
    """
    path, is_new = folder / LOCK_NAME, not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = _locked(path, folder)
    except OSError as error:
        raise OcclumarkError(f"cannot write the folder {folder}: {error.strerror or error}") from error
    _held.add(opened)
    try:
        yield
    finally:
        _held.discard(opened)
        if sys.platform == "win32":
            os.close(opened)
        with suppress(OSError):
            path.unlink()
            if is_new:
                folder.rmdir()  # where nothing was written there
        if sys.platform != "win32":
            os.close(opened)


def _locked(path: Path, folder: Path) -> int:
    """The lock file, open, locked and with its owner's name in it."""
    while True:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK | _BINARY, 0o666)
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, opened)
            locked = _lock(opened)
            if locked is False:
                owner = os.pread(opened, 200, 0).decode(errors="replace") if hasattr(os, "pread") else ""
                raise OcclumarkError(
                    f"{folder} is in use by {owner.strip() or 'another process'}; wait for it, or name another folder"
                )
            if locked is None:
                warnings.warn(
                    f"{folder} lies on a file system without locks: two runs into it would not be noticed", stacklevel=4
                )
            if _is_still(path, opened):  # its owner may have removed it while we waited
                os.truncate(opened, 0)
                os.write(opened, f"{_own_name()}\n".encode())
                undo.pop_all()
                return opened


def _own_name() -> str:
    import platform

    started = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {platform.node() or 'this machine'}, since {started}"


def _lock(opened: int) -> bool | None:
    """Lock an open file for its holder alone: whether that was possible; None where the file system has no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(opened, 1 << 40, os.SEEK_SET)  # a place that nobody writes to
            msvcrt.locking(opened, msvcrt.LK_NBLCK, 1)
            os.lseek(opened, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _HELD else None
    return True


def _is_still(path: str | Path, opened: int) -> bool:
    """Whether the name is still that of the open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(opened))
    except FileNotFoundError:
        return False


def _close_copies() -> None:
    for opened in _held:
        os.close(opened)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_copies)


def files_below(folder: str, on_error: Callable[[OSError], None] | None = None) -> list[str]:
    """Every file below a folder, its subfolders' included.

    Names that start with a dot are left out, of files and of folders. Symbolic links are followed; a folder that is
    reached a second time, by a link to it or around a loop, is not searched again.

    Args:
        folder: its own name may start with a dot.
        on_error: told of every folder that cannot be listed, by an error that names it; None: the error is raised.

    Returns:
        Paths that begin with the folder's, in no order.

    Raises:
        OSError: the folder itself cannot be looked at, or one cannot be listed and on_error is None.
    """
    found = []
    seen = {_identity(folder)}
    for parent, folders, names in os.walk(folder, onerror=on_error or _raise, followlinks=True):
        found += [os.path.join(parent, name) for name in names if not name.startswith(".")]  # noqa: PTH118 - fast
        shown = sorted(name for name in folders if not name.startswith("."))
        folders.clear()  # os.walk goes on with what is left in it
        for name in shown:
            path = os.path.join(parent, name)  # noqa: PTH118
            try:
                identity = _identity(path)
            except OSError as error:  # it has gone meanwhile
                (on_error or _raise)(error)
                continue
            if identity not in seen:
                seen.add(identity)
                folders.append(name)
    return found


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116
    return status.st_dev, status.st_ino


def _raise(error: OSError) -> None:
    raise error
