"""Table 1: 300W Common and Full."""

from pathlib import Path

from paper.inputs import Inputs
from paper.page import DIFFERENCES, Table, write_page
from paper.published import TABLE_1
from paper.rows_300w import missed_note, our_rows


def make(inputs: Inputs) -> list[Path]:
    """Write table1.md and table1.csv; the files written. Errors as in our_rows and write_page."""
    rows = our_rows(inputs.errors)
    heads = ["method", "year", "normaliser", "Common (554)", "95 % of Common", "Full (689)", "95 % of Full"]
    published = [[m.name, m.year, m.normaliser, m.errors[0], "", m.errors[1], ""] for m in TABLE_1]
    ours = [
        [f"**{r.label}**", "", "inter-ocular", f"**{r.common}**", r.common_interval, f"**{r.full}**", r.full_interval]
        for r in rows
    ]
    table = Table(heads, [*published, *ours])
    parts = [
        "NME x 10^-2 on 300W's test photos, lower is better: what the paper's equation (10) calls NRMSE. Published"
        " numbers are the paper's. It mixes normalisers: inter-pupil errors are about 1.4 times the inter-ocular ones"
        " of the same landmarks, so rows of another or an unknown normaliser are not to be compared with ours.",
        table.markdown(),
        *filter(None, [missed_note(rows)]),
        DIFFERENCES,
    ]
    return write_page(inputs.results, "table1", "Table 1: Common and Full", parts, {"table1": table})
