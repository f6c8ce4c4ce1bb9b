"""What the faces that a tracker takes for new are, on clips of photos that no network was trained on.

    python -m studies.new_faces [--photos300 ../shared/data/300w] [--n 24] [--model occlumark]

The photos are those of studies/fit_smoothing.py; a clip is a face that turns by 120 degrees within a second, as what a
photo shows beside the face then changes the most. Every search of the finder is printed that finds a face elsewhere
than on the one of the clip: the longer side of its landmarks, presence, doubt, and in how many of the next three frames
the landmark network takes it for a face, cropped around its last landmarks.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.clips import RATE, Clip, clips, photo_of
from occlumark import Detector, Face, read_photo
from occlumark.data.pts import read_pts
from occlumark.face.doubt import doubt
from occlumark.face.presence import least_presence
from occlumark.markup import tight_box
from occlumark.packaged import DEFAULT_MODEL, packaged_names
from occlumark.recrop import LOST_ABOVE
from studies.fit_smoothing import validation_photos


def is_face(face: Face, detector: Detector) -> bool:
    """As the tracker asks."""
    return face.presence >= least_presence(face, detector.min_presence) and doubt(face) <= LOST_ABOVE


def elsewhere(face: Face, truth: np.ndarray) -> bool:
    """Whether its middle is not on the clip's face."""
    low, high = tight_box(truth)[:2], tight_box(truth)[2:]
    middle = face.landmarks.mean(axis=0)
    return not ((low < middle) & (middle < high)).all()


def watch(clip: Clip, detector: Detector, every: int = 5) -> list[tuple[float, float, float, int]]:
    """(side, presence, doubt, frames followed) of each face elsewhere, of every so many frames."""
    frames = list(clip)
    rows = []
    for i in range(0, len(frames) - 3, every):
        for found in detector.detect(frames[i][0]):
            if not (elsewhere(found, frames[i][1]) and is_face(found, detector)):
                continue
            face, followed = found, 0
            for pixels, _ in frames[i + 1 : i + 4]:
                (face,) = detector.detect_near(pixels, [face.landmarks])
                if not is_face(face, detector):
                    break
                followed += 1
            side = np.ptp(found.landmarks, axis=0).max()
            rows.append((float(side), found.presence, doubt(found), followed))
    return rows


def main() -> None:
    """A line per face."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos300", type=Path, default=Path(__file__).parents[2] / "shared/data/300w")
    parser.add_argument("--n", type=int, default=24, help="photos; default: %(default)s")
    parser.add_argument("--model", choices=packaged_names(), default=DEFAULT_MODEL)
    args = parser.parse_args()
    detector = Detector(args.model, threads=1)
    for annotation in validation_photos(args.photos300, args.n):
        made = clips(annotation.stem, read_photo(photo_of(annotation)), read_pts(annotation), round(RATE))
        (clip,) = (each for each in made if each.name.endswith(" roll"))
        for side, presence, uncertain, followed in watch(clip, detector):
            said = f"presence {presence:.2f}, doubt {uncertain:.3f}, then {followed} of 3"
            print(f"{annotation.stem}: {side:.0f} px, {said}")
    print("done")


if __name__ == "__main__":
    main()
