"""Files and folders by path or URL, through PyArrow's file systems: a local disk, s3://, gs://, hdfs:// and others."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import fs

from occlumark.errors import OcclumarkError
from occlumark.files import files_below, owned_folder, written_whole

T = TypeVar("T")


class Storage:
    """A place, local or by URL, and what lies below it.

    Args:
        place: a path, or a URL that PyArrow knows.

    Raises:
        OcclumarkError: there is no such kind of URL, or its store cannot be reached.

    Attributes:
        place: as given.
        path: within the file system.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        if "://" in place:
            self._files, self.path = _told(place, lambda: fs.FileSystem.from_uri(place))
        else:
            self._files, self.path = fs.LocalFileSystem(), str(Path(place).absolute())

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine's disks."""
        return isinstance(self._files, fs.LocalFileSystem)

    def is_folder(self) -> bool:
        """Whether there is a folder of that name, or objects below it."""
        return bool(self._info().type == fs.FileType.Directory)

    def exists(self, name: str = "") -> bool:
        """Whether there is such a file or folder below it; itself where no name is given."""
        return bool(self._info(name).type != fs.FileType.NotFound)

    def files(self) -> list[str]:
        """Names of the files below it, its subfolders' too, relative to it, sorted; none where it is not there.

        On a disk those that start with a dot are left out.
        """
        prefix = self.path.rstrip("/") + "/"
        if self.is_local:  # whose names need not be UTF-8, as PyArrow's have to
            found = _told(self.place, lambda: files_below(self.path) if Path(self.path).exists() else [])
        else:
            selector = fs.FileSelector(self.path, allow_not_found=True, recursive=True)
            infos = _told(self.place, lambda: self._files.get_file_info(selector))
            found = [info.path for info in infos if info.type == fs.FileType.File]
        return sorted(path.removeprefix(prefix) for path in found)

    def read(self, name: str = "") -> bytes:
        """A file's content."""

        def content() -> bytes:
            with self._files.open_input_stream(self._at(name)) as file:
                found: bytes = file.read()
            return found

        return _told(self._shown(name), content)

    def open(self, name: str = "") -> pa.NativeFile:
        """A file open for reading at any place."""
        return _told(self._shown(name), lambda: self._files.open_input_file(self._at(name)))

    def write(self, name: str, content: bytes) -> None:
        """Write a file below it, whole or not at all, in place of one of that name. Of two writers the last one stays.

        A file system's file takes its name when it is whole; until then it has one that no other writer has, which a
        writer on HDFS that was killed leaves behind. An object store shows no object before it is whole.
        """

        def put() -> None:
            self._files.create_dir(self.path, recursive=True)
            if self.is_local:
                with written_whole(Path(self._at(name))) as file:
                    file.write(content)
            elif _renames(self._files):
                self._put_renamed(name, content)
            else:
                with self._files.open_output_stream(self._at(name)) as stream:
                    stream.write(content)

        _told(self._shown(name), put)

    def _put_renamed(self, name: str, content: bytes) -> None:
        # A dot: readers of a folder of Parquet files pass over it.
        part = f"{self.path}/.{name}.{secrets.token_hex(8)}.part"
        try:
            with self._files.open_output_stream(part) as stream:
                stream.write(content)
            self._files.move(part, self._at(name))
        except BaseException:
            with contextlib.suppress(OSError):
                self._files.delete_file(part)
            raise

    @contextmanager
    def owned(self) -> Iterator[None]:
        """While the block runs, nobody else gets the folder: files.owned_folder, of a folder on this machine's disks.

        Elsewhere nothing is locked: of two writers of one file the last one's stays.

        Raises:
            OcclumarkError: somebody else has it.
        """
        with owned_folder(Path(self.path)) if self.is_local else contextlib.nullcontext():
            yield

    def _at(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{name}" if name else self.path

    def _shown(self, name: str) -> str:
        return f"{self.place.rstrip('/')}/{name}" if name else self.place

    def _info(self, name: str = "") -> Any:
        return _told(self._shown(name), lambda: self._files.get_file_info(self._at(name)))


def _renames(files: fs.FileSystem) -> bool:
    """Whether a file has its name before it is whole, and can be given one at once; a disk of this machine aside."""
    return bool(files.type_name == "hdfs")


def _told(place: str, do: Callable[[], T]) -> T:
    """Do it; what goes wrong is one line that names the place."""
    try:
        return do()
    except FileNotFoundError as error:
        raise OcclumarkError(f"no such file or folder: {place}") from error
    except UnicodeError as error:
        raise OcclumarkError(f"cannot use {place}: its name is not UTF-8") from error
    except (OSError, pa.ArrowException) as error:
        raise OcclumarkError(f"cannot use {place}: {' '.join(str(error).split())[:300]}") from error
