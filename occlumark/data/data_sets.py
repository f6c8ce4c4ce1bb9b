"""The data sets by name: how each is read, how many points its faces have, which are for training and for testing."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from occlumark.data.aflw import DATABASE_FILE, LIST_FILE, N_AFLW, N_TRAIN, read_aflw, read_aflw_database
from occlumark.data.aflw_table import TABLE_FILE, read_aflw_table
from occlumark.data.cofw import N_COFW, read_cofw
from occlumark.data.cofw68 import read_cofw68
from occlumark.data.sample import Problem, Sample
from occlumark.data.wflw import ATTRIBUTES, N_WFLW, read_wflw, read_wflw_points
from occlumark.errors import AnnotationError
from occlumark.markup import N_LANDMARKS

Read = tuple[list[Sample], list[Problem]]


class DataSet(NamedTuple):
    """A data set other than 300W, whose folders are its parts."""

    n_landmarks: int
    """Of its markup."""
    read: Callable[[Path], Read]
    """All its faces, from its folder."""
    tests: tuple[str, ...]
    """The subsets that results are published of; the first holds every face of the test part."""


def read_wflw_any(folder: Path) -> Read:
    """WFLW by its published lists; where its folders are not there, photos with .pts files, of the training part.

    Raises:
        AnnotationError: neither is there, or no usable face.
    """
    if any((folder / name).is_dir() for name in ("WFLW_annotations", "WFLW_images")):
        return read_wflw(folder)
    return read_wflw_points(folder)


def read_aflw_any(folder: Path, n_train: int = N_TRAIN) -> Read:
    """AFLW by its published list; where that is not there, by the table of a reduced copy, else by its database.

    Args:
        folder: of the data set. The database's faces are in no part.
        n_train: as in read_aflw.

    Raises:
        AnnotationError: none of them is there, or no usable face.
    """
    if (folder / LIST_FILE).is_file():
        return read_aflw(folder, n_train)
    if (folder / TABLE_FILE).is_file():
        return read_aflw_table(folder)
    if any((folder / name / DATABASE_FILE).is_file() for name in ("", "data")):
        return read_aflw_database(folder)
    return read_aflw(folder)


DATA_SETS: Mapping[str, DataSet] = MappingProxyType(
    {
        "cofw": DataSet(N_COFW, read_cofw, ("test",)),
        "cofw68": DataSet(N_LANDMARKS, read_cofw68, ("test",)),
        "aflw": DataSet(N_AFLW, read_aflw_any, ("full", "frontal")),
        "wflw": DataSet(N_WFLW, read_wflw_any, ("test", *ATTRIBUTES)),
    }
)


def faces_for_training(name: str, folder: Path) -> Read:
    """The faces of a data set that are for training: its training part, or all where the copy knows no parts.

    What is missing of the test part is no problem here.

    Args:
        name: a key of DATA_SETS.
        folder: of the data set.

    Raises:
        AnnotationError: there are none; or as the data set's own reader.
        OcclumarkError: a package that reads the data set is not installed.
    """
    samples, problems = DATA_SETS[name].read(folder)
    chosen = [sample for sample in samples if not sample.subsets or "train" in sample.subsets]
    if not chosen:
        raise AnnotationError(f"no training face of {name} in {folder}: it has the test part alone")
    return chosen, [problem for problem in problems if problem.part != "test"]


def faces_for_testing(name: str, folder: Path) -> Read:
    """The faces of a data set's test part; arguments, errors and problems as in faces_for_training."""
    samples, problems = DATA_SETS[name].read(folder)
    chosen = [sample for sample in samples if DATA_SETS[name].tests[0] in sample.subsets]
    if not chosen and not any(sample.subsets for sample in samples):
        raise AnnotationError(f"no test face of {name} in {folder}: this copy does not tell the parts")
    if not chosen:
        raise AnnotationError(f"no test face of {name} in {folder}: it has the training part alone")
    return chosen, [problem for problem in problems if problem.part != "train"]
