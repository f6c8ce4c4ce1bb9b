"""PBM, PGM, PPM and PFM files, written by hand from their definition."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from occlumark.errors import PhotoError
from occlumark.photo import read_photo

VALUES = {
    "plain bits": (b"P1\n4 2\n0 1 1 0\n1001\n", [[255, 0, 0, 255], [0, 255, 255, 0]]),
    "plain bits without gaps, with comments": (
        b"P1 #a\n#b\n4 #c\n2\n01#d\n10 1#\n001",
        [[255, 0, 0, 255], [0, 255, 255, 0]],
    ),
    "bits, rows filled up to a byte": (b"P4\n4 2\n\x60\x9f", [[255, 0, 0, 255], [0, 255, 255, 0]]),
    "plain grey": (b"P2\n2 2\n100\n0 50\n100 25", [[0, 128], [255, 64]]),
    "grey": (b"P5 2 2 255\n\x00\x80\xff\x07", [[0, 128], [255, 7]]),
    "grey of a few levels": (b"P5 2 2 3\n\x00\x01\x02\x03", [[0, 85], [170, 255]]),
    "grey of 12 bits": (b"P5 2 1 4095\n\x08\x00\x0f\xff", [[128, 255]]),
    "grey of 12 bits that says 16": (b"P5 2 1 65535\n\x08\x00\x0f\xff", [[128, 255]]),
    "grey of 16 bits": (b"P5 2 1 65535\n\x80\x00\xff\xff", [[128, 255]]),
    "a value above the largest": (b"P5 2 1 100\n\x64\xff", [[255, 255]]),
    "floats, rows upwards, low byte first": (b"Pf\n1 2\n-1.0\n" + np.array([1, 0.5], "<f4").tobytes(), [[128], [255]]),
    "floats, high byte first": (b"Pf\n2 1\n1.0\n" + np.array([0, 1], ">f4").tobytes(), [[0, 255]]),
}


@pytest.mark.parametrize("name", VALUES)
def test_grey_values(name: str) -> None:
    content, expected = VALUES[name]
    np.testing.assert_array_equal(read_photo(content), np.repeat(np.array(expected)[..., None], 3, axis=2))


def test_colours() -> None:
    expected = [[[255, 0, 128], [0, 255, 64]]]
    for content in (
        b"P3\n2 1\n100\n100 0 50 0 100 25",
        b"P6 2 1 255\n\xff\x00\x80\x00\xff\x40",
        b"P6 2 1 1023\n\x03\xff\x00\x00\x02\x00\x00\x00\x03\xff\x01\x00",
        b"PF\n2 1\n-1\n" + np.array([1, 0, 0.5, 0, 1, 0.25], "<f4").tobytes(),
    ):
        np.testing.assert_array_equal(read_photo(content), expected)


@pytest.mark.parametrize("kind", ["P5", "P6", "P4"])
def test_what_pillow_writes(kind: str) -> None:
    mode = {"P4": "1", "P5": "L", "P6": "RGB"}[kind]
    pixels = np.random.default_rng(0).integers(0, 256, (30, 43, 3), dtype=np.uint8)
    image, buffer = Image.fromarray(pixels).convert(mode), io.BytesIO()
    image.save(buffer, "PPM")
    assert buffer.getvalue().startswith(kind.encode())
    np.testing.assert_array_equal(read_photo(buffer.getvalue()), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"P5 2 2 255\n\x00\x80\xff", "truncated: 3 of 4 bytes"),
        (b"P2 2 2 255\n0 1 2", "truncated: 3 of 4 values"),
        (b"P2 2 2 255\n0 1 x 2 3", "truncated: 2 of 4 values"),
        (b"P2 2 2 255\n", "truncated: 0 of 4 values"),
        (b"P1 2 2\n0 1 1 2", "truncated: expected 4 times 0 or 1"),
        (b"P2 2 1 10\n5 11", "it holds the value 11, its header says 10"),
        (b"P2 2 1 10\n5 " + 400 * b"9", "it holds the value"),
        (b"P5 2 2 0\n0000", "out of range"),
        (b"P5 2 2 65536\n0000", "out of range"),
        (b"P5 -2 2 255\n0000", "out of range"),
        (b"P5 0 2 255\n0000", "no pixels"),
        (b"P5 2 a 255\n0000", "something else than numbers"),
        (b"P5 2 2", "does not end"),
        (b"P5 " + 100 * b"9" + b" 2 255\n", "does not end"),
        (b"P5 99999 99999 255\n", "megapixels"),
        (b"Pf 2 1 nan\n" + bytes(8), "out of range"),
        (b"P5 2000000 2 255\n", "a side of more than"),
    ],
)
def test_what_is_none_is_one_line(content: bytes, message: str) -> None:
    with pytest.raises(PhotoError, match=message) as caught:
        read_photo(content)
    assert "\n" not in str(caught.value)


def test_a_second_picture_is_said() -> None:
    picture, notes = b"P5 2 2 255\n\x00\x80\xff\x07", []
    assert read_photo(picture + picture, notes=notes).shape == (2, 2, 3) and "several pictures" in notes[0]


@pytest.mark.parametrize("largest", [1, 100, 4095, 65535])
def test_large_files_take_no_longer_for_an_odd_largest_value(largest: int) -> None:
    """Pillow's decoder took 15 s for 12 megapixels of 4095."""
    size = 4_000_000 * (1 if largest < 256 else 2)
    began = time.process_time()
    assert read_photo(b"P5 2000 2000 %d\n" % largest + bytes(size)).shape == (2000, 2000, 3)
    assert time.process_time() - began < 2


def test_a_large_plain_file() -> None:
    began = time.process_time()
    assert read_photo(b"P3 1000 1000 255\n" + b"200 " * 3_000_000)[0, 0].tolist() == [200, 200, 200]
    assert read_photo(b"P1 2000 2000\n" + b"0 " * 4_000_000).min() == 255
    assert time.process_time() - began < 3
