"""The best published numbers, for scale."""

from pathlib import Path

from paper.inputs import Inputs
from paper.page import DIFFERENCES, Table, write_page
from paper.published import BEST_300W, BEST_OTHERS
from paper.rows_300w import our_rows


def make(inputs: Inputs) -> list[Path]:
    """Write best.md and its tables; the files written. Errors as in our_rows and write_page."""
    ours = [[f"**{row.label}**", row.common, row.challenging, row.full] for row in our_rows(inputs.errors)]
    on_300w = Table(["method", "Common", "Challenging", "Full"], [*BEST_300W, *ours])
    others = Table(["data set, normaliser", "method", "error"], BEST_OTHERS)
    parts = [
        "NME x 10^-2, lower is better. 300W, inter-ocular, published numbers as their authors give them, most of them"
        " trained on all 3,148 photos, from boxes of their own choice:",
        on_300w.markdown(),
        "Other data sets:",
        others.markdown(),
        DIFFERENCES,
    ]
    return write_page(
        inputs.results, "best", "Best published, for scale", parts, {"best-300w": on_300w, "best-others": others}
    )
