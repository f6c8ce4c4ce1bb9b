"""Configurations as frozen dataclasses: the ranges of their fields, and reading them from TOML and `a.b=c` overrides.

A field is a nested dataclass, bool, int, float, str, Literal of str, or a tuple of these; the range of a number stands
in its type, and a misspelt key is an error:

    @dataclass(frozen=True)
    class BlurConfig(Checked):
        sigma: Annotated[float, Range(0.5, 10)] = 2.2
"""

import dataclasses
import difflib
import json
import math
import reprlib
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from occlumark.errors import ConfigError

#: Ends of numbers that have none by their nature: larger ones are a slip, and would not fit memory or 64 bits.
MOST_SEED = 2**63 - 1
#: No TOML or JSON text of ours comes near; what is larger is refused before it is parsed.
MOST_TEXT_BYTES = 1_000_000

T = TypeVar("T")

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


@dataclass(frozen=True)
class Range:
    """Which numbers a field takes; on a tuple, which its elements are. Never NaN or infinity."""

    least: float | None = None
    """The lowest allowed."""
    most: float | None = None
    """The highest allowed."""
    above: float | None = None
    """A lower end that is itself not allowed."""
    below: float | None = None
    """An upper end that is itself not allowed."""
    multiple_of: int = 1
    """Divides every allowed number."""
    ascending: bool = False
    """The elements of the tuple never fall."""

    def __contains__(self, value: float) -> bool:
        return (
            (isinstance(value, int) or math.isfinite(value))
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.multiple_of == 1 or value % self.multiple_of == 0)
        )

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            words = f"in {self.least:_}..{self.most:_}"
        else:
            ends = {"at least": self.least, "above": self.above, "at most": self.most, "below": self.below}
            words = " and ".join(f"{word} {end:_}" for word, end in ends.items() if end is not None)
        words = words or "a finite number"
        return words + (f", a multiple of {self.multiple_of}" if self.multiple_of > 1 else "")


@dataclass(frozen=True)
class Checked:
    """Base of every configuration: making one checks its fields against their ranges.

    A rule between fields is a `__post_init__` that calls this one first.

    Raises:
        ValueError: names the field, its range and what came.
    """

    def __post_init__(self) -> None:
        for name, allowed in _ranges(type(self)).items():
            value = getattr(self, name)
            elements = value if isinstance(value, tuple) else (value,)
            for element in elements:
                if element not in allowed:
                    raise ValueError(f"{name} is {allowed}, not {shown(element)}")
            if allowed.ascending and list(elements) != sorted(elements):
                raise ValueError(f"{name} ascends, not {shown(value)}")


def _ranges(kind: type) -> dict[str, Range]:
    """The ranges of a dataclass's fields, by name."""
    hints = get_type_hints(kind, include_extras=True)
    notes = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    return {name: note for name, of_field in notes.items() for note in of_field if isinstance(note, Range)}


def shown(value: object) -> str:
    """A value as a message shows it: on one line, cut short, control characters escaped."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"


def parse_json(text: str | bytes, what: str, most_bytes: int = MOST_TEXT_BYTES) -> dict[str, Any]:
    """A JSON object from a file that may be anybody's.

    Args:
        text: what should be one object.
        what: starts the message.
        most_bytes: a longer text is refused.

    Raises:
        ConfigError: the text is too long, nested too deeply or no JSON object, or a number in it is not finite.
    """
    if len(text) > most_bytes:
        raise ConfigError(f"{what}: at most {most_bytes:,} bytes of JSON, not {len(text):,}")
    try:
        values = json.loads(text, parse_constant=_not_json)
    except RecursionError as error:
        raise ConfigError(f"{what}: JSON nested too deeply") from error
    except ValueError as error:
        raise ConfigError(f"{what}: no JSON, {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{what}: expected a JSON object, not {shown(values)}")
    return values


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def from_mapping(kind: type[T], values: Mapping[str, Any], at: str = "") -> T:
    """Build the dataclass `kind` from nested plain values, such as TOML or JSON gives; older keys are understood.

    Raises:
        ConfigError: an unknown key (the nearest known one is named), a value of the wrong type or out of range.
    """
    return _build(kind, renamed(kind, values, at)[0], at)


def renamed(kind: type, values: Mapping[str, Any], at: str = "") -> tuple[dict[str, Any], list[str]]:
    """Nested values with today's words in place of older ones.

    A dataclass that has renamed a field says so in `RENAMED`, older key to key; where it has renamed one of a field's
    values, the entry is "key=older value" to "key=value".

    Returns:
        The values, and a line for each old word that names the new one.

    Raises:
        ConfigError: a field is given under both keys.
    """
    table: Mapping[str, str] = getattr(kind, "RENAMED", {})
    if not isinstance(values, Mapping):
        raise ConfigError(f"config '{at.rstrip('.')}' is a section, not {shown(values)}")
    hints = get_type_hints(kind)
    today: dict[str, Any] = {}
    lines: list[str] = []
    for old, value in values.items():
        key = table.get(old, old)
        if key != old:
            lines.append(f"'{at}{old}' is now '{key}'")
            if key in values:
                raise ConfigError(
                    f"config has both '{at}{old}' and '{key}', which is its name now; leave the former out"
                )
        hint = hints.get(key)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
            value, inner = renamed(hint, value, f"{at}{key}.")
            lines += inner
        elif isinstance(value, str) and f"{key}={value}" in table:
            word = table[f"{key}={value}"].partition("=")[2]
            lines.append(f"'{at}{key}' = '{value}' is now '{word}'")
            value = word
        today[key] = value
    return today, lines


def _build(kind: type[T], values: Mapping[str, Any], at: str) -> T:
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in names:
            raise ConfigError(f"unknown config key {shown(at + key)}{_nearest(key, names)}")
    fields = {key: _convert(hints[key], value, f"{at}{key}") for key, value in values.items()}
    try:
        return kind(**fields)
    except ValueError as error:
        raise ConfigError(f"{' '.join(('config', at.rstrip('.'))).rstrip()}: {error}") from error


def load(kind: type[T], path: Path | None, overrides: Iterable[str] = ()) -> T:
    """Read a TOML file (None: all defaults), then apply overrides such as `optimiser.epochs=3`.

    An older key is understood; a line on the standard error names the new one.

    Raises:
        ConfigError: as in from_mapping, and for a file that is missing or not TOML.
    """
    values: dict[str, Any] = {}
    if path is not None:
        values = read_toml(path, "config")
    for override in overrides:
        _apply(values, override)
    values, lines = renamed(kind, values)
    for line in lines:
        print(f"occlumark: {line}", file=sys.stderr)
    return _build(kind, values, "")


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The tables of a TOML file; `what` starts the messages.

    Raises:
        ConfigError: it cannot be read, is too large, or no TOML.
    """
    try:
        with path.open("rb") as file:
            text = (content := file.read(MOST_TEXT_BYTES + 1)).decode("utf-8")
    except (OSError, ValueError) as error:  # the latter: no UTF-8, or a null byte in the name
        raise ConfigError(f"cannot read {what} {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > MOST_TEXT_BYTES:
        raise ConfigError(f"{what} {path} is larger than {MOST_TEXT_BYTES:,} bytes, which none is")
    return parse_toml(text, f"{what} {path}")


def parse_toml(text: str, what: str) -> dict[str, Any]:
    """The tables of a TOML text; arguments and errors as in read_toml."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{what} is nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, and whole numbers of more than 4,300 digits
        raise ConfigError(f"{what} is not valid TOML: {error}") from error


def _apply(values: dict[str, Any], override: str) -> None:
    path, sign, text = override.partition("=")
    if not sign or not path:
        raise ConfigError(f"an override looks like a.b=c, not {shown(override)}")
    *parents, key = path.strip().split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{shown(parent)} in override {shown(override)} is a value, not a section")
    values[key] = _value(text)


def _value(text: str) -> Any:
    """One TOML value, or else the text itself: a bare word is a string."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except RecursionError as error:
        raise ConfigError(f"the override's value {shown(text)} is nested too deeply") from error
    except ValueError:
        return text.strip()
    return parsed["value"] if len(parsed) == 1 else text.strip()


def _convert(hint: Any, value: Any, at: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"config '{at}' is a section, not {shown(value)}")
        return _build(hint, value, f"{at}.")
    origin = get_origin(hint)
    if origin is Literal:
        choices = get_args(hint)
        if value not in choices:
            raise ConfigError(f"config '{at}' is one of {', '.join(map(str, choices))}, not {shown(value)}")
        return value
    if origin is tuple:
        kinds = get_args(hint)
        if not isinstance(value, list | tuple):
            raise ConfigError(f"config '{at}' is a list, not {shown(value)}")
        if kinds[-1] is Ellipsis:
            kinds = (kinds[0],) * len(value)
        if len(value) != len(kinds):
            raise ConfigError(f"config '{at}' has {len(kinds)} values, not {len(value)}")
        return tuple(_convert(k, v, f"{at}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ConfigError(f"config '{at}' is a number of at most 308 digits, not {shown(value)}") from None
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"config '{at}' is {hint.__name__}, not {shown(value)}")
    return value


def _nearest(key: str, names: list[str]) -> str:
    close = difflib.get_close_matches(key[:80], names, n=1, cutoff=0)
    return f"; the nearest known one is '{close[0]}'" if close else ""
