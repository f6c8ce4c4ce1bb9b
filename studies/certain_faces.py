"""What tells faces from what the face finder takes for one: its score, the box's size, the landmark network's presence?

    python studies/certain_faces.py scenes --model occlumark
    python studies/certain_faces.py scenes --turned 300w/afw 300w/lfpw/trainset 300w/helen/trainset

Scenes that are not held out: all of `other`, every third of the rest. Fits a logistic regression of the three (what
face.presence.Certainty holds, but for its constant, is the fit over occlumark's and occlumark-fast's boxes together),
then counts the faces and the false positives kept by presence alone, as before, and by Certainty. With --turned also of
validation photos that the shipped network's last run was not trained on, each turned by a multiple of 30 degrees: how
many of their faces are kept.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from occlumark.boxes import areas, box_iou, common_areas
from occlumark.data.rotated import rotated
from occlumark.data.scenes import Scene, held_out, read_scenes
from occlumark.detect import MIN_PRESENCE, Detector
from occlumark.evaluation.finder import BACKGROUND
from occlumark.evaluation.held_out import held_out_photos
from occlumark.face import Face
from occlumark.face import presence as said
from occlumark.face.presence import Certainty, least_presence
from occlumark.finder import CANDIDATE_SCORE, SCORE, NetworkFinder
from occlumark.metrics.finder import MIN_OVERLAP
from occlumark.photo import read_photo

_EVERY = 3
# A box with half of itself in an ignored place is neither face nor false positive.
_MOST_IGNORED = 0.5


def main() -> None:
    """Print the fit and a row a rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--model", default="occlumark")
    parser.add_argument("--turned", metavar="DIR", nargs="+", type=Path, help="folders of 300W's training photos")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    usable, _ = held_out(read_scenes(args.scenes))
    others = [scene for scene in usable if scene.source == BACKGROUND]
    scenes = [*others, *[scene for scene in usable if scene.source != BACKGROUND][::_EVERY]]
    finder = NetworkFinder(score=CANDIDATE_SCORE, threads=1)
    detector = Detector(args.model, face_finder=finder, threads=1, min_presence=0)
    told = [
        (scene, face, _is_face(scene, face)) for scene in scenes for face in detector.detect(read_photo(scene.photo))
    ]
    told = [each for each in told if each[2] is not None]
    faces, true = [face for _, face, _ in told], np.array([is_face for *_, is_face in told], bool)
    other = np.array([scene.source == BACKGROUND for scene, *_ in told])
    scores, boxes = np.array([face.score for face in faces]), np.stack([face.box for face in faces])
    presence = np.array([face.presence for face in faces])
    weights = _fitted(np.stack([_logit(scores), np.log(_sides(boxes)), _logit(presence.clip(*said.SAID))], 1), true)
    print(f"{len(scenes)} photos, {len(faces)} boxes from a score of {CANDIDATE_SCORE} on, {true.sum()} of them faces")
    print("logit of score, log of side, logit of presence, constant:", weights.round(3))
    sure = scores >= SCORE
    rules = {
        "score": sure,
        "presence": sure & (presence >= [least_presence(face, MIN_PRESENCE) for face in faces]),
        "together": Certainty(MIN_PRESENCE, SCORE).are_faces(scores, boxes, presence),
    }
    for name, kept in rules.items():
        false = f"{(~true & kept).sum()} false positives, {(~true & kept & other).sum()} of them on {BACKGROUND}"
        print(f"{name:20} {(true & kept).sum()} faces, {false}")
    seen = Certainty(MIN_PRESENCE, SCORE).may_be_faces(scores, boxes)
    print(f"boxes seen: {sure.sum()} from {SCORE} on, {seen.sum()} where they may be faces")
    if args.turned:
        _turned(args.turned, detector)


def _turned(folders: list[Path], detector: Detector) -> None:
    """Print how many turned faces are found, by their surest box."""
    chosen = held_out_photos(folders)
    found: list[Face] = []
    for number, upright in enumerate(chosen):
        sample = rotated(upright, 30 * (1 + number % 11))
        faces = detector.detect(sample.read_photo())
        on_it = [face for face in faces if box_iou(face.box[None], sample.tight_box[None])[0, 0] >= MIN_OVERLAP]
        found += [max(on_it, key=lambda face: face.score)] if on_it else []
    scores, boxes = np.array([face.score for face in found]), np.stack([face.box for face in found])
    kept = Certainty(MIN_PRESENCE, SCORE).are_faces(scores, boxes, np.array([face.presence for face in found]))
    print(f"turned: {len(chosen)} faces, {(scores >= SCORE).sum()} found by the score, {kept.sum()} together")


def _is_face(scene: Scene, face: Face) -> bool | None:
    """None where the box is in a place that is neither face nor background."""
    box = face.box[None]
    if box_iou(box, scene.faces).max(initial=0) >= MIN_OVERLAP:
        return True
    if (common_areas(box, scene.ignored) / areas(box)[:, None]).max(initial=0) >= _MOST_IGNORED:
        return None
    return False


def _sides(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1).clip(max=said.LARGEST_SIDE))


def _logit(share: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(share / (1 - share)))


def _fitted(values: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The weights of a logistic regression and its constant, by Newton's steps."""
    values, weights = np.column_stack([values, np.ones(len(values))]), np.zeros(values.shape[1] + 1)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-values @ weights))
        weights -= np.linalg.solve((values.T * (chance * (1 - chance))) @ values, values.T @ (chance - true))
    return weights


if __name__ == "__main__":
    main()
