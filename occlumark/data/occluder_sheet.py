"""A contact sheet of every kind of occluder over some faces."""

from collections.abc import Sequence

import cv2
import numpy as np

from occlumark.data.contact_sheet import cell_rows, strip
from occlumark.occluders.compose import compose
from occlumark.occluders.drawing import Source
from occlumark.occluders.kinds import BENCHMARK, TRAINING

KINDS = (*TRAINING, *BENCHMARK)
_LABEL = 108  # pixels beside each row
_EDGE = (255, 40, 160)


def occluder_sheet(
    faces: Sequence[tuple[np.ndarray, np.ndarray]], kinds: Sequence[str], seed: int, *, alpha: bool = False
) -> np.ndarray:
    """A picture with a row for each kind and a column for each face.

    Args:
        faces: crops (S, S, 3) uint8 RGB of one size, and their landmarks (68, 2) in crop pixels; they borrow from one
            another, if there are different ones.
        kinds: some of KINDS.
        seed: the same seed gives the same sheet; what a cell shows does not depend on the other kinds.
        alpha: outline what is occluded by more than half.

    Raises:
        ValueError: there is no such kind, or no face.
    """
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise ValueError(f"occluder kinds are some of {', '.join(KINDS)}, not {', '.join(unknown)}")
    if not faces or not kinds:
        raise ValueError("a sheet shows at least one kind over at least one face")
    cells = []
    for kind in kinds:
        for column, (crop, landmarks) in enumerate(faces):
            others = [face for face in faces if face[0] is not crop]
            rng = np.random.default_rng((seed, KINDS.index(kind), column))
            source = Source(textures=[face for face, _ in others], faces=others)
            draw = TRAINING.get(kind) or BENCHMARK[kind]
            composed, alpha_map, _light = compose(crop, landmarks, draw(crop, landmarks, rng, source), rng)
            if alpha:
                lines, _ = cv2.findContours((alpha_map > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
                cv2.drawContours(composed, lines, -1, _EDGE, 1)
            cells.append(composed)
    labels = [_label(kind, faces[0][0].shape[0]) for kind in kinds]
    return np.hstack([cell_rows(labels, 1), cell_rows(cells, len(faces))])


def _label(kind: str, height: int) -> np.ndarray:
    """A kind's name and its list in the middle of a white cell, (height, _LABEL, 3) uint8."""
    above = height // 2 + 6
    part = "training" if kind in TRAINING else "benchmark"
    lines = [
        strip(kind, _LABEL, above, 0.4),
        strip(part, _LABEL, 16, 0.35),
        strip("", _LABEL, height - above - 16, 0.35),
    ]
    return np.vstack(lines)
