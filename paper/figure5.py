"""Figure 5: cumulative error distribution on AFLW-Full."""

from pathlib import Path

from paper.inputs import Inputs
from paper.page import Table, hundredths, write_page
from paper.photo_errors import called, read_all
from paper.plot import COLOURS, Curve, draw_ced, new_figure, write_png
from paper.table3 import PREFIX, differences

_TO_MAKE = (
    "With AFLW (how it has to lie: [../datasets.md](../datasets.md)) and a network of 19 points:\n\n"
    "```sh\nmake figure5 AFLW=DIR WEIGHTS=aflw.onnx\n```"
)


def make(inputs: Inputs) -> list[Path]:
    """Write figure5.md, and where AFLW was measured figure5.csv and figure5.png; the files written.

    Raises:
        MissingInputError: there are errors, but no matplotlib.
        OcclumarkError: as in read_all and write_page.
    """
    title, measured = "Figure 5: errors on AFLW-Full", read_all(inputs.errors, PREFIX)
    if not measured:
        missing = (
            "**No network of 19 points has been measured here yet**, and no method of the paper's"
            " figure has published its predictions: there is nothing to draw. The paper's means are in [Table"
            " 3](table3.md)."
        )
        return write_page(inputs.results, "figure5", title, [missing, _TO_MAKE], {})
    colours = zip(measured.items(), COLOURS * len(measured), strict=False)
    curves = {called(name): Curve(table.by_box("box_width").of(), colour) for (name, table), colour in colours}
    figure, axes = new_figure(600)
    draw_ced(axes[0, 0], curves, 0.08, "box width")
    axes[0, 0].legend(loc="lower right", fontsize=8, frameon=False)
    picture = write_png(figure, inputs.results / "figure5.png")
    table = Table(
        ["curve", "faces", "NME x 10^-2"],
        [[name, str(len(c.errors)), hundredths(float(c.errors.mean()))] for name, c in curves.items()],
    )
    parts = [
        "![Share of AFLW-Full's images with at most an error](figure5.png)",
        table.markdown(),
        "No method of the paper's figure has published its predictions; their means are in [Table 3](table3.md).",
        *(f"{called(name)}:{text}" for name, each in measured.items() if (text := differences(each))),
        _TO_MAKE,
    ]
    return [picture, *write_page(inputs.results, "figure5", title, parts, {"figure5": table})]
