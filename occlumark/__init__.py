"""68 facial landmarks that survive occlusion, each with its visibility."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from occlumark.detect import Detector
    from occlumark.errors import OcclumarkError
    from occlumark.face import Face

__all__ = ["Detector", "Face", "OcclumarkError", "__version__"]

__version__ = "0.1.0"

# Imported when asked for: ONNX Runtime and OpenCV take longer to import than many a program that only mentions us.
_HOMES = {
    "Detector": "occlumark.detect",
    "Face": "occlumark.face",
    "OcclumarkError": "occlumark.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'occlumark' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
