"""68 facial landmarks that survive occlusion, each with its visibility.

Detector finds the faces of a photo, and each is a Face: its landmarks, which are occluded, how far each may be off.
Tracker follows the faces of a video. NetworkFinder is the face detector by itself, FaceFinder what a face detector of
your own has to be. read_photo and write_photo read and write pictures, draw_faces draws faces on them. evaluate
measures a Detector on annotated photos. MARKUPS holds the schemes of landmarks, Markup is one of them. What a user can
cause and mend is an OcclumarkError.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from occlumark.detect import Detector
    from occlumark.draw import draw_faces
    from occlumark.errors import OcclumarkError
    from occlumark.evaluation.landmarks import evaluate
    from occlumark.face import Face
    from occlumark.finder import FaceFinder, NetworkFinder
    from occlumark.markup import MARKUPS, Markup
    from occlumark.photo import read_photo, write_photo
    from occlumark.video import Tracker

__all__ = [
    "MARKUPS",
    "Detector",
    "Face",
    "FaceFinder",
    "Markup",
    "NetworkFinder",
    "OcclumarkError",
    "Tracker",
    "__version__",
    "draw_faces",
    "evaluate",
    "read_photo",
    "write_photo",
]

__version__ = "0.1.0"

# Imported when asked for: ONNX Runtime and OpenCV take longer to import than many a program that only mentions us.
_HOMES = {
    "Detector": "occlumark.detect",
    "Face": "occlumark.face",
    "FaceFinder": "occlumark.finder",
    "MARKUPS": "occlumark.markup",
    "Markup": "occlumark.markup",
    "NetworkFinder": "occlumark.finder",
    "OcclumarkError": "occlumark.errors",
    "Tracker": "occlumark.video",
    "draw_faces": "occlumark.draw",
    "evaluate": "occlumark.evaluation.landmarks",
    "read_photo": "occlumark.photo",
    "write_photo": "occlumark.photo",
}

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for Any

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'occlumark' has no attribute '{name}'")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
