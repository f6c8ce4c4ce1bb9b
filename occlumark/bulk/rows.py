"""The rows of a shard: one a face, and one for each photo without a face or that cannot be read, in typed columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from occlumark.face import Face
from occlumark.markup import Markup

FACE, NO_FACE, UNREADABLE = "face", "no_face", "unreadable"


def schema(markup: Markup) -> pa.Schema:
    """The columns, of faces of a markup; the file's metadata has the markup's name and its landmarks' names.

    What a face has is null in the rows of photos without; what a network does not predict is null as well.
    """
    number = pa.float32()
    points = pa.list_(pa.list_(number, 2))
    fields = [
        pa.field("photo", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        ("error", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("face", pa.int16()),
        ("score", number),
        ("box", pa.list_(number)),
        ("landmarks", points),
        ("visibility", pa.list_(number)),
        ("expected_error", pa.list_(number)),
        ("presence", number),
        ("hidden_regions", pa.struct([(name, number) for name in markup.regions])),
        ("yaw_deg", number),
        ("pitch_deg", number),
        ("roll_deg", number),
        ("eye_openness", pa.list_(number)),
        ("mouth_openness", number),
        ("occlusion_map", pa.list_(pa.list_(pa.uint8()))),
        ("crop_matrix", pa.list_(pa.float64())),
        ("crop_size", pa.int32()),
    ]
    return pa.schema(fields, {"markup": markup.name, "landmarks": "\n".join(markup.names)})


def face_rows(photo: str, height: int, width: int, faces: Sequence[Face]) -> list[dict[str, Any]]:
    """The rows of a photo that was read."""
    about = {"photo": photo, "width": width, "height": height}
    if not faces:
        return [{**about, "status": NO_FACE}]
    return [{**about, "status": FACE, "face": i, **_values(face)} for i, face in enumerate(faces, 1)]


def unreadable_row(photo: str, error: str) -> dict[str, Any]:
    """The row of a photo that could not be read."""
    return {"photo": photo, "status": UNREADABLE, "error": error}


def table(rows: Sequence[dict[str, Any]], columns: pa.Schema) -> pa.Table:
    """The rows under the schema; a key that a row lacks is null."""
    return pa.Table.from_pylist(list(rows), columns)


def _values(face: Face) -> dict[str, Any]:
    markup = face.markup
    posed = None not in (markup.pupils, markup.nose_tip, markup.mouth_corners)
    yaw, pitch, roll = face.pose if posed else (None, None, None)
    return {
        "score": face.score,
        "box": face.box.tolist(),
        "landmarks": face.landmarks.tolist(),
        "visibility": face.visibility.tolist(),
        "expected_error": face.expected_error.tolist() if face.has_expected_error else None,
        "presence": _or_none(face.presence),
        "hidden_regions": face.hidden_regions(),
        "yaw_deg": yaw,
        "pitch_deg": pitch,
        "roll_deg": roll,
        "eye_openness": None if np.isnan(face.eye_openness).any() else face.eye_openness.tolist(),
        "mouth_openness": _or_none(face.mouth_openness),
        "occlusion_map": np.round(255 * face.occlusion_map).astype(int).tolist(),
        "crop_matrix": face.crop.matrix.ravel().tolist(),
        "crop_size": face.crop.size,
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
