"""Markup files: a markup as TOML, and the same in the headers of packs, checkpoints and exported networks."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from occlumark.config import read_toml, shown
from occlumark.errors import ConfigError
from occlumark.markup.scheme import NORMALISERS, Markup, Normaliser, Opening

MOST_LANDMARKS = 1000
_KEYS = (
    *("name", "landmarks", "mirror", "regions", "contours", "outer_eye_corners", "pupils", "nose_tip"),
    *("mouth_corners", "normaliser", "openings"),
)
_OPENINGS = ("right_eye", "left_eye", "mouth")
# What a normaliser of the eyes is measured between.
_NEEDS = {"inter_ocular": "outer_eye_corners", "inter_pupil": "pupils"}
_NAME = re.compile(r"[\w .+-]{1,80}")
_RUN = re.compile(r"(\d{1,4})-(\d{1,4})")
_WHOLE = re.compile(r"\d+(-\d+)?")

T = TypeVar("T")


def read_markup(path: Path) -> Markup:
    """Read a markup file (docs/own-landmarks.md, "The markup file").

    Raises:
        ConfigError: it cannot be read, is no TOML, or says what cannot be.
    """
    try:
        return markup_of(read_toml(path, "markup"))
    except _MarkupError as error:
        raise ConfigError(f"markup {path}: {error}") from None


def markup_of(values: Mapping[str, Any]) -> Markup:
    """The markup that plain values say, as those of a markup file or of Markup.to_json.

    A landmark is given by its index from 0 or by its name, several in a row as "36-41".

    Raises:
        ConfigError: the values say what cannot be.
    """
    if not isinstance(values, Mapping):
        raise _MarkupError(f"expected a table of keys, not {shown(values)}")
    _known_keys(values, _KEYS, "key")
    name = values.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _MarkupError(f"'name' is a word of at most 80 letters, not {shown(name)}")
    names, n = _landmarks(values.get("landmarks"))
    if "mirror" not in values:
        raise _MarkupError("'mirror' is missing: the pairs that a mirrored face swaps, [] where there are none")
    reader = _Reader(n, names)
    regions = reader.regions(values.get("regions", {"face": list(range(n))}))
    markup = Markup(
        name=name,
        n=n,
        mirror=reader.mirror(values["mirror"]),
        regions=regions,
        contours=tuple(
            reader.several(line, "contours", least=2) for line in _listed(values.get("contours", []), "contours")
        ),
        outer_eye_corners=reader.optional(values, "outer_eye_corners", reader.pair),
        pupils=reader.optional(values, "pupils", reader.pupils),
        nose_tip=reader.optional(values, "nose_tip", reader.one),
        mouth_corners=reader.optional(values, "mouth_corners", reader.pair),
        **_opened(reader, values.get("openings", {})),
        normaliser=_normaliser(values),
        names=names,
    )
    return markup


class _MarkupError(ConfigError):
    """Of a markup whose file is not known yet."""


class _Reader:
    """Reads indices of n landmarks, some by their names."""

    def __init__(self, n: int, names: tuple[str, ...]) -> None:
        self.n, self._index = n, {name: i for i, name in enumerate(names)}

    def one(self, value: Any, key: str) -> int:
        found = self._run(value, key)
        if len(found) != 1:
            raise _MarkupError(f"'{key}' is one landmark, not {shown(value)}")
        return found[0]

    def several(self, value: Any, key: str, least: int = 1) -> tuple[int, ...]:
        parts = value if isinstance(value, list | tuple) else [value]
        found = tuple(index for part in parts for index in self._run(part, key))
        if len(found) < least:
            raise _MarkupError(f"'{key}': at least {least} landmarks, not {shown(value)}")
        return found

    def pair(self, value: Any, key: str) -> tuple[int, int]:
        found = self.several(value, key)
        if len(found) != 2 or found[0] == found[1]:
            raise _MarkupError(f"'{key}' are two landmarks, the right and the left, not {shown(value)}")
        return found[0], found[1]

    def pupils(self, value: Any, key: str) -> tuple[Sequence[int], Sequence[int]]:
        sides = _listed(value, key)
        if len(sides) != 2:
            raise _MarkupError(f"'{key}' are the landmarks of the right and of the left eye, not {shown(value)}")
        return _indexing(self.several(sides[0], key)), _indexing(self.several(sides[1], key))

    def optional(self, values: Mapping[str, Any], key: str, read: Callable[[Any, str], T]) -> T | None:
        return read(values[key], key) if key in values else None

    def mirror(self, value: Any) -> np.ndarray:
        table = np.arange(self.n)
        seen: set[int] = set()
        for entry in _listed(value, "mirror"):
            if not isinstance(entry, list | tuple) or len(entry) != 2:
                raise _MarkupError(f"'mirror' is a list of pairs [right, left], not {shown(entry)}")
            right, left = (self.several(side, "mirror") for side in entry)
            if len(right) != len(left):
                raise _MarkupError(f"'mirror': {len(right)} landmarks on one side, {len(left)} on the other of a pair")
            for a, b in zip(right, left, strict=True):
                if a == b or {a, b} & seen:
                    raise _MarkupError(f"'mirror' names landmark {a if a in seen or a == b else b} twice")
                seen |= {a, b}
                table[a], table[b] = b, a
        return table

    def regions(self, value: Any) -> dict[str, Sequence[int]]:
        if not isinstance(value, Mapping) or not value:
            raise _MarkupError(f"'regions' is a table of names with their landmarks, not {shown(value)}")
        found = {str(name): self.several(indices, f"regions.{name}") for name, indices in value.items()}
        counts = np.bincount([i for indices in found.values() for i in indices], minlength=self.n)
        for wrong, word in ((np.flatnonzero(counts == 0), "none"), (np.flatnonzero(counts > 1), "several")):
            if len(wrong):
                more = ", ..." * (len(wrong) > 5)
                raise _MarkupError(
                    f"'regions': each landmark is in one, {', '.join(map(str, wrong[:5]))}{more} in {word}"
                )
        if not all(_NAME.fullmatch(name) for name in found):
            raise _MarkupError("'regions': a name has at most 80 letters")
        return {name: _indexing(indices) for name, indices in found.items()}

    def _run(self, value: Any, key: str) -> tuple[int, ...]:
        """The landmarks of one entry: an index, a name or a run."""
        if isinstance(value, str) and value in self._index:
            return (self._index[value],)
        if isinstance(value, str) and (run := _RUN.fullmatch(value)):
            first, last = int(run[1]), int(run[2])
            indices = range(first, last + 1) if first <= last else range(first, last - 1, -1)
        elif isinstance(value, int) and not isinstance(value, bool):
            indices = range(value, value + 1)
        else:
            known = difflib.get_close_matches(str(value)[:80], list(self._index), n=1, cutoff=0)
            nearest = f"; the nearest known one is '{known[0]}'" if known else f"; they are numbered 0 to {self.n - 1}"
            raise _MarkupError(f"'{key}' names no landmark by {shown(value)}{nearest}")
        if not 0 <= min(indices) <= max(indices) < self.n:
            raise _MarkupError(f"'{key}': landmarks are numbered 0 to {self.n - 1}, not {shown(value)}")
        return tuple(indices)


def _indexing(indices: Sequence[int]) -> Sequence[int]:
    """The same as what an array is indexed by: a range where they follow one another, else a list."""
    first, n = indices[0], len(indices)
    return range(first, first + n) if list(indices) == list(range(first, first + n)) else list(indices)


def _landmarks(value: Any) -> tuple[tuple[str, ...], int]:
    """The names, none where only their number is given, and the number."""
    names: tuple[str, ...] = ()
    if isinstance(value, int) and not isinstance(value, bool):
        n = value
    elif isinstance(value, list | tuple):
        for name in value:
            if not isinstance(name, str) or not _NAME.fullmatch(name) or _WHOLE.fullmatch(name):
                raise _MarkupError(f"a landmark's name is a word, no number, of at most 80 letters, not {shown(name)}")
        if len(set(value)) < len(value):
            twice = next(name for name in value if list(value).count(name) > 1)
            raise _MarkupError(f"'landmarks' has {shown(twice)} twice")
        names, n = tuple(value), len(value)
    else:
        raise _MarkupError(f"'landmarks' is a list of names, or how many there are, not {shown(value)}")
    if not 2 <= n <= MOST_LANDMARKS:
        raise _MarkupError(f"a markup has 2 to {MOST_LANDMARKS} landmarks, not {shown(n)}")
    return names, n


def _normaliser(values: Mapping[str, Any]) -> Normaliser:
    has = [word for word, part in _NEEDS.items() if part in values]
    word = values.get("normaliser", has[0] if has else "box_width")
    if word not in NORMALISERS:
        raise _MarkupError(f"'normaliser' is one of {', '.join(NORMALISERS)}, not {shown(word)}")
    if _NEEDS.get(word, "name") not in values:
        raise _MarkupError(f"'normaliser' is {word}, which needs '{_NEEDS[word]}'")
    found: Normaliser = word
    return found


def _opened(reader: _Reader, values: Any) -> dict[str, Any]:
    """Markup's eyes and mouth."""
    if not isinstance(values, Mapping):
        raise _MarkupError(f"'openings' is a table, not {shown(values)}")
    _known_keys(values, _OPENINGS, "opening")
    found = {name: _opening(reader, opening, f"openings.{name}") for name, opening in values.items()}
    if ("right_eye" in found) != ("left_eye" in found):
        raise _MarkupError("'openings' has one eye alone; name both, or none")
    eyes = (found["right_eye"], found["left_eye"]) if "right_eye" in found else None
    return {"eyes": eyes, "mouth": found.get("mouth")}


def _opening(reader: _Reader, value: Any, key: str) -> Opening:
    if not isinstance(value, Mapping) or set(value) != {"corners", "lids"}:
        raise _MarkupError(f"'{key}' has the keys 'corners' and 'lids', not {shown(value)}")
    lids = tuple(reader.pair(pair, f"{key}.lids") for pair in _listed(value["lids"], f"{key}.lids"))
    if not lids:
        raise _MarkupError(f"'{key}.lids' has no pair")
    return Opening(reader.pair(value["corners"], f"{key}.corners"), lids)


def _listed(value: Any, key: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise _MarkupError(f"'{key}' is a list, not {shown(value)}")
    return value


def _known_keys(values: Mapping[str, Any], known: Sequence[str], word: str) -> None:
    for key in values:
        if key not in known:
            nearest = difflib.get_close_matches(str(key)[:80], known, n=1, cutoff=0)[0]
            raise _MarkupError(f"unknown {word} {shown(key)}; the nearest known one is '{nearest}'")
