"""Every format is written here with Pillow, from pixels that are known."""

import os
import re
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import PIL
import pytest
from PIL import Image, ImageOps

from occlumark.errors import OcclumarkError, PhotoError
from occlumark.photo import WRITTEN_SUFFIXES, PhotoWarning, find_photos, read_photo, write_photo

RAMP = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
GREY = np.arange(0, 240, 5, dtype=np.uint8).reshape(6, 8)


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options) -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def grey_as_rgb(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels[..., None], 3, axis=2)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp", "gif"])
def test_lossless_formats_give_their_pixels(tmp_path, suffix):
    pixels = RAMP if suffix != "gif" else grey_as_rgb(GREY)
    options = {"lossless": True} if suffix == "webp" else {}
    photo = read_photo(save(tmp_path / f"photo.{suffix}", pixels, **options))
    assert photo.dtype == np.uint8 and photo.flags.c_contiguous
    np.testing.assert_array_equal(photo, pixels)


def test_what_is_rgb_is_not_copied_by_a_conversion(tmp_path, monkeypatch):
    path = save(tmp_path / "photo.png", RAMP)
    monkeypatch.delattr(Image.Image, "convert")
    np.testing.assert_array_equal(read_photo(path), RAMP)


def test_jpeg_rgb(tmp_path):
    flat = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    photo = read_photo(save(tmp_path / "photo.JPG", flat, quality=95))
    assert np.abs(photo.astype(int) - flat).max() <= 3


def test_grey(tmp_path):
    np.testing.assert_array_equal(read_photo(save(tmp_path / "g.png", GREY)), grey_as_rgb(GREY))


def test_one_bit(tmp_path):
    bits = np.zeros((6, 8), bool)
    bits[2, 3] = True
    photo = read_photo(save(tmp_path / "b.png", bits))
    np.testing.assert_array_equal(photo, grey_as_rgb(bits * np.uint8(255)))


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, suffix):
    deep = np.array([[0, 256, 257, 385, 386, 32768, 65535]], np.uint16)
    path = tmp_path / f"deep.{suffix}"
    if suffix == "pgm":  # Pillow before 11 does not write it
        path.write_bytes(b"P5 7 1 65535\n" + deep.astype(">u2").tobytes())
    else:
        save(path, deep)
    photo = read_photo(path)
    np.testing.assert_array_equal(photo[0, :, 0], [0, 1, 1, 1, 2, 128, 255])


def test_sixteen_bit_colour(tmp_path):
    photo = read_photo(write_png(tmp_path / "rgb16.png", depth=16, colour=2, row=b"\xff\xff\x80\x00\x01\x01"))
    np.testing.assert_array_equal(photo[0, 0], [255, 128, 1])


@pytest.mark.parametrize(
    ("values", "white"),
    [
        ([0, 64, 128, 255], 255),
        ([0, 512, 1024, 4095], 4095),
        ([0, 5000, 16383, 65535], 65535),
        ([0, 0, 600, 900], 1023),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_values_are_scaled_by_the_files_own_range(tmp_path, values, white, dtype):
    """8, 10, 12 or 16 bits in a wider file, as cameras and microscopes write them."""
    photo = read_photo(save(tmp_path / "deep.tif", np.array([values], dtype)))
    np.testing.assert_array_equal(photo[0, :, 1], [round(value * 255 / white) for value in values])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.25, 0.5, 1.0], [0, 64, 128, 255]),
        ([-100.0, 0.0, 50.0, 100.0], [0, 128, 191, 255]),
        ([0.0, 1e6, 5e5, 2e6], [0, 128, 64, 255]),
        ([np.nan, np.inf, -np.inf, 1.0], [0, 255, 0, 255]),
        ([3.0e38, -3.0e38, 0.0, 0.0], [255, 0, 128, 128]),
    ],
)
def test_float_values_are_scaled_by_the_files_own_range(tmp_path, values, expected):
    photo = read_photo(save(tmp_path / "f.tif", np.array([values], np.float32)))
    np.testing.assert_array_equal(photo[0, :, 0], expected)


def test_float_values_that_are_none_are_refused(tmp_path):
    with pytest.raises(PhotoError, match="none of its values is finite"):
        read_photo(save(tmp_path / "f.tif", np.full((4, 4), np.nan, np.float32)))


def test_transparent_is_laid_on_white(tmp_path):
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 0] = 200
    pixels[0, :, 3] = (255, 0, 51)  # opaque, clear, one fifth
    photo = read_photo(save(tmp_path / "rgba.png", pixels))
    np.testing.assert_array_equal(photo[0], [[200, 0, 0], [255, 255, 255], [244, 204, 204]])


def test_grey_with_alpha(tmp_path):
    pixels = np.array([[[10, 255], [10, 0]]], np.uint8)
    photo = read_photo(save(tmp_path / "la.png", pixels))
    np.testing.assert_array_equal(photo[0], [[10] * 3, [255] * 3])


def test_palette_with_and_without_transparency(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("L")
    image = Image.frombytes("P", (3, 1), image.tobytes())
    image.putpalette([250, 0, 0, 0, 250, 0, 0, 0, 250])
    image.save(tmp_path / "p.png")
    image.save(tmp_path / "t.png", transparency=1)
    expected = [[250, 0, 0], [0, 250, 0], [0, 0, 250]]
    np.testing.assert_array_equal(read_photo(tmp_path / "p.png")[0], expected)
    expected[1] = [255, 255, 255]
    np.testing.assert_array_equal(read_photo(tmp_path / "t.png")[0], expected)


def test_palette_with_alpha_per_entry_does_not_warn(tmp_path):
    image = Image.frombytes("P", (2, 1), bytes([0, 1]))
    image.putpalette([100, 0, 0, 0, 100, 0])
    image.save(tmp_path / "t.png", transparency=bytes([255, 0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_photo(tmp_path / "t.png")[0], [[100, 0, 0], [255, 255, 255]])


def test_cmyk_jpeg(tmp_path):
    cyan = np.zeros((16, 16, 4), np.uint8)
    cyan[..., 0] = 255
    Image.frombytes("CMYK", (16, 16), cyan.tobytes()).save(tmp_path / "cmyk.jpg", quality=95)
    photo = read_photo(tmp_path / "cmyk.jpg").astype(int)
    assert np.abs(photo - [0, 255, 255]).max() <= 6


def test_ycck_jpeg(tmp_path):
    """The Adobe marker's last byte says how the four channels are stored: 2 is YCCK."""
    Image.new("CMYK", (16, 16), (0, 0, 0, 0)).save(tmp_path / "cmyk.jpg")
    data = (tmp_path / "cmyk.jpg").read_bytes()
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    (tmp_path / "ycck.jpg").write_bytes(data[:at] + b"\x02" + data[at + 1 :])
    assert read_photo(tmp_path / "ycck.jpg").shape == (16, 16, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_exif_orientation_is_applied_as_pillow_does(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f"turned.{suffix}", RAMP, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read_photo(path), expected)


def test_orientation_six_is_a_quarter_turn_clockwise(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = read_photo(save(tmp_path / "turned.png", RAMP, exif=exif))
    np.testing.assert_array_equal(photo, np.rot90(RAMP, -1))


@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"Exif\0\0MM"])
def test_broken_exif_does_not_spoil_the_photo(tmp_path, exif):
    assert read_photo(save(tmp_path / "broken_exif.jpg", RAMP, exif=exif)).shape == (6, 8, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1)])
def test_tiny_and_thin(tmp_path, shape):
    assert read_photo(save(tmp_path / "thin.png", np.zeros((*shape, 3), np.uint8))).shape == (*shape, 3)


def write_png(path: Path, *, depth: int, colour: int, row: bytes, width: int = 1, height: int = 1) -> Path:
    """A PNG by hand: what Pillow cannot write, or what it would take long to."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"\0" + row)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("side", [10_000, 14_143, 30_000])
def test_huge_photo_is_refused_by_its_header(tmp_path, side):
    """There are no pixels in the file: an attempt to decode it would say truncated."""
    path = write_png(tmp_path / "huge.png", depth=8, colour=2, row=b"", width=side + 1, height=side)
    with warnings.catch_warnings(), pytest.raises(PhotoError) as caught:
        warnings.simplefilter("error")
        read_photo(path)
    assert f"{side + 1} x {side}" in str(caught.value) and "--max-megapixels" in str(caught.value)


def test_pixel_limit_counts_exactly_and_can_be_raised(tmp_path):
    path = save(tmp_path / "photo.png", RAMP)
    assert read_photo(path, max_pixels=48).shape == (6, 8, 3)
    with pytest.raises(PhotoError, match="megapixels"):
        read_photo(path, max_pixels=47)


def test_pillows_own_limit_is_neither_used_nor_changed(tmp_path, monkeypatch):
    path = save(tmp_path / "photo.png", RAMP)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_photo(path).shape == (6, 8, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


def noise_bytes(kind: str) -> bytes:
    import io

    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"hello, I am a text file\n", "not a photo"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a photo"),
        (noise_bytes("JPEG")[:1500], "truncated"),
        (noise_bytes("JPEG")[:20], "cannot read"),
        (b"\x89PNG\r\n\x1a\n", "cannot read"),
        (noise_bytes("PNG")[:33], "bad.jpg: it is damaged or cut off$"),  # to the end of its first chunk
    ],
)
def test_bad_files_are_one_line(tmp_path, content, message):
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=message) as caught:
        read_photo(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_colours_in_floating_point_are_said_to_be(tmp_path):
    cv2.imwrite(str(tmp_path / "float.tif"), np.zeros((32, 32, 3), np.float32))
    with pytest.raises(PhotoError, match="its colours are no whole numbers"):
        read_photo(tmp_path / "float.tif")


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "gif", "bmp", "jp2"])
def test_truncated_files_of_every_format(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"whole.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PhotoError, match="cannot read"):
        read_photo(path)


def test_missing_file_folder_and_pipe(tmp_path):
    with pytest.raises(PhotoError, match="no such file"):
        read_photo(tmp_path / "none.jpg")
    with pytest.raises(PhotoError, match="no such file; nothing is fetched from the web, download it first"):
        read_photo("https://example.org/none.jpg")
    with pytest.raises(PhotoError, match="is a folder"):
        read_photo(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match="no ordinary file"):
        read_photo(tmp_path / "pipe.jpg")


def test_a_name_that_no_file_system_takes():
    with pytest.raises(PhotoError, match="cannot read"):
        read_photo("x" * 5000)
    with pytest.raises(PhotoError, match="cannot read"):
        read_photo("a\0b.jpg")


def test_threads_read_together(tmp_path):
    path = save(tmp_path / "photo.png", RAMP)
    limit, filters, read = Image.MAX_IMAGE_PIXELS, list(warnings.filters), []
    threads = [threading.Thread(target=lambda: read.append(read_photo(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 8 and limit == Image.MAX_IMAGE_PIXELS and filters == list(warnings.filters)


@pytest.fixture
def tree(tmp_path):
    for name in [
        "b.jpg",
        "a.PNG",
        "notes.txt",
        "sub/c.webp",
        "sub/.hidden.jpg",
        ".hidden/d.jpg",
        "empty/readme.md",
        "od[d].jpg",
    ]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(photos: list[Path], root: Path) -> list[str]:
    return [str(photo.relative_to(root)) for photo in photos]


def test_folders_are_searched_with_subfolders_and_sorted(tree):
    assert names(find_photos([tree]), tree) == ["a.PNG", "b.jpg", "od[d].jpg", "sub/c.webp"]


def test_globs_take_photos_only(tree):
    assert names(find_photos([str(tree / "*")]), tree) == ["a.PNG", "b.jpg", "od[d].jpg"]
    assert names(find_photos([str(tree / "**" / "*.webp")]), tree) == ["sub/c.webp"]


def test_named_files_are_kept_in_order_whatever_they_are_called(tree):
    sources = [tree / "notes.txt", tree / "od[d].jpg", tree / "missing.jpg", tree / "b.jpg"]
    assert find_photos(sources) == sources


def test_folder_or_glob_without_photos_is_an_error(tree):
    with pytest.raises(PhotoError, match=r"no photo in folder .*empty"):
        find_photos([tree / "b.jpg", tree / "empty"])
    with pytest.raises(PhotoError, match="no photo matches"):
        find_photos([str(tree / "*.tiff")])


def test_a_folder_that_cannot_be_listed_is_not_skipped(tree, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PhotoError, match="Permission denied"):
        find_photos([tree])


def test_linked_folders_are_searched_once_and_loops_end(tree, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "e.jpg").touch()
    (elsewhere / "back").symlink_to(tree)
    for name in ("linked", "again", "sub/deeper"):
        (tree / name).symlink_to(elsewhere)
    (tree / "sub" / "loop").symlink_to(tree / "sub")
    assert names(find_photos([tree]), tree) == ["a.PNG", "again/e.jpg", "b.jpg", "od[d].jpg", "sub/c.webp"]


def test_a_hidden_folder_may_be_named(tree):
    assert names(find_photos([tree / ".hidden"]), tree) == [".hidden/d.jpg"]


@pytest.mark.parametrize("suffix", WRITTEN_SUFFIXES)
def test_written_pictures_are_read_again(tmp_path, suffix):
    path = tmp_path / "new" / "folder" / f"picture{suffix}"
    write_photo(str(path), np.full((16, 24, 3), (200, 100, 50), np.uint8))
    assert np.abs(read_photo(path).astype(int) - (200, 100, 50)).max() <= 4
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_leaves_the_old_picture(tmp_path, monkeypatch, error):
    path = tmp_path / "picture.png"
    write_photo(path, RAMP)

    def stop_half_way(self, target, *_, **__):
        target.write(b"half")
        raise error

    monkeypatch.setattr(Image.Image, "save", stop_half_way)
    expected = OcclumarkError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_photo(path, 255 - RAMP)
    np.testing.assert_array_equal(read_photo(path), RAMP)
    assert list(tmp_path.iterdir()) == [path]


def test_pictures_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    for name in ("file/picture.png", "file/below/picture.png"):
        message = f"^cannot write {tmp_path / name}: {tmp_path / 'file'} is a file, not a folder; name another$"
        with pytest.raises(OcclumarkError, match=message):
            write_photo(tmp_path / name, RAMP)
    if Path("/dev/null").is_char_device():
        with pytest.raises(OcclumarkError, match=r"/a\.png: /dev/null is a file, not a folder; name"):
            write_photo("/dev/null/a.png", RAMP)
    with pytest.raises(ValueError, match=r"one of .jpg"):
        write_photo(tmp_path / "picture.eps", RAMP)


@pytest.mark.parametrize(("suffix", "side"), [(".webp", 16384), (".jpg", 65501)])
def test_a_picture_too_long_for_its_format_is_one_line(tmp_path, suffix, side):
    path = tmp_path / f"picture{suffix}"
    said = f"cannot write {path}: {suffix} has room for {side - 1} pixels a side, not {side} x 1; name a .png"
    with pytest.raises(OcclumarkError, match=f"^{re.escape(said)}$"):
        write_photo(path, np.zeros((1, side, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []
    write_photo(path, np.zeros((1, side - 1, 3), np.uint8))
    assert read_photo(path).shape == (1, side - 1, 3)


@pytest.mark.parametrize("white", [255, 1023, 4095, 16383])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colour_of_fewer_bits_in_sixteen_is_scaled_by_its_own_range(tmp_path, white, suffix):
    """Pillow would keep the upper 8 bits: nearly black. OpenCV writes the file."""
    import cv2

    values = np.random.default_rng(0).integers(0, white, (20, 30, 3), endpoint=True, dtype=np.uint16)
    values[0, 0] = white
    cv2.imwrite(str(tmp_path / f"deep.{suffix}"), values[..., ::-1])
    np.testing.assert_array_equal(
        read_photo(tmp_path / f"deep.{suffix}"), np.rint(values * (255 / white)).astype(np.uint8)
    )


def test_deep_colour_with_alpha_lies_on_white(tmp_path):
    import cv2

    values = np.zeros((1, 3, 4), np.uint16)
    values[0, :, 2] = 4095  # red, of OpenCV's blue, green, red, alpha
    values[0, :, 3] = (65535, 0, 13107)
    cv2.imwrite(str(tmp_path / "deep.png"), values)
    np.testing.assert_array_equal(read_photo(tmp_path / "deep.png")[0], [[255, 0, 0], [255, 255, 255], [255, 204, 204]])


def test_a_jpeg_whose_end_is_missing_is_read_with_a_note(tmp_path):
    smooth = np.add.outer(np.arange(160), np.arange(128))[..., None] % 97 + np.array([50, 80, 110])
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "whole.jpg", quality=90)
    content, whole = (tmp_path / "whole.jpg").read_bytes(), read_photo(tmp_path / "whole.jpg")
    for missing in (1, 2, 10, 150):
        notes = []
        (tmp_path / "cut.jpg").write_bytes(content[:-missing])
        photo = read_photo(tmp_path / "cut.jpg", notes=notes)
        (note,) = notes if missing > 2 else notes or [""]
        rows = int(note.split(": ")[1].split()[0]) if note else 0
        assert photo.shape == whole.shape and rows <= 40
        sound = 160 - rows - 17  # the last row of blocks may be there in part, and colours reach one row further
        np.testing.assert_array_equal(photo[:sound], whole[:sound])
        assert (photo[160 - rows :] == 128).all()
    with pytest.warns(PhotoWarning, match="cut.jpg ends too early"):
        read_photo(tmp_path / "cut.jpg")


def test_a_progressive_jpeg_whose_end_is_missing_is_read_while_a_finer_scan_is_whole(tmp_path):
    portrait = Path(__file__).parents[2] / "occlumark" / "samples" / "astronaut.jpg"
    Image.open(portrait).save(tmp_path / "whole.jpg", quality=90, progressive=True)
    content, whole = (tmp_path / "whole.jpg").read_bytes(), read_photo(tmp_path / "whole.jpg").astype(int)
    for share, most in ((0.99, 0.2), (0.5, 4), (0.3, 7)):
        notes = []
        photo = read_photo(content[: int(share * len(content))], notes=notes)
        assert len(notes) == 1 and notes[0].endswith(" ends too early: some of its detail is missing")
        assert np.abs(photo - whole).mean() < most
    for share in (0.15, 0.06):
        with pytest.raises(PhotoError, match="truncated: all but its coarsest scan is missing"):
            read_photo(content[: int(share * len(content))])


def test_a_jpeg_whose_larger_part_is_missing_is_refused(tmp_path):
    content = noise_bytes("JPEG")
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(PhotoError, match=r"truncated: the lowest \d\d% of it is missing"):
        read_photo(tmp_path / "cut.jpg")


def test_several_pictures_are_said_in_every_format_that_has_them(tmp_path):
    pages = [Image.fromarray(np.roll(RAMP, i)) for i in range(3)]
    kinds = {"a.gif": "GIF", "b.png": "PNG", "c.webp": "WEBP", "d.tif": "TIFF"}
    if int(PIL.__version__.split(".")[0]) >= 11:  # what Pillow 10 writes as MPO, it cannot read itself
        kinds["e.mpo"] = "MPO"
    for name, kind in kinds.items():
        for frames in (pages, pages[:1]):
            notes = []
            frames[0].save(tmp_path / name, kind, save_all=True, append_images=frames[1:])
            photo = read_photo(tmp_path / name, notes=notes)
            assert photo.shape == RAMP.shape and len(notes) == (len(frames) > 1), name
            assert all(note.startswith(f"{tmp_path / name} holds several pictures") for note in notes)
            if kind in ("PNG", "TIFF"):
                np.testing.assert_array_equal(photo, RAMP)


def test_bytes_and_open_files_are_read_as_files_are(tmp_path):
    path = save(tmp_path / "photo.png", RAMP)
    np.testing.assert_array_equal(read_photo(path.read_bytes()), RAMP)
    with path.open("rb") as file:
        np.testing.assert_array_equal(read_photo(file), RAMP)
    with pytest.raises(PhotoError, match=r"^cannot read a photo of 4 bytes: not a photo"):
        read_photo(b"text")


def test_while_photos_are_read_nobody_sees_another_limit_of_pillow(tmp_path):
    path, limit, seen, done = (
        save(tmp_path / "photo.png", np.tile(RAMP, (60, 60, 1))),
        Image.MAX_IMAGE_PIXELS,
        set(),
        [],
    )
    reader = threading.Thread(target=lambda: done.extend(read_photo(path) for _ in range(30)))
    reader.start()
    while reader.is_alive():
        seen.add(Image.MAX_IMAGE_PIXELS)
    assert seen == {limit} and len(done) == 30


def test_photos_are_decoded_at_the_same_time(tmp_path, monkeypatch):
    """Each of two threads waits in the middle of its photo for the other to come there."""
    from occlumark.photo import decode

    meeting, whole = threading.Barrier(2), decode.open_picture

    def meet(kind, file):
        meeting.wait(60)
        return whole(kind, file)

    monkeypatch.setattr(decode, "open_picture", meet)
    path = save(tmp_path / "photo.png", RAMP)
    with ThreadPoolExecutor(2) as pool:
        for pixels in pool.map(read_photo, [path, path]):
            np.testing.assert_array_equal(pixels, RAMP)


def test_warnings_of_pillow_are_neither_shown_nor_raised(tmp_path):
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\x7f\0\0\0\0"
    path = save(tmp_path / "photo.jpg", RAMP, exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        assert read_photo(path).shape == RAMP.shape
        assert list(warnings.filters) == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs a system with limits of file size")
@pytest.mark.parametrize("suffix", WRITTEN_SUFFIXES)
def test_a_disk_with_room_for_a_part_of_a_picture_is_an_error(tmp_path, suffix):
    """The system then writes what fits and says how much that was; Pillow does not look."""
    code = (
        "import resource, sys, numpy as np; from occlumark.errors import OcclumarkError\n"
        "from occlumark.photo import write_photo\n"
        "photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_photo(sys.argv[1], photo)\n"
        "except OcclumarkError as error: print(error)\n"
    )
    path = tmp_path / f"picture{suffix}"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write {path}: File too large\n" and list(tmp_path.iterdir()) == []
