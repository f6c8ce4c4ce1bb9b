"""The pack: every crop of a training set in one file, so that training reads no JPEG.

The file is a valid safetensors file. Its header has a fixed room, padded with spaces, because the number of
faces is known only at the end; the crops come first and are streamed, the small arrays follow.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from tqdm import tqdm

from occlumark.crop import CropTransform
from occlumark.data.pack_header import (
    DTYPES,
    FORMAT,
    HEADER_ROOM,
    OLDEST,
    PackConfig,
    PackContents,
    pack_header,
    read_pack_header,
)
from occlumark.data.packed_crops import PackedCrops
from occlumark.data.sample import Problem, Sample
from occlumark.errors import CheckpointError, ConfigError, OcclumarkError, PhotoError
from occlumark.files import written_whole
from occlumark.markup import MARKUPS, W300, Markup, markup_of

#: What is known of a landmark (Pack.occlusion), and whose place it is (Pack.exact).
VISIBLE, OCCLUDED, UNKNOWN, BY_NETWORK = 0, 1, 2, 2


@dataclass(frozen=True, eq=False)
class Pack:
    """An opened pack of n faces: its crops on the disk, the small arrays in memory."""

    config: PackConfig
    crops: PackedCrops
    """(n, size, size, 3) uint8, RGB, each read when it is asked for."""
    landmarks: np.ndarray
    """(n, 68, 2), or the points of another markup; float32, pixels of the packed crop, NaN where not annotated."""
    tight_boxes: np.ndarray
    """(n, 4) float32, x0, y0, x1, y1 in pixels of the packed crop."""
    official_boxes: np.ndarray
    """(n, 4) float32, as tight_boxes; NaN where the data set has no box."""
    zooms: np.ndarray
    """(n,) float32, packed pixels per photo pixel: above 1 the crop was enlarged."""
    occlusion: np.ndarray
    """(n, 68) uint8: VISIBLE, OCCLUDED by something real, or UNKNOWN."""
    exact: np.ndarray
    """(n, 68) uint8: 1 where the place is good enough to train landmarks, 0 where it only tells where to look;
    BY_NETWORK on faces that a network labelled, which train and never validate."""
    names: list[str]
    """The samples' names."""
    groups: list[str]
    """For each face the name of its group, whose faces are of one photo under several names; empty: of none."""
    markup: Markup
    """Which landmark is which."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def n_landmarks(self) -> int:
        """How many landmarks a face has."""
        return int(self.landmarks.shape[1])

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Pack":
        """Open a pack. Reads everything but the crops.

        Raises:
            CheckpointError: no such file, truncated, altered, of another format or not a pack.
        """
        path = Path(path)
        arrays: dict[str, np.ndarray] = {}
        try:
            with path.open("rb") as file:
                contents, layout = read_pack_header(path, file, os.fstat(file.fileno()).st_size)
                crops = PackedCrops(path, HEADER_ROOM, tuple(layout.pop("crops")["shape"]))
                for name, entry in layout.items():
                    start, end = entry["data_offsets"]
                    file.seek(HEADER_ROOM + start)
                    values = np.frombuffer(file.read(end - start), DTYPES[entry["dtype"]])
                    arrays[name] = values.reshape(entry["shape"])
        except (OSError, ValueError) as error:  # the latter: shorter than a moment ago, or a null byte in the name
            raise CheckpointError(f"cannot read pack {path}: {getattr(error, 'strerror', None) or error}") from error
        if not np.isfinite(arrays["tight_boxes"]).all() or np.isinf(arrays["landmarks"]).any():
            raise CheckpointError(f"pack {path} is altered: a face's place is not finite; pack again")
        try:
            names = json.loads(bytes(arrays.pop("names")))
            groups, markup = [""] * contents.faces, None
            if contents.format > OLDEST:
                names, groups, markup = names["names"], names["groups"], names.get("markup")
            markup = _markup(markup, contents.n_landmarks)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError, ConfigError) as error:
            raise CheckpointError(f"pack {path} is altered: its names are no JSON of names; pack again") from error
        if not all(isinstance(part, list) and [*map(type, part)] == [str] * contents.faces for part in (names, groups)):
            raise CheckpointError(f"pack {path} is altered: expected {contents.faces} names; pack again")
        if contents.format == OLDEST:
            shape = arrays["landmarks"].shape[:2]
            arrays |= {"occlusion": np.full(shape, UNKNOWN, np.uint8), "exact": np.ones(shape, np.uint8)}
        return cls(config=contents.config, crops=crops, names=names, groups=groups, markup=markup, **arrays)


def write_pack(
    samples: Sequence[Sample],
    path: str | os.PathLike[str],
    config: PackConfig = PackConfig(),
    around: Literal["tight", "official"] = "tight",
) -> tuple[int, list[Problem]]:
    """Cut every sample's crop from its photo, around its box, and write them all to one file.

    One photo is held at a time. The file takes its name only when it is whole: until then it is
    under another name beside it, and is removed when packing stops early (files.written_whole).

    Args:
        samples: the faces, in the order of the pack, all of one markup.
        path: the file to write.
        config: size and extent of the crops.
        around: the tight box; or the official one where there is one, for markups whose tight box is not the face's.

    Returns:
        The number of faces packed, and those left out: the photo cannot be read, or the landmarks lie outside it.

    Raises:
        OcclumarkError: not enough room on the disk, the file cannot be written, or no photo can be read.
        ValueError: faces of several markups.
    """
    path = Path(path)
    markups = sorted({sample.markup for sample in samples}, key=lambda markup: markup.n)
    if len(markups) > 1:
        raise ValueError(f"a pack is of one markup, not of {' and '.join(str(each.n) for each in markups)} points")
    small = _SmallArrays(len(samples), markups[0] if markups else W300)
    problems: list[Problem] = []
    with written_whole(path) as file:
        _check_room(path, len(samples), config)
        file.write(b" " * HEADER_ROOM)
        for sample in tqdm(samples, "packing", unit="face", disable=None):
            try:
                photo = sample.read_photo()
            except PhotoError as error:
                problems.append(Problem(sample.name, str(error)))
                continue
            x0, y0, x1, y1 = sample.tight_box
            if x0 >= photo.shape[1] or y0 >= photo.shape[0] or x1 <= 0 or y1 <= 0:
                problems.append(Problem(sample.name, "the landmarks lie outside the photo"))
                continue
            official = sample.official_box if around == "official" else None
            transform = CropTransform.from_box(sample.tight_box if official is None else official, config.crop)
            file.write(transform.cut(photo).data)
            small.add(sample, transform)
        if not small.names:
            reason = f"; the first: {problems[0].reason}" if problems else ""
            raise OcclumarkError(f"nothing to pack: no face of {len(samples)} can be used{reason}")
        small.write(file, config)
    return len(small.names), problems


class _SmallArrays:
    """What a pack holds of its faces besides the crops.

    The room is taken at once: arrays kept one by one between the photos would leave the memory in splinters.
    """

    def __init__(self, most: int, markup: Markup) -> None:
        self.markup, n_landmarks = markup, markup.n
        self.landmarks = np.empty((most, n_landmarks, 2), "<f4")
        self.tight_boxes = np.empty((most, 4), "<f4")
        self.official_boxes = np.full((most, 4), np.nan, "<f4")
        self.zooms = np.empty(most, "<f4")
        self.occlusion = np.full((most, n_landmarks), UNKNOWN, "u1")
        self.exact = np.ones((most, n_landmarks), "u1")
        self.names: list[str] = []
        self.groups: list[str] = []

    def add(self, sample: Sample, transform: CropTransform) -> None:
        row = len(self.names)
        self.landmarks[row] = transform.to_crop(sample.landmarks)
        self.tight_boxes[row] = transform.to_crop(sample.tight_box.reshape(2, 2)).ravel()
        if sample.official_box is not None:
            self.official_boxes[row] = transform.to_crop(sample.official_box.reshape(2, 2)).ravel()
        self.zooms[row] = transform.zoom
        if sample.occluded is not None:
            known = np.where(sample.occluded, OCCLUDED, VISIBLE)
            self.occlusion[row] = known if sample.unknown is None else np.where(sample.unknown, UNKNOWN, known)
        own = BY_NETWORK if sample.labelled_by_network else 1
        self.exact[row] = own if sample.inexact is None else own * ~sample.inexact
        self.names.append(sample.name)
        self.groups.append(sample.group)

    def write(self, file: BinaryIO, config: PackConfig) -> None:
        """Append the arrays to the crops, then fill in the header."""
        about: dict[str, Any] = {"names": self.names, "groups": self.groups}
        if self.markup != MARKUPS.get(self.markup.n):
            about["markup"] = self.markup.to_json()
        count, names = len(self.names), json.dumps(about).encode()
        contents = PackContents(config, count, self.landmarks.shape[1], len(names), FORMAT)
        for array in (self.landmarks, self.tight_boxes, self.official_boxes, self.zooms, self.occlusion, self.exact):
            file.write(array[:count].data)
        file.write(names)
        file.seek(0)
        file.write(pack_header(contents))


def _markup(values: Any, n_landmarks: int) -> Markup:
    """Of a pack's faces; packs of the package's markups, as all older ones are, do not name it."""
    found = MARKUPS[n_landmarks] if values is None else markup_of(values)
    if found.n != n_landmarks:
        raise ConfigError(f"{n_landmarks} landmarks, its markup has {found.n}")
    return found


def _check_room(path: Path, count: int, config: PackConfig) -> None:
    needed = HEADER_ROOM + count * (config.size**2 * 3 + 1024)
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise OcclumarkError(
            f"no room for {path}: {count} faces need {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are free; "
            "make room, or choose another --out or a smaller --size"
        )
