"""The page's geometry is Python's: on cases that Python makes, to 0.01 pixel."""

import base64
import dataclasses
import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from occlumark.crop import CropConfig, CropTransform
from occlumark.demo import SAMPLES
from occlumark.face import Face
from occlumark.face.align import upright_crop
from occlumark.face.doubles import without_doubles
from occlumark.face.doubt import doubt
from occlumark.face.pose import mean_head, roll_of
from occlumark.face.presence import Certainty, is_present, is_ruled_out, least_presence
from occlumark.finder import CANDIDATE_SCORE, OUTPUTS, SCORE, NetworkFinder, padded
from occlumark.markup import MARKUPS, tight_box
from occlumark.photo import read_photo
from occlumark.photo.zoom import zoomed
from occlumark.recrop import crop_around, less_doubtful, needs_recrop, turned_crops
from occlumark.video.place import moves_like_a_face

MARKUP = MARKUPS[68]
CONFIG = CropConfig(size=224, scale=1.3)
CROP = dataclasses.asdict(CONFIG)
EXACT = 0.01
FRONT = mean_head()[0][:, :2]


def faces(rng: np.random.Generator, n: int) -> list[np.ndarray]:
    """Landmarks of faces anywhere, of any size, turned by anything: the mean face with a jaw, all points shaken."""
    jaw = np.column_stack([np.cos(np.linspace(math.pi, 0, 17)), np.sin(np.linspace(math.pi, 0, 17))])
    face = np.concatenate([jaw, FRONT])
    made = []
    for _ in range(n):
        angle, size = rng.uniform(-math.pi, math.pi), rng.uniform(8, 900)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        made.append((face + rng.normal(0, 0.05, face.shape)) @ turn * size + rng.uniform(-100, 2000, 2))
    return made


def face_of(landmarks: np.ndarray, box: np.ndarray, rng: np.random.Generator) -> Face:
    return Face(
        box=box,
        score=float(rng.uniform()),
        landmarks=landmarks,
        visibility=rng.uniform(size=68),
        occlusion_map=rng.uniform(size=(28, 28)),
        crop=CropTransform.from_box(box, CONFIG),
        expected_error=rng.uniform(0, 9, 68),
        presence=float(rng.uniform()),
    )


def as_js(face: Face) -> dict[str, Any]:
    rows, columns = face.occlusion_map.shape
    return {
        "box": face.box.tolist(),
        "score": face.score,
        "landmarks": face.landmarks.tolist(),
        "visibility": face.visibility.tolist(),
        "expectedError": face.expected_error.tolist(),
        "presence": face.presence,
        "occlusionMap": {"values": face.occlusion_map.ravel().tolist(), "rows": rows, "columns": columns},
        "crop": crop_as_js(face.crop),
    }


def crop_as_js(crop: CropTransform) -> dict[str, Any]:
    return {"matrix": crop.matrix.tolist(), "size": crop.size}


def same_crop(crop: CropTransform, other: dict[str, Any], landmarks: np.ndarray) -> None:
    """Both put the landmarks in the same places of the crop."""
    theirs = CropTransform(np.array(other["matrix"]), other["size"])
    assert crop.size == theirs.size
    np.testing.assert_allclose(theirs.to_crop(landmarks), crop.to_crop(landmarks), atol=EXACT)


def test_crops_of_boxes(call):
    rng = np.random.default_rng(0)
    points = faces(rng, 20)
    boxes = [tight_box(landmarks) for landmarks in points]
    angles = rng.uniform(-180, 180, 20)
    ours = [CropTransform.from_box(box, CONFIG, angle_deg=angle) for box, angle in zip(boxes, angles, strict=True)]
    theirs = call(*[("fromBox", [box.tolist(), CROP, angle]) for box, angle in zip(boxes, angles, strict=True)])
    for crop, other, landmarks in zip(ours, theirs, points, strict=True):
        same_crop(crop, other, landmarks)
    quarters = call(*[("turnedCrops", [box.tolist(), CROP]) for box in boxes])
    for box, others, landmarks in zip(boxes, quarters, points, strict=True):
        for crop, other in zip(turned_crops(box, CONFIG), others, strict=True):
            same_crop(crop, other, landmarks)


def test_points_to_the_crop_and_back(call):
    rng = np.random.default_rng(1)
    points = faces(rng, 10)
    crops = [CropTransform.from_box(tight_box(each), CONFIG, angle_deg=40) for each in points]
    pairs = list(zip(crops, points, strict=True))
    in_crop = call(*[("toCrop", [crop_as_js(crop), each.tolist()]) for crop, each in pairs])
    np.testing.assert_allclose(in_crop, [crop.to_crop(each) for crop, each in pairs], atol=EXACT)
    back = call(*[("toPhoto", [crop_as_js(crop), each]) for crop, each in zip(crops, in_crop, strict=True)])
    np.testing.assert_allclose(back, points, atol=EXACT)
    np.testing.assert_allclose(call(*[("zoom", [crop_as_js(crop)]) for crop in crops]), [crop.zoom for crop in crops])


def test_upright_crops(call):
    points = faces(np.random.default_rng(2), 20)
    front = (FRONT - FRONT.mean(axis=0)).tolist()
    rolls = [roll_of(each, MARKUP) for each in points]
    np.testing.assert_allclose(call(*[("rollOf", [each.tolist(), front]) for each in points]), rolls, atol=1e-4)
    upright = call(*[("uprightCrop", [p.tolist(), roll, CROP]) for p, roll in zip(points, rolls, strict=True)])
    around = call(*[("cropAround", [each.tolist(), front, CROP]) for each in points])
    assert {abs(roll) > 30 for roll in rolls} == {True, False}
    for each, roll, first, second in zip(points, rolls, upright, around, strict=True):
        same_crop(upright_crop(each, roll, CONFIG.size, CONFIG.scale), first, each)
        same_crop(crop_around(each, MARKUP, CONFIG), second, each)


def test_what_is_cropped_again_or_dropped(call):
    rng = np.random.default_rng(3)
    front = (FRONT - FRONT.mean(axis=0)).tolist()
    made = []
    for number, points in enumerate(faces(rng, 60)):
        if number % 2:  # upright: otherwise nearly all are turned
            points = (points - points.mean(axis=0)) @ turn_of(-roll_of(points, MARKUP)) + points.mean(axis=0)
        box = tight_box(points)
        side = (box[2:] - box[:2]).max()
        made.append(face_of(points, box + np.tile(rng.uniform(-0.15, 0.15, 2), 2) * side, rng))
    made.append(face_of(made[1].landmarks, made[1].box * 5, rng))
    again = call(*[("needsRecrop", [as_js(face), front]) for face in made])
    assert again == [needs_recrop(face, "auto") for face in made]
    assert {True, False} == set(again[1::2])
    np.testing.assert_allclose(call(*[("doubt", [as_js(face)]) for face in made]), [doubt(face) for face in made])
    least = call(*[("leastPresence", [face.box.tolist(), 0.3]) for face in made])
    np.testing.assert_allclose(least, [least_presence(face, 0.3) for face in made])
    scores, presences = rng.uniform(0, 1, len(made)), rng.uniform(0, 1, len(made))
    presences[:2] = 0, 1
    sides = [("certainty", [scores[i], face.box.tolist(), presences[i]]) for i, face in enumerate(made)]
    ours = Certainty(0.5).of(scores, np.stack([face.box for face in made]), presences)
    np.testing.assert_allclose(call(*sides), ours, rtol=1e-9)
    certainty = Certainty(0.5, SCORE)
    told = [replace(face, score=scores[i], presence=presences[i]) for i, face in enumerate(made)]
    ours = [is_ruled_out(face, certainty) for face in told]
    assert call(*[("isRuledOut", [as_js(face)]) for face in told]) == ours and {True, False} == set(ours)
    small = [replace(face, box=tight_box(rng.uniform(0, 40, (2, 2))), score=0.3 + 0.4 * face.score) for face in told]
    ours = [is_present(face, 0.5, certainty) for face in (*told, *small)]
    assert call(*[("isFace", [as_js(face)]) for face in (*told, *small)]) == ours and {True, False} == set(ours[-60:])
    fours = [made[i : i + 4] for i in range(0, 60, 4)]
    taken = call(*[("lessDoubtful", [as_js(first), [as_js(face) for face in turned]]) for first, *turned in fours])
    ours = [less_doubtful(first, turned) for first, *turned in fours]
    np.testing.assert_allclose([face["box"] for face in taken], [face.box for face in ours], atol=EXACT)
    assert {True, False} == {ours[i] is fours[i][0] for i in range(15)}


def test_one_face_found_twice(call):
    rng = np.random.default_rng(8)
    (points,) = faces(rng, 1)
    side = np.ptp(points, axis=0).max()
    photos, kept = [], []
    for _ in range(60):
        moved = [points + rng.uniform(-0.7, 0.7, 2) * side for _ in range(3)]
        made = [face_of(each, tight_box(each + rng.uniform(-0.3, 0.3, 2) * side), rng) for each in moved]
        made = [replace(face, expected_error=np.full(68, rng.uniform(1, 3))) for face in made]
        photos.append(made)
        kept.append([face.box.tolist() for face in without_doubles(made)])
    theirs = call(*[("withoutDoubles", [[as_js(face) for face in made]]) for made in photos])
    assert [[face["box"] for face in each] for each in theirs] == kept
    assert {1, 2, 3} == {len(each) for each in kept}


def turn_of(angle_deg: float) -> np.ndarray:
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[cos, sin], [-sin, cos]])


def test_what_moves_like_a_face(call):
    rng = np.random.default_rng(4)
    (points,) = faces(rng, 1)
    moved = [points * rng.uniform(0.5, 2) + rng.uniform(-400, 400, 2) for _ in range(200)]
    moved = [each - each.mean(axis=0) + points.mean(axis=0) + rng.normal(0, 200, 2) for each in moved]
    ours = [moves_like_a_face(points, each) for each in moved]
    assert {True, False} == set(ours)
    before = tight_box(points).tolist()
    assert call(*[("movesLikeAFace", [before, tight_box(each).tolist()]) for each in moved]) == ours


def test_a_new_face_that_is_small_or_in_doubt_is_shown_from_its_second_frame_on(call):
    rng = np.random.default_rng(6)
    (points,) = faces(rng, 1)
    points = (points - points.mean(axis=0)) / np.ptp(points, axis=0).max()

    def seen(side: float, doubt: float, presence: float = 0.9, visible: float = 0.9) -> dict[str, Any]:
        landmarks = points * side + [200, 200]
        face = face_of(landmarks, tight_box(landmarks), rng)
        errors, visibility = np.full(68, doubt * side), np.full(68, visible)
        face = replace(face, presence=presence, expected_error=errors, visibility=visibility)
        return as_js(face)

    def frames(face: dict[str, Any], again: dict[str, Any]) -> list[dict[str, Any]]:
        """Found in the first, seen near in the next two."""
        return [{"time": 40 * i, "near": [again], "found": [] if i else [face]} for i in range(3)]

    sure, doubtful, small = seen(100, 0.02), seen(100, 0.05), seen(20, 0.02)
    cases = [frames(sure, sure), frames(doubtful, doubtful), frames(small, small), frames(small, seen(20, 0.02, 0.01))]
    assert call(*[("follow", [each]) for each in cases]) == [[1, 1, 1], [0, 1, 1], [0, 1, 1], [0, 0, 0]]
    covered = [frames(sure, seen(100, 0.02, visible=visible)) for visible in (0.14, 0.16)]  # as video/tracker.py has it
    assert call(*[("follow", [each]) for each in covered]) == [[1, 0, 0], [1, 1, 1]]


class _Told:
    """A network that answers what it is told to, one answer a picture that it sees."""

    def __init__(self, answers: list[dict[str, np.ndarray]]) -> None:
        self.answers, self.seen = answers, []

    def outputs(self, names: tuple[str, ...], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        answer = self.answers[len(self.seen)]
        self.seen.append(list(inputs["photos"].shape[1:3]))
        return [answer[name][None] for name in names]


@pytest.mark.parametrize("candidates", [False, True])
@pytest.mark.parametrize("n", [6, 20, 60])
@pytest.mark.parametrize(("height", "width"), [(480, 640), (333, 501), (60, 41), (600, 1100), (1280, 3001)])
def test_the_finders_scales_regions_boxes_and_suppression(call, height, width, n, candidates):
    rng = np.random.default_rng(width + n)
    answers = []
    for scale, count, longest in ((6, 2, 30), (2, n, 60), *[(1, 4, 100)] * 20):  # of as many regions at most
        corners = rng.uniform(30, 640 / scale, (count, 1, 2)) + rng.normal(0, 3, (count, 5, 2))  # five about each
        sides = rng.uniform(5, longest, (count, 1, 1)) * rng.uniform(0.9, 1.1, (count, 5, 2))
        boxes = np.concatenate([corners, corners + sides], axis=2).reshape(-1, 4).astype(np.float32)
        answers.append({"scores": rng.uniform(0, 1.02, 5 * count).astype(np.float32), "boxes": boxes})
    answers[1]["boxes"][0], answers[1]["scores"][0] = (2, 2, 14, 14), 0.3  # apart from all others, and doubtful
    finder = NetworkFinder()
    finder._session = _Told(answers)
    photo = np.zeros((height, width, 3), np.uint8)
    ours = [(box, score) for box, score in finder(photo, candidates=candidates) if box[0] < width and box[1] < height]
    outputs = [{name: answer[name].ravel().tolist() for name in OUTPUTS} for answer in answers]
    least = CANDIDATE_SCORE if candidates else SCORE
    (theirs,) = call(("find", [{"width": width, "height": height, "outputs": outputs, "least": least}]))
    assert theirs["seen"] == finder._session.seen
    assert len(finder._session.seen) > 2  # something was looked at closely
    assert (ours or width < 100) and all(score >= least for _, score in ours)
    np.testing.assert_allclose([face["box"] for face in theirs["found"]], [box for box, _ in ours], atol=EXACT)
    np.testing.assert_allclose([face["score"] for face in theirs["found"]], [score for _, score in ours], atol=1e-6)


def picture(photo: np.ndarray) -> dict[str, Any]:
    data = np.ascontiguousarray(cv2.cvtColor(photo, cv2.COLOR_RGB2RGBA)).tobytes()
    return {"data": base64.b64encode(data).decode(), "width": photo.shape[1], "height": photo.shape[0]}


def pixels(value: dict[str, Any], channels: int) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(value["data"]), np.uint8)
    return data.reshape(value["height"], value["width"], channels)[..., :3]


def alike(ours: np.ndarray, theirs: np.ndarray) -> None:
    """But for rounding: OpenCV's steps are a 32nd of a pixel, and its sums whole numbers."""
    assert ours.shape == theirs.shape
    difference = np.abs(ours.astype(int) - theirs)
    assert difference.mean() < 0.5 and np.quantile(difference, 0.999) <= 5, (difference.mean(), difference.max())


@pytest.mark.parametrize(
    "box",
    [(170, 90, 270, 180), (-60, -80, 100, 90), (10, 20, 500, 480), (180, 100, 200, 119), (-900, -900, 2500, 2600)],
    ids=["inside", "over the corner", "averaged down", "enlarged", "far larger"],
)
def test_cut_pixels(call, box):
    photo = read_photo(SAMPLES / "astronaut.jpg")
    if box == (10, 20, 500, 480):
        photo = np.tile(photo, (2, 2, 1))
        box = (10, 20, 900, 870)
    crop = CropTransform.from_box(np.array(box, float), CONFIG, angle_deg=20)
    (theirs,) = call(("cut", [picture(photo), crop_as_js(crop)]))
    alike(crop.cut(photo), pixels(theirs, 3))


@pytest.mark.parametrize("zoom", [0.7, 0.3, 0.115, 1.0, 1.6])
def test_zoomed_and_padded_pixels(call, zoom):
    photo = read_photo(SAMPLES / "astronaut.jpg")[:401, :503]
    ours = zoomed(photo, zoom)
    (theirs,) = call(("zoomed", [picture(photo), zoom]))
    alike(ours, pixels(theirs, 4))
    (with_border,) = call(("padded", [picture(ours), 32]))
    np.testing.assert_array_equal(pixels(with_border, 3), padded(ours))


def test_the_saved_json_is_pythons(call):
    rng = np.random.default_rng(5)
    (points,) = faces(rng, 1)
    face = face_of(points, tight_box(points), rng)
    regions = {name: list(indices) for name, indices in MARKUP.regions.items()}
    (theirs,) = call(("faceToJson", [as_js(face), regions]))
    ours = face.to_json()
    assert theirs.keys() == ours.keys()
    for key in ("box", "landmarks", "expected_error", "score", "presence"):
        np.testing.assert_allclose(theirs.pop(key), ours.pop(key), atol=EXACT)
    map_of = [Face.from_json(face.to_json() | {"occlusion_map": each.pop("occlusion_map")}) for each in (theirs, ours)]
    np.testing.assert_allclose(map_of[0].occlusion_map, map_of[1].occlusion_map, atol=1 / 255 + 1e-9)
    assert theirs == ours


def test_halves_are_rounded_to_the_even_neighbour(call):
    (points,) = faces(np.random.default_rng(7), 1)
    for presence in (0.0625, 0.1875, 0.0005, 0.9995, 0.3125):
        face = replace(face_of(points, tight_box(points), np.random.default_rng(7)), presence=presence)
        (theirs,) = call(("faceToJson", [as_js(face), {}]))
        assert theirs["presence"] == face.to_json()["presence"]
