"""What is to be done: every photo once, in shards of a fixed order. Written down first; resuming follows it."""

import glob
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from occlumark.bulk.storage import Storage
from occlumark.errors import OcclumarkError
from occlumark.packaged import packaged_names, packaged_weights
from occlumark.photo import PHOTO_SUFFIXES, find_photos

#: Beside the shards; readers of a folder of Parquet files pass over names that begin so.
PLAN_FILE, ABOUT_FILE = "_plan.parquet", "_about.json"
FORMAT = 1
_PARQUET = (".parquet", ".pq")
_SCHEMA = pa.schema([("shard", pa.int32()), ("photo", pa.string()), ("row", pa.int64())])


@dataclass(frozen=True)
class Plan:
    """The photos of a run."""

    table: pa.Table
    """A row per photo: `shard`, from 0; `photo`, a path or URL; `row`, of a Parquet file of photos, else -1."""

    @property
    def shards(self) -> int:
        """How many."""
        return int(self.table["shard"][-1].as_py()) + 1

    def photos_of(self, shard: int) -> list[tuple[str, int]]:
        """The photos and rows of a shard."""
        part = self.table.slice(self._begins[shard], self.count_of(shard))
        return list(zip(part["photo"].to_pylist(), part["row"].to_pylist(), strict=True))

    def count_of(self, shard: int) -> int:
        """How many photos a shard has."""
        return int(self._begins[shard + 1] - self._begins[shard])

    @cached_property
    def _begins(self) -> np.ndarray:
        """The row at which each shard begins, and the end of the last."""
        return np.asarray(self.table["shard"].to_numpy().searchsorted(np.arange(self.shards + 1)))

    @classmethod
    def of(cls, source: str, photos_in_shard: int) -> "Plan":
        """Every photo of a source.

        Args:
            source: a photo, a folder or a glob pattern; a .txt file with a path or URL a line; a .parquet file, or
                folder of them, with the photos' bytes; all of them local or by URL, but patterns.
            photos_in_shard: at most; a shard is of one row group of one Parquet file.

        Raises:
            OcclumarkError: there is no photo.
        """
        rows = _parquet_rows(source, photos_in_shard) if _is_parquet(source) else _photo_rows(source, photos_in_shard)
        columns = list(zip(*rows, strict=True))
        if not columns:
            raise OcclumarkError(f"no photo in {source}")
        columns[1] = tuple(_in_utf8(name) for name in columns[1])
        return cls(pa.table([pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA))

    def write(self, out: Storage, about: Mapping[str, Any]) -> None:
        """Write the plan, then what the run is of: it has begun when both are there."""
        content = io.BytesIO()
        pq.write_table(self.table, content, compression="zstd")
        out.write(PLAN_FILE, content.getvalue())
        text = {"format": FORMAT, "plan": hashlib.sha256(content.getvalue()).hexdigest(), **about}
        out.write(ABOUT_FILE, json.dumps(text, indent=1).encode())

    @classmethod
    def begun(cls, out: Storage, about: Mapping[str, Any]) -> "Plan | None":
        """The plan of the run that has begun there; None: none has.

        Raises:
            OcclumarkError: it is of another source, network or options, or its files are damaged.
        """
        if not out.exists(ABOUT_FILE):
            if any(name != PLAN_FILE for name in out.files()):
                raise OcclumarkError(f"{out.place} holds files that are of no run; name another folder")
            return None
        try:
            found, content = json.loads(out.read(ABOUT_FILE)), out.read(PLAN_FILE)
            if found["plan"] != hashlib.sha256(content).hexdigest():
                raise ValueError("the plan is another one")
            table = pq.read_table(io.BytesIO(content))
        except (ValueError, KeyError, TypeError, OSError, pa.ArrowException) as error:
            raise OcclumarkError(f"{out.place} is damaged: {error}; name another folder") from error
        for key, value in {"format": FORMAT, **about}.items():
            if found.get(key) != value:
                raise OcclumarkError(
                    f"{out.place} was begun with {key} {_named(found.get(key))}, not {_named(value)}: "
                    "resume with the same, or name another folder"
                )
        return cls(table)


def _named(value: Any) -> str:
    """A setting as it is shown: a packaged network's SHA-256 with its name."""
    names = [name for name in packaged_names() if packaged_weights(name)[1] == value]
    return f"{names[0]} ({value[:12]}...)" if names else repr(value)


def _in_utf8(name: str) -> str:
    """A file's name as the plan can hold it; one that is not UTF-8 names no file then: it becomes an unreadable row."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_parquet(source: str) -> bool:
    if "://" not in source and not Path(source).exists() and glob.has_magic(source):
        return False
    place = Storage(source)
    if not place.is_folder():
        return source.lower().endswith(_PARQUET)
    data = _data_files(place)
    if data and (photo := next(filter(_is_photo, place.files()), None)):
        raise OcclumarkError(
            f"{source} holds photos and Parquet files, as {photo} and {data[0]}; name the folder of one, a pattern "
            "or a list"
        )
    return bool(data)


def _photo_rows(source: str, photos_in_shard: int) -> Iterator[tuple[int, str, int]]:
    for number, photo in enumerate(_photos(source)):
        yield number // photos_in_shard, photo, -1


def _photos(source: str) -> list[str]:
    """Each once: a photo that is named twice would be two rows that nobody can tell apart."""
    if source.lower().endswith(".txt"):
        lines = Storage(source).read().decode("utf-8-sig", "replace").splitlines()
        named = [line.strip() for line in lines if line.strip()]
        return list(dict.fromkeys(name if "://" in name else str(Path(name).absolute()) for name in named))
    if "://" not in source:
        if not glob.has_magic(source) and not Path(source).exists():
            raise OcclumarkError(f"no such file or folder: {source}")
        return list(dict.fromkeys(str(path.absolute()) for path in find_photos([source])))
    place = Storage(source)
    if not place.is_folder():
        return [source]
    return [_below(source, name) for name in place.files() if _is_photo(name)]


def _is_photo(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES and not any(
        part.startswith(".") for part in name.split("/")
    )


def _below(source: str, name: str) -> str:
    """What lies below a folder, as a path or a URL."""
    if "://" not in source:
        return f"{source.rstrip('/')}/{name}"
    folder, sign, query = source.partition("?")
    return f"{folder.rstrip('/')}/{quote(name)}{sign}{query}"


def _parquet_rows(source: str, photos_in_shard: int) -> Iterator[tuple[int, str, int]]:
    place, shard = Storage(source), -1
    for name in _data_files(place) if place.is_folder() else [""]:
        file = _below(source, name) if name else source
        if "://" not in file:
            file = Storage(file).path
        try:
            metadata = pq.read_metadata(place.open(name))
        except (OSError, pa.ArrowException) as error:
            raise OcclumarkError(f"{file} is no Parquet file: {' '.join(str(error).split())[:200]}") from error
        first = 0
        for group in range(metadata.num_row_groups):
            count = metadata.row_group(group).num_rows
            for row in range(count):
                shard += row % photos_in_shard == 0
                yield shard, file, first + row
            first += count


def _data_files(place: Storage) -> list[str]:
    """The Parquet files in a folder, as readers of one have it, without those that a run wrote."""
    names = place.files()
    runs = {str(PurePosixPath(name).parent) for name in names if PurePosixPath(name).name == ABOUT_FILE}
    return [name for name in names if _is_data(name) and str(PurePosixPath(name).parent) not in runs]


def _is_data(name: str) -> bool:
    return name.lower().endswith(_PARQUET) and not any(part.startswith(("_", ".")) for part in name.split("/"))
