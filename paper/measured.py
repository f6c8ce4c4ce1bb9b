"""The tables of per-photo errors: which networks, which boxes, which names."""

from pathlib import Path

from occlumark.detect import Detector, Recrop
from occlumark.errors import OcclumarkError
from occlumark.evaluation.landmarks import BOX_SOURCES, BoxSource
from occlumark.packaged import DEFAULT_MODEL
from paper import figure4, rows_300w, table3, table4
from paper.inputs import Inputs
from paper.measure import errors_on_300w, errors_on_aflw, errors_on_cofw68

#: The paper's network, which crops a face once, as the paper does; others as they are used.
PAPERS = "odn"
#: The packaged networks whose errors are kept.
MODELS = tuple(dict.fromkeys((PAPERS, DEFAULT_MODEL)))


def write_errors(
    inputs: Inputs, model: str | None, weights: Path | None, box: BoxSource | None, name: str | None
) -> list[Path]:
    """Run networks on 300W's test photos and write each photo's error.

    Args:
        inputs: where the photos are, and where the tables go.
        model: a packaged network; None: all of MODELS, where no weights are named.
        weights: an ONNX file instead.
        box: these boxes alone; None: all, or with a name official ones.
        name: of the table, as ablation-ROW-seedN; None: 300w-MODEL-BOX.

    Returns:
        The tables written.

    Raises:
        MissingInputError: the photos are not here.
        OcclumarkError: no such network, or a name that Table 4 does not know.
    """
    photos = inputs.data("300w")
    if name is not None:
        table4.parse_name(name)
    once: Recrop = "never" if name is not None else "auto"  # as the ablation measures its rows
    models = [model] if model else MODELS
    detectors = (
        [Detector(weights=weights, recrop=once)]
        if weights
        else [Detector(each, recrop="never" if each == PAPERS else once) for each in models]
    )
    if name is not None:
        if len(detectors) > 1:
            raise OcclumarkError("--as names one network's table: give --weights FILE or --model NAME")
        path = inputs.errors / f"{name}.csv"
        errors_on_300w(photos, detectors[0], box or "official").write(path)
        return [path]
    written = []
    for detector in detectors:
        label = weights.stem if weights else detector.model
        for each in (box,) if box else BOX_SOURCES:
            path = inputs.errors / f"{rows_300w.PREFIX}{label}-{each}.csv"
            errors_on_300w(photos, detector, each).write(path)
            written.append(path)
    return written


def write_cofw68(inputs: Inputs, photos: Path, model: str | None, weights: Path | None) -> Path:
    """Run a network on COFW68 and write each photo's error.

    Args:
        inputs: where the annotations are, and where the table goes.
        photos: where COFW_test_color.mat is.
        model: a packaged network; None: the default.
        weights: an ONNX file instead.

    Raises:
        MissingInputError: the annotations are not here.
        OcclumarkError: the photos or the network cannot be read.
    """
    detector = Detector(weights=weights) if weights else Detector(model or DEFAULT_MODEL)
    label = weights.stem if weights else detector.model
    path = inputs.errors / f"{figure4.PREFIX}{label}-official.csv"
    errors_on_cofw68(inputs.data("cofw68"), photos, detector).write(path)
    return path


def write_aflw(inputs: Inputs, folder: Path, weights: Path | None) -> Path:
    """Run a network of 19 points on AFLW's test faces and write each one's error.

    Args:
        inputs: where the table goes.
        folder: AFLW.
        weights: an ONNX file; the package has no such network.

    Raises:
        OcclumarkError: no weights, or the data set or the network cannot be read.
    """
    if weights is None:
        raise OcclumarkError("AFLW needs a network of 19 points, and the package has none: --weights FILE")
    path = inputs.errors / f"{table3.PREFIX}{weights.stem}-official.csv"
    errors_on_aflw(folder, Detector(weights=weights)).write(path)
    return path
