"""Run networks on a data set and keep the error of every photo: `python -m paper errors`, and for AFLW and COFW."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from occlumark.data.aflw import N_TRAIN
from occlumark.data.cofw68 import read_cofw68
from occlumark.data.data_sets import read_aflw_any
from occlumark.data.sample import Problem, Sample
from occlumark.detect import Detector
from occlumark.errors import AnnotationError, OcclumarkError
from occlumark.evaluation.landmarks import evaluate, evaluate_samples
from occlumark.evaluation.loop import BOX_SOURCES, BoxSource
from occlumark.evaluation.result import Evaluation
from occlumark.metrics.landmarks import Normaliser
from occlumark.packaged import DEFAULT_MODEL
from occlumark.recrop import Recrop
from paper import figure4, rows_300w, table3, table4
from paper.inputs import Inputs
from paper.photo_errors import PhotoErrors

COMMON = ("lfpw/testset", "helen/testset")
CHALLENGING = "ibug"
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
        [_of_file(weights, once)]
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


def _of_file(weights: Path, once: Recrop) -> Detector:
    """The paper's network crops once, whatever its file is called: it predicts no expected error, all of ours do."""
    detector = Detector(weights=weights, recrop=once)
    if not detector.has_expected_error:
        detector.recrop = "never"
    return detector


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
    once: Recrop = "never" if model == PAPERS else "auto"  # as on 300W
    detector = _of_file(weights, once) if weights else Detector(model or DEFAULT_MODEL, recrop=once)
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


def errors_on_300w(folder: Path, detector: Detector, box: BoxSource, limit: int | None = None) -> PhotoErrors:
    """Inter-ocular errors on 300W's Common and Challenging photos.

    Args:
        folder: holds lfpw/testset, helen/testset and ibug.
        detector: what is measured.
        box: where the face boxes come from.
        limit: this many faces alone, evenly spaced.

    Raises:
        AnnotationError: a face cannot be used, or the folders cannot be read.
    """
    result = evaluate([folder / name for name in (*COMMON, CHALLENGING)], detector, box, "inter_ocular", limit)
    names = sorted([*result.names, *result.missed])
    subsets = {name: "challenging" if name.startswith(f"{CHALLENGING}/") else "common" for name in names}
    return _photo_errors(result, {name: frozenset({subset}) for name, subset in subsets.items()})


def errors_on_cofw68(annotations: Path, photos: Path, detector: Detector) -> PhotoErrors:
    """Inter-ocular errors on the 507 faces of COFW68 from their official boxes.

    Args:
        annotations: COFW68 as published.
        photos: where COFW_test_color.mat is.
        detector: of 68 points.

    Raises:
        AnnotationError: a face cannot be used, or the data set cannot be read.
        OcclumarkError: h5py is not installed, or the network is of another markup.
    """
    return _from_official_boxes(*read_cofw68(annotations, photos), detector, "inter_ocular")


def errors_on_aflw(folder: Path, detector: Detector, n_train: int = N_TRAIN) -> PhotoErrors:
    """Errors over the box width on AFLW's test faces, from the boxes of the published list.

    Args:
        folder: AFLWinfo_release.mat and the photos, or a reduced copy, whose landmarks out of sight are excluded.
        detector: of 19 points.
        n_train: as in read_aflw.

    Raises:
        AnnotationError: a face cannot be used, or the list cannot be read.
        OcclumarkError: the network is of another markup.
    """
    samples, problems = read_aflw_any(folder, n_train)
    problems = [problem for problem in problems if problem.part != "train"]
    return _from_official_boxes([s for s in samples if "full" in s.subsets], problems, detector, "box_width")


def _from_official_boxes(
    samples: Sequence[Sample], problems: Sequence[Problem], detector: Detector, normaliser: Normaliser
) -> PhotoErrors:
    result = evaluate_samples(samples, problems, detector, "official", normaliser)
    if result.fallback:
        raise AnnotationError(f"{result.fallback[0]} has no official box; this data set is measured from them")
    return _photo_errors(result, {sample.name: sample.subsets for sample in samples})


def _photo_errors(result: Evaluation, subsets: Mapping[str, frozenset[str]]) -> PhotoErrors:
    """An evaluation of a whole published set in the form that is kept, in the order of the subsets' names.

    Raises:
        AnnotationError: a face could not be used: a published set is measured whole or not at all.
    """
    unusable = [problem for problem in result.skipped if problem.name not in result.missed]
    if unusable:
        first = f"{unusable[0].name}: {unusable[0].reason}"
        raise AnnotationError(f"{len(unusable)} faces cannot be used; `occlumark check-data` lists them; first {first}")
    found = {name: i for i, name in enumerate(result.names)}
    faces = [found.get(name) for name in subsets]
    sizes = {**dict(zip(result.names, result.sizes, strict=True)), **result.missed}
    sides = result.boxes[:, 2:] - result.boxes[:, :2]
    sources = {**dict.fromkeys(result.names, result.box), **dict.fromkeys(result.fallback, "tight")}
    return PhotoErrors(
        names=list(subsets),
        subsets=list(subsets.values()),
        errors=np.array([np.nan if i is None else result.errors[i] for i in faces]),
        normaliser=result.normaliser,
        sizes=np.array([sizes[name] for name in subsets]),
        boxes=[sources.get(name, "none") for name in subsets],
        sides=np.array([(np.nan, np.nan) if i is None else sides[i] for i in faces]),
    )
