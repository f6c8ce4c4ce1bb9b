"""Feed damaged files to every reader: `make fuzz N=10000 KINDS="png pack"`.

An input fails that raises anything but an OcclumarkError, takes more than 5 seconds, makes the process larger than
1 GB, or ends it. It is made smaller as far as it still fails so, and kept in robustness/kept/, where the tests read it.
The n-th input of a kind depends on its seed and n alone. One process at a time, which is started again where it ended.
"""

import argparse
import hashlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from occlumark.errors import OcclumarkError
from robustness.mutate import minimised, mutated
from robustness.readers import KINDS, prepared

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.sharedctypes import Synchronized

KEPT = Path(__file__).with_name("kept")
MOST_SECONDS = 5
MOST_BYTES = 1_000_000_000
# A reader in C may not be interrupted, and one that waits takes no time: a process is ended after so many seconds, of
# the clock, at one input. On a busy machine its neighbours have most of them.
_PATIENCE = 600


class TooLongError(BaseException):
    """An input that takes more than MOST_SECONDS; no reader catches it as a fault of the file."""


class Failure(NamedTuple):
    """An input that failed."""

    number: int
    """Which of its kind's."""
    reason: str
    """The exception and where it was raised, "hang", "memory" or "ended"."""


def reason_of(kind: str, path: Path) -> str | None:
    """How the reader of a kind fails on a file; None: it reads it, or refuses it as it should."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TooLongError

    signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)  # of its own time, whoever else is on this machine
    try:
        KINDS[kind].read(path)
    except OcclumarkError as error:
        return None if "\n" not in str(error) else "a message of several lines"
    except TooLongError:
        return "hang"
    except Exception as error:
        inner = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in inner if "occlumark" in Path(frame.filename).parts] or list(inner)
        return f"{type(error).__name__} in {Path(own[-1].filename).name}:{own[-1].name}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def input_number(kind: str, seeds: list[bytes], seed: int, number: int) -> bytes:
    """The damaged file of this number."""
    return mutated(seeds, np.random.default_rng([seed, list(KINDS).index(kind), number]))


def fuzz(kind: str, count: int, seed: int) -> list[Failure]:
    """Feed a kind's reader.

    Args:
        kind: a key of KINDS.
        count: how many inputs.
        seed: another one gives others.
    """
    failures: list[Failure] = []
    context = multiprocessing.get_context("spawn")
    at = context.Value("q", 0)
    told: SimpleQueue[Failure] = context.SimpleQueue()
    with _folder() as folder:
        while at.value < count:
            process = context.Process(target=_work, args=(kind, folder, seed, count, at, told))
            process.start()
            hung = _wait(process, at)
            while not told.empty():
                failures.append(told.get())
            if at.value < count and (hung or process.exitcode):
                failures.append(Failure(at.value, "hang" if hung else f"ended ({process.exitcode})"))
                at.value += 1
    return failures


def _folder() -> "tempfile.TemporaryDirectory[str]":
    """For the inputs: in memory where there is such a folder, as writing to a disk takes longer than reading."""
    return tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def _wait(process: multiprocessing.process.BaseProcess, at: "Synchronized[int]") -> bool:
    """Wait for the end of a process; one that stays at an input is ended. Returns whether it was."""
    number, since = -1, time.monotonic()
    while process.is_alive():
        process.join(0.5)
        if at.value != number:
            number, since = at.value, time.monotonic()
        elif time.monotonic() - since > _PATIENCE:
            process.kill()
            process.join()
            return True
    return False


def _work(kind: str, folder: str, seed: int, count: int, at: "Synchronized[int]", told: "SimpleQueue[Failure]") -> None:
    warnings.simplefilter("ignore")
    path = prepared(Path(folder), KINDS[kind])
    seeds = KINDS[kind].seeds()
    _import_all(kind, path, seeds[0])
    began_with = _most_bytes()  # a forked process counts what its parent held
    while at.value < count:
        number = at.value
        path.write_bytes(input_number(kind, seeds, seed, number))
        reason = reason_of(kind, path)
        too_large = _most_bytes() > max(MOST_BYTES, began_with + MOST_BYTES // 2)
        if reason or too_large:
            told.put(Failure(number, reason or "memory"))
        at.value += 1
        if too_large:  # the most that a process ever had does not sink
            return


def _most_bytes() -> int:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _import_all(kind: str, path: Path, whole: bytes) -> None:
    """Read a file that is whole, with nobody to look at the clock: torch takes seconds to import."""
    path.write_bytes(whole)
    with suppress(OcclumarkError):
        KINDS[kind].read(path)


def keep(kind: str, failure: Failure, seed: int) -> Path:
    """Make a failing input smaller and write it to robustness/kept/."""
    seeds = KINDS[kind].seeds()
    content = input_number(kind, seeds, seed, failure.number)
    if " in " in failure.reason:  # an exception: other inputs end their process, or take long
        with _folder() as folder:
            smaller = Path(folder, "smaller")
            smaller.write_bytes(content)
            # A process of its own: a piece of an input that fails may end it.
            process = multiprocessing.get_context("spawn").Process(
                target=_make_smaller, args=(kind, Path(folder), seeds[0], failure.reason, smaller)
            )
            process.start()
            process.join()
            content = smaller.read_bytes()
    KEPT.mkdir(exist_ok=True)
    kept = KEPT / f"{kind}-{hashlib.sha256(content).hexdigest()[:12]}"
    kept.write_bytes(content)
    return kept


def _make_smaller(kind: str, folder: Path, whole: bytes, reason: str, smaller: Path) -> None:
    warnings.simplefilter("ignore")
    path = prepared(folder, KINDS[kind])
    _import_all(kind, path, whole)

    def fails(content: bytes) -> bool:
        path.write_bytes(content)
        if failed := reason_of(kind, path) == reason:
            smaller.write_bytes(content)
        return failed

    minimised(smaller.read_bytes(), fails)


def main() -> int:
    """Fuzz; returns 1 where an input failed."""
    parser = argparse.ArgumentParser(prog="python -m robustness.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=2_000, help="inputs a kind (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", choices=[*KINDS], default=[*KINDS], metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--counts", type=Path, metavar="FILE", help="add a line a kind to it: kind,seed,inputs,failed")
    args = parser.parse_args()
    failed = False
    for kind in args.kinds or KINDS:
        start = time.monotonic()
        failures = fuzz(kind, args.count, args.seed)
        print(f"{kind}: {args.count} inputs, {len(failures)} failed, {time.monotonic() - start:.0f} s", flush=True)
        if args.counts:
            with args.counts.open("a", encoding="utf-8") as counts:
                counts.write(f"{kind},{args.seed},{args.count},{len(failures)}\n")
        seen: set[str] = set()
        for failure in failures:
            if failure.reason not in seen:  # one of each
                seen.add(failure.reason)
                print(f"  input {failure.number}: {failure.reason}: {keep(kind, failure, args.seed)}", flush=True)
        failed |= bool(failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
