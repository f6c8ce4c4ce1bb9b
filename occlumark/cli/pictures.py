"""Where `occlumark detect` draws to: a picture's name, or one in a folder for each photo."""

import argparse
import itertools
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from occlumark.errors import PhotoError

#: The photo that stands for standard input.
STDIN = Path("-")

# What no folder is called: a picture was meant, or something that we do not write.
_FILES = """
    .ai .arw .avi .bmp .cr2 .cr3 .csv .dng .eps .exr .hdr .html .ico .jpg .json .jsonl .jxl .m4v .mkv .mov .mp4 .nef
    .pdf .ps .psd .qoi .raw .rw2 .svg .tga .txt .webm .xcf .zip
"""
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
    from occlumark.photo import PHOTO_SUFFIXES, WRITTEN_SUFFIXES

    if args.box and len(photos) != 1:
        args.usage_error(f"--box goes with one photo, not {len(photos)}")
    if args.out is None:
        for option in ("overlay", "errors"):
            if getattr(args, option):
                args.usage_error(f"--{option} draws: it goes with --out")
        return itertools.repeat(None)
    suffix = args.out.suffix.lower()
    if args.out.is_dir() or suffix not in PHOTO_SUFFIXES.union(_FILES.split()):
        return iter(_not_among(photos, names_in_folder(args.out, photos)))
    if suffix not in WRITTEN_SUFFIXES:
        args.usage_error(f"--out writes {', '.join(WRITTEN_SUFFIXES)}, not {suffix}; or name a folder")
    if len(photos) != 1:
        args.usage_error(f"--out {args.out} is one picture, but there are {len(photos)} photos; name a folder")
    return iter(_not_among(photos, [args.out]))


def names_in_folder(folder: Path, photos: list[Path]) -> list[Path]:
    """`name-faces.jpg` for each photo, numbered where photos share a name, also one in capitals.

    Names are cut off where they would be longer than file systems take.
    """
    seen: Counter[str] = Counter()
    names = []
    for photo in photos:
        # Room for the number: so many photos that share a name are not met.
        stem = cut_name("stdin" if photo == STDIN else photo.stem, LONGEST_NAME - len("-faces-123456789.jpg"))
        seen[stem.casefold()] += 1
        number = f"-{count}" if (count := seen[stem.casefold()]) > 1 else ""
        names.append(folder / f"{stem}-faces{number}.jpg")
    return names


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
