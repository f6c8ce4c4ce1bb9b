"""A stand-in for COFW_test_color.mat, whose photos cannot be passed on: to walk `make figure4 COFW=DIR` and time it.

    python studies/cofw_generated.py cofw68 DIR
    make figure4 COFW=DIR OUT=DIR/results

As many faces as COFW68's annotations have, 507: a bundled portrait, moved, scaled and turned onto each face's 68
points, in a photo that holds them and the box; every eighth is grey, as some of COFW's are. It prints the error of a
network that finds the portrait's points wherever they lie: what Figure 4 then gives should be near it, and is not if a
pixel is counted from the wrong place.
"""

import argparse
from pathlib import Path

import cv2
import h5py
import numpy as np
from tqdm import tqdm

from occlumark import Detector
from occlumark.data.cofw68 import read_cofw68
from occlumark.data.sample import Sample
from occlumark.demo import SAMPLES
from occlumark.face.align import similarity
from occlumark.metrics.landmarks import nme
from occlumark.photo import find_photos, read_photo

#: Pixels of a photo beyond the points and the box.
MARGIN = 60


def photo_of(portrait: np.ndarray, points: np.ndarray, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """A photo (height, width, 3) with the portrait where a face of COFW is, and the portrait's points (68, 2) there."""
    onto = similarity(points, sample.landmarks)
    assert sample.official_box is not None
    size = np.ceil(np.maximum(sample.landmarks.max(axis=0), sample.official_box[2:]) + MARGIN).astype(int)
    matrix = onto.copy()
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5  # OpenCV puts a pixel's centre on whole numbers
    photo = cv2.warpAffine(portrait, matrix, size.tolist(), flags=cv2.INTER_AREA, borderValue=(90, 90, 90))
    return photo, points @ onto[:, :2].T + onto[:, 2]


def write(path: Path, photos: list[np.ndarray]) -> None:
    """COFW's test file as MATLAB 7.3 writes it, with photos (height, width[, 3]) and no annotations but room for them.

    Axes are reversed, and photos are references. What figure 4 reads of it is the photos alone.
    """
    with h5py.File(path, "w", userblock_size=512) as mat:
        cells = mat.create_dataset("IsT", (1, len(photos)), dtype=h5py.ref_dtype)
        for i, photo in enumerate(photos):
            cells[0, i] = mat.create_dataset(f"#refs#/{i}", data=photo.T).ref
        mat.create_dataset("phisT", data=np.zeros((87, len(photos))))
        mat.create_dataset("bboxesT", data=np.zeros((4, len(photos))))
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")


def main() -> None:
    """Write the file and say what to expect."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cofw68", type=Path, help="COFW68's annotations")
    parser.add_argument("out", type=Path, metavar="DIR", help="gets COFW_test_color.mat")
    args = parser.parse_args()
    samples, _ = read_cofw68(args.cofw68)
    portrait = read_photo(find_photos([SAMPLES])[0])
    face = Detector().detect(portrait)[0]
    photos, errors = [], []
    for i, sample in enumerate(tqdm(samples, "photos", disable=None)):
        photo, points = photo_of(portrait, face.landmarks, sample)
        photos.append(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) if i % 8 == 7 else photo)
        errors.append(nme(points[None], sample.landmarks[None], "inter_ocular")[0])
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out / "COFW_test_color.mat", photos)
    sides = np.array([photo.shape[:2] for photo in photos])
    print(f"{len(photos)} photos, {np.median(sides[:, 1]):.0f} x {np.median(sides[:, 0]):.0f} pixels in the median")
    print(f"a network that finds the portrait's points: NME {100 * np.mean(errors):.2f} %, inter-ocular")


if __name__ == "__main__":
    main()
