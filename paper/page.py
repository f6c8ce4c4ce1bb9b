"""Result pages: Markdown for reading, CSV for computing, both written whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from occlumark.files import write_csv, written_whole

#: What stands below every number of ours that has one of the paper beside it.
DIFFERENCES = """\
What differs from the paper: of 300W's 3,148 training photos 2,129 are at hand, reduced copies, and `odn` was trained on
2,031 of them (98 are for validation); what another network saw is in its [model card](../model-card.md). The paper
names no box source: `official` is 300W's own detector's box (one of iBUG's faces has none and is cut from its tight
box), `tight` the box of the true landmarks, which tells the network the face's size, `finder` the package's own face
finder's (over the faces found). The paper names no seed and gives no interval; ours are 95 % bootstrap intervals over
photos, of one training (seed 0) unless it says otherwise. `odn` is given one crop a face, as in the paper; `occlumark`
a second where the first contradicts the box, as `occlumark detect` does. Augmentation and data term:
[../paper.md](../paper.md). Nothing was chosen on these photos.
"""


class Table(NamedTuple):
    """Rows of cells, as they are printed."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)

    def write(self, path: Path) -> Path:
        """Write the table as CSV, without Markdown's stars.

        Raises:
            OcclumarkError: it cannot be written.
        """
        write_csv(path, self.heads, ([cell.replace("**", "") for cell in row] for row in self.rows))
        return path


def write_page(results: Path, name: str, title: str, parts: Sequence[str], tables: dict[str, Table]) -> list[Path]:
    """Write NAME.md and a CSV for each of its tables.

    Args:
        results: the folder, made where it is missing.
        name: of the page and of the target that makes it.
        title: its heading.
        parts: paragraphs and tables as Markdown; an empty line is put between them.
        tables: CSV files by their names without suffix.

    Returns:
        The files written.

    Raises:
        OcclumarkError: a file cannot be written.
    """
    made_by = f"Made by `make {name}`; do not edit. [All results](README.md)"
    if tables:
        made_by += " · " + " · ".join(f"[{table}.csv]({table}.csv)" for table in tables)
    text = "\n".join(f"{part.rstrip()}\n" for part in (f"# {title}", made_by, *parts))
    written = [write_text(results / f"{name}.md", text)]
    return [*written, *(content.write(results / f"{table}.csv") for table, content in tables.items())]


def write_text(path: Path, text: str) -> Path:
    """Write a text file whole, with its folder.

    Raises:
        OcclumarkError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(text.encode())
    return path


def hundredths(fraction: float, digits: int = 2) -> str:
    """A fraction x 10^-2, which is percent of the face's size."""
    return f"{100 * fraction:.{digits}f}"


def interval(low: float, high: float) -> str:
    """Two fractions x 10^-2."""
    return f"{100 * low:.2f} to {100 * high:.2f}"
