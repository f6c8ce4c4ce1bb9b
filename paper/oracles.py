"""Published predictions measured by this project's metrics, beside the numbers that are known for them.

The known numbers were computed independently from the same published files; SPIGA's agree with its own paper.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from occlumark.errors import OcclumarkError
from occlumark.markup import REGIONS
from occlumark.metrics.landmarks import auc, ced, face_sizes, failure_rate, precision_recall
from paper.inputs import Inputs
from paper.page import Table, write_page
from paper.predictions import Predictions, spiga, systems_on_cofw68

#: Mean, FR.10 %, FR.08 %, AUC.08, AUC.10, visible and occluded points pooled; all inter-ocular.
_COLUMNS = ("NME x 10^-2", "FR.10 %", "FR.08 %", "AUC.08", "AUC.10", "NME visible points", "NME occluded points")
_EXPECTED = {
    "HPM": "6.717 6.71 18.54 .2084 .3438 5.642 10.334",
    "SAPM": "6.635 5.72 17.55 .2167 .3523 5.691 9.813",
    "CFSS": "6.283 9.07 16.77 .3169 .4296 5.091 10.296",
    "TCDCN": "7.655 16.17 30.77 .1921 .3083 6.779 10.605",
    "RCPR-occ": "8.756 20.12 31.95 .2051 .3143 8.020 11.233",
}
_FLAGS = {"HPM": ("80.65", "34.06"), "SAPM": ("76.50", "51.95")}
_BELOW_08 = {"HPM": "81.46", "CFSS": "83.23", "SAPM": "82.45"}
_OCCLUDED = {"jaw": ".319", "brows": ".312", "nose": ".050", "eyes": ".180", "mouth": ".221"}


class Oracle(NamedTuple):
    """One known number."""

    what: str
    number: str
    expected: str
    """As printed."""
    computed: float
    remark: str = ""
    """Why the known number is wrong itself, and may differ."""

    @property
    def printed(self) -> str:
        """The computed number with as many digits as are known."""
        decimals = len(self.expected.partition(".")[2])
        text = f"{self.computed:.{decimals}f}"
        return text.removeprefix("0") if self.expected.startswith(".") else text

    @property
    def agrees(self) -> bool:
        """Whether all printed digits do."""
        return self.printed == self.expected


class MismatchError(OcclumarkError):
    """A known number came out differently."""


def oracles(inputs: Inputs) -> list[Oracle]:
    """Every known number with what came.

    Raises:
        MissingInputError: the predictions are not here.
        AnnotationError: a file is not as published.
    """
    systems = systems_on_cofw68(inputs)
    hpm = systems["HPM"]
    return [
        *_of_spiga(inputs),
        *(oracle for name, found in systems.items() for oracle in _of_system(name, found)),
        *_of_flags(systems),
        *(
            Oracle(f"{name} on COFW68", "images with NME up to .08, %", expected, 100 * _below_08(systems[name]))
            for name, expected in _BELOW_08.items()
        ),
        *_of_annotations(hpm),
        *_of_formulas(hpm),
    ]


def _of_spiga(inputs: Inputs) -> list[Oracle]:
    public, cofw = spiga(inputs, "300wpublic"), spiga(inputs, "cofw68")
    hard = public.subsets == "ibug"
    means = (
        ("300W Common (554)", "2.5871", public.errors[~hard]),
        ("300W Challenging (135)", "4.6623", public.errors[hard]),
        ("300W Full (689)", "2.9937", public.errors),
        ("300W private (600)", "3.4295", spiga(inputs, "300wprivate").errors),
        ("COFW68 (507)", "3.9346", cofw.errors),
    )
    what = "SPIGA on COFW68"
    return [
        *(
            Oracle(f"SPIGA on {name}", _COLUMNS[0], known, 100 * float(np.mean(errors)))
            for name, known, errors in means
        ),
        Oracle(what, "FR.10 %", "0.79", 100 * failure_rate(cofw.errors, 0.10)),
        Oracle(what, "AUC.10", ".6070", auc(cofw.errors, 0.10)),
        Oracle(what, _COLUMNS[5], "3.2624", 100 * float(cofw.point_errors[~cofw.occluded].mean())),
        Oracle(what, _COLUMNS[6], "6.1972", 100 * float(cofw.point_errors[cofw.occluded].mean())),
    ]


def _of_system(name: str, found: Predictions) -> list[Oracle]:
    errors, points = found.errors, found.point_errors
    computed = (
        100 * float(errors.mean()),
        100 * failure_rate(errors, 0.10),
        100 * failure_rate(errors, 0.08),
        auc(errors, 0.08),
        auc(errors, 0.10),
        100 * float(points[~found.occluded].mean()),
        100 * float(points[found.occluded].mean()),
    )
    known = _EXPECTED[name].split()
    return [Oracle(f"{name} on COFW68", *each) for each in zip(_COLUMNS, known, computed, strict=True)]


def _of_flags(systems: dict[str, Predictions]) -> list[Oracle]:
    found = []
    for name, known in _FLAGS.items():
        system = systems[name]
        came = precision_recall(np.asarray(system.flagged), system.occluded)
        for number, expected, share in zip(("precision", "recall"), known, came, strict=True):
            found.append(Oracle(f"{name}'s occlusion flags on COFW68", f"{number} %", expected, 100 * share))
    return found


def _of_annotations(cofw: Predictions) -> list[Oracle]:
    what, occluded = "COFW68's annotations", cofw.occluded
    ratio = face_sizes(cofw.truth, "inter_ocular") / face_sizes(cofw.truth, "inter_pupil")
    return [
        Oracle(what, "occluded points", "7896", float(occluded.sum())),
        Oracle(what, "points", "34476", float(occluded.size)),
        Oracle(what, "occluded points, %", "22.90", 100 * float(occluded.mean())),
        *(
            Oracle(
                what,
                f"occluded share, {region}",
                known,
                float(occluded[:, list(REGIONS[region])].mean()),
                "known number rounded twice, from .31848" if region == "jaw" else "",
            )
            for region, known in _OCCLUDED.items()
        ),
        Oracle(what, "inter-ocular over inter-pupil distance", "1.4015", float(ratio.mean())),
    ]


def _of_formulas(hpm: Predictions) -> list[Oracle]:
    """What the paper's equation (10) can be read as: only one reading gives HPM's published 6.72."""
    distances = np.linalg.norm(hpm.points - hpm.truth, axis=2)
    sizes = face_sizes(hpm.truth, "inter_ocular")
    literal = np.linalg.norm(distances, axis=1) / (distances.shape[1] * sizes)
    rms = np.sqrt((distances**2).mean(axis=1)) / sizes
    what = "HPM on COFW68, x 10^-2"
    return [
        Oracle(
            what, "equation (10) to the letter: norm of all coordinates / (L Ω)", "1.02", 100 * float(literal.mean())
        ),
        Oracle(what, "root of the mean squared distance / Ω", "8.43", 100 * float(rms.mean())),
        Oracle(what, "NME: mean distance / Ω, as published", "6.72", 100 * float(hpm.errors.mean())),
    ]


def _below_08(found: Predictions) -> float:
    return float(ced(found.errors, np.array([0.08]))[0])


def make(inputs: Inputs) -> list[Path]:
    """Write oracles.md and oracles.csv; the files written.

    Raises:
        MismatchError: a number differs; the page is written first and shows which.
        OcclumarkError: as in oracles and write_page.
    """
    found = oracles(inputs)
    rows = [[o.what, o.number, o.expected, o.printed, "✓" if o.agrees else f"✗ {o.remark}".rstrip()] for o in found]
    table = Table(["what", "number", "known", "computed", "agrees"], rows)
    differing = [oracle for oracle in found if not oracle.agrees]
    wrong = [oracle for oracle in differing if not oracle.remark]
    parts = [
        "Predictions that others published, measured by `occlumark/metrics/landmarks.py`, beside numbers that were"
        " computed from the same files independently. No network runs; a number that differs in its last printed digit"
        " stops `make paper`. Inter-ocular throughout. Pooled: mean over all visible, or all occluded, points of all"
        " faces together.",
        f"**{len(found) - len(differing)} of {len(found)} agree to the last printed digit.** What differs and why: the"
        " last column.",
        table.markdown(),
        "The paper says that, COFW68's other methods being below .08 on about 81 % of the images, ODN is on 92 %. 81"
        " fits HPM (81.46); CFSS and SAPM stand at 83.23 and 82.45. Its equation (10), called NRMSE, is the ordinary"
        " NME: the literal formula and the root mean square both miss the published 6.72 of HPM.",
    ]
    written = write_page(inputs.results, "oracles", "Known numbers, computed again", parts, {"oracles": table})
    if wrong:
        first = wrong[0]
        raise MismatchError(
            f"{len(wrong)} of {len(found)} known numbers differ: {first.what}, {first.number}: expected "
            f"{first.expected}, came {first.printed}; see {written[0]}"
        )
    return written
