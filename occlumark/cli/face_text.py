"""What detection prints of its faces: lines to read, or one of the formats of occlumark.face.formats."""

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from occlumark.cli.pictures import LONGEST_NAME, cut_name
from occlumark.errors import PhotoError, one_line

if TYPE_CHECKING:
    from occlumark.face import Face
    from occlumark.markup import Markup

Form = Literal["text", "json", "csv", "pts", "coco"]


class FaceText:
    """The text of a run: what to print before, for each photo, and after the last.

    Args:
        form: text, a readable line per face; json, an object per photo; csv, a table with a row per face; pts, a file
            per face in a folder, and its name printed; coco, one JSON document of key points for all photos.
        markup: of all faces.
        folder: of the .pts files, made where it is missing.
        are_given: whether the boxes are the caller's, whose score says nothing.
    """

    def __init__(self, form: Form, markup: "Markup", folder: Path | None = None, *, are_given: bool = False) -> None:
        self._form, self._markup, self._folder, self._are_given = form, markup, folder, are_given
        self._written: set[str] = set()
        self._for_coco: list[tuple[str, int, int, Sequence[Face]]] = []

    def start(self) -> list[str]:
        """The lines before the first photo."""
        from occlumark.face.formats import csv_columns
        from occlumark.files import csv_text

        return [csv_text(csv_columns(self._markup.n), []).rstrip("\n")] if self._form == "csv" else []

    def photo(self, name: str, height: int, width: int, faces: "Sequence[Face]") -> list[str]:
        """A photo's lines.

        Raises:
            PhotoError: a .pts file is there already, or cannot be written.
        """
        from occlumark.face.formats import csv_rows
        from occlumark.files import csv_text

        match self._form:
            case "json":
                faces_json = [face.to_json() for face in faces]
                return [json.dumps({"photo": name, "width": width, "height": height, "faces": faces_json})]
            case "csv":
                return [csv_text(row, []).rstrip("\n") for row in csv_rows(name, faces)]
            case "pts":
                # room for two numbers: so many photos of one name, or faces of a photo, are not met
                stem = cut_name(Path(name).stem if name != "-" else "stdin", LONGEST_NAME - len("-123456_123456.pts"))
                return self._write_pts(self._free_names(stem, len(faces)), faces)
            case "coco":
                self._for_coco.append((name, width, height, faces))
                return []
        return [_described(name, number, face, self._are_given) for number, face in enumerate(faces, 1)]

    def end(self) -> list[str]:
        """The lines after the last photo."""
        from occlumark.face.formats import coco_document

        return [json.dumps(coco_document(self._for_coco, self._markup))] if self._form == "coco" else []

    def _free_names(self, stem: str, n_faces: int) -> list[str]:
        """300W's names: a photo's first face is NAME, its second NAME_2; NAME-2 where a face of this run has that name.

        Names that differ in capitals alone are one name on some file systems.
        """
        for count in itertools.count(1):
            numbered = stem if count == 1 else f"{stem}-{count}"
            names = [numbered, *(f"{numbered}_{number}" for number in range(2, n_faces + 1))][:n_faces]
            if self._written.isdisjoint(name.casefold() for name in names):
                self._written.update(name.casefold() for name in names)
                return names
        raise AssertionError("there is always a next number")

    def _write_pts(self, names: "Sequence[str]", faces: "Sequence[Face]") -> list[str]:
        """A file a face; none of a photo's where one of them is there already."""
        from occlumark.face.formats import to_pts
        from occlumark.files import written_whole
        from occlumark.photo.write import make_folder_of

        paths = [(self._folder or Path()) / f"{name}.pts" for name in names]
        if there := [path for path in paths if path.exists()]:
            raise PhotoError(f"{there[0]} is there already, and may be an annotation; name another --to")
        for path, face in zip(paths, faces, strict=True):
            make_folder_of(path)
            with written_whole(path) as file:
                file.write(to_pts(face).encode())
        return [str(path) for path in paths]


def _described(name: str, number: int, face: "Face", is_given: bool) -> str:
    box = " ".join(f"{value:.1f}" for value in face.box)
    hidden = f"{int(face.hidden().sum())} of {len(face.landmarks)} landmarks hidden"
    sure = f"score {face.score:.2f}"
    if is_given:
        sure = "own box" if math.isnan(face.presence) else f"own box, presence {face.presence:.2f}"
    return f"{one_line(name)}: face {number}, box {box}, {sure}, {hidden}"
