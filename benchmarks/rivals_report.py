"""What rivals.py measured, as tables and as a picture: error against time, one dot a system."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from occlumark.cli.text_table import cell, percent, text_table
from paper.plot import COLOURS, clean, new_figure, write_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Errors over all 68 points, and over the 51 without the jaw.
ALL, INNER_ONLY = "68", "51"
#: Files that rivals.py writes: a table of each photo's errors for either, times, a picture.
ERRORS = {ALL: "rivals-68.csv", INNER_ONLY: "rivals-51.csv"}
TIMES, PICTURE = "rivals-times.csv", "rivals.png"
SUBSETS = ("common", "challenging")
#: Where the box of a row comes from, and what is done to its points.
BOXES = {
    "official": "official",
    "moved": "official, moved to where its own would be",
    "own": "its own",
    "offset": "its own, each point moved by a fitted offset",
    "linear": "its own, a fitted linear map of all points",
}
#: By the system's name in the files: how it is called, the row that its dot shows and its colour.
SYSTEMS = {
    "occlumark": ("occlumark", "own", COLOURS[0]),
    "occlumark-fast": ("occlumark-fast", "own", COLOURS[5]),
    "odn": ("odn", "own", COLOURS[3]),
    "dlib": ("dlib (trained on these photos)", "own", COLOURS[6]),
    "mesh": ("MediaPipe face mesh", "own", COLOURS[4]),
    "mesh-refined": ("MediaPipe face mesh, refined", "own", COLOURS[1]),
}
#: What a hollow dot is.
ADAPTED = "its points moved by a fitted linear map"


class Summary(NamedTuple):
    """A row's errors on one subset."""

    found: float
    """Share of the faces."""
    each: float | None
    """Mean error of those that it found; None: it found none."""
    shared: float | None
    """Mean error of those that every row found; None: there are none."""


def summaries(errors: Mapping[str, np.ndarray]) -> dict[str, Summary]:
    """Summaries of some rows' errors of the same faces, NaN where a face is not found."""
    by_all = found_by_all(errors)
    return {
        name: Summary(float(np.isfinite(of).mean()), _mean(of[np.isfinite(of)]), _mean(of[by_all]))
        for name, of in errors.items()
    }


def found_by_all(errors: Mapping[str, np.ndarray]) -> np.ndarray:
    """(n,) bool: the faces that every row has an error of."""
    return np.isfinite(np.stack(list(errors.values()))).all(axis=0)


def _mean(errors: np.ndarray) -> float | None:
    return float(errors.mean()) if len(errors) else None


def read_errors(folder: Path) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """By subset and points: every row's errors, fractions, NaN where it did not find the face."""
    found = {}
    for points, name in ERRORS.items():
        with (folder / name).open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        for subset in SUBSETS:
            of = [line for line in lines if line["subset"] == subset]
            found[subset, points] = {
                row: np.array([float(line[row] or "nan") for line in of])
                for row in lines[0]
                if row not in ("name", "subset")
            }
    return found


def read_times(path: Path) -> dict[str, tuple[float, float]]:
    """By system, "plain" for plain ResNet-18: CPU time of a face whose box is known and of a whole photo, ms; NaN."""
    with path.open(newline="", encoding="utf-8") as file:
        return {
            row["system"]: (float(row["given_ms"] or "nan"), float(row["whole_ms"] or "nan"))
            for row in csv.DictReader(file)
        }


def error_table(errors: Mapping[tuple[str, str], Mapping[str, np.ndarray]]) -> list[list[str]]:
    """Found shares in percent and NME x 10^-2; behind the stroke the mean over the faces that all rows found."""
    of = {key: summaries(each) for key, each in errors.items()}
    heads = [f"{subset}, {points}" for points in (ALL, INNER_ONLY) for subset in SUBSETS]
    table = [["system", "box", *(f"found, {subset}" for subset in SUBSETS), *heads]]
    for row in of[SUBSETS[0], ALL]:
        system, box = row.split(" ")
        cells = [percent(of[subset, ALL][row].found) for subset in SUBSETS]
        for points in (ALL, INNER_ONLY):
            for subset in SUBSETS:
                summary = of[subset, points][row]
                cells.append(f"{cell(summary.each, 2, 100)} / {cell(summary.shared, 2, 100)}")
        table.append([SYSTEMS[system][0], BOXES[box], *cells])
    return table


def time_table(times: Mapping[str, tuple[float, float]]) -> list[list[str]]:
    """CPU times and how often they hold plain ResNet-18's."""
    plain, _ = times["plain"]
    table = [["system", "box known, ms", "over plain", "whole photo, ms", "over plain"]]
    for name, (given, whole) in times.items():
        cells = [
            text
            for ms in (given, whole)
            for text in (("-", "-") if np.isnan(ms) else (f"{ms:.2f}", f"{ms / plain:.3f}"))
        ]
        table.append([SYSTEMS[name][0] if name in SYSTEMS else "plain ResNet-18, the network alone", *cells])
    return table


def draw(
    errors: Mapping[tuple[str, str], Mapping[str, np.ndarray]], times: Mapping[str, tuple[float, float]], path: Path
) -> None:
    """A dot a system: CPU time of a whole photo against the error of the inner points, over faces that all found."""
    figure, grid = new_figure(540, columns=len(SUBSETS))
    for axes, subset in zip(grid[0], SUBSETS, strict=True):
        rows = errors[subset, INNER_ONLY]
        of = summaries(rows)
        for system, (name, row, colour) in SYSTEMS.items():
            _dot(axes, times[system][1], of[f"{system} {row}"].shared, colour, name, "full")
        for system, (_, _, colour) in SYSTEMS.items():
            if f"{system} linear" in of:
                _dot(axes, times[system][1], of[f"{system} linear"].shared, colour, ADAPTED, "none")
        shares = found_by_all(rows)
        axes.set_title(f"{subset.capitalize()}: {shares.sum()} of {len(shares)} faces", fontsize=9)
        _scales(axes, [times[system][1] for system in SYSTEMS])
    by_name = dict(zip(*reversed(grid[0, 0].get_legend_handles_labels()), strict=True))
    figure.legend(by_name.values(), by_name.keys(), loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    write_png(figure, path)


def _dot(axes: "Axes", ms: float, error: float | None, colour: str, name: str, fillstyle: str) -> None:
    if error is not None:
        axes.plot(ms, 100 * error, "o", color=colour, label=name, markersize=8, fillstyle=fillstyle)


def _scales(axes: "Axes", ms: list[float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(min(ms) / 1.5, max(ms) * 1.5)
    axes.set_xticks([tick for tick in (1, 2, 5, 10, 20, 50, 100, 200) if min(ms) / 1.5 <= tick <= max(ms) * 1.5])
    axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
    axes.set_xlabel("CPU time of a photo, ms")
    axes.set_ylabel("NME of 51 points (% of inter-ocular)")
    clean(axes)


def report(folder: Path) -> None:
    """Print the tables of the files in a folder and draw its picture."""
    times = read_times(folder / TIMES)
    print(text_table(time_table(times)), end="\n\n", flush=True)
    errors = read_errors(folder)
    print(text_table(error_table(errors), words=2))
    for subset in SUBSETS:
        shared = found_by_all(errors[subset, ALL])
        print(f"{subset}: {shared.sum()} of {len(shared)} faces found by all")
    draw(errors, times, folder / PICTURE)
