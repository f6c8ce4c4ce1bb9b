"""`occlumark bulk`: millions of photos into a folder of Parquet files, on one machine or a cluster."""

import argparse
import hashlib
import time
from typing import Any

from occlumark.cli.options import OF_DETECTOR, OF_FINDER, add_network_options, megapixels, positive_count, take_old_word

_DESCRIPTION = """\
Find the faces of many photos and their landmarks, and write them to a folder of Parquet files: a row a face, and one
for each photo without a face or that cannot be read.

SOURCE is a folder, a pattern, a .txt file with a path or URL a line, or Parquet with the photos' bytes; a path or a URL
such as s3://bucket/photos. OUT is a folder, a path or URL. Killed at any moment, the same command goes on after the
last finished shard; photos that came since are not taken. Photos that cannot be read are rows, not an error.
"""
_EXAMPLES = """\
examples:
  occlumark bulk photos/ faces.parquet
  occlumark bulk s3://bucket/photos s3://bucket/faces.parquet --address auto
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "bulk",
        help="find faces in millions of photos, on one machine or a cluster",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("source", metavar="SOURCE", help="a folder, a pattern, a .txt list, or Parquet; a path or URL")
    add("out", metavar="OUT", help="folder for the Parquet files, a path or URL that every worker reaches")
    add("--address", metavar="A", help="a Ray cluster: auto, HOST:PORT or ray://HOST:PORT (default: this machine)")
    add("--workers", type=positive_count, metavar="N", help="detectors at once (default: one a CPU)")
    add("--shard", type=positive_count, default=256, metavar="N", help="photos in a file (default: %(default)s)")
    add("--bytes-column", default="", metavar="C", help="of Parquet: the photos' bytes (default: bytes, image, ...)")
    add("--name-column", default="", metavar="C", help="of Parquet: their names (default: photo, path, ...)")
    add(
        "--max-megapixels",
        dest="max_pixels",
        type=megapixels,
        default=100_000_000,
        metavar="N",
        help="larger photos are not decoded (default 100)",
    )
    add_network_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Detect, print the totals."""
    from occlumark.errors import ConfigError

    try:
        from occlumark.bulk.run import run_bulk
        from occlumark.bulk.worker import WorkerOptions
    except ModuleNotFoundError as error:
        raise ConfigError(f"bulk needs {error.name}: pip install '.[bulk]' in a clone") from error
    take_old_word(args)
    args.threads = args.threads or 1
    options = WorkerOptions(
        out=args.out,
        detector=_given(args, OF_DETECTOR),
        finder=_given(args, OF_FINDER),
        weights=_content(args.weights),
        finder_weights=_content(args.finder),
        max_pixels=args.max_pixels,
        bytes_column=args.bytes_column,
        name_column=args.name_column,
    )
    began = time.perf_counter()
    totals = run_bulk(
        args.source,
        options,
        _about(options),
        address=args.address,
        workers=args.workers,
        threads=args.threads,
        photos_in_shard=args.shard,
    )
    seconds = time.perf_counter() - began
    rate = f"{totals.done_now:,} photos now, {totals.done_now / seconds:.1f} per second"
    print(
        f"{totals.photos:,} photos, {totals.faces:,} faces, {totals.unreadable:,} unreadable, "
        f"{totals.shards:,} files in {args.out}; {rate}"
    )
    return 0


def _given(args: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _content(path: Any) -> bytes | None:
    from occlumark.errors import CheckpointError

    try:
        return None if path is None else bytes(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error


def _about(options: Any) -> dict[str, Any]:
    """What decides the rows, for a file of JSON: networks by their SHA-256."""
    from occlumark.packaged import DEFAULT_MODEL, packaged_finder, packaged_weights

    packaged = packaged_weights(options.detector.get("model", DEFAULT_MODEL))[1], packaged_finder()[1]
    networks = [
        own if content is None else hashlib.sha256(content).hexdigest()
        for own, content in zip(packaged, (options.weights, options.finder_weights), strict=True)
    ]
    # The number of threads changes no row.
    detector, finder = (
        {k: v for k, v in part.items() if k != "threads"} for part in (options.detector, options.finder)
    )
    return {
        "landmarks": networks[0],
        "face_finder": networks[1],
        "detector": detector,
        "finder": finder,
        "max_pixels": options.max_pixels,
        "bytes_column": options.bytes_column,
        "name_column": options.name_column,
    }
