"""The ranges of a run's configuration: every number of it, against values that are none."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest

from occlumark.config import Checked, Range, from_mapping
from occlumark.data.pack import PackConfig
from occlumark.errors import ConfigError
from occlumark.train.config import FinderConfig, LandmarkConfig

ODD = [math.nan, math.inf, -math.inf, 1e300, -1e300, -1, 10**20, -(10**20), 10**400, 1 << 99_999]


def numbers(kind: type, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The path and type of every number, and tuple of numbers, in a configuration's tree."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        bare = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
        if dataclasses.is_dataclass(bare):
            yield from numbers(bare, (*at, name))
        elif {bare, *get_args(bare)} & {int, float}:
            yield (*at, name), hint


CASES = [
    pytest.param(kind, path, hint, id=f"{kind.__name__}-{'.'.join(path)}")
    for kind in (LandmarkConfig, FinderConfig, PackConfig)
    for path, hint in numbers(kind)
]


def test_the_tree_is_walked() -> None:
    paths = {param.values[1] for param in CASES}
    assert {("optimiser", "learning_rate"), ("augment", "blur", "jpeg_quality"), ("network", "rf", "token")} <= paths
    assert len(CASES) > 100


@pytest.mark.parametrize(("kind", "path", "hint"), CASES)
def test_odd_numbers_are_refused_by_name(kind: type[Checked], path: tuple[str, ...], hint: Any) -> None:
    bare = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
    length = 0 if bare in (int, float) else 5 if get_args(bare)[-1] is Ellipsis else len(get_args(bare))
    for odd in ODD:
        values: dict[str, Any] = {path[-1]: [odd] * length if length else odd}
        for section in reversed(path[:-1]):
            values = {section: values}
        with pytest.raises(ConfigError) as caught:
            from_mapping(kind, values)
        assert path[-1] in str(caught.value)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


@pytest.mark.parametrize(("kind", "path", "hint"), CASES)
def test_every_range_has_two_ends(kind: type[Checked], path: tuple[str, ...], hint: Any) -> None:
    if path == ("n_landmarks",):  # one of four
        return
    (allowed,) = (note for note in hint.__metadata__ if isinstance(note, Range))
    assert (allowed.least is None) != (allowed.above is None)
    assert (allowed.most is None) != (allowed.below is None)


def test_a_low_rank_matrix_that_no_memory_holds() -> None:
    values = {"network": {"lm": {"channels": 512}}, "crop": {"size": 512}}
    with pytest.raises(ConfigError, match=r"the side of M, is at most 16_384, not 32_768"):
        from_mapping(LandmarkConfig, values)
