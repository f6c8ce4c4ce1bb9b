"""Run a network on a data set and keep the error of every photo: `python -m paper errors`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from occlumark.data.aflw import N_TRAIN, read_aflw
from occlumark.data.cofw68 import read_cofw68
from occlumark.data.sample import Problem, Sample
from occlumark.data.w300 import read_w300
from occlumark.detect import Detector
from occlumark.errors import AnnotationError
from occlumark.evaluation.landmarks import BoxSource, Evaluation, evaluate
from occlumark.face import Face
from occlumark.metrics.landmarks import Normaliser, face_sizes, nme
from paper.photo_errors import PhotoErrors

COMMON = ("lfpw/testset", "helen/testset")
CHALLENGING = "ibug"


class Detects(Protocol):
    """What is measured: a Detector, or what answers like one."""

    def detect(self, photo: np.ndarray, boxes: np.ndarray) -> Sequence[Face]:
        """One Face for each of the boxes."""


def errors_on_300w(folder: Path, detector: Detector, box: BoxSource, limit: int | None = None) -> PhotoErrors:
    """Inter-ocular errors on 300W's Common and Challenging photos.

    Args:
        folder: holds lfpw/testset, helen/testset and ibug.
        detector: what is measured.
        box: where the face boxes come from.
        limit: this many faces alone, evenly spaced.

    Raises:
        AnnotationError: a face cannot be used, or the folders cannot be read.
    """
    roots = [folder / name for name in (*COMMON, CHALLENGING)]
    result = evaluate(roots, detector, box, "inter_ocular", limit)
    _refuse([problem for problem in result.skipped if problem.name not in result.missed])
    samples = {sample.name: sample for sample in read_w300(roots)[0]}
    names = sorted([*result.names, *result.missed])
    sizes = [face_sizes(samples[name].landmarks[None], "inter_ocular")[0] for name in names]
    subsets = [frozenset({"challenging" if name.startswith(f"{CHALLENGING}/") else "common"}) for name in names]
    errors, boxes, sides = zip(*(_found(result, name) for name in names), strict=True)
    return PhotoErrors(
        names, subsets, np.array(errors), "inter_ocular", np.array(sizes), list(boxes), np.array(sides, float)
    )


def _found(result: Evaluation, name: str) -> tuple[float, str, tuple[float, float]]:
    if name in result.missed:
        return np.nan, "none", (np.nan, np.nan)
    i = result.names.index(name)
    width, height = result.boxes[i, 2:] - result.boxes[i, :2]
    return float(result.errors[i]), "tight" if name in result.fallback else result.box, (width, height)


def errors_on_cofw68(annotations: Path, photos: Path, detector: Detects) -> PhotoErrors:
    """Inter-ocular errors on the 507 faces of COFW68 from their official boxes.

    Args:
        annotations: COFW68 as published.
        photos: where COFW_test_color.mat is.
        detector: of 68 points.

    Raises:
        AnnotationError: a face cannot be used, or the data set cannot be read.
        OcclumarkError: scipy or h5py is not installed.
    """
    samples, problems = read_cofw68(annotations, photos)
    _refuse(problems)
    return _errors(samples, detector, "inter_ocular")


def errors_on_aflw(folder: Path, detector: Detects, n_train: int = N_TRAIN) -> PhotoErrors:
    """Errors over the box width on AFLW's test faces, from the boxes of the published list.

    Args:
        folder: AFLWinfo_release.mat and the photos.
        detector: of 19 points.
        n_train: as in read_aflw.

    Raises:
        AnnotationError: a face cannot be used, or the list cannot be read.
        OcclumarkError: scipy is not installed.
    """
    samples, problems = read_aflw(folder, n_train)
    _refuse(problems)
    return _errors([sample for sample in samples if "full" in sample.subsets], detector, "box_width")


def _errors(samples: Sequence[Sample], detector: Detects, normaliser: Normaliser) -> PhotoErrors:
    errors, sizes, sides = [], [], []
    for sample in tqdm(samples, "measuring", unit="face", disable=None):
        if sample.official_box is None:
            raise AnnotationError(f"{sample.name} has no official box; this data set is measured from them")
        box = sample.official_box[None]
        (face,) = detector.detect(sample.read_photo(), box)
        found, truth = face.landmarks[None], sample.landmarks[None]
        if found.shape != truth.shape:
            raise AnnotationError(f"the network has {found.shape[1]} points, {sample.name} {truth.shape[1]}")
        size_box = box if normaliser == "box_width" else None
        errors.append(nme(found, truth, normaliser, size_box)[0])
        sizes.append(face_sizes(truth, normaliser, size_box)[0])
        sides.append(box[0, 2:] - box[0, :2])
    return PhotoErrors(
        [sample.name for sample in samples],
        [sample.subsets for sample in samples],
        np.array(errors),
        normaliser,
        np.array(sizes),
        ["official"] * len(samples),
        np.array(sides),
    )


def _refuse(problems: Sequence[Problem]) -> None:
    """A published set is measured whole or not at all."""
    if problems:
        first = f"{problems[0].name}: {problems[0].reason}"
        raise AnnotationError(f"{len(problems)} faces cannot be used; `occlumark check-data` lists them; first {first}")
