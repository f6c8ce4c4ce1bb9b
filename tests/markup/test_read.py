"""Markup files: what they say, what cannot be, and that a markup comes back from what carries it."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

from occlumark.errors import ConfigError
from occlumark.markup import MARKUPS, named_markup, read_markup
from occlumark.markup.read import markup_of

SEVEN = """
name = "seven"
landmarks = ["outer_r", "inner_r", "inner_l", "outer_l", "nose", "mouth_r", "mouth_l"]
mirror = [["outer_r", "outer_l"], [1, 2], [[5], ["mouth_l"]]]
contours = [["0-1"], ["inner_l", 3], ["mouth_r", "mouth_l"]]
outer_eye_corners = [0, 3]
pupils = [["0-1"], ["3-2"]]
nose_tip = "nose"
mouth_corners = [5, 6]
[regions]
eyes = ["0-3"]
nose = [4]
mouth = ["5-6"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "seven.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_markup_file_by_hand(tmp_path):
    markup = read_markup(written(tmp_path, SEVEN))
    assert (markup.name, markup.n, markup.names[4]) == ("seven", 7, "nose")
    assert markup.mirror.tolist() == [3, 2, 1, 0, 4, 6, 5] and not markup.mirror.flags.writeable
    assert markup.contours == ((0, 1), (2, 3), (5, 6))
    assert (markup.outer_eye_corners, markup.pupils) == ((0, 3), (range(2), [3, 2]))
    assert (markup.nose_tip, markup.mouth_corners, markup.eyes, markup.mouth) == (4, (5, 6), None, None)
    assert markup.regions == {"eyes": range(4), "nose": range(4, 5), "mouth": range(5, 7)}  # arrays are indexed by it
    assert markup.normaliser == "inter_ocular"  # the first that it can measure


def test_the_least_that_a_markup_says(tmp_path):
    markup = read_markup(written(tmp_path, 'name = "least"\nlandmarks = 3\nmirror = []\n'))
    assert (markup.names, markup.regions) == (("face_1", "face_2", "face_3"), {"face": range(3)})
    assert (markup.normaliser, markup.contours, markup.mirror.tolist()) == ("box_width", (), [0, 1, 2])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "seven"', "", "'name' is a word of at most 80 letters, not None"),
        ('"outer_r", "inner_r"', '"outer_r", "outer_r"', "'landmarks' has 'outer_r' twice"),
        ('"outer_r", "inner_r"', '"outer_r", "3"', "a landmark's name is a word, no number, .* not '3'"),
        (
            'mirror = [["outer_r", "outer_l"]',
            'mirror = [["outer_x", "outer_l"]',
            "names no landmark by 'outer_x'; t",
        ),
        ("[1, 2], [[5]", "[1, 7], [[5]", "'mirror': landmarks are numbered 0 to 6, not 7"),
        ("[1, 2], [[5]", "[1, 3], [[5]", "'mirror' names landmark 3 twice"),
        ("[1, 2], [[5]", "[1], [[5]", r"'mirror' is a list of pairs \[right, left\], not \[1\]"),
        ("[1, 2], [[5]", '["0-1", 2], [[5]', "'mirror': 2 landmarks on one side, 1 on the other of a pair"),
        ("eyes = [", 'eye = ["0-3"]\neyes = [', "'regions': each landmark is in one, 0, 1, 2, 3 in several"),
        ("nose = [4]\n", "", "'regions': each landmark is in one, 4 in none"),
        ("nose_tip", "nosetip", "unknown key 'nosetip'; the nearest known one is 'nose_tip'"),
        ('nose_tip = "nose"', "nose_tip = [4]", r"'nose_tip' names no landmark by \[4\]"),
        ("mouth_corners = [5, 6]", "mouth_corners = [5]", r"'mouth_corners' are two landmarks, .* not \[5\]"),
        ("nose_tip", 'normaliser = "eyes"\nnose_tip', "'normaliser' is one of inter_ocular, .* not 'eyes'"),
        (
            "outer_eye_corners = [0, 3]",
            'normaliser = "inter_ocular"',
            "'normaliser' is inter_ocular, which needs 'outer_eye_corners'",
        ),
        ("[regions]", "[openings]\nleft_eye = { corners = [2, 3], lids = [[0, 1]] }\n[regions]", "has one eye alone"),
        ("[regions]", "[openings]\nmouth = { corners = [2, 3] }\n[regions]", "'openings.mouth' has the keys 'corners'"),
        ("[regions]", "[regions", "is not valid TOML"),
        ("landmarks = [", "landmarks = 1\nlandmark = [", "a markup has 2 to 1000 landmarks, not 1|unknown key"),
    ],
)
def test_what_cannot_be_is_one_line_that_names_the_file(old, new, message, tmp_path):
    assert old in SEVEN
    path = written(tmp_path, SEVEN.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message) as caught:
        read_markup(path)
    assert str(caught.value).startswith(f"markup {path}") and "\n" not in str(caught.value)


def test_a_markup_that_is_not_there():
    with pytest.raises(ConfigError, match=r"cannot read markup none\.toml: No such file"):
        named_markup("none.toml")
    assert named_markup("wflw") is MARKUPS[98]


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), lambda m: markup_of(m.to_json())]
)
def test_a_markup_comes_back(copied, tmp_path):
    for markup in (*MARKUPS.values(), read_markup(written(tmp_path, SEVEN))):
        again = copied(markup)
        assert again == markup and hash(again) == hash(markup)
        np.testing.assert_array_equal(again.mirror, markup.mirror)


def test_markups_that_say_different_things_differ(tmp_path):
    other = read_markup(written(tmp_path, SEVEN.replace("[1, 2], ", "")))
    assert other != read_markup(written(tmp_path, SEVEN)) and MARKUPS[68] != MARKUPS[98] and MARKUPS[5] != "five"
