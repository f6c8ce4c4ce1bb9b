"""Table 2: 300W Challenging."""

from pathlib import Path

from paper.inputs import Inputs
from paper.page import DIFFERENCES, Table, write_page
from paper.published import TABLE_2
from paper.rows_300w import missed_note, our_rows


def make(inputs: Inputs) -> list[Path]:
    """Write table2.md and table2.csv; the files written. Errors as in our_rows and write_page."""
    rows = our_rows(inputs.errors)
    published = [[m.name, m.year, m.normaliser, m.errors[0], ""] for m in TABLE_2]
    ours = [[f"**{r.label}**", "", "inter-ocular", f"**{r.challenging}**", r.challenging_interval] for r in rows]
    table = Table(["method", "year", "normaliser", "Challenging (135)", "95 % interval"], [*published, *ours])
    parts = [
        "NME x 10^-2 on iBUG's 135 photos, lower is better. Published numbers are the paper's; it mixes normalisers"
        " (see [Table 1](table1.md)). The paper's own text has SAN, 6.60, below its 6.67.",
        table.markdown(),
        *filter(None, [missed_note(rows)]),
        DIFFERENCES,
    ]
    return write_page(inputs.results, "table2", "Table 2: Challenging", parts, {"table2": table})
