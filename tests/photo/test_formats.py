"""Formats are told by the first bytes, whatever the name."""

import io
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from occlumark.errors import PhotoError
from occlumark.photo import read_photo
from occlumark.photo.formats import picture_format

NOISE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def written(kind: str, **options: object) -> bytes:
    if kind == "AVIF" and "avif" not in features.get_supported():
        pytest.skip("this Pillow writes no AVIF: it needs 11.3")
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("JPEG", "JPEG"),
        ("MPO", "JPEG"),
        ("PNG", "PNG"),
        ("WEBP", "WebP"),
        ("GIF", "GIF"),
        ("TIFF", "TIFF"),
        ("BMP", "BMP"),
        ("JPEG2000", "JPEG 2000"),
        ("PPM", "PNM"),
        ("AVIF", "AVIF"),
    ],
)
def test_what_pillow_writes_is_known_and_read(kind: str, name: str) -> None:
    content = written(kind)
    assert picture_format(content[:32]) == name
    assert read_photo(content).shape == NOISE.shape


@pytest.mark.parametrize("kind", ["JPEG2000", "PPM", "BMP", "PNG"])
def test_without_its_container_too(kind: str) -> None:
    content = written(kind)
    if kind == "JPEG2000":
        content = content[content.index(b"\xff\x4f\xff\x51") :]
        assert picture_format(content) == "JPEG 2000"
    np.testing.assert_array_equal(read_photo(content), NOISE)


def brand(major: bytes, *others: bytes) -> bytes:
    return b"\0\0\0\x20ftyp" + major + bytes(4) + b"".join(others)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (brand(b"heic", b"mif1"), "HEIC"),
        (brand(b"mif1", b"heic"), "HEIC"),
        (brand(b"mif1", b"avif"), "AVIF"),
        (brand(b"crx ", b"isom"), "camera raw"),
        (brand(b"isom", b"mp41"), None),
        (b"8BPS\0\1", "Photoshop"),
        (b"\xff\x0a\xfa", "JPEG XL"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (b"", None),
        (b"P", None),
        (b"Pythonic", None),
        (b"P9 ", None),
        (b"BMW is a car and this a text, no bitmap", None),
        (b"hello, I am a text file", None),
        (b"%!PS-Adobe", None),
        (b"\x7fELF", None),
    ],
)
def test_others_by_their_first_bytes(head: bytes, name: str | None) -> None:
    assert picture_format(head[:32]) == name


def test_heic_without_its_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PhotoError, match=r"HEIC needs pillow-heif: pip install '\.\[heic\]'"):
        read_photo(brand(b"heic", b"mif1"))


def test_heic_is_given_to_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is stood in for: what matters is that its class is given the file."""
    opened = []

    def stand_in(file: io.BytesIO) -> Image.Image:
        opened.append(file.read(12))
        file.seek(0)
        return Image.open(io.BytesIO(written("PNG")))

    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(HeifImageFile=stand_in))
    np.testing.assert_array_equal(read_photo(brand(b"heic", b"mif1")), NOISE)
    assert opened == [brand(b"heic", b"mif1")[:12]]


def test_a_real_heic_is_read_and_a_cut_one_refused(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs pillow-heif (the heic extra)")
    ramp = np.linspace(0, 255, 64 * 96 * 3).reshape(64, 96, 3).astype(np.uint8)
    path = tmp_path / "phone.jpg"  # told by its first bytes
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(ramp)).save(buffer, quality=-1, chroma=444, matrix_coefficients=0)
    path.write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(read_photo(path), ramp)  # written without loss
    for size in (40, len(buffer.getvalue()) // 2):
        path.write_bytes(buffer.getvalue()[:size])
        with pytest.raises(PhotoError, match=r"cannot read .*phone\.jpg: [^\n]+$"):
            read_photo(path)


def test_avif_of_an_older_pillow_names_the_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B"  # how every AVIF begins
    monkeypatch.setitem(sys.modules, "PIL.AvifImagePlugin", None)
    with pytest.raises(PhotoError, match="AVIF needs a newer Pillow"):
        read_photo(content)
