"""Which kinds of occluder there are: those to train with, and those that only the benchmark draws.

The two lists share no kind and no way of drawing, so that the benchmark asks for what training did not show. Names that
occur in neither list, and in simple.py and cutouts.py, are those of older configurations.
"""

from occlumark.occluders import (
    clothes,
    crowd,
    eyewear,
    hair,
    hands,
    light,
    masks,
    objects,
    scenery,
    shapes,
)
from occlumark.occluders.drawing import Draw, SizedDraw

#: Kinds to train with.
TRAINING: dict[str, Draw] = {
    "medical_mask": masks.medical_mask,
    "cloth_mask": masks.cloth_mask,
    "respirator": masks.respirator,
    "shades": eyewear.shades,
    "spectacles": eyewear.spectacles,
    "goggles": eyewear.goggles,
    "hand_on_face": hands.hand_on_face,
    "both_hands": hands.both_hands,
    "finger": hands.finger,
    "spread_hand": hands.spread_hand,
    "strands": hair.strands,
    "fringe": hair.fringe,
    "curtains": hair.curtains,
    "shapes": shapes.shapes,
    "other_face": shapes.other_face,
    "shadow": light.shadow,
    "highlight": light.highlight,
}

#: Kinds that no training sees.
BENCHMARK: dict[str, SizedDraw] = {
    "cup": objects.cup,
    "phone": objects.phone,
    "microphone": objects.microphone,
    "book": objects.book,
    "leaves": scenery.leaves,
    "bars": scenery.bars,
    "racket": scenery.racket,
    "brim": clothes.brim,
    "hood": clothes.hood,
    "scarf": clothes.scarf,
    "head": crowd.head,
}
