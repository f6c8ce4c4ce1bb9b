"""Figure 6: what the map P says under occluders, and what it leaves of the features."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from occlumark.errors import OcclumarkError
from occlumark.landmarker import Landmarker
from occlumark.packaged import DEFAULT_MODEL, packaged_weights
from paper.distilled import Features, features
from paper.figure6_crops import Crop, folder_crops, portrait_crops
from paper.inputs import Inputs
from paper.page import Table, write_page
from paper.plot import new_figure, write_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAPERS = "odn"
_COMPARED, _WHERE = ("map's mean", "features kept"), ("occluded", "not occluded")


def make(inputs: Inputs, model: str | None = None, photos: Path | None = None) -> list[Path]:
    """Write figure6.png, with the page figure6.md unless photos are named; the files written.

    Args:
        inputs: where to write.
        model: a packaged network to show beside the paper's; None: the default one.
        photos: a folder in the 300W layout to show instead of the sample with drawn occluders.

    Raises:
        MissingInputError: matplotlib or onnx is not installed.
        OcclumarkError: no such network, or the photos cannot be read.
    """
    networks = {name: _network(name) for name in dict.fromkeys((PAPERS, model or DEFAULT_MODEL))}
    if len({network.crop for network in networks.values()}) > 1:
        raise OcclumarkError(f"{' and '.join(networks)} cut their crops differently and cannot stand side by side")
    crops = (
        portrait_crops(inputs.results / "figure6-crops.png", PAPERS, networks[PAPERS])
        if photos is None
        else folder_crops(photos, networks[PAPERS])
    )
    pixels = np.stack([crop.pixels for crop in crops])
    maps = {name: 1 - network.predict(pixels).occlusion_maps for name, network in networks.items()}
    of_paper = _means(features(packaged_weights(PAPERS)[0], pixels))
    picture = _draw(crops, maps, of_paper, inputs.results / "figure6.png")
    if photos is not None:
        return [picture]
    table = Table(
        ["network", "face", *(f"{what}, {where}" for what in _COMPARED for where in _WHERE), "lowest", "highest"],
        [row for name, found in maps.items() for row in _numbers(name, crops, found, of_paper)],
    )
    parts = [
        "![A portrait, unoccluded and behind four drawn occluders, above the map of each](figure6.png)",
        _WHAT,
        table.markdown(),
        "The paper's figure shows features dimmed under occluders. Here P is no lower under them than beside them, on"
        " this portrait and under drawn occluders over the validation faces ([What P knows of"
        " occlusion](../experiments/occlusion.md#what-p-knows-of-occlusion)), and it takes no more from the features"
        " under an occluder than beside it.",
        "Other faces, for yourself, since photos of the data sets do not go into the repository:\n\n"
        "```sh\nmake figure6 PHOTOS=300w/ibug OUT=DIR    # MODEL=NAME: another network of the package beside odn\n```",
    ]
    page = write_page(inputs.results, "figure6", "Figure 6: the map under occluders", parts, {"figure6": table})
    return [picture, *page]


_WHAT = """\
Shown: the network's crop of a public-domain portrait with occluders drawn by `occlumark/occluders`; below it the
map of 7 x 7 cells (or what the network has), 1 = the face is visible. For `odn` it is the paper's P, which multiplies
the features and is learnt without any label of occlusion; for a network with a trained visibility it is 1 -
`occlusion_map`. Between them the features of `odn`, mean over their 512 channels, before and after they are multiplied
by P. White outlines: what the occluder occludes. "Features kept": the sum after over the sum before, of the cells that
it occludes at least by half, and of the others. The crops are kept in [figure6-crops.png](figure6-crops.png),
because OpenCV 4 and 5 cut and draw them a little differently; without that file they are drawn again.
"""


def _network(name: str) -> Landmarker:
    path, sha256 = packaged_weights(name)
    # one thread: sums in one order, the same picture every time
    return Landmarker(path, sha256=sha256, threads=1)


def _means(found: Features) -> Features:
    """Over the channels, (n, h, w)."""
    return Features(*(part.mean(axis=1) for part in found))


def _draw(crops: Sequence[Crop], maps: dict[str, np.ndarray], of_paper: Features, path: Path) -> Path:
    rows: list[tuple[str, np.ndarray, bool]] = []
    for name, found in maps.items():
        rows.append((_label(name), found, True))
        if name == PAPERS:
            rows += [("features\nbefore", of_paper.before, False), ("features\nafter", of_paper.after, False)]
    figure, axes = new_figure(30 + 170 * (1 + len(rows)), columns=len(crops), rows=1 + len(rows))
    for column, crop in enumerate(crops):
        axes[0, column].imshow(crop.pixels)
        axes[0, column].set_title(crop.title, fontsize=8.5)
    strongest = float(of_paper.before.max())
    for line, (label, values, is_map) in zip(axes[1:], rows, strict=True):
        for axis, crop, shown in zip(line, crops, values, strict=True):
            side = crop.pixels.shape[0] - 0.5
            colours = {"cmap": "viridis", "vmax": 1} if is_map else {"cmap": "magma", "vmax": strongest}
            image = axis.imshow(shown, vmin=0, extent=(-0.5, side, side, -0.5), **colours)
            _outline(axis, crop.occlusion)
        line[0].set_ylabel(label, fontsize=8.5)
        bar = figure.colorbar(image, ax=line.tolist(), aspect=9, pad=0.02)
        bar.set_label("0 occluded .. 1 visible" if is_map else "mean feature", fontsize=7)
        bar.ax.tick_params(labelsize=7)
    axes[0, 0].set_ylabel("crop", fontsize=8.5)
    for each in axes.flat:
        each.set(xticks=[], yticks=[])
    return write_png(figure, path)


def _outline(axis: "Axes", occlusion: np.ndarray) -> None:
    for line in cv2.findContours((occlusion > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]:
        axis.plot(*line[:, 0].T, color="white", linewidth=0.9)


def _label(name: str) -> str:
    return f"P of {name}" if name == PAPERS else f"1 - occlusion_map\nof {name}"


def _numbers(name: str, crops: Sequence[Crop], maps: np.ndarray, of_paper: Features) -> list[list[str]]:
    """The map's means, and how much of the paper's features P keeps, under the occluder and beside it."""
    rows = []
    for crop, found, before, after in zip(crops, maps, *of_paper, strict=True):
        means, kept = [], []
        for occluded in (True, False):
            part = _occluded(crop, found) == occluded
            means.append(f"{found[part].mean():.2f}" if part.any() else "-")
            part = _occluded(crop, before) == occluded
            kept.append(f"{after[part].sum() / before[part].sum():.2f}" if part.any() and name == PAPERS else "-")
        rows.append([name, crop.title, *means, *kept, f"{found.min():.2f}", f"{found.max():.2f}"])
    return rows


def _occluded(crop: Crop, grid: np.ndarray) -> np.ndarray:
    """Where on a grid the occluder lies over at least half of a cell."""
    # Sums of bytes are exact: a cell that is occluded by half to the pixel is on the same side everywhere.
    return cv2.resize(crop.occlusion.astype(np.float32), grid.shape[::-1], interpolation=cv2.INTER_AREA) >= 127.5
