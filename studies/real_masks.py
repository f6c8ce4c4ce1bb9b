"""How much visibility knows of real masks: faces behind them beside clean ones, at the same landmarks.

    python studies/real_masks.py scenes 300w odn runs/a.onnx runs/b.onnx

`scenes` is the face finder's folder of photos with boxes.csv, of which the mask_* portraits are taken; `300w` holds the
training folders afw, lfpw/trainset and helen/trainset, of which the validation part is taken: neither is trained on.
Nobody has labelled these portraits' landmarks, so the truth is what a worn mask is bound to do: chin, mouth and the
nose's tip and base are occluded, the eyes and the top of the nose bridge visible. On the clean faces all of these count
as visible, though a few are not. The edge of the jaw and the brows are listed, but excluded from the precision: masks
end at the one, fringes and hats occlude the other.

In the precision, as many masked faces (evenly spaced) as clean ones are pooled. Without the clean ones a
network would be perfect that only knew that mouths are occluded more often than eyes; this is what "order" shows.
"""

import argparse
from pathlib import Path

import numpy as np

from occlumark.data.sample import evenly_spaced
from occlumark.data.scenes import read_scenes
from occlumark.data.split import split_validation
from occlumark.data.w300 import read_w300
from occlumark.detect import Detector
from occlumark.face import HIDDEN_BELOW
from occlumark.metrics.visibility import average_precision, recall_at_precision
from occlumark.photo import read_photo
from occlumark.train.config import LandmarkConfig

#: Longer side of the tight box, pixels: below it, people cannot be sure of the nose either.
SMALLEST = 64
#: Looked at one by one, and left out.
LEFT_OUT = {
    "the nose shows": "00072 00282 00304 00431 01090 01132 01302 01584 02138 03079 03280",
    "the eyes are occluded, or dark": "00392 00471 00639 01482 01666 01914 02461 03219 03246 03323 03471",
    "seen from the side, one eye is not there": "00042 00576 00625 00965 01807 01876 02029 02778 03380",
    "no mask that leaves the eyes, or no person": "01067 01244 03360",
    "writing over the face": "02636",
}
GROUPS = {
    "chin": range(6, 11),
    "nose tip": range(30, 36),
    "mouth": range(48, 68),
    "jaw edge": (4, 5, 11, 12),
    "bridge top": (27,),
    "eyes": range(36, 48),
    "brows": range(17, 27),
}
OCCLUDED = [i for name in ("chin", "nose tip", "mouth") for i in GROUPS[name]]
VISIBLE = [i for name in ("bridge top", "eyes") for i in GROUPS[name]]
Faces = list[tuple[Path, np.ndarray]]


def masked_faces(folder: Path) -> Faces:
    """The portraits' photos with one tight box each."""
    names = {f"mask_{number}.jpg" for numbers in LEFT_OUT.values() for number in numbers.split()}
    scenes = [scene for scene in read_scenes(folder) if scene.source == "mask" and scene.name not in names]
    faces = [(scene.photo, box) for scene in scenes for box in scene.faces]
    return [(photo, box) for photo, box in faces if max(box[2:] - box[:2]) >= SMALLEST]


def clean_faces(w300: Path) -> Faces:
    """The validation photos with their official boxes."""
    samples, _ = read_w300([w300 / name for name in ("afw", "lfpw/trainset", "helen/trainset")])
    run = LandmarkConfig()
    _, held_out = split_validation([sample.name for sample in samples], run.validation_share, run.validation_seed)
    chosen = [samples[i] for i in held_out]
    return [(s.photo, s.tight_box if s.official_box is None else s.official_box) for s in chosen]


def occlusion_scores(detector: Detector, faces: Faces) -> np.ndarray:
    """(n, 68) 1 - visibility."""
    found = [detector.detect(read_photo(photo), box[None])[0] for photo, box in faces]
    return 1 - np.stack([face.visibility for face in found])


def precisions(masked: np.ndarray, clean: np.ndarray) -> tuple[float, float, float]:
    """AP and recall at 80 % precision, masked faces against clean ones, and the AP of masked alone."""
    some = np.stack(evenly_spaced(list(masked), len(clean)))
    scores = np.concatenate([some[:, OCCLUDED].ravel(), some[:, VISIBLE].ravel(), clean[:, OCCLUDED + VISIBLE].ravel()])
    truth = np.arange(len(scores)) < some[:, OCCLUDED].size
    own = np.concatenate([masked[:, OCCLUDED].ravel(), masked[:, VISIBLE].ravel()])
    order = average_precision(own, np.arange(len(own)) < masked[:, OCCLUDED].size)
    return average_precision(scores, truth), recall_at_precision(scores, truth, 0.8), order


def main() -> None:
    """Show every network the same faces; print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("w300", type=Path)
    parser.add_argument("models", nargs="+", help="packaged networks or ONNX files")
    parser.add_argument("--limit", type=int, help="so many masked and clean faces alone, evenly spaced")
    args = parser.parse_args()
    masked, clean = masked_faces(args.scenes), clean_faces(args.w300)
    if args.limit:
        masked, clean = evenly_spaced(masked, args.limit), evenly_spaced(clean, args.limit)
    print(f"{len(masked)} masked, {len(clean)} clean faces; points predicted occluded, masked / clean, %")
    heads = "".join(f"{name:>13}" for name in GROUPS)
    print(f"{'':24}{'AP %':>6}{'recall at 80':>14}{'order %':>9}{heads}")
    for name in args.models:
        detector = Detector(threads=1, **({"weights": name} if name.endswith(".onnx") else {"model": name}))
        masked_scores, clean_scores = occlusion_scores(detector, masked), occlusion_scores(detector, clean)
        ap, recall, order = precisions(masked_scores, clean_scores)
        called = [
            " / ".join(f"{(scores[:, list(points)] > 1 - HIDDEN_BELOW).mean():.0%}" for scores in each)
            for points in GROUPS.values()
            for each in [(masked_scores, clean_scores)]
        ]
        print(f"{Path(name).stem:24}{100 * ap:6.1f}{100 * recall:14.1f}{100 * order:9.1f}", end="")
        print("".join(f"{text:>13}" for text in called).replace("%", ""), flush=True)


if __name__ == "__main__":
    main()
