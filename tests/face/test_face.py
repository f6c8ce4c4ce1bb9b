import base64
import copy
import json
import pickle
from dataclasses import fields, replace

import numpy as np
import pytest

from occlumark.crop import CropConfig, CropTransform
from occlumark.errors import AnnotationError
from occlumark.face import Face
from occlumark.markup import MARKUPS


def make_face(seed: int = 0, box=(40.0, 50.0, 90.0, 110.0), occlusion_map=None, **more) -> Face:
    random = np.random.default_rng(seed)
    return Face(
        box=np.array(box),
        score=0.75,
        landmarks=random.uniform(40, 110, (68, 2)).astype(np.float32),
        visibility=random.uniform(0, 1, 68).astype(np.float32),
        occlusion_map=random.uniform(0, 1, (7, 7)) if occlusion_map is None else np.asarray(occlusion_map),
        crop=CropTransform.from_box(np.array(box), CropConfig(), angle_deg=20),
        **more,
    )


@pytest.mark.parametrize("more", [{}, {"expected_error": np.linspace(0, 9, 68)}])
def test_json_brings_back_the_face_rounded_to_what_its_numbers_mean(more):
    face = make_face(**more)
    values = json.loads(json.dumps(face.to_json(), allow_nan=False))
    again = Face.from_json(values)
    for name, step in (("box", 0.01), ("score", 0.001), ("landmarks", 0.01), ("expected_error", 0.01)):
        np.testing.assert_allclose(getattr(again, name), getattr(face, name), rtol=0, atol=step / 2 + 1e-9)
    assert ((face.visibility - again.visibility) < 0.001).all() and (again.visibility <= face.visibility + 1e-9).all()
    np.testing.assert_allclose(again.occlusion_map, face.occlusion_map, rtol=0, atol=0.5 / 255 + 1e-9)
    corners = np.array([[0, 0], [10_000, 0], [0, 10_000]])
    np.testing.assert_allclose(again.crop.to_crop(corners), face.crop.to_crop(corners), rtol=0, atol=1e-3)
    assert again.crop.size == face.crop.size
    assert again.to_json() == values


def test_a_landmark_hidden_in_json_is_hidden_in_the_face_and_the_other_way():
    face = replace(make_face(), visibility=np.repeat([0.49999, 0.5, 0.50001, 0.9999], 17))
    again = Face.from_json(face.to_json())
    np.testing.assert_array_equal(again.visibility, np.repeat([0.499, 0.5, 0.5, 0.999], 17))
    np.testing.assert_array_equal(again.hidden(), face.hidden())


@pytest.mark.parametrize("size", [7, 28])
def test_a_face_is_less_than_6_kB_with_its_map(size):
    face = make_face(occlusion_map=np.random.default_rng(1).uniform(0, 1, (size, size)))
    face = replace(face, landmarks=face.landmarks + 12_345, expected_error=np.full(68, 123.456))
    assert len(json.dumps(face.to_json())) < 6000


def test_the_map_in_json_by_hand():
    face = make_face(occlusion_map=[[0, 1, 0.2], [0.4, 0.6, 0.8]])
    assert face.to_json()["occlusion_map"] == "2x3:" + base64.b64encode(bytes([0, 255, 51, 102, 153, 204])).decode()


def test_the_names_in_json_are_those_of_the_face():
    values = make_face().to_json()
    assert set(values) == {field.name for field in fields(Face)} - {"markup"} | {"hidden_regions"}


def test_json_of_before_is_read():
    """As occlumark 0.1.0 wrote it: numbers in full, the map as lists, `hidden` for `hidden_regions`."""
    face = make_face(expected_error=np.linspace(0, 9, 68))
    values = {name: getattr(face, name).tolist() for name in ("box", "landmarks", "visibility", "expected_error")}
    values |= {"score": 0.75, "hidden": face.hidden_regions(), "occlusion_map": face.occlusion_map.tolist()}
    values |= {"crop": {"matrix": face.crop.matrix.tolist(), "size": 224}}
    again = Face.from_json(json.loads(json.dumps(values)))
    for name in ("box", "score", "landmarks", "visibility", "occlusion_map", "expected_error"):
        np.testing.assert_array_equal(getattr(again, name), getattr(face, name))
    np.testing.assert_array_equal(again.crop.matrix, face.crop.matrix)


def test_a_face_prints_in_one_line():
    face = replace(make_face(), visibility=np.repeat([0.2, 0.9], [12, 56]))
    assert repr(face) == "Face(box [40.0 50.0 90.0 110.0], score 0.75, 12 of 68 landmarks hidden)"
    told = replace(face, expected_error=np.full(68, 1.25))
    assert str(told) == "Face(box [40.0 50.0 90.0 110.0], score 0.75, 12 of 68 landmarks hidden, expected error 1.2 px)"


def test_json_has_what_the_command_promises():
    values = make_face().to_json()
    assert len(values["box"]) == 4 and values["score"] == 0.75
    assert [len(point) for point in values["landmarks"]] == [2] * 68
    assert len(values["visibility"]) == 68
    assert list(values["hidden_regions"]) == ["jaw", "brows", "nose", "eyes", "mouth"]
    assert values["expected_error"] is None
    assert make_face(expected_error=np.full(68, 2.5)).to_json()["expected_error"] == [2.5] * 68


def test_json_of_before_there_was_an_expected_error_is_read_as_without_one():
    values = make_face(expected_error=np.full(68, 2.5)).to_json()
    del values["expected_error"], values["hidden_regions"]
    again = Face.from_json(values)
    assert np.isnan(again.expected_error).all() and not again.has_expected_error
    assert again.to_json() == make_face().to_json()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "landmarks",
            [[1, 2]] * 67,
            "number of landmarks is one of 68, 29, 19, 98, 5, where no .* not 67",
        ),
        ("landmarks", [[1, 2, 3]] * 68, r"landmarks has shape \(68, 2\), not \(68, 3\)"),
        ("landmarks", [[1, float("nan")]] * 68, "landmarks has numbers that are not finite"),
        ("landmarks", [[1, 2]] * 67 + [[1]], "does not hold"),
        ("landmarks", "text", "does not hold"),
        ("visibility", [2] * 68, "visibility is in 0..1"),
        ("visibility", [0.5] * 29, r"visibility has shape \(68,\)"),
        ("expected_error", [0.5] * 29, r"expected_error has shape \(68,\)"),
        ("expected_error", [-0.1] * 68, "expected_error is at least 0"),
        ("expected_error", [None] + [1] * 67, "expected_error has numbers that are not finite"),
        ("expected_error", "text", "does not hold"),
        ("occlusion_map", [0.5], "occlusion_map has shape"),
        ("occlusion_map", "2x2:AAAA", "map of 2x2 has 3 cells"),
        ("occlusion_map", "-2x-2:AAAAAA==", "map of -2x-2 has 4 cells"),
        ("occlusion_map", "0x0:", "occlusion_map has shape"),
        ("occlusion_map", "AAAA", "does not hold"),
        ("occlusion_map", "1x3:A!AA", "does not hold"),
        ("landmarks", [[1, 10**400]] * 68, "does not hold"),
        ("score", 10**400, "does not hold"),
        ("occlusion_map", [[-1.0]], "occlusion_map is in 0..1"),
        ("score", 1.5, "score is in 0..1"),
        ("score", None, "does not hold"),
        ("box", None, "does not hold"),
        ("crop", {"matrix": [[1, 0, 0]], "size": 224}, "crop matrix"),
        ("crop", {"size": 224}, "no key 'matrix'"),
        ("crop", 5, "does not hold"),
    ],
)
def test_from_json_says_what_is_wrong(key, value, message):
    values = copy.deepcopy(make_face().to_json())
    values[key] = value
    with pytest.raises(AnnotationError, match=message) as caught:
        Face.from_json(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["box", "score", "landmarks", "visibility", "occlusion_map", "crop"])
def test_from_json_names_the_missing_key(key):
    values = make_face().to_json()
    del values[key]
    with pytest.raises(AnnotationError, match=f"no key '{key}'"):
        Face.from_json(values)


def test_wrong_shapes_are_a_value_error():
    with pytest.raises(ValueError, match=r"box has shape \(4,\), not \(2,\)"):
        make_face_with_box = make_face()
        Face(
            np.zeros(2),
            1.0,
            make_face_with_box.landmarks,
            make_face_with_box.visibility,
            make_face_with_box.occlusion_map,
            make_face_with_box.crop,
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": 97}, "score is in 0..1, not 97"),
        ({"score": -0.1}, "score is in 0..1"),
        ({"score": float("nan")}, "score is in 0..1, not nan"),
        ({"visibility": np.full(68, 1.1)}, "visibility is in 0..1"),
        ({"occlusion_map": np.full((7, 7), -0.1)}, "occlusion_map is in 0..1"),
        ({"expected_error": np.full(68, -1e-9)}, "expected_error is at least 0"),
        ({"expected_error": np.append(np.ones(67), np.inf)}, "expected_error has numbers that are not finite"),
        ({"expected_error": np.append(np.ones(67), np.nan)}, "expected_error has numbers that are not finite"),
    ],
)
def test_values_out_of_range_are_a_value_error(change, message):
    with pytest.raises(ValueError, match=message):
        replace(make_face(), **change)


def test_a_score_of_numpy_goes_into_json():
    assert json.dumps(replace(make_face(), score=np.float32(0.5)).to_json()["score"]) == "0.5"


@pytest.mark.parametrize(
    "copied", [lambda face: face, copy.copy, copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))]
)
def test_arrays_are_read_only_also_in_copies(copied):
    face = copied(make_face())
    for array in (face.box, face.landmarks, face.visibility, face.occlusion_map, face.crop.matrix, face.expected_error):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert face.to_json() == make_face().to_json()


def test_hidden_by_threshold():
    face = make_face()
    np.testing.assert_array_equal(face.hidden(), face.visibility < 0.5)
    assert face.hidden(0).sum() == 0 and face.hidden(1.1).all()


def test_hidden_shares_of_the_regions():
    visibility = np.ones(68)
    visibility[[0, 16, 17, 27, 28, 29, *range(36, 42), *range(48, 68)]] = [0.2] * 12 + [0.4] * 20
    face = replace(make_face(), visibility=visibility)
    assert face.hidden_regions() == {"jaw": 2 / 17, "brows": 0.1, "nose": 3 / 9, "eyes": 0.5, "mouth": 1.0}
    assert face.hidden_regions(0.3)["mouth"] == 0 and face.hidden_regions(0.3)["eyes"] == 0.5
    assert face.to_json()["hidden_regions"] == {"jaw": 0.118, "brows": 0.1, "nose": 0.333, "eyes": 0.5, "mouth": 1.0}


@pytest.mark.parametrize("values", [[], None, "face", 5])
def test_json_that_is_no_face_at_all_is_one_line(values):
    with pytest.raises(AnnotationError, match=r"a face in JSON is an object with keys, .*, not ") as caught:
        Face.from_json(values)
    assert repr(values) in str(caught.value)


def test_occlusion_at_cell_centres_between_them_and_outside():
    rows, columns = np.mgrid[0:7, 0:7]
    face = make_face(occlusion_map=(rows * 7 + columns) / 48)
    cell = face.crop.size / 7
    in_crop = np.array([[2.5, 3.5], [3.0, 3.5], [2.5, 4.0], [0.1, 0.2], [-0.1, 3.5], [np.nan, 3.5]]) * cell
    expected = np.array([3 * 7 + 2, 3 * 7 + 2.5, 3.5 * 7 + 2, 0, np.nan, np.nan]) / 48
    np.testing.assert_allclose(face.occlusion_at(face.crop.to_photo(in_crop)), expected, atol=1e-9)


def test_occlusion_on_the_photo_is_occlusion_at_its_pixels():
    face = make_face()
    laid = face.occlusion_on(140, 120)
    ys, xs = np.mgrid[0:140, 0:120] + 0.5
    expected = face.occlusion_at(np.stack([xs, ys], axis=-1))
    assert laid.shape == (140, 120) and 0.2 < np.isfinite(laid).mean() < 0.8
    # OpenCV interpolates between 32nds of a pixel.
    np.testing.assert_allclose(laid, expected, atol=0.04)


@pytest.mark.parametrize("n", MARKUPS)
def test_a_face_of_any_markup_has_its_regions_and_comes_back_from_json(n):
    markup = MARKUPS[n]
    visibility = np.ones(n)
    visibility[list(markup.regions["mouth"])] = 0
    landmarks = np.random.default_rng(n).uniform(40, 110, (n, 2))
    face = replace(make_face(), landmarks=landmarks, visibility=visibility, expected_error=np.array(np.nan))
    assert face.markup is markup and face.expected_error.shape == (n,) and not face.has_expected_error
    assert face.hidden_regions() == dict.fromkeys(markup.regions, 0) | {"mouth": 1}
    again = Face.from_json(json.loads(json.dumps(face.to_json(), allow_nan=False)))
    np.testing.assert_allclose(again.landmarks, landmarks, atol=0.005)
    assert again.markup is markup


def test_presence_in_a_face_and_in_json():
    face = make_face()
    assert np.isnan(face.presence) and face.to_json()["presence"] is None
    present = replace(face, presence=0.87654)
    assert present.to_json()["presence"] == 0.877
    assert Face.from_json(present.to_json()).presence == 0.877
    assert np.isnan(Face.from_json(face.to_json()).presence)
    old = {key: value for key, value in face.to_json().items() if key != "presence"}
    assert np.isnan(Face.from_json(old).presence)
    for wrong in (-0.1, 1.5, float("inf")):
        with pytest.raises(ValueError, match=r"presence is in 0\.\.1"):
            replace(face, presence=wrong)


def test_roll_is_that_of_the_pose():
    face = make_face()
    assert face.roll == face.pose.roll_deg
