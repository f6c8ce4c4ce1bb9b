"""Files and folders by path or URL, through PyArrow's file systems: a local disk, s3://, gs://, hdfs:// and others."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import fs

from occlumark.errors import OcclumarkError

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

    def is_folder(self) -> bool:
        """Whether there is a folder of that name, or objects below it."""
        return bool(self._info().type == fs.FileType.Directory)

    def exists(self, name: str = "") -> bool:
        """Whether there is such a file or folder below it; itself where no name is given."""
        return bool(self._info(name).type != fs.FileType.NotFound)

    def files(self) -> list[str]:
        """Names of the files below it, its subfolders' too, relative to it, sorted; none where it is not there."""
        selector = fs.FileSelector(self.path, allow_not_found=True, recursive=True)
        infos = _told(self.place, lambda: self._files.get_file_info(selector))
        prefix = self.path.rstrip("/") + "/"
        return sorted(info.path.removeprefix(prefix) for info in infos if info.type == fs.FileType.File)

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
        """Write a file below it, whole or not at all; one of that name is replaced, also by several at once.

        A file system's file takes its name when it is whole. An object store shows no object before it is whole.
        """

        def put() -> None:
            self._files.create_dir(self.path, recursive=True)
            target = self._at(name)
            if not _renames(self._files):
                with self._files.open_output_stream(target) as file:
                    file.write(content)
                return
            # A dot: readers of a folder of Parquet files pass over it.
            place = f"{self.path}/.{name}.{uuid.uuid4().hex}.part"
            try:
                with self._files.open_output_stream(place) as file:
                    file.write(content)
                self._files.move(place, target)
            except BaseException:
                if self._files.get_file_info(place).type != fs.FileType.NotFound:
                    self._files.delete_file(place)
                raise

        _told(self._shown(name), put)

    def _at(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{name}" if name else self.path

    def _shown(self, name: str) -> str:
        return f"{self.place.rstrip('/')}/{name}" if name else self.place

    def _info(self, name: str = "") -> Any:
        return _told(self._shown(name), lambda: self._files.get_file_info(self._at(name)))


def _renames(files: fs.FileSystem) -> bool:
    """Whether a file has its name before it is whole, and can be given one at once."""
    return files.type_name in ("local", "hdfs")


def _told(place: str, do: Callable[[], T]) -> T:
    """Do it; what goes wrong is one line that names the place."""
    try:
        return do()
    except FileNotFoundError as error:
        raise OcclumarkError(f"no such file or folder: {place}") from error
    except (OSError, pa.ArrowException) as error:
        raise OcclumarkError(f"cannot use {place}: {' '.join(str(error).split())[:300]}") from error
