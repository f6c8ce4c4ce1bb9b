import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.pts import read_pts
from occlumark.face import Face, to_coco, to_csv, to_pts, to_supervision
from occlumark.face.formats import coco_document, csv_columns
from occlumark.markup import MARKUPS

BOX = np.array([10.0, 20.0, 60.5, 80.25])


@pytest.fixture
def face() -> Face:
    random = np.random.default_rng(0)
    return Face(
        box=BOX,
        score=0.875,
        landmarks=random.uniform(10, 80, (68, 2)).round(2),
        visibility=np.repeat([0.25, 0.75], 34),
        occlusion_map=np.zeros((7, 7)),
        crop=CropTransform.from_box(BOX, CropConfig()),
    )


def test_csv_has_a_column_a_number_and_a_row_a_face(face):
    told = replace(face, expected_error=np.full(68, 1.5))
    for each, error in ((face, ""), (told, "1.5")):
        first, second = list(csv.DictReader(io.StringIO(to_csv([each, each], "a, b.jpg"))))
        assert first == second | {"face": "1"} and second["face"] == "2" and first["photo"] == "a, b.jpg"
        assert [float(first[name]) for name in ("box_x0", "box_y0", "box_x1", "box_y1")] == BOX.tolist()
        points = [[float(first[f"{axis}{i}"]) for axis in "xy"] for i in range(68)]
        np.testing.assert_array_equal(points, face.landmarks)
        assert (first["visibility33"], first["visibility34"]) == ("0.25", "0.75")
        assert first["expected_error67"] == error and float(first["score"]) == 0.875
    assert len(csv_columns(68)) == 7 + 4 * 68


def test_no_faces_and_faces_of_two_markups(face):
    few = replace(face, landmarks=face.landmarks[:29], visibility=np.ones(29), expected_error=np.array(np.nan))
    assert to_csv([]) == ""
    with pytest.raises(ValueError, match="one markup"):
        to_csv([face, few])


def test_a_pts_file_is_read_back(face, tmp_path):
    (tmp_path / "a.pts").write_text(to_pts(face))
    np.testing.assert_allclose(read_pts(tmp_path / "a.pts"), face.landmarks, atol=1e-9)
    assert to_pts(face).splitlines()[:4] == [
        "version: 1",
        "n_points: 68",
        "{",
        "{:.3f} {:.3f}".format(*(face.landmarks[0] + 0.5)),
    ]


def test_a_coco_annotation_by_hand(face):
    values = to_coco(face, image_id=3, annotation_id=7)
    points = np.array(values["keypoints"]).reshape(68, 3)
    np.testing.assert_array_equal(points[:, :2], face.landmarks)
    np.testing.assert_array_equal(points[:, 2], np.repeat([1, 2], 34))
    assert (values["id"], values["image_id"], values["category_id"], values["num_keypoints"]) == (7, 3, 1, 68)
    assert values["bbox"] == [10, 20, 50.5, 60.25] and values["area"] == pytest.approx(50.5 * 60.25, abs=0.01)


@pytest.mark.parametrize("n", MARKUPS)
def test_a_coco_document_counts_and_names(face, n):
    markup = MARKUPS[n]
    document = coco_document(
        [("a.jpg", 640, 480, [face, face]), ("b.jpg", 32, 24, []), ("c.jpg", 9, 8, [face])], markup
    )
    assert [(image["id"], image["file_name"], image["width"]) for image in document["images"]] == [
        (1, "a.jpg", 640),
        (2, "b.jpg", 32),
        (3, "c.jpg", 9),
    ]
    assert [(each["id"], each["image_id"]) for each in document["annotations"]] == [(1, 1), (2, 1), (3, 3)]
    (category,) = document["categories"]
    assert len(set(category["keypoints"])) == n and "" not in category["keypoints"]
    assert category["keypoints"][markup.regions["mouth"][0]] == ("right_mouth_corner" if n == 5 else "mouth_1")
    ends = np.array(category["skeleton"])
    assert ends.min() >= 1 and ends.max() <= n
    assert ends[0].tolist() == [markup.contours[0][0] + 1, markup.contours[0][1] + 1]


def test_supervisions_key_points(face):
    supervision = pytest.importorskip("supervision", reason="needs supervision, which is no requirement")
    points = to_supervision([face, face])
    assert isinstance(points, supervision.KeyPoints) and len(points) == 2
    np.testing.assert_allclose(points.xy[1], face.landmarks, atol=1e-4)
    np.testing.assert_array_equal(points.data["score"], [0.875, 0.875])
    assert len(to_supervision([])) == 0


def test_what_follows_from_a_faces_landmarks(face):
    assert face.five_points.shape == (5, 2) and face.eye_openness.shape == (2,)
    assert face.align(112).size == 112 and face.align(96, "upright", scale=2).size == 96
    upright = face.align(200, "upright", scale=1.0).to_crop(face.landmarks)
    assert upright.min() == pytest.approx(0, abs=1e-6) and upright.max() == pytest.approx(200)
    with pytest.raises(ValueError, match="layout is 'arcface' or 'upright', not 'vgg'"):
        face.align(112, "vgg")
