"""Hands before the face, in poses that people take, from any side."""

import cv2
import numpy as np

from occlumark.occluders.drawing import Drawing, Source
from occlumark.occluders.frame import Frame, as_colour, fill, flood, stroke
from occlumark.occluders.hand_model import Hand, Pose, draw_hand, posed
from occlumark.occluders.patterns import cloth_colour
from occlumark.occluders.skin import skin_tone
from occlumark.occluders.surface import clouds, light_direction, lit

#: Where the middle of a hand's fingers or palm goes, as landmarks whose mean is meant; the angle of the fingers from
#: straight up, degrees either way, lowest and highest; how the fingers are curled; spread; the thumb.
_POSES = {
    "mouth": ((48, 54, 57), (45, 95), 0.0, 0.03, 0.3),
    "cheek": ((3, 4, 48), (0, 40), 0.1, 0.08, 0.5),
    "chin": ((7, 8, 9, 57), (20, 70), 0.75, 0.02, 0.9),
    "eye": ((36, 39, 19), (20, 70), 0.05, 0.08, 0.6),
    "forehead": ((19, 24, 27), (30, 80), 0.1, 0.1, 0.7),
    "nose": ((30, 33, 51), (10, 60), 0.2, 0.02, 0.3),
}


def hand_on_face(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """A hand over the mouth, on a cheek, under the chin, over an eye, on the forehead or at the nose."""
    places, (low, high), curl, spread, thumb = _POSES[str(rng.choice(list(_POSES)))]
    way = float(rng.choice([-1, 1]))
    if way > 0:
        places = tuple(_OTHER_SIDE.get(place, place) for place in places)
    curls = np.clip(curl + rng.uniform(0, 0.25, 4) + rng.uniform(0, 0.25), 0, 0.95)
    pose = Pose(spread + rng.uniform(0, 0.06), tuple(curls), thumb + rng.uniform(-0.2, 0.3), rng.normal(0, 0.06))
    angle = np.deg2rad(rng.uniform(low, high)) * -way
    target = landmarks[list(places)].mean(axis=0)
    grip = (0.0, rng.uniform(-1.25, -0.75) if curl < 0.5 else rng.uniform(-0.95, -0.7))
    return _drawn(crop, landmarks, [(pose, angle, target, grip, way * float(rng.choice([1, 1, -1])))], rng, lift=0.05)


def both_hands(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """Two hands over both eyes or both cheeks."""
    frame = Frame.of(landmarks)
    eyes = rng.random() < 0.7
    hands = []
    for way, eye in ((-1, (36, 39)), (1, (42, 45))):
        target = landmarks[list(eye)].mean(axis=0)
        if not eyes:
            target = target + frame.unit * (0.6 * frame.down + way * 0.3 * frame.right)
        pose = Pose(0.04 + rng.uniform(0, 0.08), tuple(rng.uniform(0, 0.2, 4)), 0.5 + rng.uniform(0, 0.5))
        angle = np.deg2rad(rng.uniform(10, 65)) * -way
        hands.append((pose, angle, target, (0.0, rng.uniform(-1.3, -1.0)), float(way)))
    return _drawn(crop, landmarks, hands, rng, lift=0.05)


def finger(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """One or two stretched fingers, the others folded: silence, a scratch at the nose, pointing."""
    way = float(rng.choice([-1, 1]))
    place = ((51, 57), (33,), (48,), (54,), (27,), (36,), (45,))[rng.integers(7)]
    folded = rng.uniform(0.85, 0.98, 4)
    folded[0] = rng.uniform(0, 0.15)
    if rng.random() < 0.3:
        folded[1] = folded[0]
    pose = Pose(rng.uniform(0.0, 0.12), tuple(folded), rng.uniform(0.05, 0.9))
    angle = np.deg2rad(rng.uniform(0, 60)) * -way
    # the index finger's last bones on the place
    return _drawn(crop, landmarks, [(pose, angle, landmarks[list(place)].mean(axis=0), (-0.32, -1.45), way)], rng, 0.04)


def spread_hand(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """A hand held before the face towards the camera, fingers apart, a little out of focus."""
    inside = landmarks[rng.integers(len(landmarks))]
    way = float(rng.choice([-1, 1]))
    curls = tuple(rng.uniform(0, 0.25, 4))
    pose = Pose(rng.uniform(0.12, 0.26), curls, rng.uniform(0.6, 1.1), palm_side=bool(rng.random() < 0.8))
    hands = [(pose, np.deg2rad(rng.uniform(-110, 110)), inside, (0.0, rng.uniform(-1.2, -0.5)), way)]
    drawing = _drawn(crop, landmarks, hands, rng, lift=0.0, scale=rng.uniform(0.95, 1.35))
    return drawing._replace(defocus=rng.uniform(0, 0.02))


_OTHER_SIDE = {3: 13, 4: 12, 48: 54, 36: 45, 39: 42, 19: 24, 24: 19, 54: 48, 7: 9, 9: 7}


def _drawn(
    crop: np.ndarray,
    landmarks: np.ndarray,
    hands: list[tuple[Pose, float, np.ndarray, tuple[float, float], float]],
    rng: np.random.Generator,
    lift: float,
    scale: float = 1.0,
) -> Drawing:
    """Hands by their pose, angle, target in the crop, the point of the hand that lies there, and handedness."""
    frame = Frame.of(landmarks)
    paint, mask = np.zeros_like(crop), np.zeros(crop.shape[:2], np.uint8)
    (tone, own), light = skin_tone(crop, landmarks, rng), light_direction(crop)
    sleeve = cloth_colour(rng) if rng.random() < 0.5 else None
    size = frame.unit * scale * rng.uniform(0.88, 1.08)
    for pose, angle, target, grip, way in hands:
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.column_stack([frame.right, frame.down]) @ np.array([[cos, -sin], [sin, cos]]) * size
        turn[:, 0] *= way
        hand = posed(pose, np.column_stack([turn, target - turn @ np.array(grip)]), rng)
        draw_hand(paint, mask, hand, tone, light, rng)
        if sleeve is not None:
            _sleeve(paint, mask, hand, sleeve, rng)
    return Drawing(paint, mask, lift=lift, borrowed=own)


def _sleeve(paint: np.ndarray, mask: np.ndarray, hand: Hand, colour: np.ndarray, rng: np.random.Generator) -> None:
    """Cloth around the forearm; in place."""
    start = rng.uniform(0.1, 0.6)
    outline = np.array(
        [(-0.36, start), (0.36, start - 0.03), (0.42, start + 0.6), (0.6, 8), (-0.6, 8), (-0.42, start + 0.6)]
    )
    shape = np.zeros_like(mask)
    fill(shape, hand.at(outline), (255,))
    cloth = np.empty_like(paint)
    flood(cloth, colour)
    stroke(cloth, hand.at(np.array([(-0.36, start + 0.1), (0.37, start + 0.07)]))[None], as_colour(colour * 0.75), 1)
    ridge = np.full_like(mask, 92)
    stroke(ridge, hand.at(np.array([(0.0, start), (0.0, 8.0)]))[None], (140,), 0.36 * hand.scale)
    cloth = lit(cloth, cv2.blur(ridge, (max(3, int(0.3 * hand.scale)),) * 2))
    cv2.copyTo(lit(cloth, clouds(mask.shape[0], rng, 8, 0.16)), cv2.dilate(shape, np.ones((3, 3), np.uint8)), paint)
    cv2.max(mask, shape, mask)
