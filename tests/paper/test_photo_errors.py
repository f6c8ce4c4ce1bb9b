from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from occlumark.errors import AnnotationError
from paper.photo_errors import HEADS, PhotoErrors, read_all

SUBSETS = ["common", "challenging", "challenging", "common"]


def test_what_is_written_is_read_back(tmp_path: Path, write_errors: Callable[..., PhotoErrors]) -> None:
    written = write_errors(tmp_path / "e.csv", [0.03, 0.05, np.nan, 0.04], SUBSETS)
    read = PhotoErrors.read(tmp_path / "e.csv")
    assert (read.names, read.subsets, read.boxes) == (written.names, written.subsets, written.boxes)
    assert read.boxes[2] == "none" and read.normaliser == "inter_ocular"
    np.testing.assert_array_equal(read.errors, written.errors)
    np.testing.assert_array_equal(read.sizes, written.sizes)
    np.testing.assert_array_equal(read.sides, written.sides)


def test_a_missed_face_is_in_no_error_and_is_counted(tmp_path: Path, write_errors: Callable[..., PhotoErrors]) -> None:
    table = write_errors(tmp_path / "e.csv", [0.03, 0.05, np.nan, 0.04], SUBSETS)
    assert table.of("challenging").tolist() == [0.05] and table.of().tolist() == [0.03, 0.05, 0.04]
    assert (table.missed("challenging"), table.missed("common"), table.missed()) == (1, 0, 1)


def test_the_errors_over_other_sizes_of_the_box(tmp_path: Path, write_errors: Callable[..., PhotoErrors]) -> None:
    table = write_errors(tmp_path / "e.csv", [0.02, np.nan], ["full frontal", "full"], "box_width")
    assert table.by_box("box_width").errors[0] == pytest.approx(0.02)
    assert table.by_box("box_longer").errors[0] == pytest.approx(0.02 * 60 / 80)
    assert table.by_box("box_diagonal").errors[0] == pytest.approx(0.02 * 60 / 100)
    assert table.by_box("box_size").errors[0] == pytest.approx(0.02 * 60 / np.sqrt(4800))
    assert np.isnan(table.by_box("box_size").errors[1])
    with pytest.raises(ValueError, match="one of box_width"):
        table.by_box("inter_ocular")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table of errors per photo"),
        ("a,b\n1,2\n", "no table of errors per photo"),
        (",".join(HEADS) + "\na,,0.1,inter_ocular,1,tight,1,1\na,,0.1,inter_ocular,1,tight,1,1\n", "each name once"),
        (",".join(HEADS) + "\na,,0.1,inter_ocular,1,tight,1,1\nb,,0.1,box_width,1,tight,1,1\n", "one known normaliser"),
        (",".join(HEADS) + "\na,,0.1,metres,1,tight,1,1\n", "one known normaliser"),
        (",".join(HEADS) + "\na,,much,box_width,1,tight,1,1\n", "no number"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "e.csv").write_text(text)
    with pytest.raises(AnnotationError, match=message):
        PhotoErrors.read(tmp_path / "e.csv")


def test_tables_are_found_by_their_prefix(tmp_path: Path, write_errors: Callable[..., PhotoErrors]) -> None:
    for name in ("300w-b-tight", "300w-a-official", "other"):
        write_errors(tmp_path / f"{name}.csv", [0.1], [""])
    assert list(read_all(tmp_path, "300w-")) == ["a-official", "b-tight"]
    assert read_all(tmp_path / "nowhere", "300w-") == {}
