import pytest

from occlumark.cli.text_table import cell, percent, text_table


def test_words_to_the_left_and_numbers_to_the_right() -> None:
    rows = [["set", "n", "NME"], ["all of it", "12", "3.50"], ["b", "7", "13.50"]]
    assert text_table(rows).split("\n") == ["set         n    NME", "all of it  12   3.50", "b           7  13.50"]
    assert text_table(rows, words=2).split("\n")[2] == "b          7   13.50"


def test_rows_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        text_table([["a", "b"], ["c"]])


def test_cells() -> None:
    assert (cell(0.0456, 2, 100), cell(None, 2), cell(1.25, 0), percent(0.0456)) == ("4.56", "-", "1", "4.6")
