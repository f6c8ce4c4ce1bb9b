"""Where `occlumark detect` draws to: a picture's name, or one in a folder for each photo."""

import argparse
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from occlumark.errors import PhotoError

#: The photo that stands for standard input.
STDIN = Path("-")

# What no new folder's name ends in: a picture was meant, or something that we do not write.
_SUFFIX = re.compile(r"\.([a-z]{3,5}|ai|ps|gz|cr[23]|rw2|mp[34]|m4v|jp2|j2k)")
_OWN = re.compile(r"(.+)-faces(-\d+)?\.jpg")
#: Bytes of a file's name, at most, on every file system that we know of.
LONGEST_NAME = 255


def picture_paths(args: argparse.Namespace, photos: list[Path]) -> Iterator[Path | None]:
    """Where each photo's picture goes, checked before anything is detected; None for each without --out.

    Args:
        args: what `occlumark detect` was given; wrong usage ends the program.
        photos: in the order of detection.

    Raises:
        PhotoError: a picture would overwrite a photo.
    """
    from occlumark.photo import WRITTEN_SUFFIXES

    if args.box and len(photos) != 1:
        args.usage_error(f"--box goes with one photo, not {len(photos)}")
    if args.out is None:
        for option in ("overlay", "errors"):
            if getattr(args, option):
                args.usage_error(f"--{option} draws: it goes with --out")
        return itertools.repeat(None)
    if args.out == STDIN:
        args.usage_error("--out names a picture or a folder; - is none")
    suffix = args.out.suffix.lower()
    if args.out.is_dir() or not _SUFFIX.fullmatch(suffix):
        return iter(_not_among(photos, names_in_folder(args.out, photos, args.photos)))
    if suffix not in WRITTEN_SUFFIXES:
        args.usage_error(f"--out writes {', '.join(WRITTEN_SUFFIXES)}, not {suffix}; or name a folder that is there")
    if len(photos) != 1:
        args.usage_error(f"--out {args.out} is one picture, but there are {len(photos)} photos; name a folder")
    return iter(_not_among(photos, [args.out]))


def without_own_pictures(photos: list[Path], named: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """The photos without the pictures that names_in_folder would name after them, and these.

    Args:
        photos: found in files, folders and patterns.
        named: these; a picture that is named by itself stays.
    """
    stems, alone = {photo.stem for photo in photos}, {Path(name) for name in named}
    own = [
        photo for photo in photos if (match := _OWN.fullmatch(photo.name)) and match[1] in stems and photo not in alone
    ]
    without = set(own)
    return [photo for photo in photos if photo not in without], own


def names_in_folder(folder: Path, photos: list[Path], named: Sequence[str] = ()) -> list[Path]:
    """`name-faces.jpg` for each photo, numbered where photos share a name, also one in capitals.

    Names are cut off where they would be longer than file systems take.

    Args:
        folder: of the pictures.
        photos: what they are drawn of.
        named: the files, folders and patterns that the photos were found in; a picture goes into the subfolder that its
            photo has in a folder named here.
    """
    roots = [Path(source) for source in named if source != str(STDIN) and Path(source).is_dir()]
    seen: Counter[str] = Counter()
    names = []
    for photo in photos:
        subfolder = _subfolder(photo, roots)
        # Room for the number: so many photos that share a name are not met.
        stem = cut_name("stdin" if photo == STDIN else photo.stem, LONGEST_NAME - len("-faces-123456789.jpg"))
        place = str(subfolder / stem).casefold()
        seen[place] += 1
        number = f"-{count}" if (count := seen[place]) > 1 else ""
        names.append(folder / subfolder / f"{stem}-faces{number}.jpg")
    return names


def _subfolder(photo: Path, roots: Sequence[Path]) -> Path:
    """A photo's folder, seen from the first folder that it was found in."""
    for root in roots:
        if photo.is_relative_to(root) and ".." not in (subfolder := photo.relative_to(root).parent).parts:
            return subfolder
    return Path()


def cut_name(name: str, most: int) -> str:
    """The first bytes of a name, so that no character is cut in two."""
    encoded = os.fsencode(name)
    if len(encoded) <= most:
        return name
    while most and encoded[most] & 0xC0 == 0x80:  # of UTF-8: it goes on what an earlier byte began
        most -= 1
    return os.fsdecode(encoded[:most])


def _not_among(photos: list[Path], pictures: list[Path]) -> list[Path]:
    """The pictures; an error where one would overwrite a photo, by whatever name."""
    files = {(status.st_dev, status.st_ino) for photo in photos if (status := _status(photo))}
    for picture in pictures:
        status = _status(picture)
        if status and (status.st_dev, status.st_ino) in files:
            raise PhotoError(f"picture {picture} would overwrite a photo to detect in; name another --out")
    return pictures


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):  # reading or writing it will say what is wrong
        return None
