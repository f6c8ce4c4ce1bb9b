"""What the logs of the ablation's trainings say of M and of P."""

import json
from pathlib import Path

from occlumark.errors import AnnotationError
from paper.page import Table

PREFIX = "ablation-"
_HEADS = (
    *("row", "epochs", "validation NME", "under occluders", "effective rank of M", "nuclear norm of M"),
    *("P: mean", "P below 0.1, %", "1 - P: average precision, %", "chance, %"),
)

#: What logs call a scalar that were written before it had its name.
_OLDER_KEYS = {
    "validation/nme_occluded": "validation/nme_covered",
    "validation/P_occlusion_ap": "validation/P_cover_ap",
    "validation/occluded_share": "validation/cover_share",
}
#: A line of a log: names of scalars to numbers.
Epoch = dict[str, float]


def summary(logs: Path) -> Table:
    """A line for each log ablation-ROW-seedN.jsonl: M after the first and the last epoch, all else after the last.

    Raises:
        AnnotationError: a file is no such log.
    """
    runs = {path.stem.removeprefix(PREFIX): _read(path) for path in sorted(logs.glob(f"{PREFIX}*.jsonl"))}
    return Table(_HEADS, [_row(name, epochs[0], epochs[-1]) for name, epochs in runs.items()])


def last_epochs(logs: Path, row: str) -> list[Epoch]:
    """The last epoch of every seed's log of a row, by today's names. Errors as in summary."""
    found = [_read(path)[-1] for path in sorted(logs.glob(f"{PREFIX}{row}-seed*.jsonl"))]
    older = {old: new for new, old in _OLDER_KEYS.items()}
    return [{older.get(key, key): value for key, value in epoch.items()} for epoch in found]


def _read(path: Path) -> list[Epoch]:
    try:
        epochs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if not epochs or not all("epoch" in epoch for epoch in epochs) or "validation/nme" not in epochs[-1]:
            raise ValueError("an epoch without its number, or no validation error of the last")
    except (OSError, TypeError, ValueError) as error:
        raise AnnotationError(f"{path} is no log of a training: {error}") from error
    return epochs


def _row(name: str, first: Epoch, last: Epoch) -> list[str]:
    def said(key: str, factor: float = 1, digits: int = 2) -> str:
        key = key if key in last else _OLDER_KEYS.get(key, key)
        return f"{factor * last[key]:.{digits}f}" if key in last else "-"

    def change(key: str) -> str:
        return f"{first[key]:.2f} to {last[key]:.2f}" if key in first and key in last else "-"

    return [
        f"`{name}`",
        said("epoch", digits=0),
        *(said(f"validation/{key}", 100) for key in ("nme", "nme_occluded")),
        *(change(f"M/{key}") for key in ("effective_rank", "nuclear_norm")),
        said("validation/P_mean"),
        *(said(f"validation/{key}", 100, 1) for key in ("P_cut", "P_occlusion_ap", "occluded_share")),
    ]
