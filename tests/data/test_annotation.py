"""Names that no file can have, in the tables that name photos."""

from pathlib import Path

import numpy as np
import pytest

from occlumark.data.annotation import file_exists
from occlumark.data.scenes import SCENE_TABLE, read_scenes
from occlumark.data.wflw import LISTS, read_wflw
from occlumark.errors import AnnotationError

LONG = "a" * 300 + ".jpg"


def test_a_file_that_cannot_be() -> None:
    assert file_exists(Path(__file__))
    assert not any(map(file_exists, (Path(LONG), Path("a\0b"), Path(__file__) / "below", Path(__file__).parent)))


def test_an_overlong_name_in_a_table_of_scenes(tmp_path: Path) -> None:
    (tmp_path / SCENE_TABLE).write_text(f"file,kind,x0,y0,x1,y1\n{LONG},none,,,,\n")
    with pytest.raises(AnnotationError, match="1 of 1 photos are missing; the first: aaa"):
        read_scenes(tmp_path)


def test_an_overlong_name_in_a_list_of_wflw(tmp_path: Path) -> None:
    table = tmp_path / LISTS["train"]
    table.parent.mkdir(parents=True)
    numbers = np.random.default_rng(0).integers(1, 99, 2 * 98).tolist()
    table.write_text(" ".join(map(str, [*numbers, 1, 1, 99, 99, *[0] * 6, LONG])) + "\n")
    with pytest.raises(AnnotationError, match=r"no usable face of WFLW .*: no photo .*aaa"):
        read_wflw(tmp_path)
