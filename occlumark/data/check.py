"""Is a copy of a data set whole: how many faces of each part are there, beside how many there should be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from occlumark.data.aflw import LIST_FILE
from occlumark.data.cofw import read_cofw
from occlumark.data.cofw68 import read_cofw68
from occlumark.data.data_sets import read_aflw_any, read_wflw_any
from occlumark.data.sample import AbsentPhoto, Problem, Sample
from occlumark.data.w300 import read_w300


class Part(NamedTuple):
    """A part of a data set, counted."""

    name: str
    found: int
    """Usable faces."""
    official: int | None
    """Faces as published; None where publications differ."""
    note: str = ""
    """What else is to be said, in a few words."""


@dataclass(frozen=True)
class Check:
    """What a copy of a data set holds."""

    parts: list[Part]
    samples: list[Sample]
    """The usable faces."""
    problems: list[Problem]
    """The missing and unusable, as far as they are known by name."""

    @property
    def complete(self) -> bool:
        """Every part has as many faces as it should, and nothing is missing or unusable."""
        return not self.problems and all(part.official in (None, part.found) for part in self.parts)


_W300 = {
    "afw": 337,
    "lfpw/trainset": 811,
    "helen/trainset": 2000,
    "lfpw/testset": 224,
    "helen/testset": 330,
    "ibug": 135,
}
#: What the tables of 300W call sets of these folders.
_W300_SETS = {
    "train": ("afw", "lfpw/trainset", "helen/trainset"),
    "Common": ("lfpw/testset", "helen/testset"),
    "Challenging": ("ibug",),
}
# LFPW's photos are image_0001 to the last; these numbers were never among those of 300W.
_LFPW_LAST = {"lfpw/trainset": 871, "lfpw/testset": 239}
_LFPW_NEVER = {
    "lfpw/trainset": (
        *(21, 22, 23, 24, 31, 54, 88, 109, 126, 136, 137, 141, 157, 171, 173, 175, 179, 181, 183, 194, 208, 213, 231),
        *(235, 261, 287, 297, 303, 316, 326, 341, 350, 365, 369, 428, 437, 440, 441, 459, 513, 559, 575, 582, 628),
        *(661, 664, 670, 675, 688, 689, 702, 709, 713, 746, 761, 802, 813, 821, 841, 842),
    ),
    "lfpw/testset": (10, 17, 19, 20, 47, 62, 64, 90, 130, 131, 135, 141, 164, 187, 191),
}
_COFW = {"train": 1345, "test": 507}
_AFLW = {"train": 20_000, "full": 4386}
_WFLW = {"train": 7500, "test": 2500}
_WFLW_TESTS = {"pose": 326, "expression": 314, "illumination": 698, "make-up": 206, "occlusion": 736, "blur": 773}


def check_w300(folder: Path) -> Check:
    """300W in its six folders: afw, ibug, and trainset and testset of lfpw and of helen.

    Raises:
        AnnotationError: no usable face below the folder.
    """
    samples, problems = read_w300([folder])
    names = {sample.name for sample in samples}
    of_set = {part: sum(name.startswith(f"{part}/") for name in names) for part in _W300}
    known = {Path(name).with_suffix("").as_posix() for name in [*names, *(problem.name for problem in problems)]}
    for part, last in _LFPW_LAST.items():
        expected = [f"{part}/image_{n:04d}" for n in range(1, last + 1) if n not in _LFPW_NEVER[part]]
        problems += [Problem(f"{name}.pts", "no such file") for name in expected if name not in known]
    named = {part: sum(problem.name.startswith(f"{part}/") for problem in problems) for part in _W300}
    parts = []
    for part, official in _W300.items():
        unnamed = official - of_set[part] - named[part]
        note = f"{unnamed:,} missing that are not known by name" if unnamed > 0 else ""
        parts.append(Part(part, of_set[part], official, note))
    for name, members in _W300_SETS.items():
        found, official = (sum(counts[member] for member in members) for counts in (of_set, _W300))
        parts.append(Part(name, found, official))
    return Check(parts, samples, problems)


def check_cofw(folder: Path) -> Check:
    """COFW's two files.

    Raises:
        AnnotationError: neither is there, or one is not such a file.
        OcclumarkError: h5py is not installed.
    """
    samples, problems = read_cofw(folder)
    return Check(_parts(samples, _COFW), samples, problems)


def check_cofw68(folder: Path) -> Check:
    """COFW68's annotations, and the photos of COFW's test file, if that is below the folder too.

    Raises:
        AnnotationError: no such annotations.
    """
    samples, problems = read_cofw68(folder)
    absent = [sample.photo for sample in samples if isinstance(sample.photo, AbsentPhoto)]
    photos = Part("with photo", len(samples) - len(absent), None, absent[0].reason if absent else "")
    return Check([*_parts(samples, {"test": 507}), photos], samples, problems)


def check_aflw(folder: Path) -> Check:
    """AFLW by its list AFLWinfo_release.mat; where that is not there, by a reduced copy's table or by its database.

    Raises:
        AnnotationError: none of them is there, or no usable face.
    """
    samples, problems = read_aflw_any(folder)
    if not any(sample.subsets for sample in samples):
        part = Part("all", len(samples), None, f"the database; the paper's parts are in {LIST_FILE}")
        return Check([part], samples, problems)
    frontal = sum("frontal" in sample.subsets for sample in samples)
    note = "1,211 in the published list, 1,165 in the paper, 1,314 elsewhere"
    return Check([*_parts(samples, _AFLW), Part("frontal", frontal, None, note)], samples, problems)


def check_wflw(folder: Path) -> Check:
    """WFLW by its published lists; where its folders are not there, photos with .pts files of its training part.

    Raises:
        AnnotationError: neither is there, or no usable face.
    """
    samples, problems = read_wflw_any(folder)
    if not any(sample.subsets for sample in samples):
        return Check([Part("train", len(samples), _WFLW["train"], ".pts files")], samples, problems)
    return Check(_parts(samples, _WFLW | _WFLW_TESTS), samples, problems)


def _parts(samples: list[Sample], official: Mapping[str, int]) -> list[Part]:
    return [Part(name, sum(name in sample.subsets for sample in samples), n) for name, n in official.items()]


#: The data sets that can be checked, each with its function of a folder.
CHECKS: Mapping[str, Callable[[Path], Check]] = MappingProxyType(
    {"300w": check_w300, "cofw": check_cofw, "cofw68": check_cofw68, "aflw": check_aflw, "wflw": check_wflw}
)
