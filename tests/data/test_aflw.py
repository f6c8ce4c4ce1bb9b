import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from occlumark.data.aflw import read_aflw, read_aflw_database
from occlumark.errors import AnnotationError

Write = Callable[..., Any]


def test_the_published_list(tmp_path: Path, write_aflw: Write) -> None:
    content = write_aflw(tmp_path, order=[4, 1, 0, 3, 2])
    samples, problems = read_aflw(tmp_path, n_train=2)
    assert not problems
    assert [sample.name for sample in samples] == [
        "0/image00004.jpg",
        "1/image00001.jpg#2",
        "1/image00001.jpg#1",
        "1/image00003.jpg",
        "0/image00002.jpg",
    ]
    assert [sorted(sample.subsets) for sample in samples] == [
        *(["train"], ["train"]),
        *(["frontal", "full"], ["full"], ["frontal", "full"]),
    ]
    np.testing.assert_array_equal(samples[0].landmarks[:, 0], content["data"][4, :19] + 0.5)
    np.testing.assert_array_equal(samples[0].landmarks[:, 1], content["data"][4, 19:] + 0.5)
    assert samples[0].official_box.tolist() == [14.5, 19.5, 90.5, 85.5]  # left 14, right 90, top 19, bottom 85
    assert np.flatnonzero(samples[1].occluded).tolist() == [3] and not samples[0].occluded.any()
    assert samples[0].photo == tmp_path / "data/flickr/0/image00004.jpg"
    assert samples[0].read_photo().shape == (120, 100, 3)


@pytest.mark.parametrize("photos", ["", "flickr", "images"])
def test_the_list_finds_its_photos_where_the_archives_unpack_them(
    tmp_path: Path, write_aflw: Write, photos: str
) -> None:
    write_aflw(tmp_path, order=[0, 1], photos=photos)
    (tmp_path / photos / "1/image00001.jpg").rename(tmp_path / photos / "0.jpg")
    with pytest.raises(AnnotationError, match=r"no usable face .* 2 problems: no photo"):
        read_aflw(tmp_path)
    (tmp_path / photos / "0.jpg").rename(tmp_path / photos / "1/image00001.jpg")
    assert len(read_aflw(tmp_path)[0]) == 2


def test_unusable_faces_of_the_list_are_named(tmp_path: Path, write_aflw: Write) -> None:
    from scipy.io import savemat

    content = write_aflw(tmp_path, order=[0, 1, 2, 3, 4])
    (tmp_path / "data/flickr/0/image00002.jpg").unlink()
    content["data"][3, 5] = np.nan
    content["bbox"][4] = [10, 10, 5, 50]
    savemat(tmp_path / "AFLWinfo_release.mat", content)
    samples, problems = read_aflw(tmp_path)
    assert len(samples) == 2
    assert [problem.name for problem in problems] == ["0/image00002.jpg", "1/image00003.jpg", "0/image00004.jpg"]
    for problem, reason in zip(problems, ("no photo", "landmark 5 is not finite", "no area"), strict=True):
        assert reason in problem.reason


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ra", np.array([[1, 2, 2]]), "ra is no permutation of 1 to 3"),
        ("data", np.zeros((3, 42)), "data is 3 x 42; expected 3 x 38"),
        ("mask_new", np.zeros((2, 19)), "mask_new is 2 x 19; expected 3 x 19"),
        ("bbox", None, "has no variable bbox; expected one of n x 4"),
    ],
)
def test_a_list_that_is_another(
    tmp_path: Path, write_aflw: Write, name: str, value: np.ndarray | None, message: str
) -> None:
    from scipy.io import savemat

    content = write_aflw(tmp_path, order=[0, 1, 2])
    content[name] = value
    savemat(tmp_path / "AFLWinfo_release.mat", {key: value for key, value in content.items() if value is not None})
    with pytest.raises(AnnotationError, match=message):
        read_aflw(tmp_path)


def test_no_list(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"cannot read .*AFLWinfo_release\.mat: no such file"):
        read_aflw(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Three faces on two photos: the first whole, the second without landmark 5, the third without rectangle."""
    for name in ("0/image00002.jpg", "3/image00035.jpg"):
        (tmp_path / "data/flickr" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "data/flickr" / name), np.zeros((50, 60, 3), np.uint8))
    with closing(sqlite3.connect(tmp_path / "data" / "aflw.sqlite")) as connection, connection:
        connection.executescript(
            """
            CREATE TABLE FaceImages (image_id INTEGER PRIMARY KEY, db_id TEXT, file_id TEXT NOT NULL, filepath TEXT,
                                     bw INTEGER, width INTEGER, height INTEGER);
            CREATE TABLE Faces (face_id INTEGER PRIMARY KEY, file_id TEXT NOT NULL, db_id TEXT);
            CREATE TABLE FaceRect (face_id INTEGER PRIMARY KEY, x INTEGER, y INTEGER, w INTEGER, h INTEGER,
                                   annot_type_id INTEGER);
            CREATE TABLE FeatureCoords (face_id INTEGER, feature_id INTEGER, x REAL, y REAL, annot_type_id INTEGER);
            INSERT INTO FaceImages VALUES (1, 'flickr', 'image00002.jpg', '0/image00002.jpg', 0, 60, 50),
                                          (2, 'flickr', 'image00035.jpg', '3/image00035.jpg', 0, 60, 50);
            INSERT INTO Faces VALUES (40, 'image00035.jpg', 'flickr'), (41, 'image00002.jpg', 'flickr'),
                                     (42, 'image00002.jpg', 'flickr');
            INSERT INTO FaceRect VALUES (40, 5, 6, 30, 40, 0), (41, 1, 2, 10, 11, 0);
            """
        )
        features = [(face, i, 100.0 * i, face + i, 0) for face in (40, 41, 42) for i in range(1, 22)]
        features = [row for row in features if row[:2] != (41, 6)]
        connection.executemany("INSERT INTO FeatureCoords VALUES (?, ?, ?, ?, ?)", features)
    return tmp_path


def test_the_database(database: Path) -> None:
    samples, problems = read_aflw_database(database)
    assert [sample.name for sample in samples] == ["3/image00035.jpg", "0/image00002.jpg#1", "0/image00002.jpg#2"]
    assert not problems
    without_ears = [i for i in range(1, 22) if i not in (13, 17)]
    np.testing.assert_array_equal(samples[0].landmarks[:, 0], 100.0 * np.array(without_ears) + 0.5)
    np.testing.assert_array_equal(samples[0].landmarks[:, 1], 40.5 + np.array(without_ears))
    assert samples[0].annotated.all() and np.flatnonzero(~samples[1].annotated).tolist() == [5]
    assert samples[0].official_box.tolist() == [5.5, 6.5, 35.5, 46.5] and samples[2].official_box is None
    assert all(sample.occluded is None for sample in samples)
    assert samples[1].read_photo().shape == (50, 60, 3)


def test_unusable_faces_of_the_database_are_named(database: Path) -> None:
    with closing(sqlite3.connect(database / "data" / "aflw.sqlite")) as connection, connection:
        connection.execute("DELETE FROM FeatureCoords WHERE face_id = 42 AND feature_id NOT IN (1, 13)")
    (database / "data/flickr/3/image00035.jpg").unlink()
    samples, problems = read_aflw_database(database)
    assert [sample.name for sample in samples] == ["0/image00002.jpg#1"]
    assert [problem.name for problem in problems] == ["3/image00035.jpg", "0/image00002.jpg#2"]
    assert "no photo" in problems[0].reason and "span no area" in problems[1].reason


def test_databases_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no aflw\.sqlite in"):
        read_aflw_database(tmp_path)
    file = tmp_path / "aflw.sqlite"
    file.write_bytes(b"no database " * 100)
    with pytest.raises(AnnotationError, match=r"cannot read .* as AFLW's database: file is not a database"):
        read_aflw_database(tmp_path)
    file.unlink()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE Faces (face_id INTEGER)")
    with pytest.raises(AnnotationError, match="no such table: FaceImages"):
        read_aflw_database(tmp_path)
