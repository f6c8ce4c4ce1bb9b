from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from occlumark.data.scenes import Scene, held_out, read_scenes, tight_from_auto
from occlumark.errors import AnnotationError

SCENES = Path(__file__).parents[3] / "shared" / "data" / "scenes"
HEAD = "file,kind,x0,y0,x1,y1\n"


def write(folder: Path, table: str, *photos: str) -> Path:
    for name in photos:
        (folder / name).touch()
    (folder / "boxes.csv").write_text(table, encoding="utf-8")
    return folder


def test_a_folder_by_hand(tmp_path: Path) -> None:
    table = (
        "wflw_2.jpg,auto,100,200,200,300\nother_1.jpg,none,,,,\nwflw_2.jpg,manual,1.5,2,30,40\n"
        "wflw_2.jpg,ignore,5,6,7,8\nmask_3.jpg,ignore,1,2,3,4\n"
    )
    scenes = read_scenes(write(tmp_path, HEAD + table, "wflw_2.jpg", "other_1.jpg", "mask_3.jpg"))
    assert [scene.name for scene in scenes] == ["mask_3.jpg", "other_1.jpg", "wflw_2.jpg"]
    assert [scene.source for scene in scenes] == ["mask", "other", "wflw"]
    mask, other, wflw = scenes
    assert wflw.photo == tmp_path / "wflw_2.jpg"
    # The auto box's side is 100, so that TIGHT_IN_AUTO is read off in percent.
    np.testing.assert_allclose(wflw.faces, [[1.5, 2, 30, 40], [98.5, 225.6, 200, 300.3]])
    assert wflw.exact.tolist() == [True, False] and wflw.ignored.tolist() == [[5, 6, 7, 8]]
    assert other.faces.shape == other.ignored.shape == (0, 4) and other.exact.shape == (0,)
    assert mask.faces.shape == (0, 4) and mask.ignored.tolist() == [[1, 2, 3, 4]]


def test_the_tight_box_moves_and_grows_with_the_auto_box() -> None:
    boxes = np.array([[0, 0, 40, 60], [10, 20, 90, 140]], float)
    moved = tight_from_auto(boxes)
    np.testing.assert_allclose(moved[1], 2 * moved[0] + [10, 20, 10, 20])
    assert tight_from_auto(np.zeros((0, 4))).shape == (0, 4)


def test_no_table(tmp_path: Path) -> None:
    message = r"^cannot read .*boxes\.csv: No such file or directory; expected photos with a boxes\.csv$"
    with pytest.raises(AnnotationError, match=message):
        read_scenes(tmp_path)


def test_a_table_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AnnotationError, match=r"^cannot read .*boxes\.csv: .*expected photos with a boxes\.csv$"):
        read_scenes(tmp_path)


@pytest.mark.parametrize("table", ["", "file,x0,y0,x1,y1\na.jpg,1,2,3,4\n", "file,kind,x0,y0,x1,y1,z\n"])
def test_other_columns(tmp_path: Path, table: str) -> None:
    with pytest.raises(AnnotationError, match=r"boxes\.csv: expected the columns file,kind,x0,y0,x1,y1$"):
        read_scenes(write(tmp_path, table, "a.jpg"))


def test_no_photo_in_the_table(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"boxes\.csv names no photo$"):
        read_scenes(write(tmp_path, HEAD))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,face,1,2,3,4", "line 3: kind is manual, auto, ignore or none, not 'face'"),
        ("a.jpg", "line 3: kind is manual, auto, ignore or none, not None"),
        ("a.jpg,auto,1,2,three,4", "line 3: expected four numbers x0, y0, x1, y1"),
        ("a.jpg,auto,1,2,3", "line 3: expected four numbers x0, y0, x1, y1"),
        ("a.jpg,auto,1,2,3,4,5", "line 3: expected the columns file,kind,x0,y0,x1,y1, and no more"),
        ("a.jpg,manual,1,2,1,4", r"line 3: expected x0 < x1 and y0 < y1, came \[1.0, 2.0, 1.0, 4.0\]"),
        ("a.jpg,manual,1,4,3,2", "line 3: expected x0 < x1 and y0 < y1"),
        ("a.jpg,ignore,1,2,nan,4", "line 3: expected x0 < x1 and y0 < y1"),
        ("a.jpg,ignore,1,2,3,inf", "line 3: expected x0 < x1 and y0 < y1"),
    ],
)
def test_a_row_that_is_none_of_these(tmp_path: Path, row: str, message: str) -> None:
    folder = write(tmp_path, f"{HEAD}a.jpg,manual,1,2,3,4\n{row}\n", "a.jpg")
    with pytest.raises(AnnotationError, match=rf"boxes\.csv, {message}"):
        read_scenes(folder)


def test_photos_with_a_face_and_without_any(tmp_path: Path) -> None:
    table = HEAD + "a.jpg,manual,1,2,3,4\nb.jpg,none,,,,\na.jpg,none,,,,\n"
    with pytest.raises(AnnotationError, match=r"boxes\.csv: a\.jpg has no face \(none\) and boxes as well$"):
        read_scenes(write(tmp_path, table, "a.jpg", "b.jpg"))


def test_photos_that_are_missing(tmp_path: Path) -> None:
    table = HEAD + "a.jpg,none,,,,\nb.jpg,none,,,,\nc.jpg,manual,1,2,3,4\n"
    with pytest.raises(AnnotationError, match=r"boxes\.csv: 2 of 3 photos are missing; the first: b\.jpg$"):
        read_scenes(write(tmp_path, table, "a.jpg"))


def scenes_named(*names: str) -> list[Scene]:
    none = np.zeros((0, 4))
    return [Scene(Path("folder") / name, none, np.zeros(0, bool), none) for name in names]


def test_held_out_photos_are_a_fixed_seventh() -> None:
    scenes = scenes_named(*(f"wflw_{i:05}.jpg" for i in range(2000)))
    training, other = held_out(scenes)
    assert {scene.name for scene in training} | {scene.name for scene in other} == {scene.name for scene in scenes}
    assert len(training) + len(other) == 2000
    assert 240 < len(other) < 360  # 15 %, and four deviations of the drawing
    # A photo's side hangs on its own name alone.
    assert [scene.name for scene in held_out(scenes[::3])[1]] == [s.name for s in scenes[::3] if s in other]


def test_the_real_scenes() -> None:
    if not SCENES.is_dir():
        pytest.skip("the scenes are not in ../shared/data/scenes")
    scenes = read_scenes(SCENES)
    assert Counter(scene.source for scene in scenes) == {
        "w300": 600,
        "wflw": 566,
        "mask": 520,
        "other": 300,
        "crowd": 260,
    }
    assert sum(scene.exact.sum() for scene in scenes) == 1451
    assert sum(len(scene.faces) for scene in scenes) == 1451 + 1922
    training, other = held_out(scenes)
    # Whoever trains and whoever measures must mean the same photos.
    assert len(training) + len(other) == 2246
    assert Counter(scene.source for scene in other) == {"w300": 104, "wflw": 83, "mask": 66, "other": 45, "crowd": 41}
    assert [scene.name for scene in other[:3]] == ["crowd_00005.jpg", "crowd_00086.jpg", "crowd_00149.jpg"]
