"""Faces from frame to frame: each cropped around its last landmarks, looked for again where it is lost.

Not in the paper, which knows single photos.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from occlumark.detect import Detector
from occlumark.face import Face
from occlumark.face.doubles import without_doubles
from occlumark.face.doubt import doubt
from occlumark.face.presence import least_presence
from occlumark.finder import FaceFinder, NetworkFinder, find_faces
from occlumark.markup import W300, tight_box
from occlumark.photo import ReducedPhoto
from occlumark.photo.given import ColorOrder, PhotoInput, as_photo
from occlumark.recrop import LOST_ABOVE
from occlumark.video.place import (
    MOST_SHIFT,
    carried_box,
    distance_from,
    is_on_any,
    is_within,
    moves_like_a_face,
    side_of,
)
from occlumark.video.smoothing import LandmarkSmoother

#: A face that has not been seen in so many frames in a row is said to be lost.
LOST_AFTER = 3
#: A face that comes back within so many seconds gets its id again.
FORGOTTEN_AFTER_S = 1.0
#: The whole picture is searched for new faces at least so often, seconds, and where none is seen, or one is lost.
SEARCH_EVERY_S, SEARCH_LOST_EVERY_S = 0.5, 0.1

# Where a network does not tell presence, the most doubt (recrop.doubt) of a face that is followed: half as much is
# usual at worst, a black frame, noise or a hand over all give more.
_MOST_DOUBT = 0.07
# A face with less than this mean visibility is not seen: where a hand is over all of it, hair and outline may still be
# taken for a face (0.03). The least of 2,129 faces of 300W's training parts, real occlusion among them, is 0.44
# (studies/least_visible.py).
_LEAST_VISIBLE = 0.15
# A new face is on trial, without an id till the next frame confirms it, if its doubt is above this or it is too small
# for presence to count in full: so are false positives of the finder's that come and go (studies/new_faces.py), while
# other faces' doubt was 0.021 at most.
_TRIAL_ABOVE = 0.04


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
        side = side_of(tight_box(self.face.landmarks))
        return self.face.landmarks + shift * min(1.0, MOST_SHIFT * side / max(float(np.hypot(*shift)), 1e-9))

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
    a face is missing, a tenth of a second after the last time when one is lost or none there, and every half second for
    new ones, for small ones every second. A new face that is small or doubtful is returned from its second frame on.

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
        self._on_trial: list[Face] = []
        self._next_id = 1
        self._time = self._searched_s = -math.inf
        self._was_whole = False  # the last search
        self._reduction = 1  # of the last frame

    def update(self, frame: PhotoInput, time: float, *, color: ColorOrder = "rgb") -> list[TrackedFace]:
        """The faces of the next frame.

        Args:
            frame: as a photo in Detector.detect; of photo.read_reduced's all frames reduced alike.
            time: when it was taken, seconds from any start, after the last frame's.
            color: as in Detector.detect.

        Returns:
            The faces that are seen, by id; empty where there is none. Which were lost is in `lost`.

        Raises:
            PhotoError: a file cannot be read.
            TypeError: the frame is of another kind.
            ValueError: the frame is no photo, reduced by more or less than the last, or the time is not after the last.
        """
        if not (math.isfinite(time) and time > self._time):
            raise ValueError(f"time is in seconds and after the last frame's, {self._time:g}; not {time}")
        reduction = frame.reduction if isinstance(frame, ReducedPhoto) else 1
        if self._tracks and reduction != self._reduction:
            raise ValueError(f"the frame is reduced by {reduction}, the last by {self._reduction}; reduce all alike")
        pixels = as_photo(frame, color)
        self._time, self._reduction = time, reduction
        seen, unconfirmed = self._follow(pixels, time)
        if time - self._searched_s >= self._search_after(seen) - 1e-6:
            self._searched_s = time
            seen |= self._search(pixels, time, seen, unconfirmed)
        return self._settle(seen, time)

    def _search_after(self, seen: Collection[int]) -> float:
        """How long after the last search the next one is due, seconds."""
        if any(track.id not in seen and not track.is_lost for track in self._tracks):
            return 0.0
        return SEARCH_EVERY_S if seen and len(self._tracks) <= len(seen) else SEARCH_LOST_EVERY_S

    def _follow(self, pixels: np.ndarray, time: float) -> tuple[dict[int, Face], dict[int, Face]]:
        """By id, the faces seen where they were expected, and those of which the network does not tell."""
        followed = [track for track in self._tracks if not track.missed]
        expected = [track.expected_at(time) for track in followed] + [face.landmarks for face in self._on_trial]
        before = [*[track.face for track in followed], *self._on_trial]
        self._on_trial = []
        seen: dict[int, Face] = {}
        unconfirmed: dict[int, Face] = {}
        for i, face in enumerate(self._seen_near(pixels, before, expected)):
            if not is_within(face, pixels) or not moves_like_a_face(expected[i], face.landmarks):
                continue
            is_face = self._is_face(face)
            if is_face is None:
                unconfirmed[followed[i].id] = face
            elif is_face and not (seen and is_on_any(tight_box(face.landmarks), seen.values())):
                # Of two on one face the older stays. One on trial is there for the second time.
                seen[followed[i].id if i < len(followed) else self._new_id()] = face
        return seen, unconfirmed

    def _seen_near(self, pixels: np.ndarray, before: list[Face], expected: list[np.ndarray]) -> list[Face]:
        """What the network sees where faces are expected by their landmarks (n, 2)."""
        scores = [face.score for face in before]
        if self.detector.markup == W300:
            return self.detector.detect_near(pixels, expected, scores)
        # The tight box of other landmarks is not what a face's box is: the finder's box goes with them.
        places = zip(before, expected, strict=True)
        boxes = [carried_box(face.box, face.landmarks, points) for face, points in places]
        found = zip(self.detector.detect_near(pixels, expected, scores, boxes), expected, strict=True)
        return [replace(face, box=carried_box(face.box, points, face.landmarks)) for face, points in found]

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _is_face(self, face: Face) -> bool | None:
        """Whether the network takes it for one; None where it does not tell."""
        if math.isnan(face.presence):
            return doubt(face) <= _MOST_DOUBT if face.has_expected_error else None
        shows = face.presence >= least_presence(face, self.detector.min_presence)
        return shows and not face.visibility.mean() < _LEAST_VISIBLE and not doubt(face) > LOST_ABOVE

    def _needs_trial(self, face: Face) -> bool:
        """Whether one frame alone does not make a new face of it."""
        partly = least_presence(face, self.detector.min_presence) < self.detector.min_presence
        return not math.isnan(face.presence) and (partly or doubt(face) > _TRIAL_ABOVE)

    def _search(
        self, pixels: np.ndarray, time: float, seen: dict[int, Face], unconfirmed: dict[int, Face]
    ) -> dict[int, Face]:
        """The faces that the finder finds beside those seen, by id: a missing track's, or a new one's."""
        boxes, scores = find_faces(self._finder(len(self._tracks) <= len(seen)), pixels)
        confirmed = {i: face for i, face in unconfirmed.items() if any(is_on_any(box, [face]) for box in boxes)}
        known = [*seen.values(), *confirmed.values()]
        rest = [i for i, box in enumerate(boxes) if not is_on_any(box, known)][: self._room(len(known))]
        found = self.detector.detect(pixels, boxes[rest]) if rest else []
        found = [replace(face, score=scores[i]) for i, face in zip(rest, found, strict=True)]
        # Of a network that tells nothing the finder's word stands.
        faces = [face for face in found if is_within(face, pixels) and self._is_face(face) is not False]
        candidates: list[Face] = []
        for face in sorted(without_doubles(faces), key=doubt):
            if not is_on_any(tight_box(face.landmarks), [*known, *candidates]):
                candidates.append(face)
        waiting = [track for track in self._tracks if track.id not in seen and track.id not in confirmed]
        return confirmed | self._named(candidates, waiting, time)

    def _room(self, count: int) -> int | None:
        """How many faces may be added to so many; None: any."""
        most = getattr(self.detector.face_finder, "max_faces", None)
        return None if most is None else max(0, most - count)

    def _finder(self, are_all_seen: bool) -> FaceFinder:
        """Our own finder's coarser scale alone every other time, where no face is missing."""
        finder = self.detector.face_finder
        self._was_whole = not (self._was_whole and are_all_seen)
        if not isinstance(finder, NetworkFinder):
            return finder
        chosen = finder if self._was_whole else finder.large
        return partial(chosen, reduction=self._reduction) if self._reduction > 1 else chosen

    def _named(self, faces: list[Face], waiting: list[_Track], time: float) -> dict[int, Face]:
        """Faces by id: of the nearest waiting track within reach, each of one face, else a new one, or on trial."""
        pairs = [
            (distance, track.id, i)
            for track in waiting
            for i, face in enumerate(faces)
            if (distance := distance_from(track.face, face, time - track.seen_s)) is not None
        ]
        named: dict[int, Face] = {}
        taken: set[int] = set()
        for _, track_id, i in sorted(pairs):
            if track_id not in named and i not in taken:
                named[track_id] = faces[i]
                taken.add(i)
        for i, face in enumerate(faces):
            if i not in taken and self._needs_trial(face):
                self._on_trial.append(face)
            elif i not in taken:
                named[self._new_id()] = face
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
            face = face.scaled(self._reduction) if self._reduction > 1 else face
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
