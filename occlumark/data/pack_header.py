"""The head of a pack: a safetensors header of a fixed room, right when it is the one that we would write ourselves."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import numpy as np

from occlumark.config import Checked, Range, shown
from occlumark.crop import CropConfig
from occlumark.errors import CheckpointError
from occlumark.markup import MOST_LANDMARKS, N_LANDMARKS

FORMAT = 2
#: Packs of format 1 know no occlusion and no groups; they are read as if nobody had looked.
OLDEST = 1
HEADER_ROOM = 4096
DTYPES: dict[str, np.dtype[Any]] = {"U8": np.dtype("u1"), "F32": np.dtype("<f4")}


@dataclass(frozen=True)
class PackConfig(Checked):
    """How the crops of a pack are cut: larger and wider than the network's, as augmentation needs room."""

    size: Annotated[int, Range(32, 1024, multiple_of=32)] = 320
    """Side of a packed crop in pixels. Ours."""
    extent: Annotated[float, Range(1, 3)] = 1.9
    """Side of a packed crop over the longer side of the face's tight landmark box. Ours."""

    @property
    def crop(self) -> CropConfig:
        """The same as a crop's configuration."""
        return CropConfig(size=self.size, scale=self.extent)


class PackContents(NamedTuple):
    """What decides a pack's header."""

    config: PackConfig
    faces: int
    n_landmarks: int
    names_bytes: int
    format: int


def pack_layout(contents: PackContents) -> dict[str, dict[str, Any]]:
    """The safetensors entries, in the order of the file."""
    config, count, n_landmarks, names_bytes, version = contents
    kinds: list[tuple[str, str, list[int]]] = [
        ("crops", "U8", [count, config.size, config.size, 3]),
        ("landmarks", "F32", [count, n_landmarks, 2]),
        ("tight_boxes", "F32", [count, 4]),
        ("official_boxes", "F32", [count, 4]),
        ("zooms", "F32", [count]),
        ("occlusion", "U8", [count, n_landmarks]),
        ("exact", "U8", [count, n_landmarks]),
        ("names", "U8", [names_bytes]),
    ]
    if version == OLDEST:
        kinds = [kind for kind in kinds if kind[0] not in ("occlusion", "exact")]
    layout, start = {}, 0
    for name, dtype, shape in kinds:
        end = start + math.prod(shape) * DTYPES[dtype].itemsize
        layout[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
        start = end
    return layout


def pack_header(contents: PackContents, key: str = "n_landmarks") -> bytes:
    """The first HEADER_ROOM bytes of a pack. Those of 68 points, as all older ones are, do not name their number."""
    config, count, n_landmarks, names_bytes, version = contents
    about: dict[str, Any] = {"format": version, "kind": "pack", "faces": count, "names_bytes": names_bytes}
    about["config"] = asdict(config)
    if n_landmarks != N_LANDMARKS:
        about[key] = n_landmarks
    about["digest"] = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    content = {"__metadata__": {"occlumark": json.dumps(about)}, **pack_layout(contents)}
    text = json.dumps(content).encode().ljust(HEADER_ROOM - 8)
    return len(text).to_bytes(8, "little") + text


def read_pack_header(path: Path, file: BinaryIO, file_bytes: int) -> tuple[PackContents, dict[str, dict[str, Any]]]:
    """Check a pack's header and size. A header is right when it is the one that we would write ourselves."""
    found = file.read(HEADER_ROOM)
    try:
        about = json.loads(json.loads(found[8:])["__metadata__"]["occlumark"])
        kind, version = about["kind"], about["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a pack; write one with: occlumark pack DIR --out FILE") from error
    if kind != "pack" or version not in (OLDEST, FORMAT):
        raise CheckpointError(
            f"{path}: expected a pack of format {FORMAT}, came {shown(kind)} of format {shown(version)}; pack again"
        )
    key = "markup" if "markup" in about else "n_landmarks"  # the former in older packs
    try:
        contents = PackContents(
            PackConfig(**about["config"]),
            int(about["faces"]),
            _count(about.get(key, N_LANDMARKS)),
            int(about["names_bytes"]),
            int(version),
        )
        expected = pack_header(contents, key)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise CheckpointError(f"pack {path} has an altered header; pack again") from error
    if found != expected or contents.faces < 1 or contents.names_bytes < 1:
        raise CheckpointError(f"pack {path} has an altered header; pack again")
    layout = pack_layout(contents)
    expected_bytes = HEADER_ROOM + layout["names"]["data_offsets"][1]
    if file_bytes != expected_bytes:
        whole = f"expected {expected_bytes} bytes, came {file_bytes}"
        raise CheckpointError(f"pack {path} is not whole: {whole}; pack again")
    return contents, layout


def _count(value: object) -> int:
    if type(value) is not int or not 2 <= value <= MOST_LANDMARKS:
        raise ValueError(f"{shown(value)} landmarks")
    return value
