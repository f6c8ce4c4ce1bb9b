"""What a network says of the occluders that its own training photos held, and that no label named.

    python studies/own_occluders.py train.pack runs/all.onnx runs/near.onnx runs/trusted.onnx

Of the training faces whose eyes are darkest beside their cheeks, 120 were looked at: 26 wear glasses that no eye is
seen through, 25 of the others are clean faces in hard light. A network trained to take every position without a drawn
occluder as visible was trained to see these eyes. Per network: the share of the eyes' landmarks that it predicts to be
occluded, behind the glasses and on the clean faces, and the average precision between the two.
"""

import argparse
from pathlib import Path

import numpy as np

from occlumark.data.augment import plain_crop
from occlumark.data.pack import Pack
from occlumark.face import HIDDEN_BELOW
from occlumark.landmarker import Landmarker
from occlumark.markup import REGIONS
from occlumark.metrics.visibility import average_precision

GLASSES = """
lfpw/trainset/image_ 0014 0330 0681 0696 0803 0781 0095 0652 0568 0472 0578 0720 0758
afw/ 255360810_1 4538917191_8 4538917191_5 2805422179_3 2451065225_1 4538917191_11 2353849_1 111076519_2 3464901851_1
afw/ 5204730083_3 3893740955_1 170817766_1 170817766_2
"""
CLEAN = """
lfpw/trainset/image_ 0495 0015 0210 0838
afw/ 4584451140_2 4538917191_3 2417212918_1 2417212918_3 4520272436_1
helen/trainset/ 2211065399_2 248255433_1 2169268854_1 2212956363_1 1404860998_1 275326542_1 1799534916_1 181839385_1
helen/trainset/ 2229969688_1 224905605_1 2167874246_1 1234292822_1 2097991401_3 2091918525_1 169346774_1 2065218949_1
"""
EYES = list(REGIONS["eyes"])


def names(table: str) -> list[str]:
    """The photos of a table: on each line a beginning and what follows it."""
    lines = [line.split() for line in table.strip().splitlines()]
    return [f"{beginning}{rest}.jpg" for beginning, *each in lines for rest in each]


def occluded_eyes(network: Landmarker, pack: Pack, photos: list[str]) -> np.ndarray:
    """(n, 12) how sure the network is that each landmark of the eyes is occluded; cut from tight boxes."""
    rows = [pack.names.index(photo) for photo in photos]
    crops = [plain_crop(pack.crops[i], pack.landmarks[i], pack.tight_boxes[i], network.crop)[0] for i in rows]
    return 1 - network.predict(np.stack(crops)).visibility[:, EYES]


def main() -> None:
    """Show every network the same faces; print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("networks", nargs="+", type=Path)
    args = parser.parse_args()
    pack = Pack.open(args.pack)
    glasses, clean_faces = names(GLASSES), names(CLEAN)
    print(f"eyes predicted occluded, %: behind {len(glasses)} glasses, on {len(clean_faces)} clean faces; AP, %")
    for path in args.networks:
        network = Landmarker(path)
        behind, opened = (occluded_eyes(network, pack, photos) for photos in (glasses, clean_faces))
        called = [100 * float((part > 1 - HIDDEN_BELOW).mean()) for part in (behind, opened)]
        truth = np.arange(behind.size + opened.size) < behind.size
        precision = average_precision(np.concatenate([behind.ravel(), opened.ravel()]), truth)
        print(f"{path.parent.name}/{path.stem:20}{called[0]:8.1f}{called[1]:8.1f}{100 * precision:8.1f}")


if __name__ == "__main__":
    main()
