"""AFLW with 19 points: its published list (AFLWinfo_release.mat) and its database (aflw.sqlite).

Whether the data set counts its pixels from 0 or 1, and from their corners or centres, it does not say. Taken as indices
from 0 of pixels whose centres are meant: at most one pixel in photos of some hundred. Not in the paper.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from occlumark.data.annotation import check_landmarks, check_official_box, file_exists, numbered
from occlumark.data.matlab import read_mat, texts, variable
from occlumark.data.sample import Problem, Sample
from occlumark.errors import AnnotationError

N_AFLW = 19
N_TRAIN = 20_000
LIST_FILE = "AFLWinfo_release.mat"
DATABASE_FILE = "aflw.sqlite"
#: Where the data set's folders 0, 2 and 3 lie: in the folder itself, or as the archives unpack.
_PHOTO_FOLDERS = ("", "flickr", "data/flickr", "images")
#: The database's feature number of each of the 19 landmarks: 13 and 17 are the ears.
_FEATURES = (*range(1, 13), *range(14, 17), *range(18, 22))


def read_aflw(folder: Path, n_train: int = N_TRAIN) -> tuple[list[Sample], list[Problem]]:
    """Read the published list: every face has all its 19 points, those out of sight flagged as occluded.

    A sample's subsets are "train", or "full" (AFLW-Full), with "frontal" where all 19 points are visible.

    Args:
        folder: holds AFLWinfo_release.mat, and the photos in the folders that the list names.
        n_train: how many of the list's permutation are for training, the others for testing.

    Returns:
        The samples in the order of the permutation, and the faces that cannot be used, with the reason.

    Raises:
        AnnotationError: no such list, or not the one that was published, or no usable face.
    """
    table = folder / LIST_FILE
    variables = read_mat(table)
    boxes = variable(table, variables, "bbox", (None, 4))
    points = variable(table, variables, "data", (len(boxes), 2 * N_AFLW))
    visible = variable(table, variables, "mask_new", (len(boxes), N_AFLW))
    photos = texts(table, variables, "nameList", len(boxes))
    ranks = np.ravel(variables.get("ra", []))
    if ranks.dtype.kind not in "iuf" or not np.array_equal(np.sort(ranks), np.arange(1, len(boxes) + 1)):
        raise AnnotationError(f"{table}: ra is no permutation of 1 to {len(boxes)}")
    order = ranks.astype(int) - 1
    names, root = numbered(photos), _photo_root(folder, photos)
    samples, problems = [], []
    for rank, i in enumerate(order):
        subset = {"train"} if rank < n_train else {"full"} | ({"frontal"} if visible[i].all() else set())
        left, right, top, bottom = boxes[i].astype(np.float64) + 0.5
        try:
            samples.append(
                _sample(
                    names[i],
                    root / photos[i],
                    points[i].reshape(2, N_AFLW).T.astype(np.float64) + 0.5,
                    np.array([left, top, right, bottom]),
                    visible[i] == 0,
                    frozenset(subset),
                )
            )
        except AnnotationError as error:
            problems.append(Problem(names[i], str(error), "train" if rank < n_train else "test"))
    return _any_usable(table, samples, problems), problems


def read_aflw_database(folder: Path) -> tuple[list[Sample], list[Problem]]:
    """Read the database: only what is visible has a place, the other landmarks are NaN; no division into parts.

    Args:
        folder: holds aflw.sqlite, itself or in its data/, and the photos in the folders that it names.

    Returns:
        The samples in the order of their face numbers, and the faces that cannot be used, with the reason. A face
        without a rectangle has no official box.

    Raises:
        AnnotationError: no such database, other tables than the published ones, or no usable face.
    """
    file = next((f for f in (folder / DATABASE_FILE, folder / "data" / DATABASE_FILE) if f.is_file()), None)
    if file is None:
        raise AnnotationError(f"no {DATABASE_FILE} in {folder} or its data/; expected AFLW as published")
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
            faces = database.execute(
                "SELECT Faces.face_id, FaceImages.filepath, FaceRect.x, FaceRect.y, FaceRect.w, FaceRect.h FROM Faces "
                "JOIN FaceImages ON FaceImages.file_id = Faces.file_id "
                "LEFT JOIN FaceRect ON FaceRect.face_id = Faces.face_id ORDER BY Faces.face_id"
            ).fetchall()
            features = database.execute("SELECT face_id, feature_id, x, y FROM FeatureCoords").fetchall()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise AnnotationError(f"cannot read {file} as AFLW's database: {error}") from error
    places: dict[int, dict[int, tuple[float, float]]] = {}
    for face, feature, x, y in features:
        places.setdefault(face, {})[feature] = (x, y)
    photos = [filepath for _, filepath, *_ in faces]
    names, root = numbered(photos), _photo_root(folder, photos)
    samples, problems = [], []
    for (face, photo, x, y, width, height), name in zip(faces, names, strict=True):
        found = places.get(face, {})
        landmarks = np.array([found.get(feature, (np.nan, np.nan)) for feature in _FEATURES], np.float64) + 0.5
        box = None if x is None else np.array([x, y, x + width, y + height], np.float64) + 0.5
        try:
            samples.append(_sample(name, root / photo, landmarks, box, None, frozenset()))
        except AnnotationError as error:
            problems.append(Problem(name, str(error)))
    return _any_usable(file, samples, problems), problems


def _photo_root(folder: Path, photos: list[str]) -> Path:
    """Below which of the usual folders the first photo is that is anywhere; the folder itself where none is."""
    roots = [folder / name for name in _PHOTO_FOLDERS]
    return next((root for photo in photos for root in roots if file_exists(root / photo)), folder)


def _sample(
    name: str,
    photo: Path,
    landmarks: np.ndarray,
    box: np.ndarray | None,
    occluded: np.ndarray | None,
    subsets: frozenset[str],
) -> Sample:
    if not file_exists(photo):
        raise AnnotationError(f"no photo {photo}")
    check_landmarks(landmarks if occluded is not None else landmarks[np.isfinite(landmarks).all(axis=1)])
    if box is not None:
        check_official_box(box)
    return Sample(name, photo, landmarks, box, occluded, subsets)


def _any_usable(source: Path, samples: list[Sample], problems: list[Problem]) -> list[Sample]:
    if not samples:
        first = f"; the first of {len(problems)} problems: {problems[0].reason}" if problems else ""
        raise AnnotationError(f"no usable face in {source}{first}")
    return samples
