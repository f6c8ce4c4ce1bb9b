"""The one form of tables on the terminal."""

from collections.abc import Sequence


def text_table(rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Columns under one another: the first ones, of words, to the left, those of numbers to the right.

    Args:
        rows: cells as they are printed, the heads first; as many in each row.
        words: how many columns are words.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:words], widths, strict=False)]
        cells += [cell.rjust(width) for cell, width in zip(row[words:], widths[words:], strict=True)]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def cell(value: float | None, digits: int, factor: float = 1) -> str:
    """A number times a factor with so many digits behind the point; a dash where there is none."""
    return "-" if value is None else f"{factor * value:.{digits}f}"


def percent(share: float | None) -> str:
    """A fraction in percent, one digit behind the point."""
    return cell(share, 1, 100)
