"""Which picture a file holds, told by its first bytes and not by its name, and who opens it."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

#: How many of a file's first bytes name its format.
HEAD = 32

_SUFFIXES = """
    .jpg .jpeg .jpe .jfif .jfi .mpo .png .apng .webp .bmp .dib .tif .tiff .gif .jp2 .j2k .j2c .jpc .jpf .jpx
    .pnm .pbm .pgm .ppm .pfm .avif .avifs .heic .heif .heics .heifs .hif
"""
#: Files of these endings are taken from folders unopened; others where their first bytes are a picture's. A file named
#: by the user may be called anything.
PHOTO_SUFFIXES = frozenset(_SUFFIXES.split())

#: The formats that are read, as a message lists them.
READ_FORMATS = "JPEG, PNG, WebP, AVIF, HEIC, TIFF, GIF, BMP, JPEG 2000, PNM"

_BRANDED = re.compile(rb"....ftyp(....)....(.*)", re.DOTALL)
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"RIFF....WEBP", "WebP"),
    (rb"GIF8[79]a", "GIF"),
    (rb"II[*+]\0|MM\0[*+]", "TIFF"),
    (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", "BMP"),
    (rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (rb"P[1-6fF][\s#]", "PNM"),
    # Pictures that are not read: named, so that a folder's are not passed over in silence.
    (rb"8BPS\0[\1\2]", "Photoshop"),
    (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (rb"\x76\x2f\x31\x01", "OpenEXR"),
    (rb"#\?(RADIANCE|RGBE)", "Radiance HDR"),
    (rb"FUJIFILMCCD-RAW", "Fujifilm raw"),
    (rb"II(RO|U\0)|IIII\xac\xcb", "camera raw"),
    (rb"qoif....", "QOI"),
    (rb"DDS \x7c\0\0\0", "DDS"),
    (rb"\x59\xa6\x6a\x95", "Sun raster"),
    (rb"\x01\xda[\0\1][\1\2]\0[\1-\3]", "SGI"),
    (rb"P7\s", "PAM"),
)
_PATTERNS = [(re.compile(pattern, re.DOTALL), name) for pattern, name in _MAGIC]


def picture_format(head: bytes) -> str | None:
    """The picture format of a file that starts so, read by us or not; None: it is no picture that we know.

    Args:
        head: its first HEAD bytes.
    """
    for pattern, name in _PATTERNS:
        if pattern.match(head):
            return name
    branded = _BRANDED.match(head)
    if branded:
        major, others = branded.groups()
        brands = {major} | {others[at : at + 4] for at in range(0, len(others), 4)}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"}:
            return "HEIC"
        if major == b"crx ":
            return "camera raw"
    return None


def open_picture(name: str, file: BinaryIO) -> "ImageFile":
    """Read a picture's header by Pillow, without the size limit that Pillow.Image.open takes from a global.

    Args:
        name: what picture_format said, except PNM.
        file: the file, at its start.

    Raises:
        ValueError: a format that is not read, or not by the packages that are installed.
    """
    opener = _OPENERS.get(name)
    if opener is None:
        raise ValueError(f"it is a {name} picture, and read are {READ_FORMATS}; save it as one of these")
    return opener(file)


def _jpeg(file: BinaryIO) -> "ImageFile":
    from PIL import MpoImagePlugin  # noqa: F401 - jpeg_factory imports it while it reads
    from PIL.JpegImagePlugin import jpeg_factory

    return jpeg_factory(file)


def _png(file: BinaryIO) -> "ImageFile":
    from PIL.PngImagePlugin import PngImageFile

    return PngImageFile(file)


def _webp(file: BinaryIO) -> "ImageFile":
    from PIL.WebPImagePlugin import WebPImageFile

    return WebPImageFile(file)


def _gif(file: BinaryIO) -> "ImageFile":
    from PIL.GifImagePlugin import GifImageFile

    return GifImageFile(file)


def _tiff(file: BinaryIO) -> "ImageFile":
    from PIL.TiffImagePlugin import TiffImageFile

    return TiffImageFile(file)


def _bmp(file: BinaryIO) -> "ImageFile":
    from PIL.BmpImagePlugin import BmpImageFile

    return BmpImageFile(file)


def _jpeg_2000(file: BinaryIO) -> "ImageFile":
    from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

    return Jpeg2KImageFile(file)


def _avif(file: BinaryIO) -> "ImageFile":
    try:
        from PIL.AvifImagePlugin import SUPPORTED, AvifImageFile
    except ImportError:
        SUPPORTED = False
    if not SUPPORTED:
        raise ValueError("AVIF needs a newer Pillow: pip install --upgrade 'pillow>=11.3'")
    return AvifImageFile(file)


def _heic(file: BinaryIO) -> "ImageFile":
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise ValueError("HEIC needs pillow-heif: pip install '.[heic]' in a clone") from error
    picture: ImageFile = HeifImageFile(file)
    return picture


_OPENERS: dict[str, Callable[[BinaryIO], "ImageFile"]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "GIF": _gif,
    "TIFF": _tiff,
    "BMP": _bmp,
    "JPEG 2000": _jpeg_2000,
    "AVIF": _avif,
    "HEIC": _heic,
}
