"""COCO key points: faces of any markup, with the flags that say what is occluded. Its pixels are ours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from occlumark.config import parse_json, shown
from occlumark.data.annotation import check_landmarks, file_exists, numbered
from occlumark.data.sample import Problem, Sample
from occlumark.errors import AnnotationError, ConfigError
from occlumark.markup import Markup

# Flags of a key point: not labelled, labelled and occluded, labelled and visible.
_UNLABELLED, _OCCLUDED, _VISIBLE = 0, 1, 2
_MOST_BYTES = 2_000_000_000


def read_coco(path: Path, markup: Markup, photos: Path | None = None) -> tuple[list[Sample], list[Problem]]:
    """Read the faces of a file of COCO key points.

    A point's flag says whether it is not labelled (0: it has no place), occluded (1) or visible (2). `bbox` is the
    official box, where there is one with an area.

    Args:
        path: a JSON file with `images` and `annotations`.
        markup: of every face.
        photos: the folder that file names are below; None: the file's own.

    Returns:
        The samples in the order of the annotations, and what cannot be used, with the reason.

    Raises:
        AnnotationError: the file cannot be read or is no such JSON.
    """
    try:
        values = parse_json(path.read_bytes(), str(path), _MOST_BYTES)
    except OSError as error:
        raise AnnotationError(f"cannot read {path}: {error.strerror or error}") from error
    except ConfigError as error:
        raise AnnotationError(f"{error}; expected COCO key points") from error
    parts = [values.get(key) for key in ("images", "annotations")]
    if not all(isinstance(part, list) for part in parts):
        raise AnnotationError(f"{path}: expected COCO key points, with lists 'images' and 'annotations'")
    files = {
        image["id"]: image["file_name"]
        for image in values["images"]
        if isinstance(image, Mapping)
        and type(image.get("id")) in (int, str)
        and isinstance(image.get("file_name"), str)
    }
    annotations = [each for each in values["annotations"] if isinstance(each, Mapping)]
    names = numbered([files.get(_hashable(each.get("image_id")), "") for each in annotations])
    samples, problems = [], []
    for annotation, name in zip(annotations, names, strict=True):
        try:
            photo = (photos or path.parent) / files[_hashable(annotation.get("image_id"))]
            samples.append(_sample(annotation, name, photo, markup))
        except KeyError:
            problems.append(Problem(f"annotation {shown(annotation.get('id'))}", "its image_id is of no image"))
        except AnnotationError as error:
            problems.append(Problem(name, str(error)))
    return samples, problems


def _sample(annotation: Mapping[str, Any], name: str, photo: Path, markup: Markup) -> Sample:
    numbers = annotation.get("keypoints")
    came = len(numbers) if isinstance(numbers, list) else 0
    if not isinstance(numbers, list) or came != 3 * markup.n:
        raise AnnotationError(f"expected {markup.n} key points, {3 * markup.n} numbers, came {came}")
    table = _numbers(numbers, "keypoints").reshape(-1, 3)
    flags = table[:, 2]
    if not np.isin(flags, (_UNLABELLED, _OCCLUDED, _VISIBLE)).all():
        raise AnnotationError("a key point's flag is 0, 1 or 2")
    labelled = flags != _UNLABELLED
    check_landmarks(table[labelled, :2])
    if not file_exists(photo):
        raise AnnotationError(f"no photo {photo}")
    return Sample(
        name,
        photo,
        np.where(labelled[:, None], table[:, :2], np.nan),
        _official(annotation.get("bbox")),
        flags == _OCCLUDED,
        unknown=~labelled,
        markup=markup,
    )


def _official(bbox: Any) -> np.ndarray | None:
    """x0, y0, x1, y1 of x, y, width, height."""
    if bbox is None:
        return None
    x, y, width, height = _numbers(bbox, "bbox") if isinstance(bbox, list) and len(bbox) == 4 else (0.0,) * 4
    box = np.array([x, y, x + width, y + height])
    return box if np.isfinite(box).all() and width > 0 and height > 0 else None


def _numbers(values: list[Any], key: str) -> np.ndarray:
    if not all(isinstance(value, int | float) and abs(value) < 1e9 for value in values):
        raise AnnotationError(f"'{key}' holds what is no number of a photo")
    return np.array(values, np.float64)


def _hashable(value: Any) -> Any:
    return value if type(value) in (int, str) else None
