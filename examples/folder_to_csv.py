"""Every face of a folder to a CSV table, a row a face: box, score, landmarks, visibility, expected error.

python examples/folder_to_csv.py photos/ faces.csv
"""

import csv
import sys
from pathlib import Path

from occlumark import Detector, OcclumarkError
from occlumark.face.formats import csv_columns, csv_rows
from occlumark.photo.search import find_photos


def main(folder: Path, table: Path) -> None:
    """Detect on every photo below the folder; a photo that cannot be read is named and skipped."""
    detector = Detector()
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(csv_columns(detector.markup.n))
        for photo in find_photos([folder]):
            try:
                writer.writerows(csv_rows(photo.relative_to(folder).as_posix(), detector.detect(photo)))
            except OcclumarkError as error:
                print(error, file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 3 or not Path(sys.argv[1]).is_dir():
        sys.exit("usage: python examples/folder_to_csv.py FOLDER TABLE.csv")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
