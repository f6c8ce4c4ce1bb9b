from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from occlumark.data.cofw68 import read_cofw68
from occlumark.errors import AnnotationError, PhotoError
from occlumark.markup import REGIONS

pytest.importorskip("scipy", reason="needs scipy (the test extra)")

Write = Callable[..., Any]


def test_annotations_alone(tmp_path: Path, write_cofw68: Write) -> None:
    points = write_cofw68(tmp_path / "COFW68_Data", 3)
    for folder in (tmp_path, tmp_path / "COFW68_Data"):
        samples, problems = read_cofw68(folder)
        assert [sample.name for sample in samples] == ["cofw68/0001", "cofw68/0002", "cofw68/0003"] and not problems
    np.testing.assert_array_equal(samples[2].landmarks, points[2] - 0.5)
    assert np.flatnonzero(samples[2].occluded)[:2].tolist() == [2, 7]
    assert samples[2].official_box.tolist() == [10.5, 13.5, 70.5, 83.5]
    with pytest.raises(PhotoError, match=r"COFW_test_color\.mat is not here"):
        samples[0].read_photo()


def test_joined_with_the_photos(tmp_path: Path, write_cofw68: Write, write_cofw: Write) -> None:
    write_cofw68(tmp_path / "68", 3)
    photos = write_cofw(tmp_path / "29" / "COFW_test_color.mat", "IsT", "phisT", "bboxesT", 3).photos
    samples, _ = read_cofw68(tmp_path / "68", tmp_path / "29")
    np.testing.assert_array_equal(samples[1].read_photo(), photos[1])
    with pytest.raises(AnnotationError, match=r"no COFW_test_color\.mat below"):
        read_cofw68(tmp_path / "68", tmp_path / "68")
    write_cofw(tmp_path / "29" / "COFW_test_color.mat", "IsT", "phisT", "bboxesT", 2)
    with pytest.raises(AnnotationError, match=r"has 2 photos, .* 3 boxes"):
        read_cofw68(tmp_path / "68", tmp_path / "29")


def test_what_is_missing_or_broken_is_listed(tmp_path: Path, write_cofw68: Write) -> None:
    from scipy.io import savemat

    write_cofw68(tmp_path, 5)
    folder = tmp_path / "test_annotations"
    (folder / "1_points.mat").unlink()
    (folder / "2_points.mat").write_bytes(b"torn")
    savemat(folder / "3_points.mat", {"Points": np.zeros((67, 2)), "Occ": np.zeros((1, 68))})
    savemat(folder / "4_points.mat", {"Points": np.full((68, 2), np.inf), "Occ": np.zeros((1, 68))})
    samples, problems = read_cofw68(tmp_path)
    assert [sample.name for sample in samples] == ["cofw68/0005"]
    assert [problem.name for problem in problems] == [f"test_annotations/{i}_points.mat" for i in (1, 2, 3, 4)]
    assert problems[0].reason.endswith("1_points.mat: no such file")
    assert "cannot read" in problems[1].reason and "\n" not in problems[1].reason
    assert "Points is 67 x 2; expected 68 x 2" in problems[2].reason
    assert "not finite" in problems[3].reason


def test_no_such_data_set(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no cofw68_test_bboxes\.mat"):
        read_cofw68(tmp_path)
    (tmp_path / "cofw68_test_bboxes.mat").write_bytes(b"")
    with pytest.raises(AnnotationError, match="cannot read"):
        read_cofw68(tmp_path)


def test_the_published_annotations(shared: Path) -> None:
    """Occluded points as counted from the published files: 7,896 in all, jaw .319, nose .050 of them."""
    samples, problems = read_cofw68(shared / "data/cofw68")
    assert len(samples) == 507 and not problems
    occluded = np.stack([sample.occluded for sample in samples])
    assert occluded.sum() == 7896
    shares = {name: occluded[:, list(region)].mean() for name, region in REGIONS.items()}
    published = {"jaw": 0.319, "brows": 0.312, "nose": 0.050, "eyes": 0.180, "mouth": 0.221}
    assert shares == pytest.approx(published, abs=1e-3)
    centres = np.array([sample.official_box.reshape(2, 2).mean(0) - sample.landmarks.mean(0) for sample in samples])
    sides = np.array([sample.official_box[2] - sample.official_box[0] for sample in samples])
    assert np.abs(centres / sides[:, None]).mean() < 0.1  # boxes lie on their own faces
