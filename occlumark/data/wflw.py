"""WFLW: 98 points of faces in the wild, as a folder of photos with a .pts beside each."""

from pathlib import Path

from occlumark.data.sample import Problem, Sample
from occlumark.data.w300 import read_w300

N_WFLW = 98


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
