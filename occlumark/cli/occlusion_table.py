"""The occlusion benchmark as tables to read."""

import functools
from typing import TYPE_CHECKING, Any

from occlumark.cli.text_table import cell, percent, text_table

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
    parts = [_occluded("occluded", by_share, summaries), _clean(summaries), _occluded("kind", by_kind, summaries)]
    parts += [_expected(model, summary) for model, summary in summaries.items() if summary["clean"]["expected_error"]]
    return "\n\n".join([*parts, _notes(result)])


def _occluded(head: str, groups: "Mapping[str, tuple[str, ...]]", summaries: _SUMMARIES) -> str:
    """A row for each group and model; where a group's numbers are in a summary is given by their keys."""
    errors = ["NME clean", "NME", "ratio", "NME occluded points", "NME visible points"]
    rows = [[head, "model", "n", *errors, "occluded %", "AP %", "recall % at 80", "precision %", "recall %"]]
    for label, keys in groups.items():
        for model, summary in summaries.items():
            values = functools.reduce(lambda part, key: part[key], keys, summary)
            errors = [_hundredths(values[key]) for key in ("nme_clean", "nme", "nme_occluded", "nme_visible")]
            errors.insert(2, _number(values["ratio"]))
            shares = ("occluded", "average_precision", "recall_at_precision_80", "precision", "recall")
            rows.append([label, model, str(values["n"]), *errors, *(percent(values[key]) for key in shares)])
    return text_table(rows, words=2)


def _clean(summaries: _SUMMARIES) -> str:
    rows = [["clean faces", "n", "NME", "predicted occluded %"]]
    for model, summary in summaries.items():
        clean = summary["clean"]
        rows.append([model, str(clean["n"]), _hundredths(clean["nme"]), percent(clean["predicted_occluded"])])
    return text_table(rows)


def _expected(model: str, summary: dict[str, Any]) -> str:
    """Ten bins of points by the expected error, on clean and on occluded faces."""
    columns = {"clean": summary["clean"]["expected_error"], "occluded": summary["all"]["expected_error"]}
    rows = [[f"{model}: px", *(f"{name}: {of}" for name in columns for of in ("expected", "true", "off %"))]]
    for i in range(len(columns["clean"]["points"])):
        row = [f"bin {i + 1}"]
        for bins in columns.values():
            expected, true = bins["predicted"][i], bins["true"][i]
            row += [_number(expected), _number(true), f"{100 * (expected / true - 1):+.0f}" if true else "-"]
        rows.append(row)
    shares = ", ".join(f"{percent(bins['top_share'])} % ({name})" for name, bins in columns.items())
    return text_table(rows) + f"\nthe tenth of the points with the highest expected error holds of all error: {shares}"


def _notes(result: "OcclusionEvaluation") -> str:
    lines = [
        f"seed {result.seed}; boxes: {result.box}; errors x10^-2 over {result.normaliser}",
        "occluded and visible points: under the occluder and beside it; AP, recall at a precision of 80 %, and",
        "precision and recall at the default threshold: how well the visibility predicts the occluded points",
    ]
    if result.skipped:
        lines.append(f"skipped, excluded from all statistics: {len(result.skipped)}")
    if result.missed:
        lines.append(f"of these missed by the face finder: {len(result.missed)}")
    if result.fallback:
        lines.append(f"without an official box, detected from the tight one: {', '.join(result.fallback)}")
    return "\n".join(lines)


def _hundredths(value: float | None) -> str:
    return cell(value, 2, 100)


def _number(value: float | None) -> str:
    return cell(value, 2)
