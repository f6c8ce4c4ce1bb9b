"""When a face is cropped again, and how: around the landmarks of its first crop, upright, or turned until it is found.

Not in the paper, which crops once.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from occlumark.boxes import box_iou
from occlumark.crop import CropConfig, CropTransform
from occlumark.face import Face
from occlumark.face.align import upright_crop
from occlumark.face.doubt import doubt
from occlumark.face.pose import roll_of
from occlumark.markup import W300, Markup, tight_box

#: A face whose box has a smaller IoU with the tight box of the landmarks found in it is cropped
#: a second time, around those landmarks.
AGREEMENT = 0.8
#: A face that is turned in the photo by more degrees is cropped a second time, upright.
UPRIGHT_WITHIN = 20.0
#: A face whose median expected error is more, in longer sides of its box, is looked for in crops turned by quarters:
#: of true faces nearly all are at less than half of it.
LOST_ABOVE = 0.1

#: A face in a crop turned by quarters is taken in place of the face as it was found if it has at most this share of its
#: doubt: most faces stand upright.
TURNED_DOUBT = 0.7

#: When a face is cropped again around the landmarks found in it: never, where box and landmarks disagree or the face
#: is turned, or always, so many times.
Recrop = Literal["never", "auto"] | int

# A crop around landmarks needs ones whose tight box is about as large as the box they were found from.
_SIZE_RATIOS = (0.5, 2.0)
_QUARTERS = (90.0, 180.0, 270.0)


def check_recrop(recrop: Recrop) -> Recrop:
    """Refuse what is none.

    Raises:
        ValueError: with what there is.
    """
    if recrop in ("never", "auto") or (isinstance(recrop, int) and not isinstance(recrop, bool) and recrop >= 1):
        return recrop
    raise ValueError(f"recrop is 'never', 'auto' or how many times, at least 1, not {recrop!r}")


def recrop_of_passes(passes: int) -> Recrop:
    """What the old option said: a face is cropped so many times in all.

    Raises:
        ValueError: passes below 1.
    """
    if passes < 1:
        raise ValueError(f"passes is at least 1, not {passes}")
    return passes - 1 or "never"


def needs_recrop(face: Face, recrop: Recrop) -> bool:
    """Whether a crop around the landmarks is due, and they can be a face of the box's size."""
    tight = tight_box(face.landmarks)
    sides = tight[2:] - tight[:2]
    smallest, largest = _SIZE_RATIOS
    if sides.min() <= 0 or not smallest <= sides.max() / (face.box[2:] - face.box[:2]).max() <= largest:
        return False
    if recrop != "auto":
        return recrop != "never"
    if face.markup != W300:
        return False
    turned = abs(roll_of(face.landmarks, face.markup)) > UPRIGHT_WITHIN
    return turned or box_iou(tight[None], face.box[None]).item() < AGREEMENT


def crop_around(landmarks: np.ndarray, markup: Markup, config: CropConfig) -> CropTransform:
    """The crop around a face's landmarks, upright where they are turned in the photo (UPRIGHT_WITHIN).

    Only of 68 landmarks the tight box is what a face's box is, in any direction; others are cropped as they stand.

    Args:
        landmarks: (n, 2), photo pixels, not all in one place.
        markup: which landmark is which.
        config: the crop's size and scale.
    """
    if markup == W300 and abs(roll := roll_of(landmarks, markup)) > UPRIGHT_WITHIN:
        return upright_crop(landmarks, roll, config.size, config.scale)
    return CropTransform.from_box(tight_box(landmarks), config)


def is_lost(face: Face) -> bool:
    """Whether the landmarks are so doubtful that the face may stand in another direction than it was looked for."""
    return doubt(face) > LOST_ABOVE


def less_doubtful(face: Face, turned: Sequence[Face]) -> Face:
    """The least doubtful of a face's crops turned by quarters where it is clearly so (TURNED_DOUBT), or the face."""
    best = min(turned, key=doubt)
    return best if doubt(best) <= TURNED_DOUBT * doubt(face) else face


def turned_crops(box: np.ndarray, config: CropConfig) -> list[CropTransform]:
    """The crops of a box turned by one, two and three quarters.

    Args:
        box: (4,) photo pixels.
        config: the crop's size and scale.
    """
    return [CropTransform.from_box(box, config, angle_deg=angle) for angle in _QUARTERS]
