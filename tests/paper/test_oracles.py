from pathlib import Path

import numpy as np
import pytest

from occlumark.errors import AnnotationError
from paper import oracles, predictions
from paper.inputs import Inputs
from paper.oracles import MismatchError, Oracle


@pytest.fixture
def here(shared: Path, tmp_path: Path) -> Inputs:
    for part in ("cofw68", "predictions"):
        if not (shared / "data" / part).is_dir():
            pytest.skip(f"needs the research data in shared/data/{part}")
    return Inputs(shared, tmp_path)


def test_every_known_number_comes_out_to_its_last_digit(here: Inputs) -> None:
    found = oracles.oracles(here)
    assert len(found) == 63
    differing = [(each.number, each.expected, each.printed) for each in found if not each.agrees]
    # .31848, rounded twice by who wrote it down.
    assert differing == [("occluded share, jaw", ".319", ".318")]


def test_the_page_shows_computed_beside_known(here: Inputs) -> None:
    page, table = oracles.make(here)
    text = page.read_text(encoding="utf-8")
    assert "62 of 63 agree" in text and text.count("✓") == 62
    assert "| CFSS on COFW68 | NME x 10^-2 | 6.283 | 6.283 | ✓ |" in text
    assert len(table.read_text(encoding="utf-8").splitlines()) == 64


def test_a_number_that_differs_stops_and_is_on_the_page(here: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Oracle("SPIGA", "mean", "2.5872", 2.58711)
    monkeypatch.setattr(oracles, "oracles", lambda inputs: [wrong, Oracle("SPIGA", "AUC", ".6070", 0.60699)])
    with pytest.raises(MismatchError, match=r"1 of 2 known numbers differ: SPIGA, mean: expected 2.5872, came 2.5871"):
        oracles.make(here)
    assert "| SPIGA | mean | 2.5872 | 2.5871 | ✗ |" in (here.results / "oracles.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("expected", "computed", "printed"), [("7896", 7896.0, "7896"), (".050", 0.0496, ".050"), ("0.79", 0.789, "0.79")]
)
def test_as_many_digits_are_printed_as_are_known(expected: str, computed: float, printed: str) -> None:
    assert Oracle("", "", expected, computed).printed == printed


def lines_of(number: int) -> list[str]:
    xs, ys, flags = np.arange(68) + number, np.arange(68) * 2, np.arange(68) % 2
    return [str(number), *(" ".join(map(str, values)) for values in (xs, ys, flags))]


def test_a_systems_file_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "system.txt"
    path.write_text("\n".join([*lines_of(2), "", *lines_of(1)]) + "\n")
    points, flagged = predictions.read_result(path, 2)
    assert points[:, 0, 0].tolist() == [1, 2] and points[0, 3].tolist() == [4, 6]
    assert flagged[0, :4].tolist() == [False, True, False, True]


@pytest.mark.parametrize("lines", [lines_of(1), [*lines_of(1), *lines_of(1)], [*lines_of(1), *lines_of(2)[:3]]])
def test_a_systems_file_with_other_faces_is_refused(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "system.txt"
    path.write_text("\n".join(lines))
    with pytest.raises(AnnotationError, match="for each of 2 faces"):
        predictions.read_result(path, 2)
