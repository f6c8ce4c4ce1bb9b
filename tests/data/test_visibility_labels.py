"""Labels of real occlusion: what each kind of row says of its face, and what a broken table is told."""

import csv
from pathlib import Path

import numpy as np
import pytest

from occlumark.data.sample import Sample
from occlumark.data.visibility_labels import VisibilityLabels
from occlumark.errors import AnnotationError

ROOT = Path(__file__).parents[2]
COLUMNS = ["photo", "screen", "kind", "labelled", *(f"v{i}" for i in range(68))]


def _write(path: Path, rows: list[tuple[str, str, str, str, list[object]]], oddities: str = "") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([*row[:4], *row[4]] for row in rows)
    if oddities:
        path.with_name("oddities.csv").write_text("photo,kind,points_or_group,note\n" + oddities)
    return path


def _sample(photo: str) -> Sample:
    return Sample(photo, Path("/somewhere/data") / photo, np.arange(136.0).reshape(68, 2))


def test_a_labelled_face_has_its_own_states_and_an_unlabelled_one_only_what_its_screen_says(tmp_path):
    states = [1] * 5 + [-1] * 3 + [0] * 60
    empty = [""] * 68
    path = _write(
        tmp_path / "labels.csv",
        [
            ("300w/afw/a.jpg", "occluded", "hand", "1", states),
            ("300w/afw/b.jpg", "clean", "", "0", empty),
            ("300w/afw/c.jpg", "unsure", "hair", "0", empty),
        ],
    )
    labels = VisibilityLabels.read(path)
    found, problems = labels.apply([_sample(f"300w/afw/{name}.jpg") for name in "abcd"])
    assert problems == []
    np.testing.assert_array_equal(found[0].occluded, np.array(states) == 1)
    np.testing.assert_array_equal(found[0].unknown, np.array(states) == -1)
    assert not found[1].occluded.any() and np.flatnonzero(found[1].unknown).tolist() == [0, 16]  # sideburns
    assert not found[2].occluded.any() and found[2].unknown.all()
    assert found[3].occluded is None and found[3].unknown is None  # no row


def test_a_photo_is_found_by_the_end_of_its_path(tmp_path):
    rows = [(f"300w/{part}/image_1.jpg", "occluded", "", "1", [0] * 68) for part in ("lfpw/trainset", "helen/trainset")]
    labels = VisibilityLabels.read(_write(tmp_path / "labels.csv", rows))
    assert labels.find(Path("/x/300w/helen/trainset/image_1.jpg")) is labels.labels[1]
    assert labels.find(Path("300w/lfpw/trainset/image_1.jpg")) is labels.labels[0]
    assert labels.find(Path("/x/other300w/lfpw/trainset/image_1.jpg")) is None
    assert labels.find(Path("/x/trainset/image_1.jpg")) is None


def test_a_second_face_of_a_photo_has_not_the_first_ones_label(tmp_path):
    row = ("occluded", "hand", "1")
    rows = [("b/a.jpg", *row, [1] * 68), ("b/c.jpg", *row, [1] * 68), ("b/c.jpg#2", *row, [0] * 68)]
    labels = VisibilityLabels.read(_write(tmp_path / "labels.csv", rows))
    faces = [
        Sample(name, Path("/b") / name.partition("#")[0], np.zeros((68, 2))) for name in ("a.jpg", "a.jpg#2", "c.jpg#2")
    ]
    (first, second, other), _ = labels.apply(faces)
    assert first.occluded.all() and second.occluded is None and not other.occluded.any()


def test_a_table_with_a_byte_order_mark_is_read(tmp_path):
    path = _write(tmp_path / "labels.csv", [("a.jpg", "clean", "", "0", [""] * 68)])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(VisibilityLabels.read(path).labels) == 1


def test_oddities_mark_faulty_points_groups_and_photos_of_no_face(tmp_path):
    rows = [(f"w/{name}.jpg", "occluded", "", "1", [0] * 68) for name in "abcd"]
    oddities = 'w/a.jpg,points,"3-5,57",swapped\nw/a.jpg,border,60,\nw/b.jpg,same_photo,4,\nw/c.jpg,photo,,a statue\n'
    labels = VisibilityLabels.read(_write(tmp_path / "labels.csv", rows, oddities))
    found, problems = labels.apply([_sample(f"w/{name}.jpg") for name in "abcd"])
    assert [sample.name for sample in found] == ["w/a.jpg", "w/b.jpg", "w/d.jpg"]
    assert np.flatnonzero(found[0].inexact).tolist() == [3, 4, 5, 57, 60]
    assert np.isfinite(found[0].landmarks).all()  # occluders are drawn from them all the same
    assert [sample.group for sample in found] == ["", "same_photo:4", ""]
    assert [problem.name for problem in problems] == ["w/c.jpg"] and "a statue" in problems[0].reason


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a.jpg", "clear", "", "1", [0] * 68), "line 2: screen is clean, occluded, unsure"),
        (("a.jpg", "clean", "", "2", [0] * 68), "line 2: screen is"),
        (("a.jpg", "clean", "", "1", [2] * 68), "line 2: screen is"),
        (("a.jpg", "clean", "", "1", ["x"] * 68), "line 2: v0 to v67 are 1, 0 or -1"),
        (("a.jpg", "clean", "", "1", [0] * 67), "line 2: expected 72 columns"),
        (("a.jpg", "clean", "", "1", [0] * 69), "line 2: expected 72 columns"),
    ],
)
def test_a_row_that_is_none_is_named(tmp_path, row, message):
    with pytest.raises(AnnotationError, match=message):
        VisibilityLabels.read(_write(tmp_path / "labels.csv", [row]))


@pytest.mark.parametrize("oddity", ["3-99", "a", "3,,"])
def test_a_range_that_names_no_landmarks_is_named(tmp_path, oddity):
    path = _write(tmp_path / "labels.csv", [("a.jpg", "clean", "", "1", [0] * 68)], f'a.jpg,points,"{oddity}",x\n')
    with pytest.raises(AnnotationError, match=r"oddities\.csv, line 2: expected landmarks like 7-10,57"):
        VisibilityLabels.read(path)


def test_no_such_table_another_table_or_an_empty_one(tmp_path):
    with pytest.raises(AnnotationError, match=r"cannot read .*none\.csv"):
        VisibilityLabels.read(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(AnnotationError, match="expected the columns photo, screen, kind, labelled"):
        VisibilityLabels.read(tmp_path / "other.csv")
    with pytest.raises(AnnotationError, match="labels no face"):
        VisibilityLabels.read(_write(tmp_path / "labels.csv", []))


def test_the_committed_table_counts_as_its_page_says():
    labels = VisibilityLabels.read(ROOT / "annotations" / "labels.csv").labels
    screens = [label.screen for label in labels]
    assert [screens.count(word) for word in ("clean", "occluded", "unsure")] == [930, 1071, 1127]
    states = np.concatenate([label.states for label in labels if label.labelled])
    assert sum(label.labelled for label in labels) == 2413
    assert [int((states == value).sum()) for value in (1, 0, -1)] == [5927, 139147, 19010]
