"""The driver: shards handed to Ray's actors, those of lost ones handed out again, until every shard has its file."""

import os
import socket
import sys
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import ray
from ray.exceptions import NodeDiedError, ObjectLostError, OutOfMemoryError, RayActorError, RayTaskError
from tqdm import tqdm

from occlumark.bulk.plan import Plan
from occlumark.bulk.rows import UNREADABLE
from occlumark.bulk.storage import Storage
from occlumark.bulk.worker import ShardWorker, WorkerOptions, shard_file
from occlumark.errors import OcclumarkError, one_line
from occlumark.network_file import usable_cpus

#: Photos in a shard where nothing else is said: half a minute's work, so little is lost with a worker.
PHOTOS_IN_SHARD = 256
# A shard that ends so many workers would end them all.
_MOST_LOSSES = 5
_ANSWER_S = 10.0
_LOST = (RayActorError, NodeDiedError, ObjectLostError, OutOfMemoryError)


class Totals(NamedTuple):
    """What lies in the folder at the end."""

    photos: int
    faces: int
    unreadable: int
    """Photos that could not be read."""
    shards: int
    done_now: int
    """Photos of this call; the others were finished before."""


def run_bulk(
    source: str,
    options: WorkerOptions,
    about: Mapping[str, Any],
    *,
    address: str | None = None,
    workers: int | None = None,
    threads: int = 1,
    photos_in_shard: int = PHOTOS_IN_SHARD,
) -> Totals:
    """Detect in every photo of a source; goes on where an earlier call into the same folder ended, however it ended.

    A shard is finished when its file is there. A file is written whole or not at all, and the same photos give the same
    rows whoever detects in them: so no photo is lost or doubled. A folder on a disk has one driver at a time
    (files.owned_folder), whose lock ends with it.

    Args:
        source: as in Plan.of; of a run that has begun, the plan says which photos there were.
        options: of the workers.
        about: what has to be the same when the run is resumed: networks and options.
        address: of a Ray cluster ("auto", HOST:PORT, ray://HOST:PORT); None: workers on this machine alone.
        workers: how many; None: as many as the cluster has CPUs for.
        threads: CPUs of each.
        photos_in_shard: at most.

    Raises:
        OcclumarkError: there is no photo, the folder is of another run or in use by another driver, a network cannot
            be used, storage or cluster cannot be reached, or a shard has ended its worker several times.
    """
    out = Storage(options.out)
    options = replace(options, out=options.out if "://" in options.out else out.path)  # workers may stand elsewhere
    source = source if "://" in source else str(Path(source).absolute())
    about = {"source": source, "photos_in_shard": photos_in_shard, **about}
    begun = Plan.begun(out, about)
    plan, done_now = begun or Plan.of(source, photos_in_shard), 0
    if begun is None or _unfinished(plan, out):
        with out.owned():
            begun = Plan.begun(out, about)  # by another driver meanwhile
            if begun is None:
                plan.write(out, about)
            plan = begun or plan
            done_now = _finish(plan, out, options, address, workers, threads)
    return _totals(out, plan, done_now)


def _unfinished(plan: Plan, out: Storage) -> list[int]:
    """The shards whose files are not there."""
    there = set(out.files())
    return [shard for shard in range(plan.shards) if shard_file(shard) not in there]


def _finish(
    plan: Plan, out: Storage, options: WorkerOptions, address: str | None, workers: int | None, threads: int
) -> int:
    """Detect in what is not finished; returns how many photos these were."""
    waiting = _unfinished(plan, out)
    if not waiting:
        return 0
    options.build()  # a network that cannot be used is told here, before any worker starts
    _connect(address, workers, threads)
    try:
        return _detect(plan, waiting, options, workers or _room(threads), threads)
    finally:
        ray.shutdown()


def _connect(address: str | None, workers: int | None, threads: int) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    try:
        if address is None:
            cpus = max(usable_cpus(), (workers or 1) * threads)
            ray.init("local", num_cpus=cpus, include_dashboard=False, **quiet)
        else:
            _answers(address)
            ray.init(address, **quiet)
    except (ValueError, RuntimeError, OSError, OverflowError) as error:
        what = f"reach the cluster at {address}" if address else "start Ray on this machine"
        raise OcclumarkError(f"cannot {what}: {' '.join(str(error).split())[:200]}") from error


def _answers(address: str) -> None:
    """Ask for a connection: Ray itself tries for minutes.

    Raises:
        OSError: nobody answers.
    """
    host, sign, port = address.removeprefix("ray://").rpartition(":")
    if sign and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()


def _room(threads: int) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)


def _detect(plan: Plan, shards: Sequence[int], options: WorkerOptions, workers: int, threads: int) -> int:
    """Run the shards; returns how many photos they hold."""
    actor = ray.remote(num_cpus=threads, max_restarts=0, max_task_retries=0)(ShardWorker)
    shared = ray.put(options)
    waiting, losses = deque(shards), Counter[int]()
    running: dict[Any, tuple[Any, int]] = {}
    done = 0

    def give(worker: Any) -> None:
        shard = waiting.popleft()
        running[worker.run.remote(shard, plan.photos_of(shard))] = (worker, shard)

    total = sum(map(plan.count_of, shards))
    with tqdm(total=total, desc="detecting", unit="photo", disable=None) as bar:
        for _ in range(min(workers, len(shards))):
            give(actor.remote(shared))
        while running:
            (ready,), _ = ray.wait(list(running), num_returns=1)
            worker, shard = running.pop(ready)
            try:
                photos = ray.get(ready).photos
            except _LOST as error:
                losses[shard] += 1
                if losses[shard] >= _MOST_LOSSES:
                    first, *_, last = [photo for photo, _ in plan.photos_of(shard)] * 2
                    raise OcclumarkError(
                        f"shard {shard} ({first} to {last}) has ended its worker {_MOST_LOSSES} times: "
                        f"{' '.join(str(error).split())[:200]}"
                    ) from error
                waiting.appendleft(shard)
                worker = actor.remote(shared)
                print(f"occlumark: a worker was lost; shard {shard} is begun again", file=sys.stderr, flush=True)
            except RayTaskError as error:
                if isinstance(error.cause, OcclumarkError):
                    raise OcclumarkError(str(error.cause)) from error
                raise
            else:
                done += photos
                bar.update(photos)
            if waiting:
                give(worker)
            else:
                ray.kill(worker)  # its CPU is another's
    return done


def _totals(out: Storage, plan: Plan, done_now: int) -> Totals:
    """Count what is there.

    Raises:
        OcclumarkError: a shard's file has been damaged or removed since.
    """
    photos = faces = unreadable = 0
    for shard in range(plan.shards):
        try:
            with out.open(shard_file(shard)) as file:
                read = pq.read_table(file, columns=["status", "face"])
        except (OSError, pa.ArrowException) as error:
            name = f"{out.place}/{shard_file(shard)}"
            raise OcclumarkError(f"{name} is damaged; remove it and run again: {one_line(str(error))[:100]}") from error
        faces += len(read) - read["face"].null_count
        photos += int(pc.sum(pc.equal(pc.fill_null(read["face"], 1), 1)).as_py())
        unreadable += int(pc.sum(pc.equal(read["status"], UNREADABLE)).as_py())
    if photos != len(plan.table):
        raise OcclumarkError(f"{out.place} holds {photos} of {len(plan.table)} photos: its files have been altered")
    return Totals(photos, faces, unreadable, plan.shards, done_now)
