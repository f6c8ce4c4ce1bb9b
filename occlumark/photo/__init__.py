"""Photos as people have them, read into one form: (height, width, 3) uint8 RGB, upright; and pictures written."""

from occlumark.photo.decode import MAX_PIXELS
from occlumark.photo.formats import PHOTO_SUFFIXES
from occlumark.photo.read import PhotoWarning, ReducedPhoto, read_photo, read_reduced
from occlumark.photo.search import find_photos
from occlumark.photo.write import WRITTEN_SUFFIXES, write_photo

__all__ = [
    "MAX_PIXELS",
    "PHOTO_SUFFIXES",
    "WRITTEN_SUFFIXES",
    "PhotoWarning",
    "ReducedPhoto",
    "find_photos",
    "read_photo",
    "read_reduced",
    "write_photo",
]
