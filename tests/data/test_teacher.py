"""Labels of a network: worked into annotated faces, or alone where only a box is known."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.sample import Sample
from occlumark.data.scenes import held_out, read_scenes
from occlumark.data.teacher import (
    label_faces,
    read_boxed_faces,
    states_of,
    teach,
    with_network_labels,
    without_copies,
)
from occlumark.errors import AnnotationError, BoxError
from occlumark.face.face import Face

PLACES = np.stack([np.linspace(20, 80, 68), 50 + 30 * np.sin(np.arange(68))], axis=1)
BOX = np.array([20.0, 20, 80, 80])


def face(shift: float = 0.0, presence: float = 1.0, error: float = 0.5, visibility: float = 1.0) -> Face:
    crop = CropTransform.from_box(BOX, CropConfig())
    return Face(BOX, 1.0, PLACES + shift, np.full(68, visibility), np.zeros((4, 4)), crop, np.full(68, error), presence)


def sample(name: str, photo: Path, **more: object) -> Sample:
    return Sample(name, photo, PLACES, **more)  # type: ignore[arg-type]


def picture(path: Path, seed: int) -> Path:
    """A smooth picture of its own for each seed."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    cv2.imwrite(str(path), cv2.resize(small, (100, 100), interpolation=cv2.INTER_CUBIC))
    return path


def test_a_landmark_is_sure_near_0_and_1_alone():
    occluded, unknown = states_of(np.array([0.0, 0.1, 0.2, 0.5, 0.8, 0.95, 1.0]))
    assert occluded.tolist() == [True, True, True, False, False, False, False]
    assert unknown.tolist() == [False, False, True, True, True, False, False]


def test_annotated_places_are_averaged_and_rough_ones_replaced():
    rough = np.zeros(68, bool)
    rough[:3] = True
    found = with_network_labels(sample("a", Path("a"), inexact=rough), PLACES + 4, np.ones(68))
    np.testing.assert_allclose(found.landmarks[:3], PLACES[:3] + 4)
    np.testing.assert_allclose(found.landmarks[3:], PLACES[3:] + 2)
    assert found.inexact is None and not found.labelled_by_network


def test_a_face_whose_places_are_all_rough_is_the_networks_own():
    found = with_network_labels(sample("a", Path("a"), inexact=np.ones(68, bool)), PLACES + 4, np.ones(68))
    np.testing.assert_allclose(found.landmarks, PLACES + 4)
    assert found.labelled_by_network


def test_known_visibility_stays_and_the_rest_is_the_networks():
    known = sample(
        "a", Path("a"), occluded=np.arange(68) == 0, unknown=np.isin(np.arange(68), [2, 3])
    )  # 0 occluded, 1 visible, 2 and 3 unknown
    visibility = np.array([1.0, 0.0, 0.02, 0.4, *np.ones(64)])
    found = with_network_labels(known, PLACES, visibility)
    assert found.occluded is not None and found.unknown is not None
    assert found.occluded[:3].tolist() == [True, False, True]
    assert found.unknown[:5].tolist() == [False, False, False, True, False]
    alone = with_network_labels(sample("a", Path("a")), PLACES, visibility)
    assert alone.occluded is not None and alone.occluded[:3].tolist() == [False, True, True]


def test_validation_faces_keep_their_own_labels(tmp_path: Path):
    photo = picture(tmp_path / "a.png", 0)
    samples = [sample(f"{i}.png", photo) for i in range(40)]
    found = teach(samples, lambda _photo, _boxes: [face(shift=2)], 0.25, 0)
    moved = [not np.allclose(a.landmarks, b.landmarks) for a, b in zip(samples, found, strict=True)]
    assert 20 < sum(moved) < 40
    assert [a is b for a, b in zip(samples, found, strict=True)] == [not m for m in moved]
    assert teach(samples, lambda _photo, _boxes: [face(shift=2)], 0.25, 0)[0].landmarks.tolist() == (
        found[0].landmarks.tolist()
    )


def test_a_face_that_the_network_is_not_sure_of_is_left_out(tmp_path: Path):
    answers = iter([face(visibility=0.02), face(presence=0.5), face(error=5), face(presence=np.nan)])
    (tmp_path / "boxes.csv").write_text(
        "photo,class,x0,y0,x1,y1\n"
        + "".join(f"{i}.png,face,10,10,90,80\n" for i in range(4))
        + "4.png,face,1,1,40,40\n"
    )
    for i in range(5):
        picture(tmp_path / f"{i}.png", i)
    boxed = read_boxed_faces(tmp_path)
    assert [each.name for each in boxed] == [f"{tmp_path.name}/{i}.png#1" for i in range(4)]  # the last is small
    (found,), problems, _ = label_faces(boxed, lambda _photo, _boxes: [next(answers)])
    np.testing.assert_allclose(found.landmarks, PLACES)
    assert found.labelled_by_network and found.occluded is not None and found.occluded.all()
    assert [problem.name.rpartition("/")[2] for problem in problems] == ["1.png#1", "2.png#1", "3.png#1"]


def test_scenes_held_out_and_those_of_annotated_photos_are_left_out(tmp_path: Path):
    names = [f"{source}_{i}.jpg" for source in ("crowd", "w300", "wflw") for i in range(30)]
    rows = [f"{name},manual,10,10,{75 if i % 2 else 60},60" for i, name in enumerate(names)]
    (tmp_path / "boxes.csv").write_text("file,kind,x0,y0,x1,y1\n" + "\n".join(rows) + "\n")
    for name in names:
        (tmp_path / name).touch()
    training, other = held_out(read_scenes(tmp_path))
    assert other
    found = {each.photo.name for each in read_boxed_faces(tmp_path)}
    assert found == {
        scene.name for scene in training if scene.source == "crowd" and np.ptp(scene.faces[0].reshape(2, 2)[:, 0]) == 65
    }


def test_a_table_of_other_columns_or_without_its_photo_is_told(tmp_path: Path):
    with pytest.raises(AnnotationError, match=r"cannot read .*boxes\.csv"):
        read_boxed_faces(tmp_path)
    (tmp_path / "boxes.csv").write_text("photo,class,x0,y0,x1,y1\na.png,face,1,2,x,4\n")
    with pytest.raises(AnnotationError, match=r"boxes\.csv: expected four numbers for 'a\.png'"):
        read_boxed_faces(tmp_path)
    for box in ("nan,2,90,90", "1,2,inf,90", "90,2,1,90", "1,90,90,2"):
        (tmp_path / "boxes.csv").write_text(f"photo,class,x0,y0,x1,y1\na.png,face,{box}\n")
        with pytest.raises(AnnotationError, match=r"expected x0 < x1 and y0 < y1 for 'a\.png', came \["):
            read_boxed_faces(tmp_path)
    (tmp_path / "boxes.csv").write_text("photo,class,x0,y0,x1,y1\na.png,face,1,2,90,90\n")
    with pytest.raises(AnnotationError, match=r"names a\.png, which is missing"):
        read_boxed_faces(tmp_path)


def test_faces_of_one_photo_have_names_of_their_own(tmp_path: Path):
    (tmp_path / "a.png").touch()
    (tmp_path / "boxes.csv").write_text("photo,class,x0,y0,x1,y1\n" + "a.png,face,1,2,90,90\na.png,face,99,2,190,90\n")
    assert [each.name.partition("/")[2] for each in read_boxed_faces(tmp_path)] == ["a.png#1", "a.png#2"]


def test_near_copies_are_left_out(tmp_path: Path):
    first, second = picture(tmp_path / "a.png", 0), picture(tmp_path / "b.png", 1)
    pixels = cv2.imread(str(first))
    again = tmp_path / "again.jpg"
    cv2.imwrite(str(again), cv2.convertScaleAbs(pixels, alpha=0.8, beta=20), [cv2.IMWRITE_JPEG_QUALITY, 60])
    kept, problems = without_copies([sample("again", again), sample("other", second)], [sample("a", first)])
    assert [each.name for each in kept] == ["other"] and [each.name for each in problems] == ["again"]
    assert "near copy" in problems[0].reason
    assert len(without_copies([sample("again", again)], [])[0]) == 1


def test_a_box_that_holds_nothing_of_its_photo_costs_that_face_alone(tmp_path: Path):
    """Detection refuses such boxes; the other faces are labelled all the same."""

    def detect(photo: np.ndarray, boxes: np.ndarray) -> list[Face]:
        if boxes[0, 0] > photo.shape[1]:
            raise BoxError("outside the photo")
        return [face(shift=2)]

    rows = "0.png,face,500,10,590,80\n1.png,face,10,10,90,80\n"
    (tmp_path / "boxes.csv").write_text("photo,class,x0,y0,x1,y1\n" + rows)
    for i in range(2):
        picture(tmp_path / f"{i}.png", i)
    found, unsure, unusable = label_faces(read_boxed_faces(tmp_path), detect)
    assert len(found) == 1 and not unsure
    assert [(each.name, each.reason) for each in unusable] == [(f"{tmp_path.name}/0.png#1", "outside the photo")]
    away = Sample("away", tmp_path / "0.png", PLACES + 500)
    taught = teach([away, sample("here", tmp_path / "1.png")], detect, 0.0, 0)
    assert taught[0] is away and np.allclose(taught[1].landmarks, PLACES + 1)
