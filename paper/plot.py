"""How the figures look, and how they are written: 900 pixels wide, the same bytes from the same numbers."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from occlumark.files import written_whole
from occlumark.metrics.landmarks import ced
from paper.inputs import need_package

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_PX = 900
_DPI = 150

#: Okabe and Ito's colours, told apart by colour-blind eyes; ours come first.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#555555", "#999999")


class Curve(NamedTuple):
    """One line of a cumulative error distribution."""

    errors: np.ndarray
    """(n,) fractions."""
    colour: str
    style: str = "-"
    total: int | None = None
    """Faces in all, where some have no error; None: n."""


def new_figure(height_px: int, columns: int = 1, rows: int = 1, **grid: object) -> "tuple[Figure, np.ndarray]":
    """A figure WIDTH_PX wide and its axes, (rows, columns).

    Raises:
        MissingInputError: matplotlib is not installed.
    """
    need_package("matplotlib", "paper")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_PX / _DPI, height_px / _DPI), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, gridspec_kw=grid)


def draw_ced(axes: "Axes", curves: Mapping[str, Curve], limit: float, normaliser: str) -> None:
    """Cumulative error distributions with their names, in the order given.

    Args:
        axes: to draw on.
        curves: by name.
        limit: of the horizontal axis, a fraction.
        normaliser: what an error is divided by, in words.
    """
    thresholds = np.linspace(0, limit, 601)
    for name, curve in curves.items():
        shares = ced(curve.errors, thresholds) * len(curve.errors) / (curve.total or len(curve.errors))
        axes.plot(100 * thresholds, 100 * shares, curve.style, color=curve.colour, label=name, linewidth=1.5)
    axes.set_xlim(0, 100 * limit)
    axes.set_ylim(0, 100)
    axes.set_xlabel(f"NME (% of {normaliser})")
    axes.set_ylabel("Images with at most this NME (%)")
    clean(axes)


def clean(axes: "Axes") -> None:
    """Text at reading size, a faint grid, no frame where there is nothing to read."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E4E4E4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_fontsize(8.5)
    axes.yaxis.label.set_fontsize(8.5)


def write_png(figure: "Figure", path: Path) -> Path:
    """Write a figure whole.

    Raises:
        OcclumarkError: it cannot be written.
    """
    drawn, content = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    # A palette keeps photos and smooth edges below 150 kB and is not seen.
    Image.open(drawn).convert("RGB").quantize(256, kmeans=1).save(content, "png", optimize=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(content.getvalue())
    return path
