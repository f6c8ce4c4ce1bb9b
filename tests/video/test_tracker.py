"""The tracker's decisions, on detectors that know where the faces are; and short clips through the real networks."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.clips import RATE, Clip, Motion, black, noise_alone, noisy, palm
from occlumark import Detector, read_photo
from occlumark.crop import CropTransform
from occlumark.data.pts import read_pts
from occlumark.face import Face
from occlumark.finder import NetworkFinder
from occlumark.markup import MARKUPS, tight_box
from occlumark.photo import ReducedPhoto
from occlumark.video.tracker import FORGOTTEN_AFTER_S, LOST_AFTER, Tracker

PRESENCE, ERROR, NOTHING = "presence", "expected error", "nothing"


class KnownFaces:
    """A Detector of a clip whose frames bear their number: the faces are where `faces[number]` says."""

    def __init__(self, faces: dict[int, list[np.ndarray]], tells: str = PRESENCE) -> None:
        self.faces, self.tells = faces, tells
        self.markup, self.min_presence = MARKUPS[68], 0.3
        self.n_searches = self.n_predicted = 0

    def face_finder(self, frame):
        self.n_searches += 1
        return [(tight_box(face), 0.75) for face in self.faces.get(int(frame[0, 0, 0]), [])]

    def detect(self, frame, boxes):
        return [self._predict(frame, np.array(box).reshape(2, 2)) for box in boxes]

    def detect_near(self, frame, landmarks, scores):
        pairs = zip(landmarks, scores, strict=True)
        return [replace(self._predict(frame, points), score=score) for points, score in pairs]

    def _predict(self, frame, near) -> Face:
        """The face nearest; where there is none within a side, what networks say then: something, but unsure."""
        self.n_predicted += 1
        box = tight_box(near)
        centre, side = near.min(axis=0) / 2 + near.max(axis=0) / 2, np.ptp(near, axis=0).max()
        faces = self.faces.get(int(frame[0, 0, 0]), [])
        away = [np.linalg.norm(tight_box(face).reshape(2, 2).mean(axis=0) - centre) / side for face in faces]
        is_there = bool(away) and min(away) < 1
        landmarks = faces[int(np.argmin(away))] if is_there else near[np.arange(self.markup.n) % len(near)]
        told = {
            PRESENCE: {"presence": 0.9 if is_there else 0.1, "expected_error": np.full(self.markup.n, 0.01 * side)},
            ERROR: {"expected_error": np.full(68, (0.02 if is_there else 0.2) * side)},
            NOTHING: {},
        }[self.tells]
        crop = CropTransform(np.eye(2, 3), 224)
        return Face(box, 1.0, landmarks, np.ones(self.markup.n), np.zeros((7, 7)), crop, markup=self.markup, **told)


class KnownPoints(KnownFaces):
    """The same of five points, which the network sees in crops by a box twice as large as theirs: `cropped`."""

    def __init__(self, faces: dict[int, list[np.ndarray]]) -> None:
        super().__init__(faces)
        self.markup, self.cropped = MARKUPS[5], []

    def face_finder(self, frame):
        return [(twice(tight_box(face)), 0.75) for face in self.faces.get(int(frame[0, 0, 0]), [])]

    def detect_near(self, frame, landmarks, scores, boxes):
        self.cropped.append(np.array(boxes))
        pairs = zip(super().detect_near(frame, landmarks, scores), boxes, strict=True)
        return [replace(face, box=box) for face, box in pairs]

    def detect(self, frame, boxes):
        return [replace(face, box=box) for face, box in zip(super().detect(frame, boxes), boxes, strict=True)]


def twice(box: np.ndarray) -> np.ndarray:
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2])
    return np.concatenate([centre - half, centre + half])


def frame_of(number: int) -> np.ndarray:
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[0, 0, 0] = number
    return frame


def track(faces: dict[int, list[np.ndarray]], n: int, tells: str = PRESENCE, rate: float = RATE):
    """What is said of each frame: [(id, state)], and the ids lost."""
    tracker = Tracker(KnownFaces(faces, tells), smooth=False)
    said = []
    for number in range(n):
        tracked = tracker.update(frame_of(number), number / rate)
        said.append(([(each.id, each.state) for each in tracked], list(tracker.lost)))
        for each in tracked:
            assert any(np.array_equal(each.face.landmarks, face) for face in faces[number])
    return said


def all_lost(said) -> list[int]:
    return [number for _, lost in said for number in lost]


def at(face: np.ndarray, x: float, y: float) -> np.ndarray:
    return face + np.array([x, y])


@pytest.fixture
def face(symmetric_face: np.ndarray) -> np.ndarray:
    """100 pixels, its middle at (0, 0)."""
    low, high = symmetric_face.min(axis=0), symmetric_face.max(axis=0)
    return (symmetric_face - (low + high) / 2) * (100 / (high - low).max())


@pytest.mark.parametrize("tells", [PRESENCE, ERROR, NOTHING])
def test_two_faces_keep_their_ids(face, tells):
    """They move by two and three pixels a frame, one up and down, the other aside and larger."""
    faces = {i: [at(face, 150, 200 + 2 * i), at(face * (1 + i / 100), 400 + 3 * i, 240)] for i in range(40)}
    said = track(faces, 40, tells)
    assert said[0] == ([(1, "new"), (2, "new")], [])
    assert said[1:] == [([(1, "tracked"), (2, "tracked")], [])] * 39


def test_who_walks_by_is_followed(face):
    """29 % of a face per frame, from the second frame on."""
    faces = {i: [at(face, 60 + 29 * i, 240)] for i in range(18)}
    assert {ids[0][0] for ids, _ in track(faces, 18)} == {1}


def test_a_face_that_becomes_fast_is_followed_without_the_finder(face):
    """By 6 % of its side more per frame, to 72 %: more than it may be from where it was."""
    faces = {i: [at(face, 20 + 3 * i * (i + 1), 240)] for i in range(13)}
    detector = KnownFaces(faces)
    tracker = Tracker(detector, smooth=False)
    for number in range(13):
        (tracked,) = tracker.update(frame_of(number), number / RATE)
        assert tracked.id == 1 and np.array_equal(tracked.face.box, tight_box(faces[number][0]))
    assert detector.n_searches == 1


@pytest.mark.parametrize("tells", [PRESENCE, ERROR, NOTHING])
def test_a_lost_face_is_said_to_be_and_comes_back_under_its_id(face, tells):
    faces = {i: [at(face, 200, 240)] for i in range(60) if not 10 <= i < 30}
    faces |= {i: [at(face, 330, 200)] for i in range(30, 60)}  # elsewhere
    said = track(faces, 60, tells)
    assert said[9] == ([(1, "tracked")], [])
    assert [lost for _, lost in said[10:30]] == [[]] * (LOST_AFTER - 1) + [[1]] + [[]] * (20 - LOST_AFTER)
    assert all(ids == [] for ids, _ in said[10:30])
    assert said[30:32] == [([(1, "returned")], []), ([(1, "tracked")], [])]


def test_a_face_missed_for_two_frames_is_not_said_to_be_lost(face):
    faces = {i: [at(face, 200, 240)] for i in range(20) if i not in (8, 9)}
    said = track(faces, 20)
    assert [lost for _, lost in said] == [[]] * 20 and said[10] == ([(1, "tracked")], [])


def test_after_a_second_it_is_another(face):
    away = round((FORGOTTEN_AFTER_S + 0.2) * RATE)
    faces = {i: [at(face, 200, 240)] for i in range(60) if not 5 <= i < 5 + away}
    said = track(faces, 60)
    returns = [ids for ids, _ in said[5 + away : 5 + away + 3] if ids]
    assert returns[0] == [(2, "new")]  # searched for every tenth of a second
    assert all_lost(said) == [1]


def test_at_a_frame_per_second_a_loss_is_told_as_well(face):
    faces = {i: [at(face, 200, 240)] for i in (0, 1, 4)}
    said = track(faces, 5, rate=0.9)
    assert said[2] == ([], [1]) and said[4] == ([(2, "new")], [])


def test_a_missing_face_is_searched_for_in_each_frame_a_lost_one_thrice_as_seldom(face):
    """Frames 2, 3 and 4 tell the loss; 7, 10 and 13 search again, a tenth of a second after another."""
    detector = KnownFaces({0: [at(face, 200, 240)], 1: [at(face, 200, 240)]})
    tracker = Tracker(detector, smooth=False)
    searched = []
    for number in range(14):
        before = detector.n_searches
        tracker.update(frame_of(number), number / RATE)
        searched += [number] * (detector.n_searches - before)
    assert searched == [0, 2, 3, 4, 7, 10, 13]


class TwoScales(NetworkFinder):
    """Notes which of its scales were asked."""

    def __init__(self, known: KnownFaces) -> None:
        self.known, self.asked, self.max_faces = known, [], None

    def __call__(self, photo):
        self.asked.append("both")
        return KnownFaces.face_finder(self.known, photo)

    def large(self, photo):
        self.asked.append("large")
        return KnownFaces.face_finder(self.known, photo)


def test_where_all_is_well_every_other_search_is_of_the_coarser_scale(face):
    """At 0, 0.5, 1 and 1.5 s; then the face is away."""
    detector = KnownFaces({i: [at(face, 200, 240)] for i in range(50)})
    detector.face_finder = finder = TwoScales(detector)
    tracker = Tracker(detector, smooth=False)
    for number in range(50):
        tracker.update(frame_of(number), number / RATE)
    assert finder.asked == ["both", "large", "both", "large"]
    for number in range(50, 53):
        tracker.update(frame_of(number), number / RATE)
    assert finder.asked[4:] == ["both"] * 3


def test_no_more_faces_are_followed_than_are_asked_for(face):
    """Of two the finder may give now the one and now the other; when the one followed has gone the other is taken."""
    both = [at(face, 150, 240), at(face, 450, 240)]
    detector = KnownFaces({i: both if i < 60 else both[1:] for i in range(90)})
    detector.face_finder = finder = TwoScales(detector)
    finder.max_faces = 1
    tracker = Tracker(detector, smooth=False)
    said = [[each.id for each in tracker.update(frame_of(number), number / RATE)] for number in range(90)]
    assert said[:60] == [[1]] * 60 and said[-1] == [2]


class Doubtful(KnownFaces):
    """Of one small and doubtful thing in the frames from 1 on, beside faces that are not."""

    def __init__(self, faces: dict[int, list[np.ndarray]], thing: np.ndarray, n_seen: int, doubt: float) -> None:
        super().__init__({number: [*there, thing] for number, there in faces.items()})
        self.thing, self.n_seen, self.doubt = thing, n_seen, doubt

    def _predict(self, frame, near) -> Face:
        found = super()._predict(frame, near)
        if not np.array_equal(found.landmarks, self.thing):
            return found
        presence = 0.9 if int(frame[0, 0, 0]) < self.n_seen else 0.1
        side = np.ptp(self.thing, axis=0).max()
        return replace(found, presence=presence, expected_error=np.full(68, self.doubt * side))


@pytest.mark.parametrize(("side", "doubt"), [(20, 0.01), (60, 0.06)])
@pytest.mark.parametrize(("n_seen", "ids"), [(1, [[1], [1], [1]]), (3, [[1], [1, 2], [1, 2]])])
def test_what_is_small_or_doubtful_needs_a_second_frame(face, side, doubt, n_seen, ids):
    """The finder finds it in all frames, the landmark network takes it for a face in the first so many."""
    thing = at(face * side / 100, 500, 100)
    tracker = Tracker(Doubtful({i: [at(face, 200, 240)] for i in range(3)}, thing, n_seen, doubt), smooth=False)
    said = [tracker.update(frame_of(i), i / RATE) for i in range(3)]
    assert [[each.id for each in frame] for frame in said] == ids
    assert tracker.lost == []
    assert [each.state for frame in said for each in frame if each.id == 2] == ["new", "tracked"][: n_seen - 1]
    assert [each.face.score for each in said[-1]] == [0.75] * len(ids[-1])


def test_what_is_large_and_sure_needs_none(face):
    tracker = Tracker(Doubtful({0: []}, at(face * 0.6, 500, 100), 1, 0.03), smooth=False)
    assert [each.id for each in tracker.update(frame_of(0), 0.0)] == [1]


def test_of_two_boxes_on_one_face_the_one_whose_landmarks_are_surer_is_followed(face):
    """The finder is surer of the wrong one; too small an overlap for either to be the other once more."""
    right, wrong = at(face, 200, 240), at(face, 247, 240)
    detector = Doubtful({i: [right] for i in range(3)}, wrong, 3, 0.014)
    detector.face_finder = lambda frame: [(tight_box(wrong), 0.9), (tight_box(right), 0.6)]
    tracker = Tracker(detector, smooth=False)
    said = [tracker.update(frame_of(i), i / RATE) for i in range(3)]
    assert [[each.id for each in frame] for frame in said] == [[1]] * 3
    assert all(np.array_equal(each.face.landmarks, right) for frame in said for each in frame)


def test_another_face_far_away_is_no_return(face):
    faces = {i: [at(face, 100, 240)] for i in range(5)} | {i: [at(face, 560, 240)] for i in range(5, 10)}
    said = track(faces, 10)
    assert said[5] == ([(2, "new")], [])
    assert all_lost(said) == [1]


def test_a_new_face_is_found_within_half_a_second_and_the_finder_rests_otherwise(face):
    """A third of a second in; at 30 frames a second the finder has run in frame 0, and runs in frame 15."""
    faces = {i: [at(face, 150, 240), at(face, 450, 240)][: 1 + (i >= 10)] for i in range(30)}
    said = track(faces, 30)
    assert [len(ids) for ids, _ in said] == [1] * 15 + [2] * 15
    detector = KnownFaces({i: [at(face, 150, 240)] for i in range(30)})
    tracker = Tracker(detector)
    for number in range(30):
        tracker.update(frame_of(number), number / RATE)
    assert detector.n_searches == 2 and detector.n_predicted == 30  # no face is predicted twice in a frame


def test_two_tracks_do_not_stay_on_one_face(face):
    """The second face goes behind the first: what is left is the first, under its id."""
    faces = {i: [at(face, 200, 240), at(face, 440 - 20 * i, 240)][: 1 + (i < 10)] for i in range(20)}
    said = track(faces, 20)
    assert said[-1][0] == [(1, "tracked")] and all_lost(said) == [2]


def test_smoothing_is_on_unless_switched_off(face):
    rng = np.random.default_rng(0)
    faces = {i: [at(face, 200, 240) + rng.normal(0, 0.2, (68, 2))] for i in range(30)}
    steps = {}
    for smooth in (True, False):
        tracker = Tracker(KnownFaces(faces), smooth=smooth)
        all_landmarks = [tracker.update(frame_of(i), i / RATE)[0].face.landmarks for i in range(30)]
        steps[smooth] = np.abs(np.diff(all_landmarks, axis=0)[10:]).mean()
    assert steps[True] < 0.4 * steps[False]


@pytest.mark.parametrize(("side", "n_seen"), [(14, 1), (60, 0)])
def test_presence_of_a_face_too_small_for_it_does_not_count(face, side, n_seen):
    """As in Detector: below 16 pixels crops are too blurred for it."""
    small = at(face * side / 100, 200, 240)
    detector = KnownFaces({0: [small]})
    detector._predict = lambda frame, near: Face(
        tight_box(near), 1.0, small, np.ones(68), np.zeros((7, 7)), CropTransform(np.eye(2, 3), 224), presence=0.1
    )
    tracker = Tracker(detector)
    first = tracker.update(frame_of(0), 0.0)
    detector.faces[1] = [small]
    assert first == [] and len(tracker.update(frame_of(1), 0.1)) == n_seen


@pytest.mark.parametrize(("visible", "lost"), [(10, [1]), (11, [])])
def test_a_face_of_which_hardly_a_landmark_shows_is_lost_whatever_its_presence(face, visible, lost):
    """A hand over all but the hair: 10 of 68 are less than 0.15, 11 more."""
    detector = KnownFaces({i: [at(face, 200, 240)] for i in range(5)})
    seen = detector._predict

    def predict(frame, near):
        covered = np.arange(68) < (visible if frame[0, 0, 0] else 68)
        return replace(seen(frame, near), visibility=covered.astype(float))

    detector._predict = predict
    tracker = Tracker(detector)
    said = []
    for i in range(5):
        tracker.update(frame_of(i), i / RATE)
        said += tracker.lost
    assert said == lost


@pytest.mark.parametrize("place", [np.zeros((68, 2)), np.full((68, 2), 1e6)], ids=["a point", "far away"])
def test_landmarks_that_are_no_face_are_none(face, place):
    """Whatever a network says of them."""
    detector = KnownFaces({0: [at(face, 200, 240)]})
    tracker = Tracker(detector)
    tracker.update(frame_of(0), 0.0)
    detector.faces[1] = [at(face, 200, 240)]
    detector._predict = lambda frame, near: Face(
        tight_box(near), 1.0, place, np.ones(68), np.zeros((7, 7)), CropTransform(np.eye(2, 3), 224), presence=1.0
    )
    assert tracker.update(frame_of(1), 0.1) == []


@pytest.mark.parametrize("time", [0.0, -1.0, np.nan, np.inf])
def test_time_goes_on(time):
    tracker = Tracker(KnownFaces({}))
    tracker.update(frame_of(0), 0.0)
    with pytest.raises(ValueError, match=r"time is in seconds and after the last frame's, 0; not"):
        tracker.update(frame_of(1), time)


@pytest.fixture(scope="module", params=["occlumark", "occlumark-fast"])
def detector(request) -> Detector:
    return Detector(request.param, threads=1)


@pytest.fixture(scope="module")
def portrait(request, detector) -> SimpleNamespace:
    """The bundled portrait and its landmarks, which the network found in it."""
    photo = read_photo(request.config.rootpath / "occlumark/samples/astronaut.jpg")
    (face,) = detector.detect(photo)
    return SimpleNamespace(photo=photo, landmarks=face.landmarks)


def clip_of(portrait, motions, spoils=None) -> Clip:
    return Clip("portrait", portrait.photo, portrait.landmarks, motions, spoils or {}, size=(256, 320))


def run(clip: Clip, detector: Detector, smooth: bool = True) -> list[list]:
    tracker = Tracker(detector, smooth=smooth)
    return [[tracker.update(frame, i / RATE), list(tracker.lost)] for i, (frame, _) in enumerate(clip)]


def test_detect_near_is_detect_with_the_crop_that_recrop_makes(detector, portrait):
    """From a box as tight as the landmarks, upright: the same crop."""
    box = tight_box(portrait.landmarks)
    (near,) = detector.detect_near(portrait.photo, [portrait.landmarks])
    (expected,) = detector.detect(portrait.photo, box)
    assert np.array_equal(near.landmarks, expected.landmarks) and np.array_equal(near.box, box)
    assert detector.detect_near(portrait.photo, []) == []


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [black, noise_alone, palm(0)], ids=["black", "noise", "a hand"])
def test_the_networks_face_is_lost_and_returns(detector, portrait, spoil):
    said = run(clip_of(portrait, [Motion()] * 8, dict.fromkeys(range(1, 6), spoil)), detector)
    assert [[each.id for each in tracked] for tracked, _ in said] == [[1], *[[]] * 5, [1], [1]]
    assert [lost for _, lost in said[1:6]].count([1]) == 1
    assert said[6][0][0].state == "returned"


@pytest.mark.slow
def test_the_networks_still_face_jitters_less_than_half(detector, portrait):
    clip = clip_of(portrait, [Motion()] * 9, dict.fromkeys(range(9), noisy(8)))
    steps = []
    for smooth in (True, False):
        landmarks = np.stack([tracked[0].face.landmarks for tracked, _ in run(clip, detector, smooth)])
        steps.append(np.sqrt((np.diff(landmarks[3:], axis=0) ** 2).sum(axis=-1).mean()))
    assert steps[0] < (0.4 if detector.model == "occlumark" else 0.5) * steps[1]  # docs/video.md, "How well it tracks"


@pytest.mark.slow
def test_the_networks_moving_face_is_followed_within_its_expected_error(detector, portrait):
    """A pan with zoom and roll; the truth is the portrait's own landmarks, moved along."""
    motions = [Motion(0.4 + 0.03 * i, 0.5, 1 + 0.02 * i, 4.0 * i) for i in range(8)]
    clip = clip_of(portrait, motions)
    for (tracked, _), (_, truth) in zip(run(clip, detector), clip, strict=True):
        (only,) = tracked
        off = np.linalg.norm(only.face.landmarks - truth, axis=1)
        assert only.id == 1 and off.mean() < 0.75 * only.face.expected_error.mean()


@pytest.mark.slow
def test_tracked_landmarks_are_as_exact_as_detected_ones(detector, shared):
    """Two annotated photos, moved in eight frames: a pan, and a pan with zoom and roll."""
    tracked_error, detected_error = [], []
    annotations = sorted((shared / "data/300w/helen/testset").glob("*.pts"))
    for annotation, turn in ((annotations[70], 4.0), (annotations[100], 0.0)):
        photo, landmarks = read_photo(annotation.with_suffix(".jpg")), read_pts(annotation)
        zoom = 110 / np.ptp(landmarks, axis=0).max()
        motions = [Motion(0.35 + 0.03 * i, 0.5, zoom * (1 + turn * i / 200), turn * i) for i in range(8)]
        clip = Clip(annotation.stem, photo, landmarks, motions, size=(256, 320))
        for (tracked, _), (frame, truth) in zip(run(clip, detector), clip, strict=True):
            assert tracked[0].id == 1
            errors = [np.linalg.norm(face.landmarks - truth, axis=1).mean() for face in detector.detect(frame)]
            detected_error.append(min(errors))  # of the face that is annotated
            tracked_error.append(np.linalg.norm(tracked[0].face.landmarks - truth, axis=1).mean())
    assert np.mean(tracked_error) < 1.02 * np.mean(detected_error)


def test_landmarks_of_another_markup_are_cropped_by_the_finders_box_that_goes_with_them():
    """Five points that grow by a tenth a frame and move on: each crop is by twice their box, as the first one was."""
    points = np.array([[30.0, 40], [70, 40], [50, 60], [35, 80], [65, 80]])
    faces = {number: [200 + 10 * number + points * 1.1**number] for number in range(5)}
    detector = KnownPoints(faces)
    tracker = Tracker(detector, smooth=False)
    for number in range(5):
        (tracked,) = tracker.update(frame_of(number), number / RATE)
        np.testing.assert_allclose(tracked.face.landmarks, faces[number][0])
    assert len(detector.cropped) == 5
    for number in range(1, 5):  # the size is the last frame's, the place where it was or would have gone
        (box,), before = detector.cropped[number], twice(tight_box(faces[number - 1][0]))
        np.testing.assert_allclose(box[2:] - box[:2], before[2:] - before[:2])
        centre = box.reshape(2, 2).mean(axis=0)
        assert np.abs(centre - twice(tight_box(faces[number][0])).reshape(2, 2).mean(axis=0)).max() < 20


def test_faces_of_reduced_frames_are_in_pixels_of_the_frames_themselves():
    points = 100 + 50 * np.random.default_rng(0).uniform(0, 1, (68, 2))
    tracker, whole = Tracker(KnownFaces({0: [points], 1: [points]})), Tracker(KnownFaces({0: [points], 1: [points]}))
    for number in range(2):
        (tracked,) = tracker.update(ReducedPhoto(frame_of(number), 4), number / RATE)
        (same,) = whole.update(frame_of(number), number / RATE)
        np.testing.assert_allclose(tracked.face.landmarks, 4 * same.face.landmarks)
        np.testing.assert_allclose(tracked.face.box, 4 * same.face.box)
    with pytest.raises(ValueError, match="the frame is reduced by 2, the last by 4; reduce all alike"):
        tracker.update(ReducedPhoto(frame_of(1), 2), 1)
