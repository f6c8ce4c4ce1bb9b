"""Annotated photos of one's own: .pts of any number, COCO key points, tables, lists, and the face finder's boxes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.finder_boxes import with_finder_boxes
from occlumark.data.own import read_own
from occlumark.data.pack import OCCLUDED, UNKNOWN, VISIBLE, Pack, PackConfig, write_pack
from occlumark.data.sample import Sample
from occlumark.errors import AnnotationError, CheckpointError
from occlumark.face import Face
from occlumark.face.formats import coco_document, to_csv
from occlumark.markup.read import markup_of

THREE = markup_of({"name": "three", "landmarks": ["eye_r", "eye_l", "nose"], "mirror": [[0, 1]]})
#: 68 points as in 300W, but in another order, so that only the markup's name and mirror table tell them apart.
OTHER_68 = markup_of({"name": "other", "landmarks": 68, "mirror": [["0-33", "67-34"]]})
POINTS = [[10.5, 20.0], [30.25, 21.0], [20.0, 30.75]]


@pytest.fixture
def photos(tmp_path) -> Path:
    (tmp_path / "below").mkdir()
    for name in ("a.png", "b.png", "below/c.png"):
        Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(tmp_path / name)
    return tmp_path


def write_pts(path: Path, points) -> None:
    lines = "\n".join(f"{x + 0.5} {y + 0.5}" for x, y in points)
    path.write_text(f"version: 1\nn_points: {len(points)}\n{{\n{lines}\n}}\n")


def coco(photos: Path, annotations: list[dict]) -> Path:
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "below/c.png"}, {"id": 3, "file_name": "no.png"}]
    path = photos / "faces.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def key_points(flags, points=POINTS) -> list[float]:
    return [number for (x, y), flag in zip(points, flags, strict=True) for number in (x, y, flag)]


def test_pts_files_of_any_number(photos):
    write_pts(photos / "a.pts", POINTS)
    write_pts(photos / "b.pts", POINTS[:2])
    (sample,), (problem,) = read_own([photos], THREE)
    assert (sample.name, sample.markup) == ("a.png", THREE)
    np.testing.assert_allclose(sample.landmarks, POINTS)
    assert problem.name == "b.pts" and "expected 3 points, its header says 2" in problem.reason


def test_coco_key_points_with_their_flags_and_boxes(photos):
    path = coco(
        photos,
        [
            {"id": 7, "image_id": 1, "keypoints": key_points([2, 1, 2]), "bbox": [5, 6, 30, 40]},
            {"id": 8, "image_id": 1, "keypoints": key_points([2, 2, 0])},
            {"id": 9, "image_id": 2, "keypoints": key_points([2, 2, 2]), "bbox": [1, 2, 0, 9]},
        ],
    )
    samples, problems = read_own([path], THREE)
    assert problems == [] and [sample.name for sample in samples] == ["a.png#1", "a.png#2", "below/c.png"]
    first, second, third = samples
    np.testing.assert_array_equal(first.landmarks, POINTS)
    assert first.occluded.tolist() == [False, True, False] and not first.unknown.any()
    assert first.official_box.tolist() == [5, 6, 35, 46] and second.official_box is third.official_box is None
    assert np.isnan(second.landmarks[2]).all() and second.unknown.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"image_id": 1, "keypoints": [1, 2, 2]}, "expected 3 key points, 9 numbers, came 3"),
        ({"image_id": 1}, "expected 3 key points, 9 numbers, came 0"),
        ({"image_id": 1, "keypoints": key_points([2, 3, 2])}, "a key point's flag is 0, 1 or 2"),
        ({"image_id": 1, "keypoints": key_points([0, 0, 0])}, "the landmarks span no area"),
        ({"image_id": 1, "keypoints": key_points(["2", 2, 2])}, "'keypoints' holds what is no number"),
        ({"image_id": 3, "keypoints": key_points([2, 2, 2])}, "no photo .*no.png"),
        ({"id": 5, "image_id": 4, "keypoints": key_points([2, 2, 2])}, "its image_id is of no image"),
    ],
)
def test_a_coco_face_that_cannot_be_used_is_listed(annotation, message, photos):
    good = {"id": 1, "image_id": 2, "keypoints": key_points([2, 2, 2])}
    (sample,), (problem,) = read_own([coco(photos, [annotation, good])], THREE)
    assert sample.name == "below/c.png"
    assert re.search(message, problem.reason)


@pytest.mark.parametrize("text", ["[]", "{", '{"images": []}', '{"images": 1, "annotations": []}'])
def test_what_is_no_coco_file_is_one_line(text, tmp_path):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(AnnotationError, match="expected COCO key points") as caught:
        read_own([tmp_path / "x.json"], THREE)
    assert "\n" not in str(caught.value)


def test_a_table_by_number_as_detect_prints_it(photos):
    (photos / "t.csv").write_text(
        "photo,face,score,box_x0,box_y0,box_x1,box_y1,x0,y0,visibility0,x1,y1,visibility1,x2,y2,visibility2\n"
        "a.png,1,.9,1,2,40,44,10.5,20,.9,30.25,21,.2,20,30.75,\n"
        "below/c.png,1,.9,,,,,10.5,20,,30.25,21,,,,\n"
    )
    first, second = read_own([photos / "t.csv"], THREE)[0]
    np.testing.assert_array_equal(first.landmarks, POINTS)
    assert first.official_box.tolist() == [1, 2, 40, 44]
    assert first.occluded.tolist() == [False, True, False] and first.unknown.tolist() == [False, False, True]
    assert second.occluded is second.official_box is None and second.annotated.tolist() == [True, True, False]


def test_a_table_by_name_whose_photos_are_elsewhere(photos, tmp_path_factory):
    path = tmp_path_factory.mktemp("elsewhere") / "t.csv"
    path.write_text("photo,eye_r_x,eye_r_y,eye_l_x,eye_l_y,nose_x,nose_y,who\na.png,10.5,20,30.25,21,20,30.75,me\n")
    ((sample,), problems) = read_own([path], THREE, photos)
    np.testing.assert_array_equal(sample.landmarks, POINTS)
    assert problems == [] and sample.photo == photos / "a.png"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.png,10,20,30,,20,30", "a landmark has one of x and y alone"),
        ("a.png,10,20,30,x,20,30", "'y1' is a number or empty, not 'x'"),
        ("a.png,nan,20,30,21,20,30", "'x0' is a number or empty, not 'nan'"),
        ("a.png,10,20,10,20,10,20", "the landmarks span no area"),
        ("no.png,10,20,30,21,20,30", "no photo .*no.png"),
        (",10,20,30,21,20,30", "no photo"),
    ],
)
def test_a_row_that_cannot_be_used_is_listed_by_its_line(row, message, photos):
    (photos / "t.csv").write_text(f"photo,x0,y0,x1,y1,x2,y2\nb.png,10,20,30,21,20,30\n{row}\n")
    (_,), (problem,) = read_own([photos / "t.csv"], THREE)
    assert re.search(f"t.csv, line 3: .*{message}", problem.reason)


def test_a_table_without_a_column_names_it(photos):
    (photos / "t.csv").write_text("photo,x0,y0,x1,y1,x2\na.png,1,2,3,4,5\n")
    with pytest.raises(AnnotationError, match=r"'three' has 3 landmarks; expected .* x2, y2, missing is 'y2'"):
        read_own([photos / "t.csv"], THREE)


def test_lists_take_photos_by_name_and_say_what_is_not_there(photos):
    annotations = [{"id": i, "image_id": i // 2 + 1, "keypoints": key_points([2, 2, 2])} for i in range(3)]
    path = coco(photos, annotations)
    (photos / "train.txt").write_text("a.png\n\nmissing.png\n")
    samples, problems = read_own([path], THREE, lists=[photos / "train.txt"])
    assert [sample.name for sample in samples] == ["a.png#1", "a.png#2"]
    assert [tuple(problem)[:2] for problem in problems] == [
        ("missing.png", "in the list, but no face of that photo is annotated")
    ]
    (photos / "none.txt").write_text("\n")
    with pytest.raises(AnnotationError, match=r"list .*none\.txt names no photo"):
        read_own([path], THREE, lists=[photos / "none.txt"])


def test_a_list_keeps_the_reasons_of_its_photos_pts(photos):
    write_pts(photos / "a.pts", POINTS)
    (photos / "a_2.pts").write_text("version: 1\nn_points: 3\n{\nno numbers\n}\n")
    write_pts(photos / "b.pts", [[float("nan"), 1.0], *POINTS[1:]])
    (photos / "below" / "c.pts").write_text("")
    (photos / "list.txt").write_text("a.png\nb.png\n")
    samples, problems = read_own([photos], THREE, lists=[photos / "list.txt"])
    assert [sample.name for sample in samples] == ["a.png"]
    assert [problem.name for problem in problems] == ["a_2.pts", "b.pts"]
    assert not any("in the list" in problem.reason for problem in problems)


def test_the_finders_boxes_and_what_stands_in_for_them(photos):
    """Five faces: the finder's box is the tight one, doubled and moved down by a tenth; one face is not found."""
    rng = np.random.default_rng(0)
    shapes = [rng.uniform(5, 40, (3, 2)) for _ in range(5)]
    samples = [Sample(f"{i}", photos / f"{i}.png", shape, markup=THREE) for i, shape in enumerate(shapes)]
    for sample in samples:
        Image.fromarray(np.full((48, 64, 3), int(sample.name), np.uint8)).save(sample.photo)

    def expected(sample: Sample) -> np.ndarray:
        (x0, y0, x1, y1), side = sample.tight_box, np.ptp(sample.tight_box.reshape(2, 2), axis=0).max()
        x, y = (x0 + x1) / 2, (y0 + y1) / 2 + 0.1 * side
        return np.array([x - side, y - side, x + side, y + side])

    def finder(photo):
        i = int(photo[0, 0, 0])
        return [] if i == 4 else [(np.array([60.0, 40, 64, 44]), 0.99), (expected(samples[i]), 0.8)]

    boxed, found = with_finder_boxes(samples, finder)
    assert found == 4
    np.testing.assert_allclose([each.official_box for each in boxed], [expected(each) for each in samples])
    assert with_finder_boxes(samples[3:], finder)[0][1].official_box is None  # of one found face nothing is inferred


@pytest.mark.parametrize("markup", [THREE, OTHER_68])
def test_a_pack_carries_its_markup_and_what_is_known_of_occlusion(markup, photos):
    landmarks = np.random.default_rng(1).uniform(8, 40, (markup.n, 2))
    occluded, unknown = np.arange(markup.n) == 0, np.arange(markup.n) == 1
    box = np.array([10.0, 10, 34, 34])
    sample = Sample("a.png", photos / "a.png", landmarks, box, occluded, unknown=unknown, markup=markup)
    write_pack([sample], photos / "own.pack", PackConfig(size=64, extent=2), "official")
    pack = Pack.open(photos / "own.pack")
    assert pack.markup == markup and pack.n_landmarks == markup.n
    assert pack.occlusion[0, :3].tolist() == [OCCLUDED, UNKNOWN, VISIBLE]
    np.testing.assert_allclose(pack.official_boxes[0], [16, 16, 48, 48], atol=1e-4)  # 24 photo pixels are 32 of 64


def test_a_packs_damaged_markup_is_refused(photos):
    sample = Sample("a.png", photos / "a.png", np.array(POINTS), markup=THREE)
    write_pack([sample], photos / "own.pack", PackConfig(size=64, extent=2))
    content = (photos / "own.pack").read_bytes()
    assert content.count(b'"nose"') == 1
    (photos / "bad.pack").write_bytes(content.replace(b'"nose"', b'"eye_"').replace(b'"eye_l"', b'"eye_" '))
    with pytest.raises(CheckpointError, match=r"bad\.pack is altered"):
        Pack.open(photos / "bad.pack")


def test_what_detect_prints_as_csv_and_coco_is_read_back(photos):
    landmarks = np.random.default_rng(2).uniform(5, 40, (68, 2)).round(2)
    visibility = np.where(np.arange(68) % 3, 0.9, 0.1)
    crop = CropTransform.from_box(np.array([5.0, 5, 40, 40]), CropConfig(size=64))
    face = Face(np.array([4.0, 5, 41, 40]), 0.9, landmarks, visibility, np.zeros((2, 2)), crop)
    (photos / "faces.csv").write_text(to_csv([face], "a.png"))
    (photos / "faces.json").write_text(json.dumps(coco_document([("a.png", 64, 48, [face])], face.markup)))
    for name in ("faces.csv", "faces.json"):
        ((sample,), problems) = read_own([photos / name], face.markup)
        np.testing.assert_allclose(sample.landmarks, landmarks)
        assert problems == [] and sample.occluded.tolist() == face.hidden().tolist()
        np.testing.assert_allclose(sample.official_box, face.box)
