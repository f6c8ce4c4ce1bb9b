"""Faces in the formats of other tools: CSV, .pts, COCO key points, supervision. Not in the paper."""

import inspect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from occlumark.face.face import Face
from occlumark.files import csv_text
from occlumark.markup import Markup

if TYPE_CHECKING:
    import supervision

#: COCO's category of every face.
CATEGORY_ID = 1
# COCO: 2 is labelled and visible, 1 labelled and not visible.
_COCO_VISIBLE, _COCO_OCCLUDED = 2, 1


def csv_columns(n: int) -> list[str]:
    """The heads of a table with a row a face of n landmarks."""
    points = [f"{name}{i}" for i in range(n) for name in ("x", "y", "visibility", "expected_error")]
    return ["photo", "face", "score", "box_x0", "box_y0", "box_x1", "box_y1", *points]


def csv_rows(photo: str, faces: Iterable[Face]) -> list[list[str]]:
    """The rows of a photo's faces under csv_columns, rounded as in Face.to_json.

    An expected error that the model does not predict is an empty field.

    Args:
        photo: what stands in the first column.
        faces: all of one markup; they are counted from 1.
    """
    rows = []
    for number, face in enumerate(faces, 1):
        values = face.to_json()
        errors = values["expected_error"] or [""] * len(face.landmarks)
        points = zip(values["landmarks"], values["visibility"], errors, strict=True)
        numbers = [number for (x, y), visibility, error in points for number in (x, y, visibility, error)]
        rows.append([photo, *map(str, (number, values["score"], *values["box"], *numbers))])
    return rows


def to_csv(faces: Sequence[Face], photo: str = "") -> str:
    """A table of faces: csv_columns, then csv_rows. All faces are of one markup; none at all are an empty text.

    Raises:
        ValueError: faces of several markups.
    """
    if not faces:
        return ""
    if len({face.markup for face in faces}) > 1:
        raise ValueError("the faces of one table have one markup")
    return csv_text(csv_columns(len(faces[0].landmarks)), csv_rows(photo, faces))


def to_pts(face: Face) -> str:
    """A face's landmarks as a .pts file, in which the first pixel's centre is (1, 1): 300W's (data.pts.read_pts)."""
    points = "\n".join(f"{x:.3f} {y:.3f}" for x, y in face.landmarks + 0.5)
    return f"version: 1\nn_points: {len(face.landmarks)}\n{{\n{points}\n}}\n"


def to_coco(face: Face, *, image_id: int, annotation_id: int) -> dict[str, Any]:
    """A face as an annotation of COCO's key points.

    A landmark predicted occluded has flag 1, a visible one 2. COCO's pixels are ours: (0, 0) is the photo's corner.

    Args:
        face: as detected.
        image_id: of the photo in coco_document's images.
        annotation_id: of the face, unlike all others' in the document.
    """
    values = face.to_json()
    flags = np.where(face.hidden(), _COCO_OCCLUDED, _COCO_VISIBLE).tolist()
    x0, y0, x1, y1 = values["box"]
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": CATEGORY_ID,
        "keypoints": [
            number for (x, y), flag in zip(values["landmarks"], flags, strict=True) for number in (x, y, flag)
        ],
        "num_keypoints": len(flags),
        "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
        "area": round((x1 - x0) * (y1 - y0), 2),
        "iscrowd": 0,
        "score": values["score"],
    }


def coco_document(
    photos: Iterable[tuple[str, int, int, Iterable[Face]]], markup: Markup
) -> dict[str, Sequence[Mapping[str, Any]]]:
    """A whole file of COCO's key points.

    Args:
        photos: file name, width, height and faces of each.
        markup: of all faces.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (name, width, height, faces) in enumerate(photos, 1):
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for face in faces:
            annotations.append(to_coco(face, image_id=image_id, annotation_id=len(annotations) + 1))
    return {"images": images, "annotations": annotations, "categories": [_category(markup)]}


def _category(markup: Markup) -> dict[str, Any]:
    """COCO's names of the landmarks, and the lines between them, which count from 1."""
    lines = [[a + 1, b + 1] for contour in markup.contours for a, b in itertools.pairwise(contour)]
    return {
        "id": CATEGORY_ID,
        "name": "face",
        "supercategory": "person",
        "keypoints": list(markup.names),
        "skeleton": lines,
    }


def to_supervision(faces: Sequence[Face]) -> "supervision.KeyPoints":
    """Faces of one photo, and of one markup, as supervision's KeyPoints: a point's confidence is its visibility.

    Raises:
        ModuleNotFoundError: supervision is not installed; it is no requirement of this package.
    """
    import supervision

    if not faces:
        return supervision.KeyPoints.empty()
    visibility, scores = np.stack([face.visibility for face in faces]), np.array([face.score for face in faces])
    # Before 0.28 there was one confidence, of the points.
    known = inspect.signature(supervision.KeyPoints).parameters
    word = "keypoint_confidence" if "keypoint_confidence" in known else "confidence"
    return supervision.KeyPoints(
        xy=np.stack([face.landmarks for face in faces]).astype(np.float32),
        class_id=np.zeros(len(faces), dtype=int),
        data={"box": np.stack([face.box for face in faces]), "score": scores},
        **{word: visibility.astype(np.float32)},
    )
