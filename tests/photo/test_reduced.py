"""A JPEG read with its sides divided is the photo averaged over squares, and places in it are known exactly."""

import numpy as np
import pytest
from PIL import Image

from occlumark.errors import PhotoError
from occlumark.photo import read_photo, read_reduced

#: Blobs that no block of 8 x 8 pixels sees as noise, another in each corner. Sides that 8, and 4, divide.
_Y, _X = np.mgrid[:240, :320]
SMOOTH = np.stack([_Y * 255 // 240, _X * 255 // 320, 128 + 100 * np.sin(_X / 25) * np.cos(_Y / 25)], axis=2).astype(
    np.uint8
)


def averaged(photo: np.ndarray, by: int) -> np.ndarray:
    height, width = photo.shape[:2]
    return photo.reshape(height // by, by, width // by, by, 3).mean(axis=(1, 3))


def jpeg(tmp_path, photo=SMOOTH, **options):
    Image.fromarray(photo).save(tmp_path / "photo.jpg", quality=95, **options)
    return tmp_path / "photo.jpg"


@pytest.mark.parametrize("by", [1, 2, 4, 8])
@pytest.mark.parametrize("progressive", [False, True])
def test_it_is_the_photo_averaged(tmp_path, by, progressive):
    path = jpeg(tmp_path, progressive=progressive)
    read = read_reduced(path, by)
    assert (read.reduction, read.size) == (by, (240, 320))
    np.testing.assert_allclose(read.pixels, averaged(read_photo(path).astype(float), by), atol=6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = jpeg(tmp_path, exif=exif)
    whole, read = read_photo(path), read_reduced(path, 4)
    assert read.size == whole.shape[:2]
    np.testing.assert_allclose(read.pixels, averaged(whole.astype(float), 4), atol=6)


@pytest.mark.parametrize(("shape", "by"), [((240, 316), 4), ((238, 320), 2), ((239, 320), 1), ((8, 8), 8)])
def test_it_is_divided_by_what_divides_both_sides(tmp_path, shape, by):
    read = read_reduced(jpeg(tmp_path, SMOOTH[: shape[0], : shape[1]]), 8)
    assert (read.reduction, read.size) == (by, shape)


def test_what_is_no_whole_jpeg_is_read_as_it_is(tmp_path):
    Image.fromarray(SMOOTH).save(tmp_path / "photo.png")
    assert read_reduced(tmp_path / "photo.png", 8).reduction == 1
    content, notes = jpeg(tmp_path).read_bytes(), []
    read = read_reduced(content[:-100], 8, notes=notes)
    assert (read.reduction, read.size, len(notes)) == (1, (240, 320), 1)


def test_in_a_process_of_its_own_too(tmp_path):
    path = jpeg(tmp_path)
    for source in (path, path.read_bytes()):
        read = read_reduced(source, 4, max_seconds=60)
        assert read.reduction == 4
        np.testing.assert_array_equal(read.pixels, read_reduced(path, 4).pixels)


def test_the_limit_is_of_the_photo_itself(tmp_path):
    assert read_reduced(jpeg(tmp_path), 8, max_pixels=240 * 320).reduction == 8
    with pytest.raises(PhotoError, match="240"):
        read_reduced(jpeg(tmp_path), 8, max_pixels=240 * 320 - 1)


def test_other_reductions_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"one of 1, 2, 4, 8, not 3"):
        read_reduced(jpeg(tmp_path), 3)
