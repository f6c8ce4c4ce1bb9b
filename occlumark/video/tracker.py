"""Faces from frame to frame: each cropped around its last landmarks, looked for again where it is lost.

Not in the paper, which knows single photos.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np

from occlumark.boxes import box_in_photo, box_iou, common_areas
from occlumark.detect import Detector
from occlumark.errors import BoxError
from occlumark.face import Face
from occlumark.finder import find_faces
from occlumark.markup import tight_box
from occlumark.photo.given import ColorOrder, PhotoInput, as_photo
from occlumark.recrop import LOST_ABOVE, doubt, least_presence
from occlumark.video.smoothing import LandmarkSmoother

#: A face that has not been seen in so many frames in a row is said to be lost.
LOST_AFTER = 3
#: A face that comes back within so many seconds gets its id again.
FORGOTTEN_AFTER_S = 1.0
#: The whole picture is searched for new faces at least so often, seconds.
SEARCH_EVERY_S = 0.5

# Where a network does not tell presence, the most doubt (recrop.doubt) of a face that is followed: half as much is
# usual at worst, a black frame, noise or a hand over all give more.
_MOST_DOUBT = 0.07
# From one frame to the next a face moves by at most so many longer sides beside where it is expected, and grows or
# shrinks by at most this factor; beyond, the landmarks are those of something else.
_MOST_SHIFT, _MOST_GROWTH = 0.5, 1.6
# A box is on a face that is followed where they have so much in common: IoU, or share of the smaller one.
_SAME_IOU, _SAME_SHARE = 0.35, 0.7
# How far a face may be from where it was last seen, in longer sides: at once, more per second, and in all. Who walks
# by moves nine face widths a second.
_REACH, _REACH_PER_S, _MOST_REACH = 0.75, 9.0, 4.0


class TrackedFace(NamedTuple):
    """A face of a video's frame."""

    id: int
    """The same in every frame, from 1 on; given by place, not by who it is."""
    face: Face
    """As in Detector.detect, the landmarks smoothed; its box is their tight box, its score the finder's last one."""
    state: Literal["new", "tracked", "returned"]
    """new: its first frame; returned: it was said to be lost."""


@dataclass
class _Track:
    """What is known of a face between frames."""

    id: int
    face: Face
    """As last predicted, before smoothing."""
    seen_s: float
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    missed: int = 0
    is_lost: bool = False
    smoother: LandmarkSmoother = field(default_factory=LandmarkSmoother)

    def expected_at(self, time: float) -> np.ndarray:
        """Where the landmarks will be if the face moves on as it did."""
        shift = self.velocity * (time - self.seen_s)
        side = _side(tight_box(self.face.landmarks))
        return self.face.landmarks + shift * min(1.0, _MOST_SHIFT * side / max(float(np.hypot(*shift)), 1e-9))

    def see(self, face: Face, time: float) -> None:
        """The face in a new frame."""
        moved = face.landmarks.mean(axis=0) - self.face.landmarks.mean(axis=0)
        self.velocity = moved / (time - self.seen_s) if not self.missed else np.zeros(2)
        if self.missed:
            self.smoother = LandmarkSmoother()
        self.face, self.seen_s, self.missed = face, time, 0


class Tracker:
    """Follows the faces of one video.

    A face is cropped around where its last landmarks lead, without the face finder. The finder searches the frame when
    a face is missing, when none is there, and every half second for new ones.

    Args:
        detector: finds faces and predicts their landmarks. Of a network that predicts neither presence nor an
            expected error, such as `odn`, no face is taken for one that the finder does not confirm in every frame.
        smooth: smooth the landmarks (smoothing.LandmarkSmoother).

    Attributes:
        lost: the ids that were said to be lost by the last update, each once: not seen in LOST_AFTER frames. A face
            that comes back within FORGOTTEN_AFTER_S has its id again.

    Example:
        >>> from occlumark import Detector, Tracker, read_photo
        >>> tracker = Tracker(Detector())
        >>> photo = read_photo("portrait.jpg")
        >>> for number in range(3):
        ...     for tracked in tracker.update(photo, number / 30):
        ...         print(tracked.id, tracked.state, tracked.face.landmarks.shape)
        1 new (68, 2)
        1 tracked (68, 2)
        1 tracked (68, 2)
    """

    def __init__(self, detector: Detector, *, smooth: bool = True) -> None:
        self.detector, self.smooth = detector, smooth
        self.lost: list[int] = []
        self._tracks: list[_Track] = []
        self._next_id = 1
        self._time = self._searched_s = -math.inf

    def update(self, frame: PhotoInput, time: float, *, color: ColorOrder = "rgb") -> list[TrackedFace]:
        """The faces of the next frame.

        Args:
            frame: as a photo in Detector.detect.
            time: when it was taken, seconds from any start, after the last frame's.
            color: as in Detector.detect.

        Returns:
            The faces that are seen, by id; empty where there is none. Which were lost is in `lost`.

        Raises:
            PhotoError: a file cannot be read.
            TypeError: the frame is of another kind.
            ValueError: the frame is no photo, or the time is not after the last.
        """
        if not (math.isfinite(time) and time > self._time):
            raise ValueError(f"time is in seconds and after the last frame's, {self._time:g}; not {time}")
        pixels = as_photo(frame, color)
        self._time = time
        seen, unconfirmed = self._follow(pixels, time)
        missing = len(self._tracks) > len(seen)
        if missing or not self._tracks or time - self._searched_s >= SEARCH_EVERY_S:
            self._searched_s = time
            seen |= self._search(pixels, time, seen, unconfirmed)
        return self._settle(seen, time)

    def _follow(self, pixels: np.ndarray, time: float) -> tuple[dict[int, Face], dict[int, Face]]:
        """By id, the faces seen where they were expected, and those of which the network does not tell."""
        followed = [track for track in self._tracks if not track.missed]
        expected = [track.expected_at(time) for track in followed]
        seen: dict[int, Face] = {}
        unconfirmed: dict[int, Face] = {}
        for track, at, face in zip(followed, expected, self.detector.detect_near(pixels, expected), strict=True):
            found = replace(face, score=track.face.score)
            if not _is_within(found, pixels) or not _moves_like_a_face(at, found.landmarks):
                continue
            is_face = self._is_face(found)
            if is_face is None:
                unconfirmed[track.id] = found
            elif is_face and not _is_on_any(tight_box(found.landmarks), seen.values()):
                seen[track.id] = found  # of two on one face the older stays
        return seen, unconfirmed

    def _is_face(self, face: Face) -> bool | None:
        """Whether the network takes it for one; None where it does not tell."""
        if math.isnan(face.presence):
            return doubt(face) <= _MOST_DOUBT if face.has_expected_error else None
        return face.presence >= least_presence(face, self.detector.min_presence) and not doubt(face) > LOST_ABOVE

    def _search(
        self, pixels: np.ndarray, time: float, seen: dict[int, Face], unconfirmed: dict[int, Face]
    ) -> dict[int, Face]:
        """The faces that the finder finds beside those seen, by id: a missing track's, or a new one's."""
        boxes, scores = find_faces(self.detector.face_finder, pixels)
        confirmed = {i: face for i, face in unconfirmed.items() if any(_is_on_any(box, [face]) for box in boxes)}
        known = [*seen.values(), *confirmed.values()]
        rest = [i for i, box in enumerate(boxes) if not _is_on_any(box, known)]
        found = self.detector.detect(pixels, boxes[rest]) if rest else []
        candidates: list[Face] = []
        for i, face in zip(rest, found, strict=True):
            # Of a network that tells nothing the finder's word stands.
            if _is_within(face, pixels) and self._is_face(face) is not False:
                box = tight_box(face.landmarks)
                if not _is_on_any(box, [*known, *candidates]):
                    candidates.append(replace(face, score=scores[i]))
        waiting = [track for track in self._tracks if track.id not in seen and track.id not in confirmed]
        return confirmed | self._named(candidates, waiting, time)

    def _named(self, faces: list[Face], waiting: list[_Track], time: float) -> dict[int, Face]:
        """Faces by id: of the nearest waiting track within reach, each of one face, else a new one."""
        pairs = [
            (distance, track.id, i)
            for track in waiting
            for i, face in enumerate(faces)
            if (distance := _distance(track, face, time)) is not None
        ]
        named: dict[int, Face] = {}
        taken: set[int] = set()
        for _, track_id, i in sorted(pairs):
            if track_id not in named and i not in taken:
                named[track_id] = faces[i]
                taken.add(i)
        for i, face in enumerate(faces):
            if i not in taken:
                named[self._next_id] = face
                self._next_id += 1
        return named

    def _settle(self, seen: dict[int, Face], time: float) -> list[TrackedFace]:
        """Write down what was seen and what not, and say it."""
        tracks = {track.id: track for track in self._tracks}
        result = []
        self.lost = []
        for track_id, face in sorted(seen.items()):
            state: Literal["new", "tracked", "returned"] = "new"
            if track_id in tracks:
                track = tracks[track_id]
                state = "returned" if track.is_lost else "tracked"
                track.see(face, time)
                track.is_lost = False
            else:
                track = _Track(track_id, face, time)
                self._tracks.append(track)
            landmarks = face.landmarks
            if self.smooth:
                landmarks = track.smoother(landmarks, face.expected_error, time)
            face = replace(face, landmarks=landmarks, box=tight_box(landmarks))
            result.append(TrackedFace(track_id, face, state))
        for track in tracks.values():
            if track.id not in seen:
                track.missed += 1
                is_forgotten = time - track.seen_s > FORGOTTEN_AFTER_S
                if not track.is_lost and (track.missed >= LOST_AFTER or is_forgotten):
                    track.is_lost = True
                    self.lost.append(track.id)
                if is_forgotten:
                    self._tracks.remove(track)
        return result


def _side(box: np.ndarray) -> float:
    return float((box[2:] - box[:2]).max())


def _is_within(face: Face, pixels: np.ndarray) -> bool:
    """Whether the landmarks make a box in the frame."""
    try:
        box_in_photo(tight_box(face.landmarks), *pixels.shape[:2])
    except BoxError:
        return False
    return True


def _moves_like_a_face(expected: np.ndarray, landmarks: np.ndarray) -> bool:
    before, after = tight_box(expected), tight_box(landmarks)
    growth = _side(after) / _side(before)
    shift = np.linalg.norm((after[2:] + after[:2] - before[2:] - before[:2]) / 2) / _side(before)
    return bool(1 / _MOST_GROWTH <= growth <= _MOST_GROWTH and shift <= _MOST_SHIFT)


def _is_on_any(box: np.ndarray, faces: Iterable[Face]) -> bool:
    """Whether a box lies on one of the faces, by the tight box of its landmarks."""
    others = [tight_box(face.landmarks) for face in faces]
    if not others:
        return False
    boxes = np.stack(others)
    smaller = np.minimum(np.prod(box[2:] - box[:2]), np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    share = common_areas(box[None], boxes)[0] / smaller
    return bool((box_iou(box[None], boxes)[0] >= _SAME_IOU).any() or (share >= _SAME_SHARE).any())


def _distance(track: _Track, face: Face, time: float) -> float | None:
    """Of a face from where a missing one was last seen, in longer sides; None: it is another's, by distance or size."""
    before, after = tight_box(track.face.landmarks), tight_box(face.landmarks)
    if not 0.5 <= _side(after) / _side(before) <= 2:
        return None
    distance = float(np.linalg.norm((after[2:] + after[:2] - before[2:] - before[:2]) / 2)) / _side(before)
    return distance if distance <= min(_MOST_REACH, _REACH + _REACH_PER_S * (time - track.seen_s)) else None
