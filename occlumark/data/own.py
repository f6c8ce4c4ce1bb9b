"""Photos of one's own, annotated in any markup: .pts files, COCO key points or a table; and lists of them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from occlumark.data.coco import read_coco
from occlumark.data.points_table import read_points_table
from occlumark.data.sample import Problem, Sample
from occlumark.data.w300 import read_w300
from occlumark.errors import AnnotationError
from occlumark.markup import Markup

_READERS = {".json": read_coco, ".csv": read_points_table}


def is_annotation_file(source: Path) -> bool:
    """Whether it is a file of many faces (COCO's JSON, a table), no folder of .pts files."""
    return source.suffix.lower() in _READERS and not source.is_dir()


def read_own(
    sources: Sequence[Path], markup: Markup, photos: Path | None = None, lists: Sequence[Path] = ()
) -> tuple[list[Sample], list[Problem]]:
    """Read annotated faces of one markup.

    Args:
        sources: folders of photos with a .pts beside each (w300.read_w300), .json files (coco.read_coco) and .csv
            files (points_table.read_points_table).
        markup: of every face.
        photos: the folder that the photos of .json and .csv files are below; None: each file's own.
        lists: text files with a photo's name a line, as the samples are named; those photos alone are taken, in the
            sources' order. None at all: every photo.

    Returns:
        The samples, a photo's faces numbered, and what cannot be used, with the reason: also names of a list that no
        face has.

    Raises:
        AnnotationError: a source or a list cannot be read, or there is no usable face.
    """
    folders = [source for source in sources if not is_annotation_file(source)]
    samples: list[Sample] = []
    problems: list[Problem] = []
    if folders:
        samples, problems = read_w300(folders, markup.n, markup)
    for source in sources:
        if is_annotation_file(source):
            found, unusable = _READERS[source.suffix.lower()](source, markup, photos)
            samples, problems = [*samples, *found], [*problems, *unusable]
    if lists:
        wanted = [name for path in lists for name in read_list(path)]
        samples, problems = chosen(samples, problems, wanted)
    if not samples:
        first = f"; the first: {problems[0].reason}" if problems else ""
        raise AnnotationError(f"no usable face in {', '.join(map(str, sources))}{first}")
    return samples, problems


def read_list(path: Path) -> list[str]:
    """The photos' names in a text file, a name a line; empty lines are left out.

    Raises:
        AnnotationError: the file cannot be read, or names nothing.
    """
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except OSError as error:
        raise AnnotationError(f"cannot read list {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise AnnotationError(f"list {path} is no text: {error}") from error
    if not any(names):
        raise AnnotationError(f"list {path} names no photo; expected a photo's name a line")
    return [name for name in names if name]


def chosen(
    samples: Sequence[Sample], problems: Sequence[Problem], wanted: Sequence[str]
) -> tuple[list[Sample], list[Problem]]:
    """The samples of wanted photos, and the problems with these; a name that neither has becomes a problem."""
    names = set(wanted)
    by_stem = {PurePosixPath(photo_name(name)).with_suffix(""): name for name in wanted}
    taken = [sample for sample in samples if names & {sample.name, photo_name(sample.name)}]
    met = {each.name for each in taken}
    wrong = []
    for problem in problems:
        told = {problem.name, photo_name(problem.name), *_photos_of(problem.name, by_stem)} & names
        wrong += [problem] if told else []
        met |= told
    met |= {photo_name(name) for name in met}
    absent = [name for name in dict.fromkeys(wanted) if name not in met]
    return taken, [*wrong, *(Problem(name, "in the list, but no face of that photo is annotated") for name in absent)]


def _photos_of(name: str, by_stem: Mapping[PurePosixPath, str]) -> set[str]:
    """The photos that a .pts may be of, which is all that a problem with it names: `a.pts` and `a_2.pts` of `a.jpg`."""
    path = PurePosixPath(name)
    if path.suffix.lower() != ".pts":
        return set()
    stems = (path.with_suffix(""), path.with_name(re.sub(r"_\d+$", "", path.stem) or path.stem))
    return {by_stem[stem] for stem in stems if stem in by_stem}


def photo_name(name: str) -> str:
    """The photo of a face's name, which has `#` and a number after it where a photo has several."""
    photo, sign, number = name.rpartition("#")
    return photo if sign and number.isdigit() else name
