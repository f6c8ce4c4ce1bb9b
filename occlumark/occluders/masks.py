"""Masks over mouth and nose: medical ones with pleats, sewn cloth, shaped respirators."""

import functools
from typing import NamedTuple

import cv2
import numpy as np

from occlumark.occluders.drawing import Drawing, Source
from occlumark.occluders.frame import Frame, as_colour, flood, stroke
from occlumark.occluders.patterns import cloth_pattern
from occlumark.occluders.surface import bend, clouds, curve, lit, mask_of

_MEDICAL = np.array(
    [(150, 195, 222), (176, 212, 228), (122, 174, 208), (226, 232, 234), (160, 208, 190), (40, 42, 46), (226, 176, 190)]
)
_RESPIRATOR = np.array([(232, 232, 228), (240, 240, 240), (222, 222, 214), (48, 48, 52), (206, 222, 232)])
_WIDTH, _HEIGHT = 160, 128  # of a mask laid flat, pixels
_VARIANTS = 24  # of pleats and folds, made once: they cost more than all the rest


class _Fit(NamedTuple):
    """Where a mask's edges lie on a face, crop pixels."""

    top: np.ndarray
    """(7, 2) from the face's right to its left as seen, over the nose."""
    bottom: np.ndarray
    """(7, 2) the same below, around the chin."""
    straps: list[np.ndarray]
    """Lines (n, 2) from the corners to the ears."""


def medical_mask(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """A pleated mask with bound edges, a wire over the nose and straps to the ears."""
    fit = _fit(landmarks, rng, reach=rng.uniform(0.68, 0.96), point=0.0)
    colour = _MEDICAL[rng.integers(len(_MEDICAL))] * rng.uniform(0.85, 1.05) + rng.normal(0, 5, 3)
    flat = np.empty((_HEIGHT, _WIDTH, 3), np.uint8)
    flood(flat, colour)
    return _worn(crop, landmarks, fit, lit(flat, _pleats(int(rng.integers(_VARIANTS)))), colour * 0.5 + 118, rng)


def cloth_mask(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """A sewn mask of any cloth, with a seam down the middle on some, and folds from the nose to the ears."""
    fit = _fit(landmarks, rng, reach=rng.uniform(0.75, 1.0), point=rng.uniform(0, 0.1))
    flat = cloth_pattern((_HEIGHT, _WIDTH), crop, rng, source)
    edge = flat.reshape(-1, 3).mean(axis=0) * rng.uniform(0.5, 1.1)
    return _worn(
        crop, landmarks, fit, lit(flat, _folds(int(rng.integers(_VARIANTS)), seam=rng.random() < 0.5)), edge, rng
    )


def respirator(crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, source: Source) -> Drawing:
    """A stiff mask that stands off the face in a cup or a beak, with a rim, some with a valve."""
    fit = _fit(landmarks, rng, reach=rng.uniform(0.68, 0.9), point=rng.uniform(0.02, 0.12))
    colour = _RESPIRATOR[rng.integers(len(_RESPIRATOR))] * rng.uniform(0.9, 1.03)
    flat = np.empty((_HEIGHT, _WIDTH, 3), np.uint8)
    flood(flat, colour)
    light = np.full((_HEIGHT, _WIDTH), 128, np.uint8)
    light[6:9, :] = 108  # the rim's weld
    light[-9:-6, :] = 108
    if rng.random() < 0.5:  # folds flat: a level seam
        cv2.line(light, (0, 60), (_WIDTH, 60), (96,), 2, cv2.LINE_AA)
        light[62:] = (light[62:] * 0.86).astype(np.uint8)
    else:
        cv2.line(light, (_WIDTH // 2, 0), (_WIDTH // 2, _HEIGHT), (105,), 2, cv2.LINE_AA)
    flat = lit(flat, light)
    if rng.random() < 0.35:
        _valve(flat, rng)
    return _worn(crop, landmarks, fit, flat, colour * rng.uniform(0.6, 1.0), rng)


def _fit(landmarks: np.ndarray, rng: np.random.Generator, reach: float, point: float) -> _Fit:
    """A mask on a face: how near the ears its sides are (0..1), and how far it stands off the chin (units)."""
    frame = Frame.of(landmarks)
    down = frame.down * frame.unit
    middle = landmarks[27:36].mean(axis=0)
    worn = rng.random()
    if worn < 0.72:  # over the nose
        nose = landmarks[27] + (landmarks[29] - landmarks[27]) * rng.uniform(0.15, 1.0)
        cheeks = (1.5, 14.5)
    elif worn < 0.88:  # below the nose
        nose = landmarks[33] + (landmarks[51] - landmarks[33]) * rng.uniform(0.1, 0.5)
        cheeks = (2.6, 13.4)
    else:  # on the chin
        nose = landmarks[57] + (landmarks[8] - landmarks[57]) * rng.uniform(0.1, 0.4)
        cheeks = (4.2, 11.8)
    low = 3.4 if worn < 0.88 else 1.4
    corners = [_along(landmarks, at) * reach + middle * (1 - reach) for at in cheeks]
    lower = [
        _along(landmarks, at) * (0.7 + 0.3 * reach) + middle * (0.3 - 0.3 * reach)
        for at in (cheeks[0] + low, cheeks[1] - low)
    ]
    chin = landmarks[8] + down * (point + rng.uniform(0.04, 0.14))
    sag = 0.04 * down
    top = np.array([corners[0], corners[0] * 0.62 + nose * 0.38 + 2 * sag, nose * 0.8 + corners[0] * 0.2 + 0.4 * sag])
    top = np.vstack([top, nose - 0.3 * sag, nose * 0.8 + corners[1] * 0.2 + 0.4 * sag])
    top = np.vstack([top, corners[1] * 0.62 + nose * 0.38 + 2 * sag, corners[1]])
    jaw = [_along(landmarks, at) + (point + 0.04) * down for at in (6.0, 7.1, 8.9, 10.0)]
    bottom = np.array([lower[0], jaw[0], jaw[1] + 0.3 * sag, chin, jaw[2] + 0.3 * sag, jaw[3], lower[1]])
    straps = []
    for side, ear in ((0, 0), (-1, 16)):
        end = landmarks[ear] + (landmarks[ear] - middle) * 0.04
        straps.append(np.array([top[side], 0.5 * (top[side] + end) - sag * 0.5, end - 0.06 * down]))
        straps.append(np.array([bottom[side], 0.5 * (bottom[side] + end) + sag, end + 0.1 * down]))
    return _Fit(top, bottom, straps)


def _along(landmarks: np.ndarray, at: float) -> np.ndarray:
    """A point of the jaw line, between landmarks 0 and 16."""
    first = int(np.clip(np.floor(at), 0, 15))
    return landmarks[first] + (at - first) * (landmarks[first + 1] - landmarks[first])


def _worn(
    crop: np.ndarray, landmarks: np.ndarray, fit: _Fit, flat: np.ndarray, edge: np.ndarray, rng: np.random.Generator
) -> Drawing:
    """A mask laid flat put onto the face, with its binding and straps."""
    size, unit = crop.shape[0], Frame.of(landmarks).unit
    across = np.linspace(0, 1, 7)
    rows = [(0.0, fit.top), (0.5, None), (1.0, fit.bottom)]
    bulge = np.sin(np.pi * across)[:, None] * Frame.of(landmarks).down * unit * 0.06
    points = np.vstack([0.5 * (fit.top + fit.bottom) + bulge if line is None else line for _, line in rows])
    places = np.vstack([np.column_stack([across, np.full(7, v)]) for v, _ in rows])
    top, bottom = curve(fit.top), curve(fit.bottom)
    outline = np.vstack([top, bottom[::-1]])
    mask = mask_of(outline, size)
    paint = lit(bend(flat, places, points, size), _swell(fit, size, unit, rng))
    straps = mask.copy()
    for strap in fit.straps:
        stroke(straps, curve(strap)[None], (255,), unit * rng.uniform(0.01, 0.024))
    inside = paint
    paint = np.empty_like(crop)
    flood(paint, edge)
    cv2.copyTo(inside, mask, paint)
    mask = straps
    if rng.random() < 0.7:
        for line in (top, bottom, np.vstack([fit.top[:1], fit.bottom[:1]]), np.vstack([fit.top[-1:], fit.bottom[-1:]])):
            stroke(paint, line[None], as_colour(edge * 0.9), 0.03 * unit)
    return Drawing(paint, mask, lift=0.03)


def _swell(fit: _Fit, size: int, unit: float, rng: np.random.Generator) -> np.ndarray:
    """Light on the mask's form: a nose and chin that stand out, sides that fall away."""
    ridge = np.vstack([fit.top[3], 0.5 * (fit.top[3] + fit.bottom[3]), fit.bottom[3]])
    light = np.full((size, size), 100, np.uint8)
    cheek = np.vstack([0.55 * fit.top + 0.45 * fit.top[3], (0.6 * fit.bottom + 0.4 * fit.bottom[3])[::-1]])
    cv2.fillPoly(light, [cheek.astype(np.int32)], (122,))
    stroke(light, ridge[None], (134,), 0.4 * unit)
    tip = fit.top[3] * 0.62 + fit.bottom[3] * 0.38
    cv2.circle(light, tip.astype(int).tolist(), max(1, int(0.16 * unit)), (144,), cv2.FILLED)
    small = cv2.resize(light, (max(size // 4, 4),) * 2, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.16 * unit * small.shape[0] / size, 0.5))
    soft = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(soft, clouds(size, rng, 9, 0.07), scale=1 / 128)


@functools.cache
def _pleats(variant: int) -> np.ndarray:
    """The light on a medical mask laid flat: pleats that open in the middle, bound edges, the wire's ridge."""
    rng = np.random.default_rng(variant)
    light = np.full((_HEIGHT, _WIDTH), 128, np.float32)
    xs = np.linspace(-1, 1, _WIDTH)
    rows = np.arange(_HEIGHT)[:, None]
    count = int(rng.integers(2, 5))
    for k in range(count):
        at = _HEIGHT * ((k + 1) / (count + 1) + rng.normal(0, 0.015)) + rng.uniform(1, 6) * (1 - xs**2)
        off = rows - at
        light -= 34 * np.exp(-((off / 2.0) ** 2)) * (0.55 + 0.45 * xs**2)
        light += 12 * np.exp(-(((off + 6) / 5.0) ** 2))
    light += 14 * np.exp(-(((rows - 14) / 3.0) ** 2)) * (np.abs(xs) < 0.45)  # the wire
    light[3:10] -= 8
    light[-10:-3] -= 8
    light[:, :7] -= 14
    light[:, -7:] -= 14
    light += rng.normal(0, 2.2, light.shape)
    return np.clip(light, 0, 255).astype(np.uint8)


@functools.cache
def _folds(variant: int, seam: bool) -> np.ndarray:
    """The light on a cloth mask laid flat: folds that run to the corners, a hem, perhaps a seam."""
    rng = np.random.default_rng(variant)
    light: np.ndarray = np.full((_HEIGHT, _WIDTH), 128, np.uint8)
    for _ in range(int(rng.integers(4, 10))):
        side = int(rng.integers(2)) * _WIDTH
        start = (side, int(rng.integers(_HEIGHT)))
        end = (int(_WIDTH / 2 + rng.normal(0, 25)), int(rng.uniform(0.1, 0.9) * _HEIGHT))
        cv2.line(light, start, end, (int(rng.choice([100, 112, 146])),), int(rng.integers(3, 9)), cv2.LINE_AA)
    light = cv2.GaussianBlur(light, (0, 0), 3.5)
    if seam:
        cv2.line(light, (_WIDTH // 2, 0), (_WIDTH // 2, _HEIGHT), (88,), 2, cv2.LINE_AA)
        cv2.line(light, (_WIDTH // 2 + 3, 0), (_WIDTH // 2 + 3, _HEIGHT), (138,), 2, cv2.LINE_AA)
    for row in (5, _HEIGHT - 6):
        cv2.line(light, (0, row), (_WIDTH, row), (104,), 1, cv2.LINE_AA)
    return light


def _valve(flat: np.ndarray, rng: np.random.Generator) -> None:
    centre = (int(_WIDTH * rng.choice([0.34, 0.5, 0.66])), int(_HEIGHT * rng.uniform(0.5, 0.62)))
    radius = int(rng.integers(13, 18))
    grey = int(rng.integers(120, 230))
    cv2.circle(flat, (centre[0] + 2, centre[1] + 3), radius, (70, 70, 70), cv2.FILLED, cv2.LINE_AA)
    cv2.circle(flat, centre, radius, (grey, grey, grey), cv2.FILLED, cv2.LINE_AA)
    for row in range(-radius // 2, radius // 2 + 1, 5):
        start, end = (centre[0] - radius // 2, centre[1] + row), (centre[0] + radius // 2, centre[1] + row)
        cv2.line(flat, start, end, (grey // 2,) * 3, 1, cv2.LINE_AA)
