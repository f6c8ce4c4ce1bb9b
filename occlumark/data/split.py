"""The validation part: some of the training photos, chosen by their names alone."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

# `100040721_2` is the second face of photo 100040721, `image_0002` is a photo of its own.
_SIBLING = re.compile(r"(.*\d{3} ?)_\d{1,2}")
# `afwlp_AFW_1051618982_1_11` is view 11 of AFW's `1051618982_1`, turned by a 3D model (300W-LP).
_VIEW = re.compile(r"afwlp_AFW_(.*)_\d+")


def split_validation(
    names: Sequence[str], share: float, seed: int, groups: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Divide samples into a training and a validation part, so that no photo has faces in both.

    A sample's side depends on its photo's name and the seed alone, and on the photo's other faces where it has several
    under names of their own: adding photos moves no other.

    Where that would leave a part empty, as it may of few photos or of numbered names (`shoot_001_01.jpg` and so on,
    which count as faces of one photo), each file is a photo and the share is met as nearly as can be.

    Args:
        names: the samples' names.
        share: of the photos that go to validation, 0 up to, not including, 1; met in expectation. A photo whose faces
            have names of their own (WFLW's `..__2.jpg`) is drawn once for each of them.
        seed: another one chooses other photos.
        groups: for each sample the name of its group, which stays on one side, that of validation where one of its
            photos is chosen; empty: of none. None: there are no groups.

    Returns:
        The indices of the training samples and of the validation samples, each ascending.

    Raises:
        ValueError: share is out of its range.
    """
    chosen = _drawn(names, share, seed, groups)
    photos = [whole_photo(name) for name in names]
    before = -1
    while before != (before := int(chosen.sum())):  # a group may bring in a photo, and that one another group
        chosen |= _among(photos, chosen)
        if groups is not None:
            chosen |= _among(groups, chosen)
    files = _files(names, groups)
    if share and len(set(files)) > 1 and chosen.all() == chosen.any():
        chosen = _by_files(files, share, seed)
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def held_out_whole(
    names: Sequence[str], share: float, seed: int, groups: Sequence[str] | None = None, *, by_groups: bool = True
) -> np.ndarray:
    """Those samples that runs up to the third occlumark's left out together with every other face of their photo.

    These runs drew the faces of a photo one by one where they have names of their own, so that one could be held out
    and another be trained on. What they left out is held out by split_validation, too.

    Args:
        names, share, seed, groups: as of split_validation.
        by_groups: whether the runs knew the groups. Of runs that did not, a face is left out with none of its group, so
            those of whose group another was not drawn are none of what is returned.

    Returns:
        Their indices, ascending.
    """
    chosen = _drawn(names, share, seed, groups if by_groups else None)
    photos = [whole_photo(name) for name in names]
    trained_on = _among(photos, ~chosen)
    if groups is not None and not by_groups:
        trained_on |= _among(groups, ~chosen)
    return np.flatnonzero(chosen & ~trained_on)


def _drawn(names: Sequence[str], share: float, seed: int, groups: Sequence[str] | None) -> np.ndarray:
    """(n,) bool: which samples are chosen by their own names or for their groups."""
    if not 0 <= share < 1:
        raise ValueError(f"the validation share is at least 0 and below 1, not {share}")
    chosen = np.array([hash_fraction(photo_identity(name), seed) < share for name in names], dtype=bool)
    return chosen if groups is None else chosen | _among(groups, chosen)


def _files(names: Sequence[str], groups: Sequence[str] | None) -> list[str]:
    """Of each sample its photo's file, or its group."""
    files = [name.partition("#")[0] for name in names]
    if groups is None:
        return files
    return [f"group {group}" if group else file for file, group in zip(files, groups, strict=True)]


def _by_files(files: Sequence[str], share: float, seed: int) -> np.ndarray:
    """(n,) bool: the samples of so large a share of the files, at least one and not all."""
    ranked = sorted(set(files), key=lambda file: hash_fraction(file, seed))
    count = min(max(1, round(share * len(ranked))), len(ranked) - 1)
    taken = set(ranked[:count])
    return np.array([file in taken for file in files], dtype=bool)


def _among(groups: Sequence[str], chosen: np.ndarray) -> np.ndarray:
    """(n,) bool: which samples are of a group that has a chosen one; the empty group is none."""
    found = {group for group, is_chosen in zip(groups, chosen, strict=True) if group and is_chosen}
    return np.array([group in found for group in groups], dtype=bool)


def photo_identity(name: str) -> str:
    """What the samples of one photo have in common: the file's name without folder, suffix and face number.

    `helen/trainset/100040721_2.jpg` and `crowd.jpg#2` are faces of `100040721` and `crowd`, and
    `afw_large_pose/afwlp_AFW_1051618982_1_11.jpg` one of AFW's `1051618982`.
    """
    stem = PurePosixPath(name.partition("#")[0]).stem
    view = _VIEW.fullmatch(stem)
    stem = view[1] if view else stem
    match = _SIBLING.fullmatch(stem)
    return match[1] if match else stem


def hash_fraction(identity: str, seed: int) -> float:
    """A number in 0..1, uniform over identities, and the same on every machine."""
    digest = hashlib.sha256(f"{seed}:{identity}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def whole_photo(name: str) -> str:
    """Its photo, also where the faces of one photo are numbered by WFLW's `__2`: which photo_identity leaves there, as
    held-out photos are drawn by it."""
    return re.sub(r"__\d+$", "", photo_identity(name))
