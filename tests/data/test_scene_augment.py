"""Canvases of the face finder: picture and boxes move together, and each face is what its share in view makes it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.data.colour import BlurConfig, ColourConfig
from occlumark.data.mean_face import MEAN_FACE
from occlumark.data.scene_augment import Canvas, SceneAugmentConfig, TrainingScenes, training_canvas
from occlumark.data.scenes import Scene
from occlumark.markup import MIRROR
from occlumark.occluders.occlude import OccludeConfig

RED, GREEN, BLUE, YELLOW, PINK, CYAN = (
    (250, 0, 0),
    (0, 250, 0),
    (0, 0, 250),
    (250, 250, 0),
    (250, 0, 250),
    (0, 250, 250),
)
GREY = (125, 125, 125)
NONE = np.empty((0, 4))


def still(**changes) -> SceneAugmentConfig:
    """Nothing but zoom and shift, unless `changes` says more."""
    settings = {"size": 192, "mosaic": 0.0, "face_sides": (30.0, 60.0), "mirror": 0.0, "turn_std_deg": 0.0}
    settings |= {"quarter_turn": 0.0, "stretch": 0.0, "blank": 0.0, "occlude": OccludeConfig(probability=0.0)}
    settings |= {"colour": ColourConfig(probability=0.0, grey=0.0)}
    settings |= {"blur": BlurConfig(probability=0.0, noise=0.0, jpeg=0.0)}
    return SceneAugmentConfig(**settings | changes)


def scene(faces=(), ignored=()) -> Scene:
    faces, ignored = (np.array(boxes, float).reshape(-1, 4) for boxes in (faces, ignored))
    return Scene(Path("scene.png"), faces, np.ones(len(faces), bool), ignored)


def painted(height: int, width: int, boxes=(), colours=(), ground=GREY) -> np.ndarray:
    """A photo of one colour with an ellipse in each box, which touches its four sides; its edge is smooth."""
    fine = 6
    photo = np.full((height * fine, width * fine, 3), ground, np.uint8)
    y, x = (np.mgrid[: height * fine, : width * fine] + 0.5) / fine
    for (x0, y0, x1, y1), colour in zip(boxes, colours, strict=True):
        photo[((2 * x - x0 - x1) / (x1 - x0)) ** 2 + ((2 * y - y0 - y1) / (y1 - y0)) ** 2 <= 1] = colour
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)


def seen(canvas: Canvas, box: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    """The colour at a box's centre, and the box of all connected pixels nearer to that colour than to the ground."""
    x, y = ((box[:2] + box[2:]) / 2).astype(int)
    colour = np.where(canvas.pixels[y, x] > 180, 250, 0)
    near = np.abs(canvas.pixels.astype(int) - colour).max(axis=2) <= 62
    _, labels = cv2.connectedComponents(near.astype(np.uint8))
    rows, columns = np.nonzero(labels == labels[y, x])
    return tuple(colour.tolist()), np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def canvases(source: TrainingScenes, config: SceneAugmentConfig, count: int, first: int = 0) -> list[Canvas]:
    return [training_canvas(source, first, config, np.random.default_rng(seed)) for seed in range(count)]


def within(box: np.ndarray, size: int) -> bool:
    return bool((box[:2] >= 0).all() and (box[2:] <= size).all())


MOVES = {
    "zoom": {},
    "wide zoom": {"face_sides": (12.0, 180.0)},
    "mirror": {"mirror": 1.0},
    "quarter turn": {"quarter_turn": 1.0},
    "any turn": {"any_turn": 1.0},
    "turn": {"turn_std_deg": 25.0},
    "stretch": {"stretch": 0.5},
    "all": {"mirror": 0.5, "quarter_turn": 0.5, "turn_std_deg": 25.0, "stretch": 0.5, "face_sides": (20.0, 90.0)},
}


@pytest.mark.parametrize("shape", [(150, 150), (100, 260), (300, 90)])
@pytest.mark.parametrize("move", MOVES)
def test_picture_and_boxes_move_together(move, shape):
    height, width = shape
    boxes = [[10, 15, 40, 55], [50, 60, 75, 85]] if width < 100 else [[10, 15, 40, 55], [50, 40, 98, 70]]
    source = TrainingScenes([scene(boxes)], [painted(height, width, boxes, (RED, BLUE))])
    config = still(**MOVES[move])
    whole, cut = [], 0
    for canvas in canvases(source, config, 25):
        assert canvas.pixels.shape == (192, 192, 3) and canvas.pixels.dtype == np.uint8
        assert len(canvas.faces) >= 1
        for box in canvas.faces:
            colour, found = seen(canvas, box)
            assert colour in (RED, BLUE)
            if within(box, 192):
                np.testing.assert_allclose(found, box, atol=1.3)
                whole.append(found - box)
            else:
                assert (found[:2] >= box[:2] - 1.3).all() and (found[2:] <= box[2:] + 1.3).all()
                cut += 1
    assert len(whole) >= 15 and len(whole) > cut
    assert np.abs(np.mean(whole, axis=0)).max() < 0.4
    assert np.abs(np.mean(whole, axis=(0, 1))) < 0.15  # no shift by a part of a pixel


def test_picture_and_boxes_move_together_in_mosaics():
    boxes = [[30, 30, 70, 80]]
    colours = (RED, GREEN, BLUE, YELLOW, PINK, CYAN)
    source = TrainingScenes([scene(boxes)] * 6, [painted(100, 140, boxes, [colour]) for colour in colours])
    exact, number = 0, 0
    for seed in range(48):
        canvas = training_canvas(source, seed % 6, still(mosaic=1.0), np.random.default_rng(seed))
        assert len(canvas.faces) + len(canvas.ignored) <= 4
        assert (canvas.pixels == colours[seed % 6]).all(axis=2).any()  # the first scene is among the four
        shown = [seen(canvas, box) for box in canvas.faces]
        if len({colour for colour, _ in shown}) < len(shown) or len(canvas.ignored):
            continue  # two of one colour might touch
        for box, (_, found) in zip(canvas.faces, shown, strict=True):
            assert (found[:2] >= box[:2] - 1.3).all() and (found[2:] <= box[2:] + 1.3).all()
            number += 1
            exact += np.abs(found - box).max() < 1.3
    assert number > 40 and exact > 0.6 * number


def test_mirror_and_quarter_turns_change_the_faces_order():
    boxes = [[20, 40, 50, 70], [100, 40, 130, 70]]
    source = TrainingScenes([scene(boxes)], [painted(110, 150, boxes, (RED, BLUE))])

    def directions(**changes) -> set[tuple[int, int]]:
        """From the red face to the blue one, in whole distances between them."""
        found = set()
        for canvas in canvases(source, still(face_sides=(15.0, 20.0), smallest_photo=0.1, **changes), 40):
            centres = {seen(canvas, box)[0]: (box[:2] + box[2:]) / 2 for box in canvas.faces}
            if len(centres) == 2:
                way = centres[BLUE] - centres[RED]
                found.add(tuple(np.rint(way / np.abs(way).max()).astype(int).tolist()))
        return found

    assert directions() == {(1, 0)}
    assert directions(mirror=1.0) == {(-1, 0)}
    assert directions(mirror=0.5) == {(1, 0), (-1, 0)}
    assert directions(quarter_turn=1.0) == {(0, 1), (0, -1), (-1, 0)}


def sides_of(source: TrainingScenes, config: SceneAugmentConfig, count: int = 200) -> np.ndarray:
    return np.array([(c.faces[0, 2:] - c.faces[0, :2]).max() for c in canvases(source, config, count)])


def test_faces_get_the_sizes_asked_for_log_uniformly():
    source = TrainingScenes([scene([[20, 20, 60, 70]])], [painted(90, 90)])
    sides = sides_of(source, still(face_sides=(24.0, 96.0), smallest_photo=0.0))
    assert sides.min() >= 24 and sides.max() <= 96
    assert 0.4 < (sides < 48).mean() < 0.6  # half of the logarithm's range


def test_bounds_of_the_zoom():
    source = TrainingScenes([scene([[20, 20, 60, 70]])], [painted(90, 80)])
    assert sides_of(source, still(face_sides=(300.0, 300.0), largest_zoom=2.0), 3) == pytest.approx(100)
    assert sides_of(source, still(face_sides=(5.0, 5.0), smallest_photo=0.6), 3) == pytest.approx(0.6 * 192 / 90 * 50)
    # A face gets no larger than its tile and a tenth.
    sides = sides_of(source, still(face_sides=(100.0, 900.0), largest_zoom=9.0))
    assert 0.95 * 1.1 * 192 < sides.max() <= 1.1 * 192


def test_a_face_is_what_its_share_in_view_makes_it():
    """Zoom and shift alone, so that the one face whole in view tells where the other lies."""
    boxes = np.array([[10, 30, 50, 70], [60, 40, 100, 60]], float)  # a square, and a box of twice its height
    ignored = np.array([[5, 80, 25, 95]], float)
    source = TrainingScenes([scene(boxes, ignored)], [painted(100, 110)])
    config = still(face_sides=(60.0, 90.0), visible=(0.3, 0.55))
    outcomes = {"face": 0, "unsure": 0, "none": 0}
    for canvas in canvases(source, config, 150):
        width, height = canvas.faces[0, 2:] - canvas.faces[0, :2]
        zoom = width / 40
        anchor = boxes[0] if height == pytest.approx(width) else boxes[1]
        shift = canvas.faces[0] - zoom * anchor
        faces, unsure = [], list(zoom * ignored + shift)
        for box in zoom * boxes + shift:
            low, high = box[:2].clip(0, 192), box[2:].clip(0, 192)
            share = (high - low).prod() / (box[2:] - box[:2]).prod()
            outcome = "face" if share >= 0.55 else "unsure" if share >= 0.3 else "none"
            outcomes[outcome] += 1
            (faces if outcome == "face" else unsure if outcome == "unsure" else []).append(box)
        np.testing.assert_allclose(canvas.faces, np.array(faces), atol=1e-9)
        within = np.array(unsure).clip(0, 192)  # what is neither ends where the canvas ends
        within = within[(within[:, 2:] > within[:, :2]).all(axis=1)]
        np.testing.assert_allclose(canvas.ignored, within, atol=1e-9)
    assert outcomes["face"] >= 150 and min(outcomes.values()) > 8


def test_a_face_too_small_is_neither_face_nor_background():
    boxes = [[20, 20, 120, 120], [130, 50, 138, 60]]
    source = TrainingScenes([scene(boxes)], [painted(150, 150)])
    config = still(face_sides=(60.0, 60.0), smallest_face=7.0, largest_zoom=1.0)
    # By the large one: 0.6 as large, so that the small one is 6 px high. By the small one: the photo as it is, 10 px.
    heights = {"faces": set(), "ignored": set()}
    for canvas in canvases(source, config, 60):
        for kind, found in heights.items():
            found |= {round(box[3] - box[1], 6) for box in getattr(canvas, kind)}
    # The large one is cut, and less high, where it is neither.
    assert heights["faces"] == {60, 100, 10} and 6 in heights["ignored"]
    assert 10 not in heights["ignored"] and 60 not in heights["ignored"]


def test_what_is_neither_ends_at_its_tile():
    """Red shows where one scene is; green where the other, all of which is neither face nor background."""
    red = scene([[10, 10, 30, 30]])
    green = scene(ignored=[[0, 0, 60, 60]])
    source = TrainingScenes([red, green], [painted(60, 60, ground=(255, 0, 0)), painted(60, 60, ground=GREEN)])
    spilt = 0
    for canvas in canvases(source, still(mosaic=1.0, smallest_photo=1.0), 20):
        inside = np.zeros((192, 192), bool)
        for x0, y0, x1, y1 in canvas.ignored:
            assert 0 <= x0 < x1 <= 192 and 0 <= y0 < y1 <= 192
            inside[round(y0) : round(y1), round(x0) : round(x1)] = True
        spilt += int((inside & (canvas.pixels == (255, 0, 0)).all(axis=2)).sum())
    assert spilt < 20 * 192 * 3  # rounding at the tiles' edges


def covering(most_occluded: float, side: float = 60.0, probability: float = 1.0) -> list[Canvas]:
    boxes = [[20, 20, 70, 80]]
    source = TrainingScenes([scene(boxes)], [painted(100, 100, boxes, [RED])])
    occluder = OccludeConfig(probability=probability, kinds=("patch", "hand"))
    settings = {"face_sides": (side, side), "smallest_photo": 0.0, "occlude": occluder}
    return canvases(source, still(most_occluded=most_occluded, **settings), 40)


def test_faces_that_an_occluder_covers_are_neither_face_nor_background():
    plain, any_share, most = covering(1.0, probability=0.0), covering(0.0), covering(0.25)
    kept = 0
    for before, never, some in zip(plain, any_share, most, strict=True):
        np.testing.assert_array_equal(before.faces, np.concatenate([never.faces, never.ignored]))
        np.testing.assert_array_equal(before.faces, np.concatenate([some.faces, some.ignored]))
        np.testing.assert_array_equal(never.pixels, some.pixels)
        (x0, y0), (x1, y1) = np.rint(before.faces[0].reshape(2, 2)).astype(int)
        view = np.s_[max(y0, 0) : y1, max(x0, 0) : x1]
        changed = (before.pixels[view] != some.pixels[view]).any(axis=2).sum() / ((x1 - x0) * (y1 - y0))
        if changed > 0.1:
            assert len(never.ignored) == 1
        if within(before.faces[0], 192):  # and the occluder's edge is soft
            assert len(some.ignored) == (changed > 0.25) or abs(changed - 0.25) < 0.1
        kept += len(some.faces)
    assert 5 < kept < 35
    assert all(len(canvas.faces) == 1 for canvas in covering(1.0))


def test_small_faces_get_no_occluder():
    for before, after in zip(covering(0.0, 27.0, probability=0.0), covering(0.0, 27.0), strict=True):
        np.testing.assert_array_equal(before.pixels, after.pixels)
        assert len(after.faces) == 1


def test_blank_canvases_have_no_faces():
    source = TrainingScenes([scene([[10, 10, 60, 60]])], [painted(80, 80, [[10, 10, 60, 60]], [RED])])
    found = canvases(source, still(size=64, blank=1.0, mosaic=1.0), 60)
    assert {canvas.faces.shape for canvas in found} == {canvas.ignored.shape for canvas in found} == {(0, 4)}
    assert {canvas.pixels.shape for canvas in found} == {(64, 64, 3)}
    spread = [canvas.pixels.std(axis=(0, 1)).max() for canvas in found]
    assert any(s == 0 for s in spread) and any(s > 20 for s in spread)
    colours = {tuple(canvas.pixels[0, 0]) for canvas, s in zip(found, spread, strict=True) if s == 0}
    assert (0, 0, 0) in colours and len(colours) > 3


def test_what_a_scene_leaves_over_shows_a_scene_without_any_box():
    """Small photos of faces, blue; around them never the red scene, which has a place that may be a face."""
    box = [[20, 20, 40, 40]]
    source = TrainingScenes(
        [scene(box), scene(ignored=box), scene()],
        [painted(60, 60, ground=BLUE), painted(60, 60, ground=RED), painted(50, 90, ground=GREEN)],
    )
    config = still(face_sides=(20.0, 20.0))
    greens, plain = 0, set()
    for canvas in canvases(source, config, 60):
        # The photo keeps its size: the shares of its side in view are 1/3 at least.
        blue, green, red = ((canvas.pixels == colour).all(axis=2) for colour in (BLUE, GREEN, RED))
        assert 20 * 20 < blue.sum() <= (0.4 * 192 + 2) ** 2
        assert not red.any()
        greens += bool(green.any())
        if not green.any():
            around = {tuple(pixel) for pixel in canvas.pixels[[0, 0, -1, -1], [0, -1, 0, -1]]} - {BLUE}
            assert len(around) == 1
            plain |= around
    assert 20 < greens < 58
    assert (0, 0, 0) in plain and len(plain) > 2


def test_scenes_without_faces_fill_their_canvas_mostly():
    source = TrainingScenes([scene(ignored=[[10, 10, 30, 30]])], [painted(60, 90, ground=GREEN)])
    shares = []
    for canvas in canvases(source, still(), 40):
        assert canvas.faces.shape == (0, 4) and len(canvas.ignored) <= 1
        shares.append((canvas.pixels == GREEN).all(axis=2).mean())
    assert min(shares) > 0.2 and np.median(shares) > 0.7


def test_chance_comes_from_the_generator_alone_and_the_scenes_stay():
    boxes = [[20, 20, 70, 80]]
    rng = np.random.default_rng(9)
    photos = [rng.integers(0, 256, (100, 120, 3), np.uint8) for _ in range(3)]
    source = TrainingScenes([scene(boxes), scene(ignored=boxes), scene()], photos)
    before = [photo.copy() for photo in photos], [s.faces.copy() for s in source.scenes]
    config = SceneAugmentConfig(
        size=96,
        face_sides=(20.0, 90.0),
        occlude=OccludeConfig(probability=1.0),
        blur=BlurConfig(probability=1.0, noise=1.0),
    )
    once, again = canvases(source, config, 12), canvases(source, config, 12)
    for first, second in zip(once, again, strict=True):
        for part, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(part, other)
    assert len({canvas.pixels.tobytes() for canvas in once}) == 12
    for photo, copy in zip(photos, before[0], strict=True):
        np.testing.assert_array_equal(photo, copy)
    for s, copy in zip(source.scenes, before[1], strict=True):
        np.testing.assert_array_equal(s.faces, copy)


def test_colour_and_blur_change_the_picture_and_no_box():
    boxes = [[20, 20, 70, 80]]
    source = TrainingScenes([scene(boxes)], [np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)])
    plain = canvases(source, still(), 10)
    for changes in ({"colour": ColourConfig(probability=1.0)}, {"blur": BlurConfig(probability=1.0)}):
        for before, after in zip(plain, canvases(source, still(**changes), 10), strict=True):
            assert (before.pixels != after.pixels).any()
            np.testing.assert_array_equal(before.faces, after.faces)


def test_the_usual_face_is_symmetric_and_fills_its_tight_box():
    assert MEAN_FACE.shape == (68, 2)
    np.testing.assert_array_equal(MEAN_FACE.min(axis=0), [0, 0])
    np.testing.assert_array_equal(MEAN_FACE.max(axis=0), [1, 1])
    np.testing.assert_allclose(MEAN_FACE[MIRROR], MEAN_FACE * [-1, 1] + [1, 0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 100}, "size is in 64..2_048, a multiple of 32, not 100"),
        ({"size": 32}, "size is in 64..2_048, a multiple of 32, not 32"),
        ({"face_sides": (30.0, 20.0)}, "face_sides ascends, not"),
        ({"face_sides": (0.0, 20.0)}, "face_sides is above 0"),
        ({"largest_zoom": 0.5}, "largest_zoom is in 1..100, not 0.5"),
        ({"smallest_face": 0.0}, "smallest_face is above 0"),
        ({"mosaic": 1.5}, "mosaic is in 0..1"),
        ({"blank": -0.1}, "blank is in 0..1"),
        ({"visible": (0.6, 0.5)}, r"visible ascends, not \(0.6, 0.5\)"),
        ({"visible": (0.0, 0.0)}, "the second share of visible is above 0"),
        ({"turn_std_deg": 50.0}, "turn_std_deg is in 0..45"),
        ({"stretch": 0.6}, "stretch is in 0..0.5"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        SceneAugmentConfig(**wrong)
