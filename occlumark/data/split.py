"""The validation part: some of the training photos, chosen by their names alone."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

# `100040721_2` is the second face of photo 100040721, `image_0002` is a photo of its own.
_SIBLING = re.compile(r"(.*\d{3} ?)_\d{1,2}")


def split_validation(
    names: Sequence[str], share: float, seed: int, groups: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Divide samples into a training and a validation part, so that no photo has faces in both.

    A sample's side depends on its photo's name and the seed alone: adding photos moves no other.

    Args:
        names: the samples' names.
        share: of the photos that go to validation, 0 up to, not including, 1; met in expectation.
        seed: another one chooses other photos.
        groups: for each sample the name of its group, which stays on one side, that of validation where one of its
            photos is chosen; empty: of none. None: there are no groups.

    Returns:
        The indices of the training samples and of the validation samples, each ascending.

    Raises:
        ValueError: share is out of its range.
    """
    if not 0 <= share < 1:
        raise ValueError(f"the validation share is at least 0 and below 1, not {share}")
    chosen = np.array([hash_fraction(photo_identity(name), seed) < share for name in names], dtype=bool)
    if groups is not None:
        drawn_in = {group for group, is_chosen in zip(groups, chosen, strict=True) if group and is_chosen}
        chosen |= np.array([group in drawn_in for group in groups], dtype=bool)
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def photo_identity(name: str) -> str:
    """What the samples of one photo have in common: the file's name without folder, suffix and face number.

    `helen/trainset/100040721_2.jpg` and `crowd.jpg#2` are faces of `100040721` and `crowd`.
    """
    stem = PurePosixPath(name.partition("#")[0]).stem
    match = _SIBLING.fullmatch(stem)
    return match[1] if match else stem


def hash_fraction(identity: str, seed: int) -> float:
    """A number in 0..1, uniform over identities, and the same on every machine."""
    digest = hashlib.sha256(f"{seed}:{identity}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def whole_photos(names: Sequence[str], training: np.ndarray, validation: np.ndarray) -> np.ndarray:
    """Those of the validation samples of whose photo no face is for training, WFLW's siblings (`..__2.jpg`) included.

    Args:
        names: of all samples.
        training: their indices by split_validation.
        validation: the same.
    """
    trained = {_whole_photo(names[i]) for i in training}
    return np.array([i for i in validation if _whole_photo(names[i]) not in trained], dtype=int)


def _whole_photo(name: str) -> str:
    return re.sub(r"__\d+$", "", photo_identity(name))
