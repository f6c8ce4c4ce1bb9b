"""Photos read in processes of their own, which can be ended: for strangers' files of formats that nobody can foresee.

A process serves one photo after another; it lives as long as this one, or until a photo takes too long. It is started
afresh, not forked: neither threads nor locks of this process are in it, and a main module is not imported again.
"""

import atexit
import collections
import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from occlumark.errors import PhotoError
from occlumark.photo.decode import MAX_STREAM, OPEN_ALREADY, Decoded, Source, decode, source_name

#: Memory that a process may take, in bytes: so much, and so much more for each pixel of the limit.
MEMORY, MEMORY_A_PIXEL = 1 << 30, 24

_SERVE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from occlumark.photo.limited import serve; serve()"

# Processes that wait for a photo. Taking one and giving it back are each one step, which needs no lock.
_idle: "collections.deque[subprocess.Popen[bytes]]" = collections.deque()


def decode_within(source: Source, max_pixels: int, max_seconds: float, reduction: int = 1) -> Decoded:
    """Read a photo, or give up.

    Args:
        source: as in decode.decode.
        max_pixels: more are refused.
        max_seconds: from the photo's name to its pixels; starting a process is not counted.
        reduction: as in decode.decode.

    Raises:
        PhotoError: as decode, and: it takes longer, or more memory.
        ValueError: max_seconds is not above 0.
    """
    if not max_seconds > 0:
        raise ValueError(f"max_seconds is above 0, not {max_seconds}")
    asked: dict[str, Any] = {"name": source_name(source), "max_pixels": max_pixels, "reduction": reduction}
    if isinstance(source, str | os.PathLike) and not OPEN_ALREADY.fullmatch(os.fspath(source)):
        asked["path"], content = str(Path(source).absolute()), b""  # its process may have begun in another folder
    else:
        content = _content(source)
        asked["bytes"] = len(content)
    process = _take()
    late = threading.Event()
    timer = threading.Timer(min(max_seconds, threading.TIMEOUT_MAX), _end, (process, late))
    timer.start()
    answered = False
    try:
        answer, pixels = _ask(process, asked, content)
        answered = True
    except (OSError, ValueError) as error:
        reason = f"it takes longer than {max_seconds:g} s (--max-seconds, max_seconds)" if late.is_set() else str(error)
        raise PhotoError(f"cannot read {asked['name']}: {reason}") from error
    finally:
        timer.cancel()
        timer.join()
        if answered and not late.is_set():
            _idle.append(process)
        else:
            _close(process)
    if "error" in answer:
        raise PhotoError(answer["error"])
    return Decoded(pixels, answer["notes"], answer["reduction"])


def _content(source: Source) -> bytes:
    """What only this process has open, or in its memory."""
    if isinstance(source, bytes):
        return source
    try:
        with open(source, "rb") if isinstance(source, str | os.PathLike) else contextlib.nullcontext(source) as file:  # noqa: PTH123
            return file.read(MAX_STREAM + 1)
    except OSError as error:
        raise PhotoError(f"cannot read {source_name(source)}: {error.strerror or error}") from error


def _take() -> "subprocess.Popen[bytes]":
    try:
        return _idle.pop()
    except IndexError:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    if cast(BinaryIO, process.stdout).readline() != b"ready\n":
        _close(process)
        raise PhotoError(f"cannot start {sys.executable}, which max_seconds needs")
    return process


def _end(process: "subprocess.Popen[bytes]", late: threading.Event) -> None:
    late.set()
    process.kill()


def _close(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what it has not been told
            cast(BinaryIO, pipe).close()


def _ask(
    process: "subprocess.Popen[bytes]", asked: dict[str, Any], content: bytes
) -> tuple[dict[str, Any], np.ndarray]:
    to, back = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
    to.write(json.dumps(asked).encode() + b"\n")
    to.write(content)
    to.flush()
    answer = json.loads(back.readline() or b"0")
    if not answer:
        raise ValueError("the process that reads it has died; it may have needed too much memory")
    pixels = np.empty(answer.get("shape", (0,)), np.uint8)
    left = memoryview(pixels.reshape(-1).data)
    while left:
        count = back.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise ValueError("the process that reads it has died")
        left = left[count:]
    return answer, pixels


def serve() -> None:
    """Answer decode_within until nobody asks any more: a process's whole life."""
    to = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints gets among the answers
    to.write(b"ready\n")
    to.flush()
    while line := sys.stdin.buffer.readline():
        asked = json.loads(line)
        source = asked["path"] if "path" in asked else sys.stdin.buffer.read(asked["bytes"])
        _limit_memory(MEMORY + MEMORY_A_PIXEL * asked["max_pixels"])
        try:
            pixels, notes, reduced = decode(source, asked["max_pixels"], asked["name"], asked["reduction"])
            answer: dict[str, Any] = {"shape": pixels.shape, "notes": notes, "reduction": reduced}
        except PhotoError as error:
            pixels, answer = np.empty(0, np.uint8), {"error": str(error)}
        to.write(json.dumps(answer).encode() + b"\n")
        to.write(pixels.data)
        to.flush()


def _limit_memory(size: int) -> None:
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


def _close_all() -> None:
    while _idle:
        _close(_idle.pop())


atexit.register(_close_all)

_parents: "list[subprocess.Popen[bytes]]" = []


def _after_fork() -> None:
    """The parent's processes answer the parent."""
    _parents.extend(_idle)
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
