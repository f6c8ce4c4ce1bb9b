"""The face finder's boxes for annotated faces: what detection starts from. Not in the paper.

A network trained on boxes of landmarks that do not span the face, as five points, would be lost in those of the finder.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from occlumark.boxes import box_holding
from occlumark.data.sample import Sample
from occlumark.errors import PhotoError
from occlumark.finder import FaceFinder, find_faces

# With fewer faces found, what boxes are to landmarks is not known.
_LEAST_FOUND = 3


def with_finder_boxes(samples: Sequence[Sample], finder: FaceFinder) -> tuple[list[Sample], int]:
    """The samples with the finder's box of each face in place of the official one.

    A face that the finder does not find gets the box that lies to its tight box as the found ones' do by their medians;
    with fewer than 3 found it has none. In a photo that cannot be read none is found.

    Args:
        samples: of any markup.
        finder: as Detector takes it.

    Returns:
        The samples, and how many of the faces were found.
    """
    boxes: list[np.ndarray | None] = []
    photo_of, found = None, np.zeros((0, 4))
    for sample in tqdm(samples, "finding faces", unit="face", disable=None):
        if sample.photo != photo_of:  # the faces of one photo follow one another
            photo_of, found = sample.photo, _boxes(sample, finder)
        held = box_holding(found, sample.landmarks[sample.annotated])
        boxes.append(None if held is None else found[held])
    pairs = [(box, sample.tight_box) for box, sample in zip(boxes, samples, strict=True) if box is not None]
    usual = np.median([_relation(box, tight) for box, tight in pairs], axis=0) if len(pairs) >= _LEAST_FOUND else None
    each = [
        box if box is not None or usual is None else _related(sample.tight_box, usual)
        for box, sample in zip(boxes, samples, strict=True)
    ]
    return [replace(sample, official_box=box) for sample, box in zip(samples, each, strict=True)], len(pairs)


def _boxes(sample: Sample, finder: FaceFinder) -> np.ndarray:
    try:
        return find_faces(finder, sample.read_photo())[0]
    except PhotoError:  # whoever cuts the crops will say so
        return np.zeros((0, 4))


def _relation(box: np.ndarray, tight: np.ndarray) -> np.ndarray:
    """(4,) shift of the centre, width and height, in longer sides of the tight box."""
    side = (tight[2:] - tight[:2]).max()
    return np.concatenate([(box[:2] + box[2:] - tight[:2] - tight[2:]) / 2, box[2:] - box[:2]]) / side


def _related(tight: np.ndarray, relation: np.ndarray) -> np.ndarray:
    """The box that has a relation to the tight box."""
    side = (tight[2:] - tight[:2]).max()
    centre, half = (tight[:2] + tight[2:]) / 2 + relation[:2] * side, relation[2:] * side / 2
    return np.concatenate([centre - half, centre + half])
