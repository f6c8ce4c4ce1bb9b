"""AFLW's reduced copy: what its table says becomes a sample, what it does not say stays unknown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from occlumark.cli.main import main
from occlumark.data import aflw_table
from occlumark.data.aflw_table import OFFSET, read_aflw_table, read_rows
from occlumark.data.data_sets import faces_for_testing, faces_for_training
from occlumark.data.pack import Pack
from occlumark.errors import AnnotationError
from tests.data.conftest import mean_face

Write = Callable[..., list[dict[str, Any]]]


def test_a_table_becomes_samples(tmp_path: Path, write_aflw_table: Write) -> None:
    write_aflw_table(tmp_path)
    samples, problems = read_aflw_table(tmp_path)
    assert not problems
    assert [sample.name for sample in samples] == ["0/image1.jpg#40", "0/image1.jpg#41", "2/image7.jpg#42"]
    assert [sorted(sample.subsets) for sample in samples] == [["train"], ["full"], ["frontal", "full"]]
    np.testing.assert_allclose(samples[2].landmarks, mean_face(19) + 2 + OFFSET)
    np.testing.assert_allclose(samples[1].official_box.reshape(2, 2), np.array([[11, 15], [90, 85]]) + OFFSET)
    for sample in samples[:2]:  # landmark 3 is out of sight, though the table of the second has a place for it
        assert np.flatnonzero(sample.occluded).tolist() == [3]
        assert np.flatnonzero(~sample.annotated).tolist() == [3] and np.isnan(sample.landmarks[3]).all()
    assert samples[2].annotated.all() and not samples[2].occluded.any()
    assert samples[0].read_photo().shape == (120, 100, 3)
    assert [row.residual for row in read_rows(tmp_path)[0]] == [0.5, 0.75, 1.0]


def test_the_parts_and_their_problems(tmp_path: Path, write_aflw_table: Write) -> None:
    rows = write_aflw_table(tmp_path)
    rows[0]["x0"], rows[2]["box_x1"] = "wide", 5
    write_aflw_table(tmp_path, rows)
    with pytest.raises(AnnotationError, match="no training face of aflw"):
        faces_for_training("aflw", tmp_path)
    samples, problems = faces_for_testing("aflw", tmp_path)
    assert [sample.name for sample in samples] == ["0/image1.jpg#41"]
    assert [problem.name for problem in problems] == ["2.jpg"] and "the face box has no area" in problems[0].reason
    every = read_aflw_table(tmp_path)[1]
    assert [(problem.name, problem.part) for problem in every] == [("0.jpg", "train"), ("2.jpg", "test")]
    assert "could not convert string to float: 'wide'" in every[0].reason


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"photo": "nowhere.jpg"}, "no photo "),
        ({"split": "both"}, "split is train or test, not 'both'"),
        ({"visible5": ""}, "invalid literal for int"),
        ({"x5": ""}, "landmark 5 is not finite"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(
    tmp_path: Path, write_aflw_table: Write, change: dict[str, str], expected: str
) -> None:
    rows = write_aflw_table(tmp_path)
    rows[2] |= change
    write_aflw_table(tmp_path, rows)
    samples, (problem,) = read_aflw_table(tmp_path)
    assert len(samples) == 2 and expected in problem.reason and "\n" not in problem.reason


def test_a_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "aflw19.csv").write_text("photo,split\n")
    with pytest.raises(AnnotationError, match=r"aflw19\.csv has no column aflw_image; expected photo, aflw_image, "):
        read_aflw_table(tmp_path)
    (tmp_path / "aflw19.csv").write_text(",".join(aflw_table._COLUMNS))
    with pytest.raises(AnnotationError, match="no usable face in"):
        read_aflw_table(tmp_path)
    (tmp_path / "aflw19.csv").unlink()
    with pytest.raises(AnnotationError, match="cannot read"):
        read_aflw_table(tmp_path)


def test_check_data_and_pack_know_the_copy(tmp_path: Path, write_aflw_table: Write, capsys) -> None:
    write_aflw_table(tmp_path / "aflw")
    assert main(["check-data", "aflw", str(tmp_path / "aflw")]) == 1  # not the whole data set
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [["train", "1"], ["full", "2"], ["frontal", "1"]]
    out = tmp_path / "aflw.pack"
    assert main(["pack", str(tmp_path / "aflw"), "--dataset", "aflw", "--size", "64", "--out", str(out)]) == 0
    pack = Pack.open(out)
    assert pack.n_landmarks == 19 and pack.names == ["0/image1.jpg#40"]
    assert np.isnan(pack.landmarks[0]).all(axis=1).nonzero()[0].tolist() == [3]


def test_the_research_copy(shared: Path) -> None:
    """Counts as its notes give them; a landmark has a place where it is visible."""
    folder = shared / "data" / "aflw"
    if not folder.is_dir():
        pytest.skip("needs AFLW's reduced copy in shared/data/aflw")
    samples, problems = read_aflw_table(folder)
    counts = [sum(part in sample.subsets for sample in samples) for part in ("train", "full", "frontal")]
    assert not problems and counts == [2424, 550, 248]
    assert len({sample.name for sample in samples}) == 2974
    assert all(sample.annotated.all() for sample in samples if "frontal" in sample.subsets)
