"""The photos that files, folders and patterns name."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from occlumark.errors import PhotoError
from occlumark.files import files_below
from occlumark.photo.formats import HEAD, PHOTO_SUFFIXES, READ_FORMATS, picture_format


def find_photos(sources: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The photo files that files, folders and glob patterns name, in the order given, each source's sorted.

    Folders are searched with all their subfolders, linked ones too; files and folders whose names start with a dot are
    left out (files.files_below). Taken are files of PHOTO_SUFFIXES, and those whose first bytes are a picture's: of
    these some are of formats that are not read, so that reading them says so beside the other photos. For the same
    reason a subfolder that cannot be listed is kept, and a name that is neither a file, a folder nor a pattern.

    Raises:
        PhotoError: a folder or a pattern without any photo, or a folder named here that cannot be listed.
    """
    photos: list[Path] = []
    for source in [os.fspath(source) for source in sources]:
        if Path(source).is_dir():
            photos += _photos_under(source)
        elif glob.has_magic(source) and not Path(source).exists():
            photos += _photos_matching(source)
        else:
            photos.append(Path(source))
    return photos


def _photos_under(folder: str) -> list[Path]:
    unlisted: list[str] = []
    try:
        os.scandir(folder).close()
        names = files_below(folder, on_error=lambda error: unlisted.append(str(error.filename)))
    except OSError as error:
        raise PhotoError(f"cannot list folder {folder}: {error.strerror}") from error
    found = [name for name in names if _is_photo(name)]
    if not found and not unlisted:
        raise PhotoError(f"no photo in folder {folder}: looked for {READ_FORMATS}")
    return [Path(name) for name in sorted(found + unlisted)]


def _photos_matching(pattern: str) -> list[Path]:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    found = [Path(match) for match in matches if _is_photo(match) and Path(match).is_file()]
    if not found:
        raise PhotoError(f"no photo matches {pattern}: looked for {READ_FORMATS}")
    return found


def _is_photo(name: str) -> bool:
    if os.path.splitext(name)[1].lower() in PHOTO_SUFFIXES:  # noqa: PTH122 - ten times faster than Path
        return True
    try:
        if not os.path.isfile(name):  # noqa: PTH113 - opening a pipe waits for somebody to write
            return False
        with open(name, "rb") as file:  # noqa: PTH123
            return picture_format(file.read(HEAD)) is not None
    except (OSError, ValueError):
        return False  # nobody can tell what it is
