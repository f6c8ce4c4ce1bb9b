"""Things that are held before the face: cup, phone, microphone, book. For the benchmark alone."""

import cv2
import numpy as np

from occlumark.occluders.drawing import Drawing, Source
from occlumark.occluders.frame import Frame, as_colour, fill, flood, stroke
from occlumark.occluders.surface import bend, clouds, curve, light_direction, lit, mask_of, picture, rounded

_HELD_BY = np.array([(236, 196, 170), (214, 166, 132), (172, 120, 86), (112, 76, 54)])


def cup(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
) -> Drawing:
    """A mug, paper cup or glass at the mouth, tilted, held by a few fingers."""
    tone = _HELD_BY[rng.integers(len(_HELD_BY))] * rng.uniform(0.8, 1.08)
    frame = Frame.of(landmarks)
    unit, side = frame.unit * size, crop.shape[0]
    lean = rng.uniform(-0.5, 0.5)
    right = np.cos(lean) * frame.right + np.sin(lean) * frame.down
    down = np.cos(lean) * frame.down - np.sin(lean) * frame.right
    top = landmarks[48:60].mean(axis=0) - rng.uniform(0.05, 0.25) * unit * frame.down
    wide, narrow, tall = rng.uniform(0.38, 0.5), rng.uniform(0.28, 0.42), rng.uniform(0.85, 1.2)
    body = np.array([(-wide, 0), (wide, 0), (narrow, tall), (0.6 * narrow, tall + 0.06), (-0.6 * narrow, tall + 0.06)])
    body = np.vstack([body, [(-narrow, tall)]])

    def at(points: np.ndarray) -> np.ndarray:
        return top + unit * (points[:, :1] * right + points[:, 1:] * down)

    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rim = at(np.column_stack([wide * np.cos(turns), 0.1 * np.sin(turns)]))
    mask, paint = mask_of(at(body), side), np.empty_like(crop)
    fill(mask, rim, (255,))
    colour = rng.uniform(30, 235, 3) if rng.random() < 0.6 else np.full(3, rng.choice([38, 225]))
    flood(paint, colour)
    if rng.random() < 0.5:  # a band or a print
        low = rng.uniform(0.15, 0.4)
        band = at(np.array([(-1, low), (1, low), (1, low + 0.45), (-1, low + 0.45)]))
        cv2.copyTo(lit(picture(crop, source, rng), np.full((side, side), 120, np.uint8)), mask_of(band, side), paint)
    shade = np.full((side, side), 86, np.uint8)
    for x, level in ((-0.12, 118), (-0.2, 140), (0.3, 104)):
        stroke(shade, at(np.array([(x, -0.1), (x * 0.8, tall)]))[None], (level,), 0.16 * unit)
    paint = lit(paint, cv2.blur(shade, (max(3, int(0.2 * unit)),) * 2))
    fill(paint, rim, as_colour(colour * 0.5))
    stroke(paint, np.vstack([rim, rim[:1]])[None], as_colour(colour * 1.1 + 16), 0.035 * unit)
    way = rng.choice([-1, 1])
    if rng.random() < 0.6:
        handle = at(curve(np.array([(wide, 0.2), (wide + 0.26, 0.22), (wide + 0.28, 0.55), (narrow, 0.7)]) * [way, 1]))
        stroke(mask, handle[None], (255,), 0.1 * unit)
        stroke(paint, handle[None], as_colour(colour * 0.8), 0.1 * unit)
    for k in range(int(rng.integers(0, 5))):
        height = 0.3 + 0.17 * k
        grip = np.array(
            [(way * 0.9, height + 0.25), (way * narrow, height + 0.05), (way * rng.uniform(-0.15, 0.1), height)]
        )
        _grasping(paint, mask, at(curve(grip)), 0.17 * frame.unit * min(size, 1.0), tone)
    return Drawing(paint, mask, lift=0.08)


def phone(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
) -> Drawing:
    """A phone held at the ear, or before the face as for a picture."""
    tone = _HELD_BY[rng.integers(len(_HELD_BY))] * rng.uniform(0.8, 1.08)
    frame, side = Frame.of(landmarks), crop.shape[0]
    unit = frame.unit * size
    place = (3, 13, 30, 33, 27, 39, 42)[rng.integers(7)]
    centre = landmarks[place] + rng.normal(0, 0.1, 2) * frame.unit
    lean = rng.normal(0, 0.35) + (np.pi / 2 if rng.random() < 0.25 else 0)
    right = np.cos(lean) * frame.right + np.sin(lean) * frame.down
    down = np.cos(lean) * frame.down - np.sin(lean) * frame.right
    wide, tall, corner = 0.38, 0.8, 0.1

    def at(points: np.ndarray) -> np.ndarray:
        return centre + unit * (points[:, :1] * right + points[:, 1:] * down)

    turns = np.linspace(0, np.pi / 2, 5)
    quarter = np.column_stack([wide - corner + corner * np.cos(turns), tall - corner + corner * np.sin(turns)])
    signs = ((1, 1, 1), (-1, 1, -1), (-1, -1, 1), (1, -1, -1))
    outline = at(np.vstack([quarter[::step] * [x, y] for x, y, step in signs]))
    mask, paint = mask_of(outline, side), np.empty_like(crop)
    colour = rng.choice([18, 40, 205]) + rng.normal(0, 4, 3) if rng.random() < 0.7 else rng.uniform(40, 200, 3)
    flood(paint, colour)
    sheen = cv2.GaussianBlur(cv2.resize(picture(crop, source, rng), (24, 24)), (0, 0), 2)
    paint = cv2.addWeighted(paint, 1, cv2.resize(sheen, (side, side)), 0.15, 0)
    stroke(paint, np.vstack([outline, outline[:1]])[None], as_colour(colour * 0.6 + 40), 0.03 * unit)
    x, y = rng.choice([-1, 1]) * 0.2, -0.6
    for k in range(int(rng.integers(1, 4))):
        lens = at(np.array([(x, y + 0.2 * k)]))[0]
        for radius, shade in (
            (0.09, colour * 0.7 + 25),
            (0.07, np.array((8, 8, 10))),
            (0.025, np.array((60, 70, 110))),
        ):
            stroke(paint, np.array([[lens, lens + 0.1]]), as_colour(shade), 2 * radius * unit)
    way = rng.choice([-1, 1])
    for k in range(int(rng.integers(2, 5))):
        height = -0.15 + 0.25 * k
        grip = np.array(
            [(way * 1.1, height + 0.25), (way * wide, height + 0.06), (way * rng.uniform(0.05, 0.2), height)]
        )
        _grasping(paint, mask, at(curve(grip)), 0.17 * frame.unit * min(size, 1.0), tone)
    return Drawing(paint, mask, lift=0.1)


def microphone(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
) -> Drawing:
    """A microphone before the mouth: a mesh ball or foam, a ring, the handle down out of the picture."""
    tone = _HELD_BY[rng.integers(len(_HELD_BY))] * rng.uniform(0.8, 1.08)
    frame, side = Frame.of(landmarks), crop.shape[0]
    radius = 0.27 * frame.unit * size * rng.uniform(0.9, 1.15)
    ball = landmarks[48:60].mean(axis=0) + rng.normal(0, 0.15, 2) * frame.unit + 0.15 * frame.unit * frame.down
    lean = rng.uniform(-0.9, 0.9)
    way = np.cos(lean) * frame.down + np.sin(lean) * frame.right
    across = np.array([-way[1], way[0]])
    mask, paint = np.zeros((side, side), np.uint8), np.empty_like(crop)
    grey = rng.uniform(20, 60)
    flood(paint, np.full(3, grey))
    end = ball + way * 2 * side
    taper = np.array([ball + 0.72 * radius * across, end + 0.5 * radius * across, end - 0.5 * radius * across])
    fill(mask, np.vstack([taper, [ball - 0.72 * radius * across]]), (255,))
    stroke(mask, np.array([[ball, ball + 0.1]]), (255,), 2 * radius)
    shade = rounded(mask, light_direction(crop), 0.35 * radius, 1.2)
    head = np.zeros_like(mask)
    stroke(head, np.array([[ball, ball + 0.1]]), (255,), 2 * radius)
    foam = rng.random() < 0.35
    body = np.empty_like(crop)
    colour = np.full(3, rng.choice([28, 60, 150])) if not foam or rng.random() < 0.6 else rng.uniform(20, 200, 3)
    flood(body, colour)
    if foam:
        body = lit(body, cv2.resize(rng.integers(90, 150, (side // 2, side // 2), np.uint8), (side, side)))
    else:
        step = max(2.0, 0.13 * radius)
        for k in range(-8, 9):
            for lines in ((across, way), (way, across)):
                wire = ball + k * step * (lines[0] + 0.3 * lines[1]) + np.outer([-1.2, 0, 1.2], lines[1]) * radius
                stroke(body, wire[None], as_colour(colour * 1.5 + 24), 0.4 * step)
    cv2.copyTo(body, head, paint)
    ring = ball + 0.86 * radius * way
    stroke(
        paint, np.array([[ring - 0.8 * radius * across, ring + 0.8 * radius * across]]), (150, 150, 154), 0.16 * radius
    )
    paint = lit(paint, shade)
    glint = ball + light_direction(crop) * 0.4 * radius
    stroke(paint, np.array([[glint, glint + 0.1]]), as_colour(colour * 1.2 + 50), 0.14 * radius)
    for k in range(int(rng.choice([0, 4]))):
        at = ball + (1.9 + 0.34 * k) * radius * way
        bow = np.array([at + 1.1 * radius * across, at, at - 0.7 * radius * across])
        _grasping(paint, mask, curve(bow), 0.17 * frame.unit * min(size, 1.0), tone)
    return Drawing(paint, mask, lift=0.1)


def book(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source, size: float = 1.0
) -> Drawing:
    """A book, a magazine or a sheet of paper that rises before the face from below or from a side."""
    tone = _HELD_BY[rng.integers(len(_HELD_BY))] * rng.uniform(0.8, 1.08)
    frame, side = Frame.of(landmarks), crop.shape[0]
    turn = rng.normal(0, 0.3) + float(rng.choice([0, 0, np.pi / 2, -np.pi / 2]))
    down = np.cos(turn) * frame.down + np.sin(turn) * frame.right
    right = np.array([down[1], -down[0]])
    reach = landmarks.mean(axis=0) + (0.75 - 0.6 * size) * frame.unit * down
    wide, tall = rng.uniform(0.8, 1.5) * frame.unit, rng.uniform(1.6, 2.2) * frame.unit
    shift = rng.normal(0, 0.3) * frame.unit
    slant = rng.normal(0, 0.06, 4)[:, None] * frame.unit * down
    corners = np.array([-wide, wide, wide, -wide])[:, None] * right + np.array([0, 0, tall, tall])[:, None] * down
    corners = reach + shift * right + corners + slant
    v, u = (axis.ravel() for axis in np.mgrid[0:1:4j, 0:1:4j])
    places = np.column_stack([u, v])
    points = (1 - v)[:, None] * (corners[0] + u[:, None] * (corners[1] - corners[0]))
    points = points + v[:, None] * (corners[3] + u[:, None] * (corners[2] - corners[3]))
    flat = np.full((160, 128, 3), as_colour(rng.uniform(205, 245) + rng.normal(0, 4, 3)), np.uint8)
    kind = rng.random()
    if kind < 0.45:  # a cover with a picture and a title
        flat[:] = cv2.resize(picture(crop, source, rng), (128, 160))
        for row in (14, 26):
            cv2.line(flat, (14, row), (int(rng.integers(60, 114)), row), as_colour(rng.uniform(0, 255, 3)), 6)
    else:
        for row in range(12, 150, int(rng.integers(6, 10))):
            cv2.line(flat, (10, row), (int(rng.integers(70, 118)), row), (88, 88, 92), 1, cv2.LINE_AA)
    if kind > 0.75:  # open: a fold
        flat = lit(flat, np.tile((128 - 50 * np.exp(-(((np.arange(128) - 64) / 9.0) ** 2))).astype(np.uint8), (160, 1)))
    paint = lit(bend(flat, places, points, side), clouds(side, rng, 3, 0.18))
    mask = mask_of(corners, side)
    edge = np.vstack([corners, corners[:1]])[None]
    stroke(paint, edge, (120, 118, 112), 0.02 * frame.unit)
    for k in range(int(rng.choice([0, 3, 4]))):
        at = corners[1] + (0.5 + 0.22 * k) * frame.unit * down
        _grasping(
            paint, mask, at + np.outer([0.35, 0, -0.3], right) * frame.unit, 0.17 * frame.unit * min(size, 1.0), tone
        )
    return Drawing(paint, mask, lift=0.12)


def _grasping(paint: np.ndarray, mask: np.ndarray, line: np.ndarray, width: float, tone: np.ndarray) -> None:
    """A finger along a line (n, 2) around something; in place."""
    stroke(mask, line[None], (255,), width)
    for share, shade in ((1.0, 0.5), (0.86, 0.8), (0.62, 0.95), (0.3, 1.02)):
        stroke(paint, line[None], as_colour(tone * shade), share * width)
    nail = line[-1] + 0.12 * (line[-2] - line[-1])
    stroke(paint, np.array([[nail, line[-1]]]), as_colour(tone * 1.04 + 6), 0.4 * width)
