"""Every face of a folder to a CSV table, a row a face.

python examples/folder_to_csv.py photos/ faces.csv
"""

import csv
import sys
from pathlib import Path

from occlumark import Detector, OcclumarkError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def main(folder: Path, table: Path) -> None:
    """Detect on every photo below the folder; a photo that cannot be read is named and skipped."""
    detector = Detector()
    points = [f"{name}{i}" for i in range(detector.markup.n) for name in ("x", "y", "visibility")]
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["photo", "box_x0", "box_y0", "box_x1", "box_y1", "score", *points])
        for photo in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
            try:
                faces = detector.detect(photo)
            except OcclumarkError as error:
                print(error, file=sys.stderr)
                continue
            for face in faces:
                values = [value for point in zip(*face.landmarks.T, face.visibility, strict=True) for value in point]
                numbers = [f"{value:.3f}" for value in (*face.box, face.score, *values)]
                writer.writerow([photo.relative_to(folder).as_posix(), *numbers])


if __name__ == "__main__":
    if len(sys.argv) != 3 or not Path(sys.argv[1]).is_dir():
        sys.exit("usage: python examples/folder_to_csv.py FOLDER TABLE.csv")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
