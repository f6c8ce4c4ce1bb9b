"""Messages: one line, whatever the names in them hold."""

import pytest

from occlumark.errors import OcclumarkError, PhotoError, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain, Grüße, 写真, 👍, 'quoted' \\ back", "plain, Grüße, 写真, 👍, 'quoted' \\ back"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b[2J\x07\x7f\x9b31m", r"\x1b[2J\x07\x7f\x9b31m"),  # clears, rings, deletes, colours
        ("\u202egpj.exe\u2066\u200b", r"\u202egpj.exe\u2066\u200b"),  # turns the order of writing; without width
        ("one\u2028two\u2029three\x85", r"one\u2028two\u2029three\x85"),
        (b"\xff.jpg".decode(errors="surrogateescape"), r"\udcff.jpg"),  # a name that is no text
    ],
)
def test_what_is_unseen_is_escaped(text: str, line: str) -> None:
    assert one_line(text) == line
    assert str(PhotoError(f"cannot read {text}")) == f"cannot read {line}"


def test_an_error_without_a_message() -> None:
    assert str(OcclumarkError()) == ""
