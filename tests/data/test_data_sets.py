"""Data sets by name: the parts that are for training and testing, as the pack gets them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from occlumark.cli.main import main
from occlumark.data import data_sets
from occlumark.data.data_sets import DATA_SETS, faces_for_testing, faces_for_training
from occlumark.data.pack import Pack
from occlumark.errors import AnnotationError
from occlumark.markup import MARKUPS

TRAIN, TEST = ("IsTr", "phisTr", "bboxesTr"), ("IsT", "phisT", "bboxesT")


def packed(folder: Path, name: str, out: Path) -> Pack:
    assert main(["pack", str(folder), "--dataset", name, "--out", str(out), "--size", "64"]) == 0
    return Pack.open(out)


def test_every_data_set_is_of_a_known_markup() -> None:
    assert all(data_set.n_landmarks in MARKUPS for data_set in DATA_SETS.values())


def test_cofw(tmp_path: Path, write_cofw: Callable, capsys) -> None:
    train = write_cofw(tmp_path / "COFW_train_color.mat", *TRAIN, 3)
    write_cofw(tmp_path / "COFW_test_color.mat", *TEST, 2)
    pack = packed(tmp_path, "cofw", tmp_path / "x.pack")
    assert capsys.readouterr().out == f"packed 3 faces with 29 points of 64 x 64 pixels into {tmp_path / 'x.pack'}\n"
    assert pack.n_landmarks == 29 and len(pack) == 3 and np.isfinite(pack.official_boxes).all()
    points = train.rows[1, :58].reshape(2, 29).T  # one crop's zoom and shift away
    zoom = pack.zooms[1]
    np.testing.assert_allclose(pack.landmarks[1] - pack.landmarks[1, :1], (points - points[:1]) * zoom, atol=1e-3)
    assert len(faces_for_testing("cofw", tmp_path)[0]) == 2


def test_wflw_by_its_lists_and_by_points(tmp_path: Path, write_wflw: Callable) -> None:
    write_wflw(tmp_path, "train", 2)
    with pytest.raises(AnnotationError, match=r"no test face of wflw in .*: it has the training part alone"):
        faces_for_testing("wflw", tmp_path)
    write_wflw(tmp_path, "test", 3)
    pack = packed(tmp_path, "wflw", tmp_path / "x.pack")
    assert pack.n_landmarks == 98 and len(pack) == 2
    faces, problems = faces_for_testing("wflw", tmp_path)
    assert len(faces) == 3 and not problems


def test_half_a_copy_serves_the_part_that_is_there(tmp_path: Path, write_cofw: Callable, write_wflw: Callable) -> None:
    write_cofw(tmp_path / "COFW_train_color.mat", *TRAIN, 2)
    assert len(packed(tmp_path, "cofw", tmp_path / "x.pack")) == 2, "exit code 0: the test file is not needed"
    write_wflw(tmp_path, "train", 2)
    write_wflw(tmp_path, "test", 3)
    whole, _ = faces_for_testing("wflw", tmp_path)
    whole[0].photo.unlink()
    gone = [face.name for face in whole if face.photo == whole[0].photo]
    assert not faces_for_training("wflw", tmp_path)[1]
    found, problems = faces_for_testing("wflw", tmp_path)
    assert [problem.name for problem in problems] == gone and len(found) == 3 - len(gone)


def test_aflw(tmp_path: Path, write_aflw: Callable, monkeypatch) -> None:
    write_aflw(tmp_path, [2, 0, 3, 1])
    whole = data_sets.read_aflw
    monkeypatch.setattr(data_sets, "read_aflw", lambda folder, _n_train: whole(folder, 3))
    pack = packed(tmp_path, "aflw", tmp_path / "x.pack")
    assert pack.n_landmarks == 19 and len(pack) == 3
    (face,), _ = faces_for_testing("aflw", tmp_path)
    assert face.subsets == {"full"}


def test_cofw68_has_no_training_part(tmp_path: Path, write_cofw68: Callable) -> None:
    write_cofw68(tmp_path, 2)
    assert len(faces_for_testing("cofw68", tmp_path)[0]) == 2
    with pytest.raises(AnnotationError, match="no training face of cofw68"):
        faces_for_training("cofw68", tmp_path)


def test_one_folder_alone(tmp_path: Path, capsys) -> None:
    words = ["pack", str(tmp_path), str(tmp_path), "--dataset", "cofw", "--out", str(tmp_path / "x.pack")]
    with pytest.raises(SystemExit) as wrong_usage:
        main(words)
    assert wrong_usage.value.code == 2
    assert "--dataset cofw takes one DIR, the data set's own, and no --wflw\n" in capsys.readouterr().err
