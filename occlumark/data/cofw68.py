"""COFW68: the 507 test faces of COFW, annotated anew with 68 points and occlusion flags; the photos are COFW's own."""

from pathlib import Path

import numpy as np

from occlumark.data.annotation import check_landmarks, check_official_box
from occlumark.data.cofw import box_of_corner_and_size, cofw_test_photos
from occlumark.data.matlab import read_mat, variable
from occlumark.data.sample import AbsentPhoto, Problem, Sample, StoredPhoto
from occlumark.errors import AnnotationError
from occlumark.markup import N_LANDMARKS

BOX_FILE = "cofw68_test_bboxes.mat"
_ABSENT = AbsentPhoto("the photos of COFW68 are COFW's: COFW_test_color.mat is not here")


def read_cofw68(folder: Path, photos: Path | None = None) -> tuple[list[Sample], list[Problem]]:
    """Read the annotations, joined with COFW's test photos where these are at hand.

    Args:
        folder: holds cofw68_test_bboxes.mat and test_annotations/, itself or in its COFW68_Data/.
        photos: where COFW_test_color.mat is, at any depth; None: the folder too. Without it a sample's photo is absent.

    Returns:
        The samples in COFW's order, named by their number, and the faces that cannot be used, with the reason.

    Raises:
        AnnotationError: no such folder or box file, no usable face, or another number of photos than of boxes.
        OcclumarkError: with photos, h5py is not installed.
    """
    data = next((found for found in (folder, folder / "COFW68_Data") if (found / BOX_FILE).is_file()), None)
    if data is None:
        raise AnnotationError(f"no {BOX_FILE} in {folder} or its COFW68_Data; expected COFW68 as published")
    boxes = variable(data / BOX_FILE, read_mat(data / BOX_FILE), "bboxes", (None, 4))
    stored = cofw_test_photos(photos if photos is not None else folder)
    if photos is not None and stored is None:
        raise AnnotationError(f"no COFW_test_color.mat below {photos}")
    if stored is not None and len(stored) != len(boxes):
        raise AnnotationError(f"{stored[0].file} has {len(stored)} photos, {data / BOX_FILE} {len(boxes)} boxes")
    samples, problems = [], []
    for index, box in enumerate(boxes):
        annotation = data / "test_annotations" / f"{index + 1}_points.mat"
        try:
            samples.append(_sample(annotation, index, box, _ABSENT if stored is None else stored[index]))
        except AnnotationError as error:
            problems.append(Problem(f"test_annotations/{annotation.name}", str(error)))
    if not samples:
        raise AnnotationError(f"no usable face in {data}; the first problem: {problems[0].reason}")
    return samples, problems


def _sample(annotation: Path, index: int, box: np.ndarray, photo: StoredPhoto) -> Sample:
    variables = read_mat(annotation)
    landmarks = variable(annotation, variables, "Points", (N_LANDMARKS, 2)).astype(np.float64) - 0.5
    occluded = variable(annotation, variables, "Occ", (1, N_LANDMARKS))[0]
    check_landmarks(landmarks)
    if not np.isin(occluded, (0, 1)).all():
        raise AnnotationError("an occlusion flag is neither 0 nor 1")
    official_box = box_of_corner_and_size(box)
    check_official_box(official_box)
    return Sample(f"cofw68/{index + 1:04d}", photo, landmarks, official_box, occluded == 1, frozenset({"test"}))
