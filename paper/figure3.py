"""Figure 3: cumulative error distribution on 300W Challenging."""

from pathlib import Path

import numpy as np

from occlumark.metrics.landmarks import auc, failure_rate
from paper.inputs import Inputs, MissingInputError
from paper.page import DIFFERENCES, Table, hundredths, write_page
from paper.photo_errors import called, read_all
from paper.plot import COLOURS, Curve, draw_ced, new_figure, write_png
from paper.predictions import spiga
from paper.rows_300w import PREFIX, box_order

_STYLES = {"official": "-", "tight": "--", "finder": ":"}


def make(inputs: Inputs) -> list[Path]:
    """Write figure3.md, figure3.csv and figure3.png; the files written.

    Raises:
        MissingInputError: no errors of ours, SPIGA's predictions or matplotlib are not here.
        OcclumarkError: as in read_all and write_page.
    """
    curves = _curves(inputs)
    figure, axes = new_figure(600)
    draw_ced(axes[0, 0], curves, 0.12, "inter-ocular distance")
    axes[0, 0].legend(loc="lower right", fontsize=8, frameon=False)
    picture = write_png(figure, inputs.results / "figure3.png")
    table = Table(
        ["curve", "faces", "NME x 10^-2", "FR.08 %", "FR.10 %", "AUC.08", "AUC.10"],
        [_numbers(name, curve) for name, curve in curves.items()],
    )
    parts = [
        "![Share of Challenging's 135 images with at most an error, for our networks and SPIGA](figure3.png)",
        table.markdown(),
        "A face that the face finder missed counts as a failure in the curve, in FR and in AUC, and is not in the mean."
        " SPIGA (BMVC 2022): from its published predictions, as a reference for what is possible today. The paper's own"
        " curve is a picture, and its text gives no point of it: nothing of it is drawn. Its mean is 6.67.",
        DIFFERENCES,
    ]
    page = write_page(inputs.results, "figure3", "Figure 3: errors on Challenging", parts, {"figure3": table})
    return [picture, *page]


def _curves(inputs: Inputs) -> dict[str, Curve]:
    tables = read_all(inputs.errors, PREFIX)
    if not tables:
        raise MissingInputError(f"no {PREFIX}*.csv in {inputs.errors}; make them: make paper-errors")
    models = list(dict.fromkeys(name.rpartition("-")[0] for name in tables))
    curves = {}
    for name, table in sorted(tables.items(), key=lambda item: box_order(item[0])):
        model, _, box = name.rpartition("-")
        errors = table.of("challenging")
        total = len(errors) + table.missed("challenging")
        colour = COLOURS[models.index(model) % (len(COLOURS) - 1)]
        curves[called(name)] = Curve(errors, colour, _STYLES.get(box, "-"), total)
    reference = spiga(inputs, "300wpublic")
    curves["SPIGA (reference)"] = Curve(reference.errors[reference.subsets == "ibug"], COLOURS[-1])
    return curves


def _numbers(name: str, curve: Curve) -> list[str]:
    # An infinite error is above every threshold, so that a missed face fails; no summary takes one.
    missed = (curve.total or len(curve.errors)) - len(curve.errors)
    errors = np.concatenate([curve.errors, np.full(missed, 1e9)])
    return [
        name,
        str(len(curve.errors)),
        hundredths(float(curve.errors.mean())),
        *(hundredths(failure_rate(errors, t)) for t in (0.08, 0.10)),
        *(f"{auc(errors, t):.4f}" for t in (0.08, 0.10)),
    ]
