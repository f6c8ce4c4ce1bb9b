"""Mutations of files: bits and bytes, cut and copied pieces, lengths, and numbers and brackets in text."""

import re
import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np

_ODD_NUMBERS = [
    b"nan",
    b"inf",
    b"-inf",
    b"1e400",
    b"-1",
    b"0",
    b"1e-300",
    b"99999999999999999999",
    b"9" * 400,
    b"1e308",
]
_ODD_WORDS = [
    b"[" * 3_000,
    b'{"a":' * 3_000,
    b"null",
    b"true",
    b'"',
    b"\x00",
    b"\x1b[31m",
    b"a" * 300,
    b",",
    b"\n",
    b"\xff\xfe",
]
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")


def mutated(seeds: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """One of the seeds, changed in one to six places.

    Args:
        seeds: whole files of one kind.
        rng: the only source of randomness.
    """
    content = bytearray(seeds[int(rng.integers(len(seeds)))])
    for _ in range(rng.integers(1, 7)):
        _MUTATIONS[rng.integers(len(_MUTATIONS))](content, seeds, rng)
    if content.startswith(b"\x89PNG") and rng.random() < 0.7:
        return with_checksums(bytes(content))
    return bytes(content)


def with_checksums(png: bytes) -> bytes:
    """A PNG with the checksum of each chunk made right, so that a decoder gets to see what is wrong in it."""
    parts, at = [png[:8]], 8
    while at + 12 <= len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        body = png[at + 4 : at + 8 + size]
        parts.append(png[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + size
    return b"".join(parts) + png[at:]


def minimised(content: bytes, fails: Callable[[bytes], bool], most_tries: int = 300) -> bytes:
    """The content without the pieces that its failure does without.

    Args:
        content: an input that fails.
        fails: whether another one fails in the same way.
        most_tries: so many are tried.
    """
    size = len(content) // 2
    while size >= 1 and most_tries > 0:
        at = 0
        while at < len(content) and most_tries > 0:
            without = content[:at] + content[at + size :]
            most_tries -= 1
            if fails(without):
                content = without
            else:
                at += size
        size //= 2
    return content


def _place(content: bytearray, rng: np.random.Generator) -> int:
    """Anywhere; half of the time near the start, where headers are."""
    end = len(content) + 1
    return int(rng.integers(end if rng.random() < 0.5 else min(end, 256)))


def _flip(content: bytearray, _: Sequence[bytes], rng: np.random.Generator) -> None:
    at = _place(content, rng)
    content[at : at + 1] = bytes(byte ^ (1 << rng.integers(8)) for byte in content[at : at + 1])


def _overwrite(content: bytearray, _: Sequence[bytes], rng: np.random.Generator) -> None:
    at, size = _place(content, rng), int(rng.integers(1, 9))
    content[at : at + size] = rng.bytes(size)


def _integer(content: bytearray, _: Sequence[bytes], rng: np.random.Generator) -> None:
    size = int(rng.choice([1, 2, 4, 8]))
    value = int(rng.choice([0, 1, 2**7 - 1, 2**7, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1])) % 256**size
    at = _place(content, rng)
    content[at : at + size] = value.to_bytes(size, "little" if rng.random() < 0.5 else "big")


def _cut(content: bytearray, _: Sequence[bytes], rng: np.random.Generator) -> None:
    at = _place(content, rng)
    del content[at : at + int(rng.integers(1, max(2, len(content) // 4)))]


def _truncate(content: bytearray, _: Sequence[bytes], rng: np.random.Generator) -> None:
    if rng.random() < 0.3:
        del content[int(rng.integers(len(content) + 1)) :]


def _copy(content: bytearray, seeds: Sequence[bytes], rng: np.random.Generator) -> None:
    source = seeds[int(rng.integers(len(seeds)))]
    start, size = int(rng.integers(len(source))), int(rng.integers(1, 200))
    at = _place(content, rng)
    content[at : at + (size if rng.random() < 0.5 else 0)] = source[start : start + size]


def _number(content: bytearray, _: Sequence[bytes], rng: np.random.Generator) -> None:
    found = list(_NUMBER.finditer(content[:100_000]))
    if found:
        start, end = found[rng.integers(len(found))].span()
        content[start:end] = _ODD_NUMBERS[rng.integers(len(_ODD_NUMBERS))]


def _word(content: bytearray, _: Sequence[bytes], rng: np.random.Generator) -> None:
    at = _place(content, rng)
    content[at:at] = _ODD_WORDS[rng.integers(len(_ODD_WORDS))]


_MUTATIONS = (_flip, _flip, _overwrite, _integer, _integer, _cut, _truncate, _copy, _number, _number, _word)
