import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occlumark.errors import PhotoError
from occlumark.photo.given import as_photo
from occlumark.photo.read import PhotoWarning

COLOURS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.fixture
def path(tmp_path) -> Path:
    Image.fromarray(COLOURS).save(tmp_path / "colours.png")
    return tmp_path / "colours.png"


def test_files_in_every_form(path):
    for photo in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), memoryview(path.read_bytes())):
        np.testing.assert_array_equal(as_photo(photo), COLOURS)
    with path.open("rb") as file:
        np.testing.assert_array_equal(as_photo(file), COLOURS)
    np.testing.assert_array_equal(as_photo(io.BytesIO(path.read_bytes())), COLOURS)


def test_a_file_or_bytes_above_the_limit_are_refused(path):
    for photo in (path, path.read_bytes()):
        assert as_photo(photo, max_pixels=35).shape == (5, 7, 3)
        with pytest.raises(PhotoError, match="more than the limit"):
            as_photo(photo, max_pixels=34)


def test_the_form_itself_is_not_copied():
    assert as_photo(COLOURS) is COLOURS or as_photo(COLOURS).base is COLOURS


def test_arrays_by_hand():
    np.testing.assert_array_equal(as_photo(COLOURS[..., ::-1], "bgr"), COLOURS)
    np.testing.assert_array_equal(as_photo(COLOURS[::-1, ::2]), COLOURS[::-1, ::2])
    grey = COLOURS[..., 0]
    for each in (grey, grey[..., None]):
        np.testing.assert_array_equal(as_photo(each), np.stack([grey] * 3, axis=2))
        np.testing.assert_array_equal(as_photo(each, "bgr"), np.stack([grey] * 3, axis=2))


def test_alpha_is_laid_on_white_as_in_a_file(tmp_path):
    alpha = np.array([0, 51, 102, 153, 204, 255, 128], np.uint8)
    colours = np.dstack([COLOURS, np.tile(alpha, (5, 1))])
    by_hand = np.rint(COLOURS * (alpha[:, None] / 255) + 255 * (1 - alpha[:, None] / 255))
    np.testing.assert_array_equal(as_photo(colours), by_hand)
    np.testing.assert_array_equal(as_photo(colours[..., [2, 1, 0, 3]], "bgr"), by_hand)
    Image.fromarray(colours).save(tmp_path / "alpha.png")
    np.testing.assert_allclose(as_photo(tmp_path / "alpha.png").astype(int), by_hand, atol=1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0.0, 0.2, 1.0]), [0, 51, 255]),
        (np.array([-0.05, 0.5, 1.06], np.float32), [0, 128, 255]),
        (np.array([0, 0.5, 1], np.float16), [0, 128, 255]),
        (np.array([0, 257, 65535], np.uint16), [0, 1, 255]),
        (np.array([0, 2048, 4095], np.uint16), [0, 128, 255]),
        (np.array([0, 128, 255], np.int64), [0, 128, 255]),
        (np.array([0, 128, 255], np.uint16), [0, 128, 255]),
    ],
)
def test_other_numbers_are_scaled(values, expected):
    np.testing.assert_array_equal(as_photo(values[None])[0, :, 1], expected)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1", "I;16", "I", "F"])
def test_a_pil_image_is_what_its_file_is(tmp_path, mode):
    grey = np.tile(np.linspace(0, 255, 7).astype(np.uint8), (5, 1))
    if mode in ("I;16", "I", "F"):
        image = Image.fromarray(grey.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    else:
        image = Image.fromarray(COLOURS).convert(mode)
    assert image.mode == mode
    image.save(tmp_path / "image.tiff")
    np.testing.assert_array_equal(as_photo(image), as_photo(tmp_path / "image.tiff"))


def test_a_pil_image_that_lies_is_taken_so_and_said_to(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOURS).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image, pytest.warns(PhotoWarning, match=r"exif_transpose"):
        np.testing.assert_array_equal(as_photo(image), COLOURS)
    assert as_photo(tmp_path / "turned.png").shape == (7, 5, 3)


def test_a_broken_pil_image_is_one_line(path):
    path.write_bytes(path.read_bytes()[:-30])
    with Image.open(path) as image, pytest.raises(PhotoError, match=r"^cannot read the PIL image: "):
        as_photo(image)


class Tensor:
    """Like torch's."""


Tensor.__module__ = "torch"


@pytest.mark.parametrize(
    ("photo", "error", "message"),
    [
        (None, TypeError, r"the photo is None: did reading it fail\? a photo is a file's path, an open binary file"),
        (Tensor(), TypeError, r"not a torch.Tensor; a tensor becomes one by \.permute\(1, 2, 0\)\.cpu\(\)\.numpy\(\)$"),
        (5, TypeError, "or .height, width. grey, not a int$"),
        ([[1, 2], [3, 4]], TypeError, "not a list$"),
        (
            np.zeros((3, 20, 30), np.uint8),
            ValueError,
            r"\(3, 20, 30\) uint8; channels come last: .transpose\(1, 2, 0\)$",
        ),
        (np.zeros((20, 30, 2), np.uint8), ValueError, r"not an array of \(20, 30, 2\) uint8$"),
        (np.zeros((1, 20, 30, 3), np.uint8), ValueError, r"not an array of \(1, 20, 30, 3\)"),
        (np.zeros((0, 20, 3), np.uint8), ValueError, r"not an array of \(0, 20, 3\)"),
        (np.zeros((20, 30, 3), bool), ValueError, "numbers are uint8, a wider integer type, or float in 0..1, not"),
        (np.array([["a"]]), ValueError, "numbers are uint8"),
        (np.full((2, 2), 200.0), ValueError, r"a float photo is in 0\.\.1, this one in 200\.\.200: scale it"),
        (np.full((2, 2), np.nan), ValueError, "a float photo is in 0"),
        (np.full((2, 2), -1), ValueError, r"in 0\.\.65535, not in -1\.\.-1"),
        (np.full((2, 2), 70_000), ValueError, r"in 0\.\.65535, not in 70000"),
        (Image.new("RGB", (0, 5)), ValueError, "a PIL image of 0 x 5 pixels is no photo"),
    ],
)
def test_what_is_no_photo_is_one_line(photo, error, message):
    with pytest.raises(error, match=message) as caught:
        as_photo(photo)
    assert "\n" not in str(caught.value)


def test_no_such_color():
    with pytest.raises(ValueError, match="color is 'rgb' or 'bgr', not 'hsv'"):
        as_photo(COLOURS, "hsv")
