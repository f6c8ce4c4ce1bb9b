"""One of many workers: a Detector, and the shards that it is given."""

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from occlumark.bulk.rows import face_rows, schema, table, unreadable_row
from occlumark.bulk.storage import Storage
from occlumark.detect import Detector
from occlumark.errors import OcclumarkError
from occlumark.finder import NetworkFinder
from occlumark.photo import MAX_PIXELS, ReducedPhoto, read_reduced

#: Where the photos of a Parquet file are looked for, and their names, if nothing is said.
BYTES_COLUMNS, NAME_COLUMNS = ("bytes", "image", "jpg", "content"), ("photo", "path", "name", "file_name", "url")


@dataclass(frozen=True)
class WorkerOptions:
    """What every worker needs; it travels to other machines, networks of one's own with it."""

    out: str
    """Folder of the shards, a path or URL that every worker reaches."""
    detector: Mapping[str, Any] = field(default_factory=dict)
    """Detector's arguments but weights and face_finder."""
    finder: Mapping[str, Any] = field(default_factory=dict)
    """NetworkFinder's arguments but weights."""
    weights: bytes | None = None
    """Content of an exported landmark network; None: the packaged one."""
    finder_weights: bytes | None = None
    """Content of an exported face finder; None: the packaged one."""
    max_pixels: int = MAX_PIXELS
    """A photo with more is not decoded."""
    bytes_column: str = ""
    """Of a Parquet file's photos; empty: the first of BYTES_COLUMNS that is there."""
    name_column: str = ""
    """Of a Parquet file's photos; empty: the first of NAME_COLUMNS that is there; none: FILE#ROW."""

    def build(self) -> Detector:
        """The detector.

        Raises:
            OcclumarkError: a network cannot be used.
        """
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            files: dict[str, Path | None] = {}
            for name, content in (("landmarks", self.weights), ("finder", self.finder_weights)):
                files[name] = None if content is None else folder / f"{name}.onnx"
                if content is not None:
                    (folder / f"{name}.onnx").write_bytes(content)
            finder = NetworkFinder(weights=files["finder"], **self.finder)
            return Detector(weights=files["landmarks"], face_finder=finder, **self.detector)


class ShardDone(NamedTuple):
    """What came of a shard."""

    shard: int
    photos: int


class ShardWorker:
    """Detects in shards; what Ray runs as an actor.

    Args:
        options: of the run.

    Raises:
        OcclumarkError: a network cannot be used.
    """

    def __init__(self, options: WorkerOptions) -> None:
        import cv2

        cv2.setNumThreads(1)  # one worker a CPU: more threads would wait for one another
        self.options, self.detector = options, options.build()
        self._columns = schema(self.detector.markup)

    def run(self, shard: int, photos: Sequence[tuple[str, int]]) -> ShardDone:
        """Detect in a shard's photos and write its file, whole or not at all.

        Args:
            shard: its number.
            photos: path or URL of each, and its row where that is a Parquet file, else -1.

        Raises:
            OcclumarkError: the file cannot be written, or the Parquet file of the photos cannot be read.
        """
        rows: list[list[dict[str, Any]]] = []  # of each photo
        read: list[tuple[int, str, int, int]] = []  # place among all, name, height and width of those that were read

        reduction = self.detector.most_reduction()

        def readable() -> Iterator[ReducedPhoto]:
            for name, content in self._contents(photos):
                try:
                    photo = read_reduced(
                        content() if callable(content) else content, reduction, self.options.max_pixels
                    )
                except OcclumarkError as error:
                    rows.append([unreadable_row(name, str(error))])
                    continue
                read.append((len(rows), name, *photo.size))
                rows.append([])
                yield photo

        for number, found in enumerate(self.detector.detect_many(readable())):
            place, name, height, width = read[number]
            failed = found.error is not None
            rows[place] = (
                [unreadable_row(name, str(found.error))] if failed else face_rows(name, height, width, found.faces)
            )
        whole = table([row for of_photo in rows for row in of_photo], self._columns)
        written = io.BytesIO()
        pq.write_table(whole, written, compression="zstd")
        Storage(self.options.out).write(shard_file(shard), written.getvalue())
        return ShardDone(shard, len(photos))

    def _contents(self, photos: Sequence[tuple[str, int]]) -> Iterator[tuple[str, Any]]:
        """Name and content of each photo; of a file of its own a function that reads it."""
        if photos and photos[0][1] >= 0:
            yield from self._contents_of_rows(photos[0][0], photos[0][1], len(photos))
            return
        for place, _ in photos:
            yield place, lambda place=place: Storage(place).read()  # a place that cannot be read is a row

    def _contents_of_rows(self, place: str, first: int, count: int) -> Iterator[tuple[str, Any]]:
        """Of rows of one row group of a Parquet file."""
        try:
            file = pq.ParquetFile(Storage(place).open())
            group, start = 0, 0
            while start + file.metadata.row_group(group).num_rows <= first:
                start += file.metadata.row_group(group).num_rows
                group += 1
            columns = file.schema_arrow
            column = _column(place, columns, self.options.bytes_column, BYTES_COLUMNS, _holds_photos)
            usual = [each for each in NAME_COLUMNS if each != column]
            name = _column(place, columns, self.options.name_column, usual)
            read = file.read_row_group(group, columns=[c for c in (column, name) if c]).slice(first - start, count)
        except (OSError, pa.ArrowException) as error:
            raise OcclumarkError(f"cannot read {place}: {' '.join(str(error).split())[:200]}") from error
        values = read[column].to_pylist()
        told = read[name].to_pylist() if name else [None] * count
        for i, (value, given) in enumerate(zip(values, told, strict=True)):
            content = value.get("bytes") if isinstance(value, dict) else value  # datasets' images are such structures
            if isinstance(given, bytes):
                given = given.decode(errors="backslashreplace")
            yield str(given) if given is not None else f"{place}#{first + i}", _nothing if content is None else content


def shard_file(shard: int) -> str:
    """The name of a shard's file."""
    return f"shard-{shard:07}.parquet"


def _column(
    place: str,
    columns: pa.Schema,
    wanted: str,
    usual: Sequence[str],
    is_right: Callable[[pa.DataType], bool] | None = None,
) -> str:
    """The column wanted, or the first usual one of a right type; empty where there is none and none has to be."""
    names = [wanted] if wanted else usual
    found = [name for name in names if name in columns.names and (not is_right or is_right(columns.field(name).type))]
    if not found and (is_right or wanted):
        expected = f"column '{wanted}'" if wanted else f"column {' or '.join(usual)}"
        has = ", ".join(f"{column.name} ({column.type})"[:60] for column in list(columns)[:10])
        of_what = " of bytes" if is_right else ""
        raise OcclumarkError(
            f"{place} has no {expected}{of_what}; it has {has}; --bytes-column and --name-column name others"
        )
    return found[0] if found else ""


def _holds_photos(kind: pa.DataType) -> bool:
    """Whether a column's values are bytes, or structures with bytes, as data sets of images have it."""
    types = pa.types
    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_photos(kind.field("bytes").type)
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)


def _nothing() -> bytes:
    raise OcclumarkError("its row holds no bytes")
