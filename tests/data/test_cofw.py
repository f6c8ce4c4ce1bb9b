import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from occlumark.data.cofw import cofw_test_photos, read_cofw, read_cofw_file
from occlumark.errors import AnnotationError, OcclumarkError, PhotoError

h5py = pytest.importorskip("h5py", reason="needs h5py (the data extra)")

WriteCofw = Callable[..., Any]
TEST = ("IsT", "phisT", "bboxesT")
TRAIN = ("IsTr", "phisTr", "bboxesTr")


def test_points_flags_boxes_and_photos(tmp_path: Path, write_cofw: WriteCofw) -> None:
    written = write_cofw(tmp_path / "COFW_test_color.mat", *TEST, 4)
    samples, problems = read_cofw_file(written.file)
    assert [sample.name for sample in samples] == [f"COFW_test_color/000{i}" for i in (1, 2, 3, 4)]
    assert not problems and {sample.subsets for sample in samples} == {frozenset({"test"})}
    for i, sample in enumerate(samples):
        np.testing.assert_array_equal(sample.landmarks[:, 0], written.rows[i, :29] - 0.5)
        np.testing.assert_array_equal(sample.landmarks[:, 1], written.rows[i, 29:58] - 0.5)
        np.testing.assert_array_equal(sample.occluded, written.rows[i, 58:] == 1)
        assert sample.official_box.tolist() == [10.5, 11.5 + i, 70.5, 81.5 + i]  # from 11, 12 + i, 60 x 70
        photo = written.photos[i]
        expected = photo if photo.ndim == 3 else np.stack([photo] * 3, axis=2)
        np.testing.assert_array_equal(sample.read_photo(), expected)


def test_both_files_of_a_folder(tmp_path: Path, write_cofw: WriteCofw) -> None:
    write_cofw(tmp_path / "common" / "COFW_train_color.mat", *TRAIN, 2)
    samples, problems = read_cofw(tmp_path)
    assert [sorted(sample.subsets) for sample in samples] == [["train"], ["train"]]
    assert [problem.name for problem in problems] == ["COFW_test_color.mat"]
    write_cofw(tmp_path / "COFW_test.mat", *TEST, 1)  # the grey one, where the other is missing
    samples, problems = read_cofw(tmp_path)
    assert [sample.name for sample in samples] == ["COFW_train_color/0001", "COFW_train_color/0002", "COFW_test/0001"]
    assert not problems
    photos = cofw_test_photos(tmp_path)
    assert photos is not None and photos[0] == samples[2].photo


def test_broken_faces_are_listed(tmp_path: Path, write_cofw: WriteCofw) -> None:
    file = write_cofw(tmp_path / "COFW_test_color.mat", *TEST, 6).file
    with h5py.File(file, "r+") as mat:
        mat["phisT"][3, 0] = np.nan
        mat["phisT"][60, 1] = 2
        mat["bboxesT"][2, 2] = 0
        del mat["#refs#/3"]  # what was never stored
        mat["#refs#/deep"] = np.zeros((3, 4, 5), np.uint16)
        mat["IsT"][0, 4] = mat["#refs#/deep"].ref
    samples, problems = read_cofw_file(file)
    assert [sample.name for sample in samples] == ["COFW_test_color/0006"]
    reasons = [problem.reason for problem in problems]
    assert reasons[0] == "landmark 3 is not finite"
    assert "flag" in reasons[1] and "no area" in reasons[2]
    assert len(reasons) == 5 and reasons[4] == "its photo is neither grey nor RGB of 8 bits"


def test_a_photo_whose_file_is_gone(tmp_path: Path, write_cofw: WriteCofw) -> None:
    file = write_cofw(tmp_path / "COFW_test_color.mat", *TEST, 1).file
    (sample,), _ = read_cofw_file(file)
    file.unlink()
    with pytest.raises(PhotoError, match=r"cannot read photo 1 of .*no such file"):
        sample.read_photo()


def test_files_that_are_none(tmp_path: Path, write_cofw: WriteCofw) -> None:
    with pytest.raises(AnnotationError, match="no such file below"):
        read_cofw(tmp_path)
    file = tmp_path / "COFW_test_color.mat"
    with pytest.raises(AnnotationError, match="no such file"):
        read_cofw_file(file)
    file.write_bytes(b"MATLAB 5.0 MAT-file" * 100)
    with pytest.raises(AnnotationError, match=r"cannot read .* as a \.mat file of version 7\.3") as caught:
        read_cofw_file(file)
    assert "\n" not in str(caught.value)
    write_cofw(file, "other", "phisT", "bboxesT", 1)
    with pytest.raises(AnnotationError, match="neither IsTr nor IsT"):
        read_cofw_file(file)
    write_cofw(file, "IsT", "phisTr", "bboxesT", 1)
    with pytest.raises(AnnotationError, match="has no phisT"):
        read_cofw_file(file)
    with h5py.File(file, "w") as mat:
        mat["IsT"], mat["phisT"], mat["bboxesT"] = np.zeros((1, 2)), np.zeros((87, 2)), np.zeros((4, 2))
    with pytest.raises(AnnotationError, match="no file of COFW"):
        read_cofw_file(file)


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "COFW_test_color.mat").touch()
    with pytest.raises(OcclumarkError, match=r"needs h5py; install it: pip install '\.\[data\]'"):
        read_cofw(tmp_path)


@pytest.mark.parametrize(
    ("name", "shape"), [("phisTr", (87, 1 << 20)), ("bboxesTr", None), ("IsTr", (1 << 30, 1 << 30))]
)
def test_arrays_of_no_end_and_without_shape_are_refused(
    tmp_path: Path, write_cofw: WriteCofw, name: str, shape: tuple[int, ...] | None
) -> None:
    """An array that nobody wrote to takes no room in the file: 2^60 numbers are a kilobyte."""
    write_cofw(tmp_path / "COFW_train_color.mat", "IsTr", "phisTr", "bboxesTr", 3)
    with h5py.File(tmp_path / "COFW_train_color.mat", "r+") as mat:
        del mat[name]
        mat.create_dataset(
            name, shape, "f8", chunks=(1, 64) if shape else None, data=None if shape else h5py.Empty("f8")
        )
    with pytest.raises(AnnotationError, match=rf"no file of COFW: /{name} is .*; expected an array"):
        read_cofw(tmp_path)


def test_a_damaged_photo_is_one_problem_and_the_others_are_read(tmp_path: Path, write_cofw: WriteCofw) -> None:
    file = tmp_path / "COFW_train_color.mat"
    write_cofw(file, "IsTr", "phisTr", "bboxesTr", 3)
    with h5py.File(file, "r+") as mat:
        mat["IsTr"][0, 1] = h5py.Reference()
        del mat["#refs#/2"]
        mat["#refs#"].create_dataset("2", (1 << 20, 1 << 20), "u1", chunks=(64, 64))
        mat["IsTr"][0, 2] = mat["#refs#/2"].ref
    samples, problems = read_cofw(tmp_path)
    assert [sample.name for sample in samples] == ["COFW_train_color/0001"]
    reasons = {problem.name: problem.reason for problem in problems}
    assert reasons["COFW_train_color/0003"] == "its photo has more than 100 megapixels"
    assert "\n" not in reasons["COFW_train_color/0002"]
