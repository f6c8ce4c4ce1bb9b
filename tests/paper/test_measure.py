from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from occlumark.detect import Detector
from occlumark.errors import AnnotationError, OcclumarkError
from paper import measured, table3
from paper.inputs import Inputs
from paper.measure import errors_on_300w, errors_on_aflw, errors_on_cofw68
from paper.photo_errors import PhotoErrors
from tests.data.conftest import mean_face, write_aflw, write_cofw, write_cofw68  # noqa: F401 - fixtures

COMMITTED = Path(__file__).parents[2] / "docs" / "results" / "errors"


class FiveOff:
    """Answers the generated faces' landmarks, whose number the box tells, each 3 and 4 pixels off."""

    def __init__(self, n: int, number: Callable[[np.ndarray], float], shift: float) -> None:
        self.n, self.number, self.shift = n, number, shift

    def detect(self, photo: np.ndarray, boxes: np.ndarray) -> list[SimpleNamespace]:
        assert photo.shape == (120, 100, 3) and boxes.shape == (1, 4)
        return [SimpleNamespace(landmarks=mean_face(self.n) + self.number(boxes[0]) + self.shift + (3, 4))]


def test_aflws_test_faces_over_the_lists_boxes(
    write_aflw: Callable[..., dict],  # noqa: F811
    inputs: Inputs,
) -> None:
    write_aflw(inputs.shared, order=[4, 0, 3, 1, 2])
    # Face i has its box's left edge at i + 10.5 and its right one at 90.5.
    network = FiveOff(19, lambda box: box[0] - 10.5, 0.5)
    found = errors_on_aflw(inputs.shared, network, n_train=2)
    widths = np.array([80 - 3, 80 - 1, 80 - 2])
    np.testing.assert_allclose(found.errors, 5 / widths)
    np.testing.assert_array_equal(found.sizes, widths)
    assert [sorted(each) for each in found.subsets] == [["full"], ["full"], ["frontal", "full"]]
    found.write(inputs.errors / "aflw-net-official.csv")
    table3.make(inputs)
    text = (inputs.results / "table3.md").read_text(encoding="utf-8")
    assert f"| box_width | {100 * (5 / widths).mean():.2f} |" in text and "3 faces of Full" in text
    assert f"| {100 * 5 / 78:.2f} | {100 * 5 / 78:.2f} to" in text


def test_a_network_of_other_points_is_refused(
    write_aflw: Callable[..., dict],  # noqa: F811
    tmp_path: Path,
) -> None:
    write_aflw(tmp_path, order=[0, 1])
    with pytest.raises(AnnotationError, match=r"the network has 68 points, .* 19"):
        errors_on_aflw(tmp_path, FiveOff(68, lambda box: 0, 0), n_train=1)


def test_cofw68_joined_with_cofws_photos(
    write_cofw: Callable,  # noqa: F811
    write_cofw68: Callable,  # noqa: F811
    tmp_path: Path,
) -> None:
    write_cofw(tmp_path / "photos" / "COFW_test_color.mat", "IsT", "phisT", "bboxesT", 3)
    points = write_cofw68(tmp_path / "annotations", 3)
    # Face i has its box's upper edge at i + 12, less 0.5.
    network = FiveOff(68, lambda box: box[1] - 11.5, -0.5)
    found = errors_on_cofw68(tmp_path / "annotations", tmp_path / "photos", network)
    sizes = np.linalg.norm(points[:, 45] - points[:, 36], axis=1)
    np.testing.assert_allclose(found.errors, 5 / sizes)
    assert found.names == ["cofw68/0001", "cofw68/0002", "cofw68/0003"] and found.missed() == 0


@pytest.mark.parametrize("box", ["official", "finder"])
def test_the_committed_errors_are_those_of_the_packaged_network(shared: Path, box: str) -> None:
    photos = shared / "data" / "300w"
    if not photos.is_dir():
        pytest.skip("needs 300W's test photos in shared/data/300w")
    committed = PhotoErrors.read(COMMITTED / f"300w-odn-{box}.csv")
    fresh = errors_on_300w(photos, Detector("odn", threads=1, recrop="never"), box, limit=6)  # type: ignore[arg-type]
    assert len(fresh.names) == 6 and frozenset().union(*fresh.subsets) == {"common", "challenging"}
    for i, name in enumerate(fresh.names):
        known = committed.names.index(name)
        assert committed.subsets[known] == fresh.subsets[i] and committed.boxes[known] == fresh.boxes[i]
        assert committed.errors[known] == pytest.approx(fresh.errors[i], abs=2e-4)
        assert committed.sizes[known] == pytest.approx(fresh.sizes[i], abs=0.01)


@pytest.mark.parametrize("box", ["official", "tight", "finder"])
def test_the_committed_errors_are_of_every_photo(box: str) -> None:
    table = PhotoErrors.read(COMMITTED / f"300w-odn-{box}.csv")
    counts = [len(table.of(subset)) + table.missed(subset) for subset in ("common", "challenging")]
    assert counts == [554, 135] and len(table.names) == 689
    assert table.missed() == (2 if box == "finder" else 0)


def test_a_table_needs_a_name_that_table_4_knows(inputs: Inputs) -> None:
    (inputs.shared / "data" / "300w").mkdir(parents=True)
    with pytest.raises(AnnotationError, match="expected ablation-ROW-seedN"):
        measured.write_errors(inputs, "odn", None, None, "mine")


def test_aflw_needs_a_network_of_its_own(inputs: Inputs) -> None:
    with pytest.raises(OcclumarkError, match="--weights FILE"):
        measured.write_aflw(inputs, inputs.shared, None)
