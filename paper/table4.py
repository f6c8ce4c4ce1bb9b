"""Table 4: the ablation, with three controls that the paper lacks."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from occlumark.errors import AnnotationError
from occlumark.metrics.landmarks import PairedDifference, paired_difference
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
#: The rows that the question hangs on, at the paper's 224 pixels and under a longer schedule.
LARGE = {
    "brnet-224": ("BRNet: ResNet-18, 224 px", "7.21"),
    "brnet-flat-224": ("control: BRNet, flattened head, 224 px", "-"),
    "odn-224": ("BRNet + GM + LM + DM: ODN, 224 px", "6.67"),
}
_ALL = ROWS | TRIALS | LARGE
SETS = {"Challenging": ("challenging",), "Common": ("common",), "Full": ()}
_SET_HEADS = [head for name in SETS for head in (name, f"{name}: spread")]
_AGAINST = ("odn", "brnet")
#: Sets of the paired tests.
_TESTED = {"Challenging": "challenging", "Common": "common"}
#: From so many seeds on, a difference is said to be one, or none.
ENOUGH_SEEDS = 3
#: Student's t for a two-sided 95 % interval, by the number of seeds from 2 on.
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
_TEST_HEADS = (
    *("set", "row", "against", "seeds", "difference", "95 % over photos", "p over photos"),
    *("spread over seeds", "95 % over seeds", "reading"),
)


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
        [_row(row, rows.get(row, {}), networks) for row in _ALL if row in ROWS or row in rows],
    )
    pairs = [(name, row, other) for name in _TESTED for row in _ALL for other in _against(row)]
    found = [[name, *test] for name, row, other in pairs for test in compare(row, other, rows, name)]
    tests = Table(_TEST_HEADS, found)
    logs = ablation_logs.summary(inputs.logs)
    parts = [
        "NME x 10^-2, inter-ocular, mean over seeds; the spread is the seeds' standard deviation (n - 1), and says"
        " nothing where there is one seed. Each row is `configs/ablation/ROW.toml`: the same schedule, crops and"
        " augmentation for all of a size. Challenging is the paper's table; the controls are not in the paper:"
        " erasing and squeeze-excitation alone are known to move such a baseline as far, and the flattened head keeps"
        " the places that a global average forgets.",
        table.markdown(),
        "Times are medians of one face on one thread, all networks taking turns (`make paper-networks`; milliseconds in"
        " `errors/networks.csv`).",
        _missing(rows),
        "## Paired tests",
        "Difference: row less the other, x 10^-2, photo by photo, each photo's error averaged over the seeds that"
        " both rows have; below 0 the row is better. Over photos: interval by bootstrap; p by 10,000 random signs,"
        " two-sided, not corrected for the number of tests. Over seeds: the standard deviation (n - 1) of the seeds'"
        " own differences, and Student's interval of their mean. Reading: from three seeds on, equal where either"
        " interval has 0 in it.",
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


def compare(
    row: str, other: str, rows: Mapping[str, Mapping[int, PhotoErrors]], name: str = "Challenging"
) -> list[Sequence[str]]:
    """The paired test of two rows on a set, as a table's row; nothing where they share no seed or photo, or are one.

    Raises:
        AnnotationError: the rows are of different photos.
    """
    seeds = sorted(set(rows.get(row, {})) & set(rows.get(other, {})))
    if row == other or not seeds:
        return []
    first, second = (_by_photo(rows[each], seeds, _TESTED[name]) for each in (row, other))
    if set(first) != set(second):
        raise AnnotationError(f"{row} and {other} are measured on different photos; measure both on the same")
    if not first:
        return []
    pairs = np.array([[first[photo], second[photo]] for photo in sorted(first)])  # (photos, 2, seeds)
    test = paired_difference(*pairs.mean(axis=2).T)
    over_photos = [f"{100 * test.mean:+.2f}", interval(test.low, test.high), f"{test.p:.4f}"]
    return [[row, other, str(len(seeds)), *over_photos, *_over_seeds(pairs[:, 0] - pairs[:, 1], test)]]


def _over_seeds(differences: np.ndarray, over_photos: PairedDifference) -> list[str]:
    """Spread, interval and reading of differences (photos, seeds)."""
    by_seed = differences.mean(axis=0)
    n = len(by_seed)
    if n < 2:
        return ["-", "-", "one seed"]
    spread = float(by_seed.std(ddof=1))
    half = _T95[min(n, len(_T95) + 1) - 2] * spread / np.sqrt(n)
    low, high = float(by_seed.mean()) - half, float(by_seed.mean()) + half
    reading = f"{n} seeds: too few"
    if n >= ENOUGH_SEEDS:
        reading = "better" if max(high, over_photos.high) < 0 else "worse" if min(low, over_photos.low) > 0 else "equal"
    return [hundredths(spread), interval(low, high), reading]


def _against(row: str) -> tuple[str, ...]:
    """The rows that a row is compared with: of its own size."""
    return tuple(f"{other}-224" for other in _AGAINST) if row in LARGE else _AGAINST


def _by_photo(tables: Mapping[int, PhotoErrors], seeds: Sequence[int], subset: str) -> dict[str, list[float]]:
    """The errors of each photo of a subset, one a seed."""
    by_name: dict[str, list[float]] = {}
    for seed in seeds:
        table = tables[seed]
        for name, subsets, error in zip(table.names, table.subsets, table.errors, strict=True):
            if subset in subsets:
                by_name.setdefault(name, []).append(float(error))
    if any(len(errors) != len(seeds) for errors in by_name.values()):
        raise AnnotationError("the seeds of a row are measured on different photos; measure all on the same")
    return by_name


def _row(row: str, tables: Mapping[int, PhotoErrors], networks: Mapping[str, Network]) -> list[str]:
    what, published = _ALL[row]
    cells = []
    for subsets in SETS.values():
        means = [float(errors.mean()) for errors in (table.of(*subsets) for table in tables.values()) if len(errors)]
        cells += [hundredths(float(np.mean(means))) if means else "missing"]
        cells += [hundredths(float(np.std(means, ddof=1))) if len(means) > 1 else "-"]
    cost = ["-", "-"]
    brnet = "brnet-224" if row in LARGE else "brnet"
    if row in networks and brnet in networks:
        slower = networks[row].milliseconds / networks[brnet].milliseconds
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
