"""Configurations: what is read, and that every mistake is one line that says what was expected and what came."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from occlumark.config import from_mapping, load
from occlumark.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)
    names: tuple[Literal["one", "two"], ...] = ("one",)

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError(f"rate is between 0 and 1, not {self.rate}")


@dataclass(frozen=True)
class Outer:
    epochs: int = 5
    name: str = "odn"
    average: bool = True
    loss: Literal["l2", "l1"] = "l2"
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs are at least 1, not {self.epochs}")


def test_defaults_without_a_file() -> None:
    assert load(Outer, None) == Outer()


def test_a_file_and_overrides_over_it(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('epochs = 7\nloss = "l1"\n[inner]\nrate = 1\nbetas = [0.5, 1]\nnames = ["two", "one"]\n')
    from_file = Outer(epochs=7, loss="l1", inner=Inner(rate=1.0, betas=(0.5, 1.0), names=("two", "one")))
    assert load(Outer, path) == from_file
    assert isinstance(load(Outer, path).inner.rate, float)
    overrides = ["epochs=3", "inner.rate=0.5", "name=bare word", 'loss="l2"', "average=false", "inner.names=[]"]
    expected = Outer(3, "bare word", False, "l2", Inner(rate=0.5, betas=(0.5, 1.0), names=()))
    assert load(Outer, path, overrides) == expected


def test_a_later_override_wins() -> None:
    assert load(Outer, None, ["epochs=3", "epochs=4"]).epochs == 4


@pytest.mark.parametrize("text", ["", "bare", "a # b", "1e5x", "x=y"])
def test_a_bare_word_is_a_string(text: str) -> None:
    assert load(Outer, None, [f"name={text}"]).name == text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "unknown config key 'epoch'; the nearest known one is 'epochs'"),
        ({"inner": {"raet": 1.0}}, "unknown config key 'inner.raet'; the nearest known one is 'rate'"),
        ({"epo\nchs": 3}, "unknown config key 'epo\\nchs'; the nearest known one is 'epochs'"),
        ({"zzz": 1}, "unknown config key 'zzz'; the nearest known one is"),
        ({"epochs": 3.5}, "config 'epochs' is int, not 3.5"),
        ({"epochs": True}, "config 'epochs' is int, not True"),
        ({"epochs": "3"}, "config 'epochs' is int, not '3'"),
        ({"average": 1}, "config 'average' is bool, not 1"),
        ({"name": 1}, "config 'name' is str, not 1"),
        ({"loss": "huber"}, "config 'loss' is one of l2, l1, not 'huber'"),
        ({"loss": ["l2"]}, "config 'loss' is one of l2, l1, not ['l2']"),
        ({"inner": 3}, "config 'inner' is a section, not 3"),
        ({"inner": {"rate": "fast"}}, "config 'inner.rate' is float, not 'fast'"),
        ({"inner": {"rate": True}}, "config 'inner.rate' is float, not True"),
        ({"inner": {"betas": 0.9}}, "config 'inner.betas' is a list, not 0.9"),
        ({"inner": {"betas": [0.9]}}, "config 'inner.betas' has 2 values, not 1"),
        ({"inner": {"betas": [0.9, "x"]}}, "config 'inner.betas[1]' is float, not 'x'"),
        ({"inner": {"names": ["one", "three"]}}, "config 'inner.names[1]' is one of one, two, not 'three'"),
        ({"inner": {"rate": 2.0}}, "config inner: rate is between 0 and 1, not 2.0"),
        ({"inner": {"rate": float("nan")}}, "config inner: rate is between 0 and 1, not nan"),
        ({"epochs": 0}, "config value: epochs are at least 1, not 0"),
    ],
)
def test_a_wrong_value_is_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(Outer, values)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs", "an override looks like a.b=c, not 'epochs'"),
        ("=3", "an override looks like a.b=c, not '=3'"),
        ("inner.rate.more=3", "config 'inner.rate' is float, not {'more': 3}"),
        ("inner=3", "config 'inner' is a section, not 3"),
        ("epohcs=3", "unknown config key 'epohcs'; the nearest known one is 'epochs'"),
        ("a\nb", "an override looks like a.b=c, not 'a\\nb'"),
        ("epochs=3\nname='x'", "config 'epochs' is int, not \"3\\nname='x'\""),
        ("inner.rate=", "config 'inner.rate' is float, not ''"),
    ],
)
def test_a_wrong_override_is_one_line(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(Outer, None, [override])
    assert str(caught.value) == message


def test_an_override_below_a_value_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("inner = 3\n")
    with pytest.raises(ConfigError, match=r"'inner' in override 'inner.rate=1' is a value, not a section"):
        load(Outer, path, ["inner.rate=1"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"epochs = \n", "is not valid TOML: Invalid value (at line 1, column 10)"),
        (b"epochs = 1\nepochs = 2\n", "is not valid TOML: Cannot overwrite a value (at line 2, column 11)"),
        (b'name = "\xff"', "cannot read config"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "run.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(Outer, path)
    assert message in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load(Outer, tmp_path)
