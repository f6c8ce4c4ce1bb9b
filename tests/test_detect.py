import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from occlumark import Detector
from occlumark.boxes import box_in_photo
from occlumark.crop import CropConfig, CropTransform
from occlumark.demo import SAMPLES
from occlumark.errors import BoxError, PhotoError
from occlumark.face import Face
from occlumark.finder import SCORE, NetworkFinder
from occlumark.photo import ReducedPhoto, read_photo, read_reduced
from occlumark.recrop import Recrop, less_doubtful

#: A face seen from the front, as far as its direction counts: jaw below, brows above, eyes, nose and mouth between.
UPRIGHT = np.concatenate(
    [
        [(-np.cos(a), 0.2 + np.sin(a)) for a in np.linspace(0, np.pi, 17)],
        [(x, -0.8 + abs(abs(x) - 0.5) / 4) for x in (*np.linspace(-0.9, -0.2, 5), *np.linspace(0.2, 0.9, 5))],
        [(0, y) for y in np.linspace(-0.4, 0.1, 4)],
        [(x, 0.2) for x in np.linspace(-0.2, 0.2, 5)],
        [(-0.5 + 0.2 * np.cos(a), -0.4 - 0.1 * np.sin(a)) for a in np.linspace(np.pi, -np.pi, 7)[:6]],
        [(0.5 + 0.2 * np.cos(a), -0.4 - 0.1 * np.sin(a)) for a in np.linspace(np.pi, -np.pi, 7)[:6]],
        [(-0.4 * np.cos(a), 0.6 - 0.15 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 21)[:20]],
    ]
)
BOX = [60.0, 40.0, 160.0, 150.0]


@pytest.fixture(scope="module")
def detector(dot_network):
    return Detector(weights=dot_network, threads=1)


def photo_with_dots(*dots: tuple[int, int]) -> np.ndarray:
    """(200, 300, 3), black, with a red square of 4 x 4 around each (x, y)."""
    photo = np.zeros((200, 300, 3), np.uint8)
    for x, y in dots:
        photo[y - 2 : y + 2, x - 2 : x + 2, 0] = 255
    return photo


def test_landmarks_come_back_in_photo_pixels(detector):
    (face,) = detector.detect(photo_with_dots((100, 80)), [BOX])
    np.testing.assert_allclose(face.landmarks, np.tile([100, 80], (68, 1)), atol=0.02)
    np.testing.assert_array_equal(face.box, BOX)
    assert face.score == 1


def test_the_crop_is_the_one_of_training(detector):
    photo = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    (face,) = detector.detect(photo, [BOX])
    crop = CropTransform.from_box(np.array(BOX), CropConfig(224, 1.3))
    np.testing.assert_array_equal(face.crop.matrix, crop.matrix)
    red = crop.cut(photo)[..., 0] / 255
    np.testing.assert_allclose(face.visibility, red.mean(), atol=1e-5)
    np.testing.assert_allclose(face.occlusion_map, red.reshape(7, 32, 7, 32).mean(axis=(1, 3)), atol=1e-5)


def test_the_expected_error_comes_back_in_photo_pixels(error_network, detector):
    ours = Detector(weights=error_network, threads=1)
    assert ours.has_expected_error and not detector.has_expected_error
    photo = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    boxes = [BOX, [60, 40, 80, 60]]
    red = [CropTransform.from_box(np.array(box), CropConfig(224, 1.3)).cut(photo)[..., 0].mean() / 255 for box in boxes]
    for face, mean, side in zip(ours.detect(photo, boxes), red, (110, 20), strict=True):
        in_crop = 64 * mean - 8
        np.testing.assert_allclose(face.expected_error, in_crop * side * 1.3 / 224, atol=1e-3)
    (face,) = detector.detect(photo, [BOX])
    assert np.isnan(face.expected_error).all() and not face.has_expected_error


def test_many_faces_keep_their_order_and_equal_one_at_a_time(detector):
    photo = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    boxes = [[10 * i, 5 * i, 10 * i + 60 + i, 5 * i + 50] for i in range(20)]
    together = detector.detect(photo, boxes)
    assert len(together) == 20
    for box, face in zip(boxes, together, strict=True):
        (alone,) = detector.detect(photo, [box])
        np.testing.assert_array_equal(face.box, box)
        np.testing.assert_allclose(face.landmarks, alone.landmarks, atol=1e-3)
        np.testing.assert_allclose(face.occlusion_map, alone.occlusion_map, atol=1e-5)


def test_a_photo_file_is_read(detector, tmp_path):
    photo = photo_with_dots((100, 80))
    Image.fromarray(photo).save(tmp_path / "dots.png")
    (from_file,) = detector.detect(tmp_path / "dots.png", [BOX])
    (from_array,) = detector.detect(photo, [BOX])
    np.testing.assert_array_equal(from_file.landmarks, from_array.landmarks)
    with pytest.raises(PhotoError, match="megapixels"):
        detector.detect(str(tmp_path / "dots.png"), [BOX], max_pixels=100)


def test_any_callable_finds_the_faces(dot_network):
    seen = []

    def finder(photo):
        seen.append(photo.shape)
        return [(np.array(BOX), 0.25), (np.array([1, 2, 30, 40]), 0.125)]

    faces = Detector(weights=dot_network, face_finder=finder).detect(photo_with_dots())
    assert seen == [(200, 300, 3)]
    assert [face.score for face in faces] == [0.25, 0.125]
    np.testing.assert_array_equal(faces[1].box, [1, 2, 30, 40])


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([(BOX, 97)], r"a face finder's score is in 0..1 \(finder.FaceFinder\), not 97"),
        ([(BOX, 0.5), (BOX, float("nan"))], "score is in 0..1"),
        ([BOX], r"a face finder returns \(box, score\) pairs \(finder.FaceFinder\), not 4 values"),
        ([([1, 2, 3], 0.5)], r"boxes are .*; came \(3,\)"),
        (zip([BOX], [None], strict=True), r"a face finder's score is in 0..1 \(finder.FaceFinder\), not None"),
        ([([BOX, BOX], 0.5)], r"a face finder's box is x0, y0, x1, y1 \(finder.FaceFinder\), not \(2, 4\)"),
    ],
)
def test_a_finder_that_breaks_its_contract(dot_network, found, message):
    detector = Detector(weights=dot_network, threads=1, face_finder=lambda photo: found)
    with pytest.raises(ValueError, match=message):
        detector.detect(photo_with_dots())


def test_the_networks_name(detector):
    assert detector.model == "dot"
    assert repr(detector) == "Detector('dot', 68 landmarks, recrop='auto')"


def test_no_face_is_an_empty_list(detector):
    assert detector.detect(photo_with_dots()) == []
    assert detector.detect(photo_with_dots(), []) == []
    assert detector.detect(np.zeros((1, 1, 3), np.uint8)) == []


def test_a_detector_can_be_pickled_and_copied(request):
    photo = request.config.rootpath / "occlumark/samples/astronaut.jpg"
    detector = Detector(threads=1, recrop=2)
    (face,) = detector.detect(photo)
    for again in (pickle.loads(pickle.dumps(detector)), copy.deepcopy(detector)):
        assert repr(again) == "Detector('occlumark', 68 landmarks, recrop=2)"
        (same,) = again.detect(photo)
        np.testing.assert_array_equal(same.box, face.box)
        np.testing.assert_array_equal(same.landmarks, face.landmarks)


def test_the_sample_photo(detector, request):
    (face,) = detector.detect(request.config.rootpath / "occlumark/samples/astronaut.jpg")
    assert SCORE < face.score <= 1


def spread_face(n: int, spread: float) -> np.ndarray:
    """(n, 2) offsets of an upright face's landmarks whose tight box is 2 `spread` wide and half as high, around 0."""
    points = UPRIGHT if n == 68 else np.linspace(0, 1, n)[:, None] * [1, 1]
    low, high = points.min(axis=0), points.max(axis=0)
    return ((points - low) / (high - low) * 2 - 1) * spread * [1, 0.5]


def cropped_again(network, spread: float, recrop: Recrop = 1, box=BOX) -> list:
    """Detect with landmarks that are spread around the dot, in crop pixels, as far as `spread`."""
    detector = Detector(weights=network, threads=1, recrop=recrop)
    predict = detector._landmarker.predict

    def spread_landmarks(crops):
        prediction = predict(crops)
        offsets = spread_face(prediction.landmarks.shape[1], spread)
        return prediction._replace(landmarks=prediction.landmarks + offsets)

    detector._landmarker.predict = spread_landmarks
    return detector.detect(photo_with_dots((100, 80)), [box])


def test_the_second_crop_is_around_the_first_landmarks(dot_network):
    (face,) = cropped_again(dot_network, spread=80)
    zoom = 224 / (110 * 1.3)
    tight = [100 - 80 / zoom, 80 - 40 / zoom, 100 + 80 / zoom, 80 + 40 / zoom]
    expected = CropTransform.from_box(np.array(tight), CropConfig())
    np.testing.assert_allclose(face.crop.matrix, expected.matrix, atol=0.05)
    np.testing.assert_array_equal(face.box, BOX)
    middle = (face.landmarks.min(axis=0) + face.landmarks.max(axis=0)) / 2
    np.testing.assert_allclose(middle, [100, 80], atol=0.02)


@pytest.mark.parametrize("spread", [0, 10, 1000])
def test_no_second_crop_around_landmarks_that_are_no_face(dot_network, spread):
    (face,) = cropped_again(dot_network, spread)
    np.testing.assert_array_equal(face.crop.matrix, CropTransform.from_box(np.array(BOX), CropConfig()).matrix)


def box_that_overlaps_the_landmarks(share: float) -> list[float]:
    """A box around the dot whose own landmarks, spread by 80 of 224 crop pixels, overlap it by so much."""
    half = 40.0  # in a crop of 1.3 x 80 pixels the landmarks reach 80 / 224 x 104 = 37.14 each way, in y half as far
    landmarks = 80 / 224 * 2 * half * 1.3
    height = landmarks / 2 * landmarks / half / share  # it holds the landmarks: overlap = their area / its area
    return [100 - half, 80 - height, 100 + half, 80 + height]


@pytest.mark.parametrize(("share", "again"), [(0.75, True), (0.85, False)])
def test_a_face_is_cropped_again_where_box_and_landmarks_disagree(dot_network, share, again):
    box = box_that_overlaps_the_landmarks(share)
    (face,) = cropped_again(dot_network, 80, "auto", box)
    (once,), (twice,) = (cropped_again(dot_network, 80, recrop, box) for recrop in ("never", 1))
    assert (once.crop.matrix != twice.crop.matrix).any()
    np.testing.assert_array_equal(face.crop.matrix, (twice if again else once).crop.matrix)
    np.testing.assert_array_equal(face.landmarks, (twice if again else once).landmarks)


def test_another_markup_is_cropped_once_unless_told(write_dot_network):
    box = box_that_overlaps_the_landmarks(0.5)
    (default,), (once,) = (cropped_again(write_dot_network(29), 80, recrop, box) for recrop in ("auto", "never"))
    np.testing.assert_array_equal(default.crop.matrix, once.crop.matrix)


def test_only_the_faces_that_need_it_are_cropped_again(dot_network):
    detector, seen = Detector(weights=dot_network, threads=1), []
    predict = detector._landmarker.predict

    def spread_landmarks(crops):
        seen.append(len(crops))
        prediction = predict(crops)
        return prediction._replace(landmarks=prediction.landmarks + spread_face(68, 80))

    detector._landmarker.predict = spread_landmarks
    near, far = box_that_overlaps_the_landmarks(0.9), box_that_overlaps_the_landmarks(0.7)
    faces = detector.detect(photo_with_dots((100, 80)), [near, far, near])
    assert seen == [3, 1]
    for face, box in zip(faces, (near, far, near), strict=True):
        np.testing.assert_array_equal(face.box, box)
    crops = [CropTransform.from_box(np.array(box), CropConfig()).matrix for box in (near, far, near)]
    assert [(face.crop.matrix == crop).all() for face, crop in zip(faces, crops, strict=True)] == [True, False, True]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([60, 40, float("nan"), 150], "not four finite numbers"),
        ([60, 40, float("inf"), 150], "not four finite numbers"),
        ([160, 40, 60, 150], "inverted"),
        ([60, 40, 60, 150], "inverted"),
        ([300, 40, 400, 150], "outside the photo of 300 x 200"),
        ([-50, 40, 0, 150], "outside the photo"),
        ([60, 200, 90, 230], "outside the photo"),
        ([60, -9, 90, 0], "outside the photo"),
        ([-4000, 0, 4000, 100], "more than 10 times as large"),
        ([60, 40, 60 + 1e-6, 150], "is 1e-06 x 110 pixels small: a face's box has at least a pixel a side"),
        ([5e-324, 40, 1e-300, 150], "at least a pixel a side"),
        ([60, 40, 160], r"boxes are \(n, 4\) numbers, .* or one flat box; came \[\[60"),
    ],
)
def test_bad_boxes_are_refused(detector, box, message):
    with pytest.raises(BoxError, match=message) as caught:
        detector.detect(photo_with_dots(), [BOX, box])
    assert isinstance(caught.value, ValueError) and "\n" not in str(caught.value)


@pytest.mark.parametrize("boxes", [BOX, tuple(BOX), np.array(BOX), [BOX], np.array([BOX], np.float32), [np.array(BOX)]])
def test_one_box_in_any_form(detector, boxes):
    (face,) = detector.detect(photo_with_dots((100, 80)), boxes)
    np.testing.assert_array_equal(face.box, BOX)
    np.testing.assert_allclose(face.landmarks, np.tile([100, 80], (68, 1)), atol=0.02)


def test_the_channels_of_opencv(detector):
    photo = photo_with_dots((100, 80))
    (face,) = detector.detect(photo[..., ::-1], BOX, color="bgr")
    np.testing.assert_array_equal(face.landmarks, detector.detect(photo, BOX)[0].landmarks)


@pytest.mark.parametrize(
    ("photo", "error", "message"),
    [
        (None, TypeError, "the photo is None: did reading it fail"),
        (np.zeros((0, 20, 3), np.uint8), ValueError, "an array"),
        (b"text", PhotoError, "cannot read"),
    ],
)
def test_what_is_no_photo_is_refused(detector, photo, error, message):
    with pytest.raises(error, match=message):
        detector.detect(photo)


def many_photos(n: int) -> list[np.ndarray]:
    return [photo_with_dots((60 + 7 * i, 60 + 3 * i)) for i in range(n)]


def test_many_photos_are_as_one_at_a_time(detector):
    photos = many_photos(20)
    boxes = [[BOX] * (i % 4) for i in range(20)]
    found = list(detector.detect_many(iter(photos), boxes))
    assert [len(each.faces) for each in found] == [i % 4 for i in range(20)]
    for photo, given, each in zip(photos, boxes, found, strict=True):
        assert each.photo is photo and each.error is None
        for face, alone in zip(each.faces, detector.detect(photo, given), strict=True):
            assert face.to_json() == alone.to_json()


def test_many_photos_by_the_packages_networks_are_as_one_at_a_time(request):
    photo = read_photo(request.config.rootpath / "occlumark/samples/astronaut.jpg")
    photos = [photo[20 * i : 20 * i + 300, 10 * i : 10 * i + 360] for i in range(4)]
    detector = Detector(threads=1)
    for given, each in zip(photos, detector.detect_many(photos), strict=True):
        assert each.faces
        for face, alone in zip(each.faces, detector.detect(given), strict=True):
            np.testing.assert_allclose(face.landmarks, alone.landmarks, atol=1e-3)
            np.testing.assert_allclose(face.visibility, alone.visibility, atol=1e-4)


def test_faces_of_several_photos_run_together_and_few_are_held(dot_network):
    detector, runs, taken = Detector(weights=dot_network, threads=1, recrop="never"), [], []
    predict = detector._landmarker.predict
    detector._landmarker.predict = lambda crops: runs.append(len(crops)) or predict(crops)

    def photos():
        for i, photo in enumerate(many_photos(20)):
            taken.append(i)
            yield photo

    results = detector.detect_many(photos(), [[BOX]] * 20)
    next(results)
    assert taken == list(range(8)) and runs == [8]
    assert len(list(results)) == 19 and runs == [8, 8, 4]


def test_a_failed_photo_is_handed_back_and_the_others_go_on(detector, tmp_path):
    good = photo_with_dots((100, 80))
    photos = [good, None, tmp_path / "none.jpg", np.zeros((5, 5), bool), good, good]
    found = list(detector.detect_many(photos, [BOX, BOX, BOX, BOX, [[9, 9, 3, 3]], [BOX]]))
    assert [type(each.error) for each in found] == [type(None), TypeError, PhotoError, ValueError, BoxError, type(None)]
    assert [len(each.faces) for each in found] == [1, 0, 0, 0, 0, 1]
    assert found[2].photo == tmp_path / "none.jpg" and "no such file" in str(found[2].error)


def test_many_photos_need_as_many_boxes(detector):
    with pytest.raises(ValueError, match="there are photos after the 1 that have one"):
        list(detector.detect_many(many_photos(2), [BOX]))
    with pytest.raises(ValueError, match="there are more than the 2 photos"):
        list(detector.detect_many(many_photos(2), [BOX, None, BOX]))


def test_boxes_of_an_own_finder_that_are_none_are_left_out_and_counted(dot_network):
    found = [(BOX, 0.5), ([400, 10, 500, 90], 0.75), ([1, 1, 1, 9], 0.25), (BOX, 0.125)]
    detector = Detector(weights=dot_network, threads=1, face_finder=lambda photo: found)
    message = "^2 of the face finder's 4 boxes left out, the first: box 400 10 500 90 is outside the photo of 300 x 200"
    with pytest.warns(UserWarning, match=message) as caught:
        faces = detector.detect(photo_with_dots())
    assert [face.score for face in faces] == [0.5, 0.125]
    assert caught[0].filename == __file__


def test_a_box_may_reach_out_of_the_photo(detector):
    for box in ([-20, -20, 1, 1], [299, 199, 330, 230], [-900, -900, 1200, 1200]):
        assert len(detector.detect(photo_with_dots(), [box])) == 1
    np.testing.assert_array_equal(box_in_photo((-20, -20, 1, 1), 200, 300), [-20, -20, 1, 1])


@pytest.mark.parametrize(("passes", "recrop"), [(1, "never"), (2, 1), (3, 2)])
def test_the_old_word_for_recrop_is_taken_with_a_warning(dot_network, passes, recrop):
    with pytest.warns(FutureWarning, match=f"^passes={passes} is called recrop={recrop!r} now$"):
        detector = Detector(weights=dot_network, threads=1, passes=passes)
    assert detector.recrop == recrop


@pytest.mark.parametrize("recrop", [0, -1, True, 1.5, "often", None])
def test_no_such_recrop(dot_network, recrop):
    with pytest.raises(ValueError, match="recrop is 'never', 'auto' or how many times, at least 1, not"):
        Detector(weights=dot_network, threads=1, recrop=recrop)


@pytest.mark.parametrize("option", [{"threads": 0}, {"passes": 0}])
def test_counts_below_one_are_refused(dot_network, option):
    with pytest.raises(ValueError, match=r"at least 1|in 1\.\.1024"):
        Detector(weights=dot_network, **option)


def run_python(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_importing_prints_nothing_and_imports_nothing_heavy():
    heavy = ["numpy", "cv2", "onnxruntime", "torch", "PIL", "tqdm"]
    code = f"import sys, occlumark; occlumark.__version__; print([n for n in {heavy} if n in sys.modules])"
    assert run_python(code) == "[]\n"


def test_detecting_imports_no_torch(dot_network, request):
    code = """
import sys
from occlumark import Detector
faces = Detector(weights=sys.argv[1]).detect(sys.argv[2])
print(len(faces), [name for name in ("torch", "onnx", "jaxtyping", "scipy") if name in sys.modules])
"""
    sample = request.config.rootpath / "occlumark/samples/astronaut.jpg"
    assert run_python(code, str(dot_network), str(sample)) == "1 []\n"


def test_memory_stays_flat(dot_network):
    """Varying numbers of faces and sizes of photos: after a start, the peak grows no more."""
    code = """
import resource, sys
import numpy as np
from occlumark import Detector
detector = Detector(weights=sys.argv[1], threads=1)
def detect(n):
    for i in range(n):
        photo = np.zeros((200 + 37 * (i % 11), 300, 3), np.uint8)
        detector.detect(photo, [[j, j, j + 90, j + 80] for j in range(1 + i % 17)])
detect(40)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
detect(120)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    assert int(run_python(code, str(dot_network))) < 8 * 1024  # KiB


def turned_network(dot_network, detector_options=None, **replaced):
    """A detector whose network predicts what is given: arrays, or functions of the number of crops."""
    detector = Detector(weights=dot_network, threads=1, **(detector_options or {}))
    predict = detector._landmarker.predict
    detector._landmarker.predict = lambda crops: predict(crops)._replace(
        **{name: value(len(crops)) if callable(value) else value for name, value in replaced.items()}
    )
    return detector


@pytest.mark.parametrize("turn", [0, 15, 25, -50, 90, 170])
def test_a_turned_face_is_cropped_again_upright(dot_network, turn):
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    face_in_crop = 112 + 80 * (UPRIGHT - UPRIGHT.mean(axis=0)) @ np.array([[cos, sin], [-sin, cos]])
    detector = turned_network(dot_network, landmarks=lambda n: np.stack([face_in_crop] * n))
    first = turned_network(dot_network, {"recrop": "never"}, landmarks=lambda n: np.stack([face_in_crop] * n))
    (face,), (once,) = detector.detect(photo_with_dots(), [BOX]), first.detect(photo_with_dots(), [BOX])
    assert once.roll == pytest.approx(turn, abs=3)
    angle = np.degrees(np.arctan2(face.crop.matrix[1, 0], face.crop.matrix[0, 0]))
    if abs(turn) < 20:
        assert angle == pytest.approx(0, abs=1e-9)
        return
    assert angle == pytest.approx(-turn, abs=3)  # the crop turns the photo back
    in_crop = face.crop.to_crop(once.landmarks)
    low, high = in_crop.min(axis=0), in_crop.max(axis=0)
    assert (high - low).max() * 1.3 == pytest.approx(224, abs=0.01)
    np.testing.assert_allclose((low + high) / 2, [112, 112], atol=0.01)


def test_a_face_of_doubtful_landmarks_is_looked_for_turned_by_quarters(dot_network):
    """The network is sure in the crop turned by 180 degrees alone, which shows the photo's lower right at its left."""
    detector = Detector(weights=dot_network, threads=1)
    predict, sizes = detector._landmarker.predict, []

    def sure_where_the_dot_is_low(crops):
        prediction = predict(crops)
        sizes.append(len(crops))
        errors = np.where(prediction.landmarks[..., 1] > 112, 1.0, 60.0).astype(np.float32)
        return prediction._replace(landmarks=112 + 60 * np.stack([UPRIGHT] * len(crops)), expected_errors=errors)

    detector._landmarker.predict = sure_where_the_dot_is_low
    (face,) = detector.detect(photo_with_dots((100, 60)), [BOX])  # above the box's middle
    assert sizes[:2] == [1, 3]
    assert face.expected_error.max() * face.crop.zoom == pytest.approx(1, abs=0.01)
    sizes.clear()
    (face,) = detector.detect(photo_with_dots((100, 130)), [BOX])
    assert sizes == [1, 1] or sizes == [1]  # no doubt, no search


@pytest.mark.parametrize(("doubts", "taken"), [([0.08, 0.15, 0.2], False), ([0.2, 0.3, 0.06], True)])
def test_a_turned_crop_has_to_be_clearly_less_doubtful(doubts, taken):
    """Of a face with a doubt of 0.11 a crop's 0.08 is not 0.7 of it, 0.06 is."""
    box, crop = np.array([0.0, 0, 100, 100]), CropTransform(np.eye(2, 3), 224)
    told = [np.full(68, 100 * doubt) for doubt in (0.11, *doubts)]
    found = [Face(box, 1.0, UPRIGHT, np.ones(68), np.zeros((7, 7)), crop, errors) for errors in told]
    assert less_doubtful(found[0], found[1:]) is (found[1 + int(np.argmin(doubts))] if taken else found[0])


def test_boxes_of_the_finder_without_a_face_are_dropped_a_callers_keep_theirs(dot_network):
    presence = np.array([0.9, 0.1, 0.5, 0.1, 0.01, 0.3], np.float32)
    small = [[10, 10, 30, 30], [10, 10, 26, 26], [10, 10, 30, 30]]  # half of the least presence counts, none, half
    boxes = [BOX, [10, 10, 60, 60], [70, 70, 120, 120], *small]
    options = {"face_finder": lambda photo: [(np.array(box, float), 0.8) for box in boxes], "recrop": "never"}
    detector = turned_network(dot_network, options, presence=presence)
    faces = detector.detect(photo_with_dots())
    assert [face.presence for face in faces] == pytest.approx([0.9, 0.5, 0.01, 0.3])
    assert [face.presence for face in detector.detect(photo_with_dots(), boxes)] == pytest.approx(presence)
    everything = turned_network(dot_network, {**options, "min_presence": 0}, presence=presence)
    assert len(everything.detect(photo_with_dots())) == 6
    assert len(Detector(weights=dot_network, threads=1, **options).detect(photo_with_dots())) == 6  # does not tell
    with pytest.raises(ValueError, match=r"min_presence is in 0\.\.1, not 2"):
        Detector(weights=dot_network, min_presence=2)


def test_one_photo_is_not_many(detector):
    with pytest.raises(TypeError, match=r"expected several photos, as \[photo\]"):
        list(detector.detect_many("family.jpg"))


def test_what_is_put_in_place_of_an_attribute_counts():
    detector = Detector("occlumark-fast", threads=1)
    photo = read_photo(SAMPLES / "astronaut.jpg")
    (face,) = detector.detect(photo)
    detector.min_presence = 1.0
    assert detector.detect(photo) == []
    detector.min_presence = 0.5
    detector.face_finder = lambda photo: [(face.box, 0.9)]
    assert detector._certainty is None and len(detector.detect(photo)) == 1


def test_scores_of_faces_followed_may_be_an_array():
    detector, photo = Detector("occlumark-fast", threads=1), read_photo(SAMPLES / "astronaut.jpg")
    (face,) = detector.detect(photo)
    again = detector.detect_near(photo, [face.landmarks] * 2, np.array([0.25, 0.5]))
    assert [face.score for face in again] == [0.25, 0.5]


def test_a_candidate_whose_first_crop_shows_no_face_gets_no_other():
    """Of a box that the finder itself would give, in as much doubt, three turned crops and another are tried."""
    finder, sizes = _FinderOf([([10, 10, 60, 60], 0.9), ([70, 10, 104, 44], 0.5)]), []
    detector = Detector(face_finder=finder, threads=1)
    predict = detector._landmarker.predict

    def lost(crops):
        sizes.append(len(crops))
        found = predict(crops)
        return found._replace(
            expected_errors=np.full_like(found.expected_errors, 200), presence=np.full_like(found.presence, 0.1)
        )

    detector._landmarker.predict = lost
    (face,) = detector.detect(np.full((200, 200, 3), 128, np.uint8))
    assert face.score == 0.9 and sizes[:2] == [2, 3]  # both, then one of them turned by quarters
    assert sum(sizes) <= 6
    sizes.clear()
    finder.score = 0.5  # now none is a candidate
    again = Detector(face_finder=finder, threads=1)
    again._landmarker.predict = lost
    again.detect(np.full((200, 200, 3), 128, np.uint8))
    assert sizes[:3] == [2, 3, 3]


def faces_of(pairs: list[tuple[list[float], float]]) -> list[tuple[np.ndarray, float]]:
    return [(np.array(box, float), score) for box, score in pairs]


class _FinderOf(NetworkFinder):
    """The packaged face finder that finds what it is told to."""

    def __init__(self, faces: list[tuple[list[float], float]]) -> None:
        super().__init__(threads=1)
        self.faces, self.asked = faces_of(faces), []

    def __call__(self, photo, /, reduction=1, *, candidates=False):
        self.asked.append(candidates)
        return self.faces


def test_our_finders_score_and_the_presence_decide_together():
    """Sure of 0.9 keeps a low presence, unsure of 0.48 needs a high one, and a large box of 0.36 is not even seen."""
    faces = [([10, 10, 58, 58], 0.9), ([70, 10, 118, 58], 0.56), ([10, 70, 26, 86], 0.48), ([60, 60, 160, 160], 0.36)]
    finder, seen = _FinderOf(faces), []
    detector = Detector(face_finder=finder, threads=1, recrop="never")
    predict, presence = detector._landmarker.predict, np.array([0.2, 0.2, 0.999], np.float32)

    def told(crops):
        seen.append(len(crops))
        return predict(crops)._replace(presence=presence[: len(crops)])

    detector._landmarker.predict = told
    photo = np.full((200, 200, 3), 128, np.uint8)
    assert [face.score for face in detector.detect(photo)] == [0.9, 0.48]
    assert seen == [3] and finder.asked == [True]
    everything = Detector(face_finder=finder, threads=1, recrop="never", min_presence=0)
    assert len(everything.detect(photo)) == 4 and finder.asked == [True, False]
    finder.max_faces, finder.faces = 1, faces_of(faces[1:])
    presence[:] = [0.2, 0.999, 0.2]
    assert [face.score for face in detector.detect(photo)] == [0.48]  # the best that is a face
    finder.faces = faces_of(faces)
    presence[:] = 0.999
    assert [face.score for face in detector.detect(photo)] == [0.9]


@pytest.mark.parametrize(
    ("min_face", "boxes", "expected"),
    [
        (None, None, 1),
        (344, None, 1),  # 224 pixels of a crop are 1.3 of the box: 172.3
        (345, None, 2),
        (1500, None, 8),
        (1500, [[0, 0, 700, 300], [0, 0, 300, 900]], 4),
        (None, [[0, 0, 340, 340]], 1),
    ],
)
def test_photos_are_reduced_as_far_as_faces_fill_their_crop(dot_network, min_face, boxes, expected):
    detector = Detector(weights=dot_network, face_finder=NetworkFinder(min_face=min_face), threads=1)
    assert detector.most_reduction(boxes) == expected
    assert Detector(weights=dot_network, face_finder=lambda photo: [], threads=1).most_reduction() == 1
    assert detector.most_reduction([np.inf] * 4) == 1  # without a warning: detect refuses it


def test_faces_of_a_reduced_photo_are_in_pixels_of_the_photo(detector):
    whole = photo_with_dots((100, 80))
    reduced = ReducedPhoto(whole[::2, ::2], 2)
    (there,), (here,) = detector.detect(whole, [BOX]), detector.detect(reduced, [BOX])
    np.testing.assert_array_equal(here.box, BOX)
    np.testing.assert_allclose(here.landmarks, there.landmarks, atol=1)
    np.testing.assert_allclose(here.crop.matrix, there.crop.matrix)
    with pytest.raises(BoxError):
        detector.detect(reduced, [[310, 40, 400, 150]])


@pytest.mark.slow
def test_a_large_photo_read_reduced_has_the_same_faces(tmp_path):
    """Box and landmarks within 1.7 and 0.5 % of the face's side of those of the whole photo."""
    portrait = Image.open(SAMPLES / "astronaut.jpg")
    portrait.resize((portrait.width * 4, portrait.height * 4), Image.Resampling.BICUBIC).save(
        tmp_path / "large.jpg", quality=92
    )
    detector = Detector(face_finder=NetworkFinder(min_face=350), threads=1)
    whole = read_photo(tmp_path / "large.jpg")
    read = read_reduced(tmp_path / "large.jpg", detector.most_reduction())
    assert read.reduction == 2 and read.size == whole.shape[:2]
    (there,), (here,) = detector.detect(whole), detector.detect(read)
    side = np.ptp(there.landmarks, axis=0).max()
    assert np.abs(here.box - there.box).max() < side / 60
    assert np.linalg.norm(here.landmarks - there.landmarks, axis=1).max() < side / 200
    np.testing.assert_allclose(here.visibility, there.visibility, atol=0.07)
    np.testing.assert_allclose(here.expected_error, there.expected_error, rtol=0.1)
