"""Every claim of the paper: confirmed, not confirmed or not tested, with the figure and its spread."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from occlumark.metrics.landmarks import ced, mean_interval
from paper import ablation_logs, rows_300w, table3, table4
from paper.figure4 import PREFIX as COFW_PREFIX
from paper.inputs import Inputs
from paper.page import Table, hundredths, write_page
from paper.photo_errors import called, read_all
from paper.published import COFW68_BELOW_08, TABLE_2, TABLE_3

_VERDICTS = CONFIRMED, NOT_CONFIRMED, NOT_TESTED = "confirmed", "not confirmed", "not tested"
#: What a matrix must fall below to be called of low rank: its effective rank over its size.
LOW_RANK = 0.5
#: Methods of Figure 4 that the paper compares with.
_OLDER = ("HPM", "SAPM", "CFSS", "TCDCN", "RCPR-occ")
#: What the modules' claims compare: the network, the one without, the paper's two numbers.
_MODULES = (
    ("The three modules together beat BRNet", "brnet", "6.67, 7.21"),
    ("The geometry-aware module helps", "dm-lm", "6.67, 6.88"),
    ("The distillation module helps", "gm-lm", "6.67, 6.90"),
    ("The low-rank module's M helps", "gm-dm", "6.67, 7.04"),
    ("The L1 norm of P helps", "no-l1", "6.67, 6.81"),
    ("(ours) The modules beat BRNet with the head that all the other rows have", "brnet-flat", "-"),
)


#: Sets of 300W, the paper's figures, the subsets of our tables, and where they are.
_SETS = (
    ("Common", "3.56", ("common",), "[Table 1](table1.md)"),
    ("Challenging", "6.67", ("challenging",), "[Table 2](table2.md)"),
    ("Full", "4.17", (), "[Table 1](table1.md)"),
)


class Claim(NamedTuple):
    """A line of the table."""

    claim: str
    paper: str
    """The paper's figure."""
    ours: str
    """Ours, with interval or spread."""
    verdict: str
    """CONFIRMED, NOT_CONFIRMED or NOT_TESTED, with the reason where there is more to say."""
    where: str
    """Link to the evidence."""


def make(inputs: Inputs) -> list[Path]:
    """Write claims.md and claims.csv from what is committed beside them; the files written.

    Raises:
        AnnotationError: a file of errors, a log or a result is not such a file.
        OcclumarkError: a file cannot be written.
    """
    claims = [*_accuracy(inputs), *_modules(inputs), *_matrix(inputs), *_map(inputs), *_cofw(inputs), *_aflw(inputs)]
    counts = [(verdict, sum(c.verdict.startswith(verdict) for c in claims)) for verdict in _VERDICTS]
    table = Table(["claim", "the paper", "ours", "verdict", "evidence"], claims)
    parts = [
        "NME x 10^-2, inter-ocular; 95 % intervals over photos. Accuracy: `odn`, our reading of the paper's network,"
        " from official boxes, on two thirds of its training photos, with L1 and more augmentation"
        " ([../paper.md](../paper.md)); its own recipe, whole, is `configs/odn-paper.toml`. Modules: Table 4, ODN less"
        f" the network without, on Challenging; from {table4.ENOUGH_SEEDS} seeds on a difference counts as one, or as"
        " none.",
        ", ".join(f"{count} {verdict}" for verdict, count in counts) + ".",
        table.markdown(),
        "Not confirmed is not refuted: our networks are a reading of a paper that leaves much open, and no better than"
        " that reading.",
    ]
    return write_page(inputs.results, "claims", "The paper's claims", parts, {"claims": table})


def _accuracy(inputs: Inputs) -> list[Claim]:
    """What the network reaches on 300W."""
    found = read_all(inputs.errors, rows_300w.PREFIX)
    claims = []
    for name, what in (("odn", ""), ("odn-paper", ", its own recipe whole")):
        errors = found.get(f"{name}-official")
        for head, paper, subsets, where in _SETS:
            claim = f"300W {head}: {paper}{what}"
            if errors is None:
                claims.append(Claim(claim, paper, "-", f"{NOT_TESTED}: no run yet", where))
                continue
            mean, low, high = _mean_and_interval(errors.of(*subsets))
            verdict = CONFIRMED if mean <= float(paper) else NOT_CONFIRMED
            claims.append(Claim(claim, paper, f"{mean:.2f} ({low:.2f} to {high:.2f}), one seed", verdict, where))
    lowest = min((m for m in TABLE_2 if "ODN" not in m.name), key=lambda method: float(method.errors[0]))
    verdict = CONFIRMED if float(lowest.errors[0]) > 6.67 else f"{NOT_CONFIRMED}, by the paper's own table"
    told = f"{lowest.name}: {lowest.errors[0]}"
    return [*claims, Claim("The lowest error of its Table 2", "6.67", told, verdict, "[Table 2](table2.md)")]


def _mean_and_interval(errors: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % interval, x 10^-2."""
    low, high = mean_interval(errors)
    return 100 * float(errors.mean()), 100 * low, 100 * high


def _modules(inputs: Inputs) -> list[Claim]:
    """Table 4's differences on Challenging, at 128 pixels and, where it was trained, at 224."""
    rows = table4.trained(inputs.errors)
    claims = []
    for claim, other, paper in _MODULES:
        for size in ("", "-224"):
            tests = table4.compare(f"odn{size}", f"{other}{size}", rows)
            if size and not tests:
                continue
            what = f"{claim}, 224 px" if size else claim
            ours, verdict = _read(tests[0]) if tests else ("-", f"{NOT_TESTED}: not trained yet")
            claims.append(Claim(what, paper, ours, verdict, "[Table 4](table4.md)"))
    return claims


def _read(test: Sequence[str]) -> tuple[str, str]:
    """Figure and verdict of a row of Table 4's tests: ODN less another."""
    _, _, seeds, difference, over_photos, _, _, over_seeds, reading = test
    ours = f"{difference} ({over_photos} over photos"
    ours += f"; {over_seeds} over {seeds} seeds)" if over_seeds != "-" else ")"
    if reading == "better":
        return ours, CONFIRMED
    if reading in ("equal", "worse"):
        return ours, f"{NOT_CONFIRMED}: {reading}"
    return ours, f"{NOT_TESTED} enough: {seeds} seed{'s' if seeds != '1' else ''}"


def _matrix(inputs: Inputs) -> list[Claim]:
    """What becomes of M."""
    ranks = [
        epoch["M/effective_rank"]
        for epoch in ablation_logs.last_epochs(inputs.logs, "odn")
        if "M/effective_rank" in epoch
    ]
    claim, where = "The nuclear norm makes M of low rank", "[Table 4](table4.md#what-became-of-m-and-p)"
    if not ranks:
        return [Claim(claim, "no figure", "-", f"{NOT_TESTED}: no log", where)]
    size = 256  # of the ablation's M
    verdict = CONFIRMED if np.mean(ranks) < LOW_RANK * size else NOT_CONFIRMED
    return [Claim(claim, "no figure", f"effective rank {_spread(ranks)} of {size}", verdict, where)]


def _map(inputs: Inputs) -> list[Claim]:
    """What P knows, on validation faces under drawn occluders and on Figure 6's portrait."""
    epochs = ablation_logs.last_epochs(inputs.logs, "odn")
    keys = ("validation/P_occlusion_ap", "validation/occluded_share")
    pairs = [[100 * epoch[key] for key in keys] for epoch in epochs if all(key in epoch for key in keys)]
    claim, where = "P is low where the face is occluded", "[Table 4](table4.md#what-became-of-m-and-p)"
    if pairs:
        ap, chance = np.array(pairs).T
        verdict = CONFIRMED if (ap > chance).all() else NOT_CONFIRMED
        ours = f"average precision of 1 - P {_spread(ap)} %, chance {chance.mean():.2f} %"
        claims = [Claim(claim, "Figure 6", ours, verdict, where)]
    else:
        claims = [Claim(claim, "Figure 6", "-", f"{NOT_TESTED}: no log", where)]
    path = inputs.results / "figure6.csv"
    claim = "The distilled features are weaker under occluders than beside them"
    if not path.is_file():
        return [*claims, Claim(claim, "Figure 6", "-", f"{NOT_TESTED}: no Figure 6", "[Figure 6](figure6.md)")]
    with path.open(newline="", encoding="utf-8") as file:
        heads = ("features kept, occluded", "features kept, not occluded")
        kept = [
            [float(row[head]) for head in heads]
            for row in csv.DictReader(file)
            if row["network"] == "odn" and row[heads[0]] != "-"
        ]
    under, beside = np.array(kept).T
    verdict = CONFIRMED if (under < beside).all() else NOT_CONFIRMED
    ours = f"kept {_spread(under)} under {len(kept)} occluders, {beside.mean():.2f} beside them"
    return [*claims, Claim(claim, "Figure 6", ours, verdict, "[Figure 6](figure6.md)")]


def _spread(values: Sequence[float] | np.ndarray) -> str:
    """Mean and standard deviation (n - 1), where there is more than one."""
    mean = f"{np.mean(values):.2f}"
    return f"{mean} +- {np.std(values, ddof=1):.2f} (n = {len(values)})" if len(values) > 1 else f"{mean} (n = 1)"


def _cofw(inputs: Inputs) -> list[Claim]:
    """What the network and the older ones reach on COFW68."""
    paper, where = f"{100 * COFW68_BELOW_08:.0f} %", "[Figure 4](figure4.md)"
    claim = "COFW68: images below .08"
    table = read_all(inputs.errors, COFW_PREFIX).get("odn-official")
    if table is None:
        claims = [Claim(claim, paper, "-", f"{NOT_TESTED}: COFW's photos are not at hand", where)]
    else:
        below = float(ced(table.of(), np.array([0.08]))[0])
        verdict = CONFIRMED if below >= COFW68_BELOW_08 else NOT_CONFIRMED
        claims = [
            Claim(claim, paper, f"{100 * below:.1f} %, NME {hundredths(float(table.of().mean()))}", verdict, where)
        ]
    path = inputs.results / "figure4.csv"
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            older = {
                row["method"]: float(row["images with NME up to .08, %"])
                for row in csv.DictReader(file)
                if row["method"] in _OLDER
            }
        best = max(older, key=older.__getitem__)
        verdict = CONFIRMED if older[best] < 81.5 else NOT_CONFIRMED
        claims.append(
            Claim("COFW68: no other method is above about 81 %", "81 %", f"{best}: {older[best]:.2f} %", verdict, where)
        )
    return claims


def _aflw(inputs: Inputs) -> list[Claim]:
    """What a network reaches on AFLW, of which a reduced copy is at hand."""
    *_, (_, _, full, frontal) = TABLE_3
    found = read_all(inputs.errors, table3.PREFIX)
    claims = []
    for head, paper, subsets in (("Full", full.strip("*"), ()), ("Frontal", frontal.strip("*"), ("frontal",))):
        claim, where = f"AFLW-{head}, box width: {paper}", "[Table 3](table3.md)"
        if not found:
            claims.append(Claim(claim, paper, "-", f"{NOT_TESTED}: no run yet", where))
        for name, table in found.items():
            over = table.by_box("box_width")
            mean, low, high = _mean_and_interval(over.of(*subsets))
            verdict = CONFIRMED if mean <= float(paper) else NOT_CONFIRMED
            if table3.differences(table):
                verdict = f"{NOT_TESTED} as published: a reduced copy, 12 % of the training faces"
            claims.append(
                Claim(
                    claim,
                    paper,
                    f"{called(name)}: {mean:.2f} ({low:.2f} to {high:.2f}), {len(over.of(*subsets))} faces",
                    verdict,
                    where,
                )
            )
    return claims
