"""Which training photos no run of the shipped network saw: choices are made on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from occlumark.data.sample import Sample
from occlumark.data.split import held_out_whole
from occlumark.data.w300 import read_w300

Part = Literal["unseen", "validation", "all"]
#: Shares of the photos that were held out of every run of the shipped network, and of its last one (validation_share of
#: their configurations), and the seed of both.
HELD_OUT: dict[Part, float] = {"unseen": 0.05, "validation": 0.2}
VALIDATION_SEED = 0


def held_out_photos(folders: Sequence[Path], part: Part = "validation") -> list[Sample]:
    """300W's training photos that training did not see, by their names alone, in the folders' order.

    Args:
        folders: of the photos, as read_w300 takes them.
        part: "unseen", by no run of the shipped network; "validation", not by its last one.
    """
    samples, _ = read_w300(folders)
    return [samples[i] for i in held_out_whole([each.name for each in samples], HELD_OUT[part], VALIDATION_SEED)]
