"""Figure 6: what the map P says under occluders, and what it leaves of the features."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from occlumark.crop import CropTransform
from occlumark.data.w300 import read_w300
from occlumark.demo import SAMPLES
from occlumark.detect import Detector
from occlumark.errors import OcclumarkError
from occlumark.landmarker import Landmarker
from occlumark.occluders.compose import compose
from occlumark.occluders.kinds import TRAINING
from occlumark.occluders.occlude import NOTHING_BORROWED
from occlumark.packaged import DEFAULT_MODEL, packaged_weights
from occlumark.photo import read_photo
from paper.distilled import Features, features
from paper.inputs import Inputs
from paper.page import Table, write_page
from paper.plot import new_figure, write_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAPERS = "odn"
#: Title to kind of occluder; "" draws none.
SHOWN = {"open": "", "face mask": "medical_mask", "sunglasses": "shades", "hand": "hand_on_face", "hair": "curtains"}
_COMPARED, _WHERE = ("map's mean", "features kept"), ("occluded", "not occluded")
_SEED = 4
_COLUMNS = 5


class Crop(NamedTuple):
    """A face as the network sees it."""

    title: str
    pixels: np.ndarray
    """(S, S, 3) uint8, RGB."""
    cover: np.ndarray
    """(S, S) 0..1: how much of each pixel the drawn occluder hides."""


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
    crops = _drawn(networks[PAPERS]) if photos is None else _of_photos(photos, networks[PAPERS])
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
        "![A portrait, open and behind four drawn occluders, above the map of each](figure6.png)",
        _WHAT,
        table.markdown(),
        "The paper's figure shows features dimmed under occluders. Here P is no lower under them than beside them, on"
        " this portrait and under drawn occluders over the validation faces ([../experiments.md](../experiments.md),"
        ' "What P knows of occlusion"), and it takes no more from the features'
        " under an occluder than beside it.",
        "Other faces, for yourself, since photos of the data sets do not go into the repository:\n\n"
        "```sh\nmake figure6 PHOTOS=300w/ibug OUT=DIR    # MODEL=NAME: another network of the package beside odn\n```",
    ]
    page = write_page(inputs.results, "figure6", "Figure 6: the map under occluders", parts, {"figure6": table})
    return [picture, *page]


_WHAT = """\
Shown: the network's crop of a public-domain portrait with occluders drawn by `occlumark/occluders`; below it the
map of 7 x 7 places (or what the network has), 1 = the face shows. For `odn` it is the paper's P, which multiplies the
features and is learnt without any label of occlusion; for a network with a trained visibility it is 1 -
`occlusion_map`. Between them the features of `odn`, mean over their 512 channels, before and after they are multiplied
by P. White outlines: what the occluder covers. "Features kept": the sum after over the sum before, of the places that
the occluder covers by more than half, and of the others.
"""


def _network(name: str) -> Landmarker:
    path, sha256 = packaged_weights(name)
    # one thread: sums in one order, the same picture every time
    return Landmarker(path, sha256=sha256, threads=1)


def _drawn(network: Landmarker) -> list[Crop]:
    """The sample's face, open and under each occluder."""
    photo = read_photo(SAMPLES / "astronaut.jpg")
    face = max(Detector(PAPERS, threads=1).detect(photo), key=lambda found: found.score)
    transform = CropTransform.from_box(face.box, network.crop)
    crop, landmarks = transform.cut(photo), transform.to_crop(face.landmarks)
    crops = []
    for column, (title, kind) in enumerate(SHOWN.items()):
        pixels, cover = crop, np.zeros(crop.shape[:2], np.float32)
        if kind:
            rng = np.random.default_rng((_SEED, column))
            drawing = TRAINING[kind](crop, landmarks, rng, NOTHING_BORROWED)
            pixels, cover, _light = compose(crop, landmarks, drawing, rng)
        crops.append(Crop(title, pixels, cover))
    return crops


def _of_photos(folder: Path, network: Landmarker) -> list[Crop]:
    """Faces of a folder, evenly chosen, from their tight boxes."""
    samples, _problems = read_w300([folder])
    crops = []
    for i in np.unique(np.linspace(0, len(samples) - 1, _COLUMNS).round().astype(int)):
        crop = CropTransform.from_box(samples[i].tight_box, network.crop).cut(samples[i].read_photo())
        crops.append(Crop(Path(samples[i].name).stem, crop, np.zeros(crop.shape[:2], np.float32)))
    return crops


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
            _outline(axis, crop.cover)
        line[0].set_ylabel(label, fontsize=8.5)
        bar = figure.colorbar(image, ax=line.tolist(), aspect=9, pad=0.02)
        bar.set_label("0 hidden .. 1 shows" if is_map else "mean feature", fontsize=7)
        bar.ax.tick_params(labelsize=7)
    axes[0, 0].set_ylabel("crop", fontsize=8.5)
    for each in axes.flat:
        each.set(xticks=[], yticks=[])
    return write_png(figure, path)


def _outline(axis: "Axes", cover: np.ndarray) -> None:
    for line in cv2.findContours((cover > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]:
        axis.plot(*line[:, 0].T, color="white", linewidth=0.9)


def _label(name: str) -> str:
    return f"P of {name}" if name == PAPERS else f"1 - occlusion_map\nof {name}"


def _numbers(name: str, crops: Sequence[Crop], maps: np.ndarray, of_paper: Features) -> list[list[str]]:
    """The map's means, and how much of the paper's features P keeps, under the occluder and beside it."""
    rows = []
    for crop, found, before, after in zip(crops, maps, *of_paper, strict=True):
        means, kept = [], []
        for hidden in (True, False):
            part = _covers(crop, found) == hidden
            means.append(f"{found[part].mean():.2f}" if part.any() else "-")
            part = _covers(crop, before) == hidden
            kept.append(f"{after[part].sum() / before[part].sum():.2f}" if part.any() and name == PAPERS else "-")
        rows.append([name, crop.title, *means, *kept, f"{found.min():.2f}", f"{found.max():.2f}"])
    return rows


def _covers(crop: Crop, grid: np.ndarray) -> np.ndarray:
    """Where on a grid the occluder covers more than half of a place."""
    return cv2.resize(crop.cover, grid.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
