import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from occlumark.data.w300 import name_prefixes, read_boxes, read_w300
from occlumark.errors import AnnotationError

W300 = Path(__file__).parents[3] / "shared" / "data" / "300w"
needs_300w = pytest.mark.skipif(not W300.is_dir(), reason="the photos of 300W are not in ../shared/data/300w")

AddFace = Callable[..., np.ndarray]


def test_order_names_and_landmarks(tmp_path: Path, add_face: AddFace) -> None:
    expected = add_face(tmp_path / "b" / "image_092 _01.pts")
    add_face(tmp_path / "a" / "deep" / "x.pts", "x.PNG")
    samples, problems = read_w300([tmp_path])
    assert [sample.name for sample in samples] == ["a/deep/x.PNG", "b/image_092 _01.jpg"]
    np.testing.assert_allclose(samples[1].landmarks, expected, atol=1e-6)
    np.testing.assert_allclose(samples[1].tight_box, [*expected.min(0), *expected.max(0)], atol=1e-6)
    assert samples[1].official_box is None and problems == []


def test_linked_folders_are_read_and_hidden_ones_are_not(tmp_path: Path, add_face: AddFace) -> None:
    add_face(tmp_path / "elsewhere" / "a.pts")
    root = tmp_path / "root"
    add_face(root / "b.pts")
    add_face(root / ".cache" / "c.pts")
    (root / "._b.pts").write_bytes(b"a file system's own")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "loop").symlink_to(root)
    (root / "gone.pts").symlink_to(tmp_path / "gone.pts")
    (root / "gone.jpg").touch()
    samples, problems = read_w300([root])
    assert [sample.name for sample in samples] == ["b.jpg", "linked/a.jpg"]
    assert [problem.name for problem in problems] == ["gone.pts"]  # a link into nothing is not skipped in silence


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(AnnotationError, match=f"^cannot list folder {tmp_path}: Permission denied$"):
        read_w300([tmp_path])


def test_several_faces_on_one_photo(tmp_path: Path, add_face: AddFace) -> None:
    for number in (1, 2):
        add_face(tmp_path / f"crowd_{number}.pts", "crowd.jpg", shift=number)
    add_face(tmp_path / "own_1.pts")
    samples, problems = read_w300([tmp_path])
    assert [sample.name for sample in samples] == ["crowd.jpg#1", "crowd.jpg#2", "own_1.jpg"]
    assert samples[0].photo == samples[1].photo == tmp_path / "crowd.jpg"
    assert not np.array_equal(samples[0].landmarks, samples[1].landmarks) and not problems


def test_the_unusable_are_listed_with_a_reason(tmp_path: Path, add_face: AddFace) -> None:
    add_face(tmp_path / "good.pts")
    add_face(tmp_path / "lonely.pts", photo="")
    add_face(tmp_path / "short.pts")
    (tmp_path / "short.pts").write_text("1 2\n" * 67)
    (tmp_path / "unannotated.jpg").write_bytes(b"")
    samples, problems = read_w300([tmp_path])
    assert [sample.name for sample in samples] == ["good.jpg"]
    assert [problem.name for problem in problems] == ["lonely.pts", "short.pts"]
    assert "no photo" in problems[0].reason and "67" in problems[1].reason


def test_several_roots_share_names_below_their_common_parent(tmp_path: Path, add_face: AddFace) -> None:
    for folder in ("lfpw/testset", "lfpw/trainset", "afw"):
        add_face(tmp_path / folder / "image_0001.pts")
    roots = [tmp_path / "lfpw", tmp_path / "afw", tmp_path / "lfpw" / "testset"]
    names = [sample.name for sample in read_w300(roots)[0]]
    expected = ["lfpw/testset/image_0001.jpg", "lfpw/trainset/image_0001.jpg", "afw/image_0001.jpg"]
    assert names == expected  # the testset, given twice, is read once
    assert name_prefixes(roots) == ["lfpw/", "afw/", "lfpw/testset/"]
    assert name_prefixes([tmp_path]) == name_prefixes([tmp_path / "x" / ".."]) == [""]


def test_the_nearest_box_table_at_or_above_the_root(tmp_path: Path, add_face: AddFace) -> None:
    add_face(tmp_path / "helen" / "testset" / "1_1.pts")
    add_face(tmp_path / "helen" / "testset" / "2_1.pts")
    header = "set,file,x0,y0,x1,y1\n"
    (tmp_path / "detector_boxes.csv").write_text(header + "helen/testset,1_1.jpg,10,20,70.5,90\n")
    for root in (tmp_path, tmp_path / "helen", tmp_path / "helen" / "testset"):
        first, second = read_w300([root])[0]
        np.testing.assert_array_equal(first.official_box, [9.5, 19.5, 70, 89.5])
        assert second.official_box is None
    (tmp_path / "helen" / "detector_boxes.csv").write_text(header + "testset,1_1.jpg,1,2,3,4\n")
    np.testing.assert_array_equal(read_w300([tmp_path / "helen"])[0][0].official_box, [0.5, 1.5, 2.5, 3.5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,x0,y0,x1,y1\n", "columns"),
        ("set,file,x0,y0,x1,y1\na,b.jpg,1,2,x,4\n", "line 2: expected four numbers"),
        ("set,file,x0,y0,x1,y1\na,b.jpg,1,2\n", "line 2: expected four numbers"),
        ("set,file,x0,y0,x1,y1\na,b.jpg,3,2,1,4\n", "line 2: expected x0 < x1"),
        ("set,file,x0,y0,x1,y1\na,b.jpg,1,2,nan,4\n", "line 2: expected x0 < x1"),
    ],
)
def test_a_box_table_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "detector_boxes.csv").write_text(text)
    with pytest.raises(AnnotationError, match=message):
        read_boxes(tmp_path / "detector_boxes.csv")


def test_a_root_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="is no folder"):
        read_w300([tmp_path / "none"])


def test_folders_without_a_face(tmp_path: Path, add_face: AddFace) -> None:
    add_face(tmp_path / "faces" / "a.pts")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AnnotationError, match=r"no \.pts file below .*empty"):
        read_w300([tmp_path / "faces", tmp_path / "empty"])
    (tmp_path / "faces" / "a.pts").write_text("nan nan\n" * 68)
    with pytest.raises(AnnotationError, match=r"1 unusable; the first: .*not finite"):
        read_w300([tmp_path / "faces"])


@needs_300w
@pytest.mark.parametrize(
    ("folders", "faces", "boxes"),
    [
        (["afw", "lfpw/trainset", "helen/trainset"], 2129, 2129),
        (["lfpw/testset", "helen/testset"], 554, 554),
        (["ibug"], 135, 134),
    ],
)
def test_300w_is_read_whole(folders: list[str], faces: int, boxes: int) -> None:
    samples, problems = read_w300([W300 / folder for folder in folders])
    assert len(samples) == len({sample.name for sample in samples}) == faces and not problems
    assert sum(sample.official_box is not None for sample in samples) == boxes


@needs_300w
def test_official_boxes_lie_on_the_faces() -> None:
    """On ibug their intersection over union with the tight box is .85, on average."""
    overlaps = []
    for sample in read_w300([W300 / "ibug"])[0]:
        if sample.official_box is not None:
            a, b = sample.official_box, sample.tight_box
            shared = np.prod(np.maximum(0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])))
            overlaps.append(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))
    assert np.mean(overlaps) == pytest.approx(0.854, abs=1e-3)
