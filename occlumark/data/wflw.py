"""WFLW: 98 points of faces in the wild, in its two published lists or as a folder of photos with a .pts beside each.

Whether its coordinates count pixels from 0 or 1 the data set does not say: the lists are taken as indices from 0 of
pixels whose centres are meant. Not in the paper.
"""

from pathlib import Path

import numpy as np

from occlumark.data.annotation import check_landmarks, check_official_box, file_exists, numbered
from occlumark.data.sample import Problem, Sample
from occlumark.data.w300 import read_w300
from occlumark.errors import AnnotationError

N_WFLW = 98
LISTS = {
    part: f"WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{part}.txt"
    for part in ("train", "test")
}
#: What a line's six flags say of the face, in their order.
ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
_NUMBERS = 2 * N_WFLW + 4 + len(ATTRIBUTES)


def read_wflw_points(folder: Path) -> tuple[list[Sample], list[Problem]]:
    """Read every face of 98 points below a folder of photos with a .pts (1-based) beside each.

    Args:
        folder: searched with its subfolders, as read_w300 does.

    Returns:
        The samples in the order of their paths, and every .pts that cannot be used, with the reason.

    Raises:
        AnnotationError: no such folder, or no usable face below it.
    """
    return read_w300([folder], N_WFLW)


def read_wflw(folder: Path) -> tuple[list[Sample], list[Problem]]:
    """Read WFLW as published: WFLW_annotations/ and WFLW_images/.

    A sample's subsets are "train", or "test" with those of ATTRIBUTES that its flags name.

    Args:
        folder: holds both.

    Returns:
        The samples, training faces first, and what cannot be used, with the reason; a missing list is one of these.

    Raises:
        AnnotationError: neither list is there, or no usable face.
    """
    samples: list[Sample] = []
    problems: list[Problem] = []
    for part, name in LISTS.items():
        if (folder / name).is_file():
            found, unusable = _read_list(folder, part)
            samples += found
            problems += unusable
        else:
            problems.append(Problem(name, "no such file", part))
    if not samples:
        raise AnnotationError(f"no usable face of WFLW in {folder}; the first problem: {': '.join(problems[0][:2])}")
    return samples, problems


def _read_list(folder: Path, part: str) -> tuple[list[Sample], list[Problem]]:
    path = folder / LISTS[part]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(f"cannot read {path}: {error}") from error
    rows = [(number, line.split(maxsplit=_NUMBERS)) for number, line in enumerate(lines, start=1) if line.strip()]
    samples, problems = [], []
    names = numbered([row[-1].strip() if len(row) > _NUMBERS else "" for _, row in rows])
    for (number, row), name in zip(rows, names, strict=True):
        try:
            samples.append(_sample(folder, part, name, row))
        except AnnotationError as error:
            where = f"{path.name}, line {number}"
            problems.append(Problem(name or where, f"{where}: {error}", part))
    return samples, problems


def _sample(folder: Path, part: str, name: str, row: list[str]) -> Sample:
    if len(row) != _NUMBERS + 1:
        raise AnnotationError(f"expected {_NUMBERS} numbers and a path, came {len(row)} words")
    try:
        numbers = np.array([float(word) for word in row[:-1]])
    except ValueError as error:
        raise AnnotationError(f"expected {_NUMBERS} numbers and a path: {error}") from error
    landmarks, box, flags = np.split(numbers, (2 * N_WFLW, 2 * N_WFLW + 4))
    landmarks = landmarks.reshape(N_WFLW, 2) + 0.5
    check_landmarks(landmarks)
    check_official_box(box + 0.5)
    if not np.isin(flags, (0, 1)).all():
        raise AnnotationError("a flag is neither 0 nor 1")
    photo = folder / "WFLW_images" / row[-1].strip()
    if not file_exists(photo):
        raise AnnotationError(f"no photo {photo}")
    told = {attribute for attribute, flag in zip(ATTRIBUTES, flags, strict=True) if flag} if part == "test" else set()
    return Sample(name, photo, landmarks, box + 0.5, None, frozenset({part, *told}))
