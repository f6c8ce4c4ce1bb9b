"""Configurations: what is read, and that every mistake is one line that says what was expected and what came."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest

from occlumark.config import Checked, Range, from_mapping, load, parse_json, shown
from occlumark.errors import ConfigError


@dataclass(frozen=True)
class Inner(Checked):
    rate: Annotated[float, Range(0, 1)] = 0.1
    betas: Annotated[tuple[float, float], Range(0, below=1.5, ascending=True)] = (0.9, 0.99)
    names: tuple[Literal["one", "two"], ...] = ("one",)


@dataclass(frozen=True)
class Outer(Checked):
    epochs: Annotated[int, Range(1)] = 5
    name: str = "odn"
    average: bool = True
    loss: Literal["l2", "l1"] = "l2"
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name == self.loss:
            raise ValueError("name and loss differ")


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
        ({"inner": {"rate": 2.0}}, "config inner: rate is in 0..1, not 2.0"),
        ({"inner": {"rate": float("nan")}}, "config inner: rate is in 0..1, not nan"),
        ({"inner": {"rate": float("inf")}}, "config inner: rate is in 0..1, not inf"),
        ({"inner": {"rate": 10**400}}, "config 'inner.rate' is a number of at most 308 digits, not 1000"),
        ({"inner": {"betas": [0.9, 1.5]}}, "config inner: betas is at least 0 and below 1.5, not 1.5"),
        ({"inner": {"betas": [0.9, 0.8]}}, "config inner: betas ascends, not (0.9, 0.8)"),
        ({"epochs": 0}, "config: epochs is at least 1, not 0"),
        ({"epochs": 1 << 99_999, "inner": 3}, "config 'inner' is a section, not 3"),
        ({"inner": 1 << 99_999}, "config 'inner' is a section, not a number of thousands of digits"),
        ({"name": "l2"}, "config: name and loss differ"),
        ({"k" * 100_000: 1}, "unknown config key 'kkkk"),
    ],
)
def test_a_wrong_value_is_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(Outer, values)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


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
        ("inner.rate=nan", "config inner: rate is in 0..1, not nan"),
        ("epochs=" + "9" * 5_000, "config 'epochs' is int, not '" + "9" * 37 + "..." + "9" * 38 + "'"),
        (
            "inner.rate=" + "9" * 400,
            f"config 'inner.rate' is a number of at most 308 digits, not {'9' * 38}...{'9' * 39}",
        ),
        ("name=" + "[" * 3_000, f"the override's value '{'[' * 37}...{'[' * 38}' is nested too deeply"),
        ("a." * 3_000 + "b=1", "unknown config key 'a'; the nearest known one is 'name'"),
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


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "words"),
    [
        (Range(0, 1), (0, 0.5, 1), (-1e-9, 1.1, float("nan"), float("inf"), 10**400), "in 0..1"),
        (Range(above=0, below=1), (1e-9, 0.5), (0, 1), "above 0 and below 1"),
        (Range(0), (0, 10**400), (-1, float("inf")), "at least 0"),
        (Range(), (-(10**400), 0.5), (float("nan"), float("-inf")), "a finite number"),
        (Range(32, 1_024, multiple_of=32), (32, 1_024), (0, 33, 1_056), "in 32..1_024, a multiple of 32"),
    ],
)
def test_ranges(allowed: Range, inside: tuple, outside: tuple, words: str) -> None:
    assert [value for value in inside if value not in allowed] == []
    assert [value for value in outside if value in allowed] == []
    assert str(allowed) == words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name = " + "[" * 3_000, "is nested too deeply"),
        ("epochs = " + "9" * 5_000, "is not valid TOML"),
        ("#" * 1_000_001, "is larger than 1,000,000 bytes, which none is"),
    ],
)
def test_toml_that_is_deep_or_huge(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load(Outer, path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_json() -> None:
    assert parse_json('{"a": [1, 2.5]}', "header") == {"a": [1, 2.5]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "header: JSON nested too deeply"),
        ('{"a":' * 100_000, "header: JSON nested too deeply"),
        ("[1]", "header: expected a JSON object, not [1]"),
        ("{", "header: no JSON, Expecting property name"),
        ('{"a": NaN}', "header: no JSON, NaN is no number of JSON"),
        ('{"a": ' + "9" * 5_000 + "}", "header: no JSON, Exceeds the limit"),
        (" " * 1_000_001, "header: at most 1,000,000 bytes of JSON, not 1,000,001"),
        (b'{"a": "\xff"}', "header: no JSON, 'utf-8' codec can't decode"),
    ],
)
def test_json_that_is_deep_huge_or_none(text: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_json(text, "header")
    assert str(caught.value).startswith(message)


def test_a_value_in_a_message_is_short_and_on_one_line() -> None:
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    assert shown(nested) == "[[[[[[[...]]]]]]]"
    assert shown("a\x1b[31m\n") == r"'a\x1b[31m\n'"
    assert len(shown("x" * 10_000)) == 80 and len(shown(10**4_000)) == 80


@dataclass(frozen=True)
class Stage(Checked):
    stages: int = 1
    kind: Literal["all", "confident"] = "all"

    RENAMED: ClassVar = {"looks": "stages", "shown": "kind", "kind=trusted": "kind=confident"}


@dataclass(frozen=True)
class Run(Checked):
    part: Stage = field(default_factory=Stage)
    n: int = 68

    RENAMED: ClassVar = {"section": "part", "markup": "n"}


def test_older_keys_and_values_are_understood_and_named_once_each(tmp_path, capsys):
    path = tmp_path / "a.toml"
    path.write_text('markup = 29\n[section]\nlooks = 3\nshown = "trusted"\n')
    assert load(Run, path) == Run(Stage(3, "confident"), 29)
    assert capsys.readouterr().err.splitlines() == [
        "occlumark: 'markup' is now 'n'",
        "occlumark: 'section' is now 'part'",
        "occlumark: 'part.looks' is now 'stages'",
        "occlumark: 'part.shown' is now 'kind'",
        "occlumark: 'part.kind' = 'trusted' is now 'confident'",
    ]
    assert load(Run, None, ["part.looks=2"]) == Run(Stage(2))
    assert capsys.readouterr().err == "occlumark: 'part.looks' is now 'stages'\n"
    assert load(Run, None, ["part.stages=2"]) == from_mapping(Run, {"section": {"looks": 2}})
    assert capsys.readouterr().err == ""


def test_a_key_under_both_names_is_refused():
    with pytest.raises(ConfigError, match=r"^config has both 'part.looks' and 'stages', which is its name now;"):
        load(Run, None, ["part.looks=2", "part.stages=2"])
