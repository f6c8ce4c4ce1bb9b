"""Figure 4: COFW68, mean errors and cumulative error distributions."""

from pathlib import Path

import numpy as np

from occlumark.metrics.landmarks import ced
from paper.inputs import Inputs
from paper.page import Table, hundredths, write_page
from paper.photo_errors import read_all
from paper.plot import COLOURS, Curve, clean, draw_ced, new_figure, write_png
from paper.predictions import spiga, systems_on_cofw68
from paper.published import COFW68_BELOW_08, COFW68_MEAN

PREFIX = "cofw68-"
_ODN = "ODN, the paper's"
_LIMIT = 0.12


def make(inputs: Inputs) -> list[Path]:
    """Write figure4.md, figure4.csv and figure4.png; the files written.

    Raises:
        MissingInputError: the annotations and predictions, or matplotlib, are not here.
        OcclumarkError: as in read_all and write_page.
    """
    ours = read_all(inputs.errors, PREFIX)
    curves = {name: found.errors for name, found in systems_on_cofw68(inputs).items()}
    curves["SPIGA"] = spiga(inputs, "cofw68").errors
    curves |= {f"{name.rpartition('-')[0]}, ours": table.of() for name, table in ours.items()}
    picture = _draw(curves, inputs.results / "figure4.png")
    rows = [[name, hundredths(float(e.mean())), hundredths(_below_08(e)), str(len(e))] for name, e in curves.items()]
    rows.append([_ODN, f"{COFW68_MEAN:.2f} (cited elsewhere)", f"{100 * COFW68_BELOW_08:.0f}", "507"])
    table = Table(["method", "NME x 10^-2", "images with NME up to .08, %", "images"], rows)
    parts = [
        "![Mean errors of six systems on COFW68, and the share of images with at most an error](figure4.png)",
        table.markdown(),
        "Colours are the same on both sides. COFW's 507 test photos with 68 points, inter-ocular. The five older"
        " systems and SPIGA (BMVC 2022, as a reference): recomputed from their published predictions, photo by photo."
        " Of the paper's ODN there is no prediction: its curve is the one point that the text gives, 92 % at .08; its"
        " mean is cited elsewhere as 5.30. The paper says that the others reach 81 % at most: CFSS and SAPM reach 83"
        " and 82.",
        *([] if ours else ["**COFW's photos are not here**, so no network of ours is in it."]),
        "With COFW's photos (`COFW_test_color.mat`, see [../datasets.md](../datasets.md)) our networks join, from the"
        " boxes that COFW68 gives:\n\n"
        "```sh\nmake figure4 COFW=DIR              # the default network; another: MODEL=odn\n```",
    ]
    return [picture, *write_page(inputs.results, "figure4", "Figure 4: COFW68", parts, {"figure4": table})]


def _draw(errors: dict[str, np.ndarray], path: Path) -> Path:
    """Bars on the left, curves on the right, the same colours."""
    colours = dict(zip(errors, [*COLOURS[1:], COLOURS[0], "#000000", "#8C564B"], strict=False))
    means = {name: 100 * float(each.mean()) for name, each in errors.items()} | {_ODN: COFW68_MEAN}
    figure, axes = new_figure(560, columns=2, width_ratios=(1, 1.35))
    bars, curves = axes[0]
    order = sorted(means, key=lambda name: -means[name])
    drawn = bars.barh(order, [means[name] for name in order], color=[colours.get(name, "#222222") for name in order])
    bars.bar_label(drawn, fmt="%.2f", padding=2, fontsize=8)
    bars.set_xlabel("Mean NME (% of inter-ocular)")
    bars.set_xlim(0, 1.2 * max(means.values()))
    bars.set_xticks(range(0, 11, 2))
    clean(bars)
    bars.grid(False)
    draw_ced(
        curves, {name: Curve(each, colours[name]) for name, each in errors.items()}, _LIMIT, "inter-ocular distance"
    )
    below = 100 * COFW68_BELOW_08
    curves.plot([8], [below], "o", color="#222222", markersize=5, zorder=5)
    curves.text(7.75, below, "ODN", fontsize=8, ha="right", va="center")
    return write_png(figure, path)


def _below_08(errors: np.ndarray) -> float:
    return float(ced(errors, np.array([0.08]))[0])
