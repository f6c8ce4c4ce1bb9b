"""Table 4: the ablation, with three controls that the paper lacks."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from occlumark.errors import AnnotationError
from occlumark.metrics.landmarks import paired_difference
from paper import ablation_logs
from paper.inputs import Inputs
from paper.page import Table, hundredths, interval, write_page
from paper.photo_errors import PhotoErrors, read_all

PREFIX = "ablation-"
NETWORKS_FILE = "networks.csv"
#: The row's name in file names: what it is, and the paper's number.
ROWS = {
    "brnet": ("BRNet: ResNet-18", "7.21"),
    "gm-dm": ("BRNet + GM + DM", "7.04"),
    "dm-lm": ("BRNet + DM + LM", "6.88"),
    "gm-lm": ("BRNet + GM + LM", "6.90"),
    "no-l1": ("BRNet + GM + LM + DM, without L1", "6.81"),
    "odn": ("BRNet + GM + LM + DM: ODN", "6.67"),
    "brnet-erase": ("control: BRNet, random erasing", "-"),
    "brnet-se": ("control: BRNet, squeeze-excitation", "-"),
    "brnet-flat": ("control: BRNet, flattened head", "-"),
}
#: Not rows of Table 4, but trained and compared like them: ODN with one thing changed.
TRIALS = {
    "beta-0": ("ODN, beta 0", "-"),
    "beta-1e-5": ("ODN, beta 1e-5", "-"),
    "beta-1e-4": ("ODN, beta 1e-4", "-"),
    "beta-1e-3": ("ODN, beta 1e-3", "-"),
    "product-other-reading": ("ODN, the product read as A B^T", "-"),
}
_ALL = ROWS | TRIALS
SETS = {"Challenging": ("challenging",), "Common": ("common",), "Full": ()}
_SET_HEADS = [head for name in SETS for head in (name, f"{name}: spread")]
_AGAINST = ("odn", "brnet")


class Network(NamedTuple):
    """What a row's network costs."""

    parameters: int
    """Trained numbers."""
    milliseconds: float
    """Of one face, one thread."""


def make(inputs: Inputs) -> list[Path]:
    """Write table4.md and three tables as CSV; the files written. Errors as in trained, summary and write_page."""
    rows, networks = trained(inputs.errors), read_networks(inputs.errors / NETWORKS_FILE)
    table = Table(
        ["row", "the paper", "seeds", *_SET_HEADS, "million parameters", "time, x BRNet's"],
        [_row(row, rows.get(row, {}), networks) for row in (*ROWS, *(trial for trial in TRIALS if trial in rows))],
    )
    tests = Table(
        ["row", "against", "seeds", "difference", "95 % interval", "p"],
        [test for row in _ALL for other in _AGAINST for test in compare(row, other, rows)],
    )
    logs = ablation_logs.summary(inputs.logs)
    parts = [
        "NME x 10^-2, inter-ocular, mean over seeds; the spread is the seeds' standard deviation (n - 1), and says"
        " nothing where there is one seed. Each row is `configs/ablation/ROW.toml`: the same schedule, crops and"
        " augmentation for all. Challenging is the paper's table; the controls are not in the paper: erasing and"
        " squeeze-excitation alone are known to move such a baseline as far, and the flattened head keeps the places"
        " that a global average forgets.",
        table.markdown(),
        "Times are medians of one face on one thread, all networks taking turns (`make paper-networks`; milliseconds in"
        " `errors/networks.csv`).",
        _missing(rows),
        "## Paired tests on Challenging",
        "Difference: row less the other, x 10^-2, photo by photo, each photo's error averaged over the seeds that"
        " both rows have; below 0 the row is better. Interval by bootstrap over photos; p by 10,000 random signs,"
        " two-sided, not corrected for the number of tests. Both tell of photos, not of seeds: compare with the"
        " spread.",
        tests.markdown() if tests.rows else "No two rows to compare yet.",
        "## What became of M and P",
        "From `docs/logs/ablation-*.jsonl`. M is square, 256 x 256 here; its effective rank is the exponential of its"
        " singular values' entropy, after the first and the last epoch. Validation: 98 faces that are not trained on,"
        " clean and each under a drawn occluder, the like of which no row is trained under. P: its mean and the share"
        " of its cells below 0.1 on the clean ones; the average precision of 1 - P against the cells that the occluder"
        " occludes by more than half, and what chance gets.",
        logs.markdown() if logs.rows else "No logs yet.",
    ]
    tables = {"table4": table, "table4-tests": tests, "table4-logs": logs}
    return write_page(inputs.results, "table4", "Table 4: the ablation", parts, tables)


def trained(errors: Path) -> dict[str, dict[int, PhotoErrors]]:
    """By row and seed: every table ablation-ROW-seedN.csv.

    Raises:
        AnnotationError: a name is of no row or seed, or a file is no table of errors.
    """
    found: dict[str, dict[int, PhotoErrors]] = {}
    for name, table in read_all(errors, PREFIX).items():
        row, seed = parse_name(f"{PREFIX}{name}")
        found.setdefault(row, {})[seed] = table
    return found


def parse_name(name: str) -> tuple[str, int]:
    """Row and seed of a table's name, ablation-ROW-seedN.

    Raises:
        AnnotationError: it is no such name, or of no row.
    """
    row, _, seed = name.removeprefix(PREFIX).rpartition("-seed")
    if not name.startswith(PREFIX) or row not in _ALL or not seed.isdecimal():
        raise AnnotationError(f"{name}: expected {PREFIX}ROW-seedN, ROW one of {', '.join(_ALL)}")
    return row, int(seed)


def compare(row: str, other: str, rows: Mapping[str, Mapping[int, PhotoErrors]]) -> list[Sequence[str]]:
    """The paired test of two rows on Challenging, as a table's row; nothing where they share no seed, or are one.

    Raises:
        AnnotationError: the rows are of different photos.
    """
    seeds = sorted(set(rows.get(row, {})) & set(rows.get(other, {})))
    if row == other or not seeds:
        return []
    first, second = (_mean_over(rows[name], seeds) for name in (row, other))
    if set(first) != set(second):
        raise AnnotationError(f"{row} and {other} are measured on different photos; measure both on the same")
    names = sorted(first)
    test = paired_difference(np.array([first[n] for n in names]), np.array([second[n] for n in names]))
    p = f"{test.p:.4f}"
    return [[row, other, str(len(seeds)), f"{100 * test.mean:+.2f}", interval(test.low, test.high), p]]


def _mean_over(tables: Mapping[int, PhotoErrors], seeds: Sequence[int]) -> dict[str, float]:
    """Each Challenging photo's error, mean over seeds."""
    by_name: dict[str, list[float]] = {}
    for seed in seeds:
        table = tables[seed]
        for name, subsets, error in zip(table.names, table.subsets, table.errors, strict=True):
            if "challenging" in subsets:
                by_name.setdefault(name, []).append(float(error))
    if any(len(errors) != len(seeds) for errors in by_name.values()):
        raise AnnotationError("the seeds of a row are measured on different photos; measure all on the same")
    return {name: float(np.mean(errors)) for name, errors in by_name.items()}


def _row(row: str, tables: Mapping[int, PhotoErrors], networks: Mapping[str, Network]) -> list[str]:
    what, published = _ALL[row]
    cells = []
    for subsets in SETS.values():
        means = [float(errors.mean()) for errors in (table.of(*subsets) for table in tables.values()) if len(errors)]
        cells += [hundredths(float(np.mean(means))) if means else "missing"]
        cells += [hundredths(float(np.std(means, ddof=1))) if len(means) > 1 else "-"]
    cost = ["-", "-"]
    if row in networks and "brnet" in networks:
        slower = networks[row].milliseconds / networks["brnet"].milliseconds
        cost = [f"{networks[row].parameters / 1e6:.2f}", f"{slower:.2f}"]
    return [f"{what} (`{row}`)", published, str(len(tables)), *cells, *cost]


def read_networks(path: Path) -> dict[str, Network]:
    """What each row's network costs; empty where the file is not there.

    Raises:
        AnnotationError: it is not such a table.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {r["row"]: Network(int(r["parameters"]), float(r["milliseconds"])) for r in csv.DictReader(file)}
    except (KeyError, TypeError, ValueError) as error:
        raise AnnotationError(f"{path}: expected the columns row, parameters, milliseconds; {error!r}") from error


def _missing(rows: Mapping[str, Mapping[int, PhotoErrors]]) -> str:
    missing = [f"`{row}`" for row in ROWS if row not in rows]
    if not missing:
        return "All rows are trained; their errors per photo are in [errors/](errors/)."
    return (
        f"**Missing, not trained yet: {', '.join(missing)}.** A row appears when `errors/{PREFIX}ROW-seedN.csv`"
        " does:\n\n```sh\nmake paper-errors WEIGHTS=brnet.onnx NAME=ablation-brnet-seed0\nmake table4\n```"
    )
