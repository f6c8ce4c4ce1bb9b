from pathlib import Path

import numpy as np
import pytest

from occlumark.data.pts import read_pts
from occlumark.errors import AnnotationError

POINTS = [(i + 0.25, 2 * i + 0.5) for i in range(68)]
BODY = "\n".join(f"{x} {y}" for x, y in POINTS)
HEADER = "version: 1\nn_points:  68\n{\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}{BODY}\n}}\n",
        f"{HEADER}{BODY}\n}}",
        f"{BODY}\n",
        (f"{HEADER}{BODY}\n}}\n").replace("\n", " \r\n"),
        f"\ufeffversion: 1\nn_points:68\n{{\n\n{BODY}\n\n}}\n\n",
    ],
    ids=["header", "no last newline", "no header", "Windows lines", "byte-order mark and blank lines"],
)
def test_first_pixel_centre_moves_from_1_to_one_half(tmp_path: Path, text: str) -> None:
    path = tmp_path / "image_092 _01.pts"
    path.write_bytes(text.encode())
    landmarks = read_pts(path)
    assert landmarks.shape == (68, 2)
    np.testing.assert_array_equal(landmarks, np.array(POINTS) - 0.5)


def test_another_number_of_points_on_request(tmp_path: Path) -> None:
    path = tmp_path / "a.pts"
    path.write_text("1 1\n3 4\n")
    np.testing.assert_array_equal(read_pts(path, n_landmarks=2), [[0.5, 0.5], [2.5, 3.5]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BODY.rsplit("\n", 1)[0], "expected 68 points, came 67"),
        (f"{HEADER}{BODY}\n1 1\n}}\n", "expected 68 points, came 69"),
        (f"version: 1\nn_points: 98\n{{\n{BODY}\n}}\n", "expected 68 points, its header says 98"),
        (BODY.replace("3.25 6.5", "nan 6.5"), "point 4 is not finite"),
        (BODY.replace("3.25 6.5", "inf 6.5"), "point 4 is not finite"),
        (BODY.replace("3.25 6.5", "3.25"), "line 4: expected two numbers"),
        (BODY.replace("3.25 6.5", "3.25 6.5 1"), "line 4: expected two numbers"),
        (BODY.replace("3.25 6.5", "a b"), "line 4: expected two numbers"),
        ("\n".join(["5 5"] * 68), "span no area"),
        ("", "came 0"),
        ("1 1\n" * 100_000, "larger than"),
    ],
)
def test_refused_with_one_line_naming_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.pts"
    path.write_text(text)
    with pytest.raises(AnnotationError, match=message) as caught:
        read_pts(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_no_such_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="No such file"):
        read_pts(tmp_path / "none.pts")
    (tmp_path / "photo.pts").write_bytes(b"\xff\xd8\xff\xe0" * 10)
    with pytest.raises(AnnotationError, match="no text"):
        read_pts(tmp_path / "photo.pts")
