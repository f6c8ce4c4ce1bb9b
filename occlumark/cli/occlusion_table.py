"""The occlusion benchmark as tables to read."""

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from occlumark.evaluation.occlusion import OcclusionEvaluation


_SUMMARIES = dict[str, dict[str, Any]]


def tables(result: "OcclusionEvaluation") -> str:
    """Every table, models beside one another; errors x 10^-2, shares in percent, expected errors in pixels."""
    summaries = {model: result.summary(model) for model in result.models}
    some = next(iter(summaries.values()))
    by_share = {f"{float(share):.0%}": ("shares", share) for share in some["shares"]} | {"all": ("all",)}
    by_kind = {kind: ("kinds", kind) for kind in some["kinds"]}
    parts = [_covered("covered", by_share, summaries), _clean(summaries), _covered("kind", by_kind, summaries)]
    parts += [_expected(model, summary) for model, summary in summaries.items() if summary["clean"]["expected_error"]]
    return "\n\n".join([*parts, _notes(result)])


def _covered(head: str, groups: "Mapping[str, tuple[str, ...]]", summaries: _SUMMARIES) -> str:
    """A row for each group and model; where a group's numbers are in a summary is given by their keys."""
    heads = [head, "model", "n", "NME open", "NME", "ratio", "hidden", "shown", "hidden %", "AP %", "recall % at 80"]
    rows = [[*heads, "called: precision %", "recall %"]]
    for label, keys in groups.items():
        for model, summary in summaries.items():
            values = functools.reduce(lambda part, key: part[key], keys, summary)
            errors = [_x100(values[key]) for key in ("nme_clean", "nme", "nme_hidden", "nme_shown")]
            errors.insert(2, _number(values["ratio"]))
            shares = ("hidden", "average_precision", "recall_at_precision_80", "precision", "recall")
            rows.append([label, model, str(values["n"]), *errors, *(_percent(values[key]) for key in shares)])
    return _aligned(rows, words=2)


def _clean(summaries: _SUMMARIES) -> str:
    rows = [["open faces", "n", "NME", "called hidden %"]]
    for model, summary in summaries.items():
        clean = summary["clean"]
        rows.append([model, str(clean["n"]), _x100(clean["nme"]), _percent(clean["called_hidden"])])
    return _aligned(rows)


def _expected(model: str, summary: dict[str, Any]) -> str:
    """Ten bins of points by the expected error, on open and on covered faces."""
    columns = {"open": summary["clean"]["expected_error"], "covered": summary["all"]["expected_error"]}
    rows = [[f"{model}: px", *(f"{name}: {of}" for name in columns for of in ("expected", "true", "off %"))]]
    for i in range(len(columns["open"]["points"])):
        row = [f"bin {i + 1}"]
        for bins in columns.values():
            expected, true = bins["predicted"][i], bins["true"][i]
            row += [_number(expected), _number(true), f"{100 * (expected / true - 1):+.0f}" if true else "-"]
        rows.append(row)
    shares = ", ".join(f"{_percent(bins['top_share'])} % ({name})" for name, bins in columns.items())
    return _aligned(rows) + f"\nthe tenth of the points with the highest expected error holds of all error: {shares}"


def _notes(result: "OcclusionEvaluation") -> str:
    lines = [
        f"seed {result.seed}; boxes: {result.box}; errors x10^-2 over {result.normaliser}",
        "hidden, shown: the error of the points under the occluder and beside it; AP, recall at a precision of 80 %,",
        "and precision and recall of the points called hidden: how well the visibility names those under it",
    ]
    if result.skipped:
        lines.append(f"skipped, in no number above: {len(result.skipped)}")
    if result.missed:
        lines.append(f"of these missed by the face finder: {len(result.missed)}")
    if result.fallback:
        lines.append(f"without an official box, detected from the tight one: {', '.join(result.fallback)}")
    return "\n".join(lines)


def _aligned(rows: list[list[str]], words: int = 1) -> str:
    """Columns under one another: the first ones, of words, to the left, those of numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:words], widths, strict=False)]
        cells += [cell.rjust(width) for cell, width in zip(row[words:], widths[words:], strict=True)]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def _x100(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
