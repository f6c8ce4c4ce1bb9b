"""Configurations as frozen dataclasses, read from TOML and `a.b=c` overrides; a misspelt key is an error.

Supported fields: nested dataclasses, bool, int, float, str, Literal of str, and tuples of these.
"""

import dataclasses
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from occlumark.errors import ConfigError

T = TypeVar("T")


def from_mapping(kind: type[T], values: Mapping[str, Any], at: str = "") -> T:
    """Build the dataclass `kind` from nested plain values, such as TOML or JSON gives.

    Raises:
        ConfigError: an unknown key (the nearest known one is named), a value of the wrong type or out of range.
    """
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in names:
            raise ConfigError(f"unknown config key {at + key!r}{_nearest(key, names)}")
    fields = {key: _convert(hints[key], value, f"{at}{key}") for key, value in values.items()}
    try:
        return kind(**fields)
    except ValueError as error:
        raise ConfigError(f"config {at.rstrip('.') or 'value'}: {error}") from error


def load(kind: type[T], path: Path | None, overrides: Iterable[str] = ()) -> T:
    """Read a TOML file (None: all defaults), then apply overrides such as `optimiser.epochs=3`.

    Raises:
        ConfigError: as in from_mapping, and for a file that is missing or not TOML.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read config {path}: {_reason(error)}") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"config {path} is not valid TOML: {error}") from error
    for override in overrides:
        _apply(values, override)
    return from_mapping(kind, values)


def _apply(values: dict[str, Any], override: str) -> None:
    path, sign, text = override.partition("=")
    if not sign or not path:
        raise ConfigError(f"an override looks like a.b=c, not {override!r}")
    *parents, key = path.strip().split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{parent!r} in override {override!r} is a value, not a section")
    values[key] = _value(text)


def _value(text: str) -> Any:
    """One TOML value, or else the text itself: a bare word is a string."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text.strip()
    return parsed["value"] if len(parsed) == 1 else text.strip()


def _convert(hint: Any, value: Any, at: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"config '{at}' is a section, not {value!r}")
        return from_mapping(hint, value, f"{at}.")
    origin = get_origin(hint)
    if origin is Literal:
        choices = get_args(hint)
        if value not in choices:
            raise ConfigError(f"config '{at}' is one of {', '.join(map(str, choices))}, not {value!r}")
        return value
    if origin is tuple:
        kinds = get_args(hint)
        if not isinstance(value, list | tuple):
            raise ConfigError(f"config '{at}' is a list, not {value!r}")
        if kinds[-1] is Ellipsis:
            kinds = (kinds[0],) * len(value)
        if len(value) != len(kinds):
            raise ConfigError(f"config '{at}' has {len(kinds)} values, not {len(value)}")
        return tuple(_convert(k, v, f"{at}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"config '{at}' is {hint.__name__}, not {value!r}")
    return value


def _nearest(key: str, names: list[str]) -> str:
    close = difflib.get_close_matches(key, names, n=1, cutoff=0)
    return f"; the nearest known one is '{close[0]}'" if close else ""


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
