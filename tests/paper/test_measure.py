from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from occlumark.data.aflw_table import OFFSET
from occlumark.detect import Detector
from occlumark.errors import AnnotationError, OcclumarkError
from occlumark.markup import MARKUPS
from occlumark.packaged import packaged_weights
from paper import figure5, measure, table3
from paper.inputs import Inputs
from paper.measure import errors_on_300w, errors_on_aflw, errors_on_cofw68
from paper.photo_errors import PhotoErrors
from tests.data.conftest import (  # noqa: F401 - fixtures
    mean_face,
    write_aflw,
    write_aflw_table,
    write_cofw,
    write_cofw68,
)

COMMITTED = Path(__file__).parents[2] / "docs" / "results" / "errors"


class FiveOff:
    """Answers the generated faces' landmarks, whose number the box tells, each 3 and 4 pixels off."""

    def __init__(self, n: int, number: Callable[[np.ndarray], float], shift: float) -> None:
        self.model, self.markup = "five-off", MARKUPS[n]
        self.n, self.number, self.shift = n, number, shift

    def detect(self, photo: np.ndarray, boxes: np.ndarray) -> list[SimpleNamespace]:
        assert photo.shape == (120, 100, 3) and boxes.shape == (1, 4)
        landmarks = mean_face(self.n) + self.number(boxes[0]) + self.shift + (3, 4)
        return [SimpleNamespace(landmarks=landmarks, box=boxes[0])]


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


def test_aflws_reduced_copy_without_what_is_out_of_sight(
    write_aflw_table: Callable[..., list],  # noqa: F811
    inputs: Inputs,
) -> None:
    write_aflw_table(inputs.shared)
    # Face i has its box's left edge at i + 10 and its right one at 90, all moved by OFFSET.
    network = FiveOff(19, lambda box: box[0] - 10 - OFFSET[0], np.array(OFFSET))
    found = errors_on_aflw(inputs.shared, network)
    np.testing.assert_allclose(found.errors, [5 / 79, 5 / 78])
    assert [sorted(each) for each in found.subsets] == [["full"], ["frontal", "full"]]
    found.write(inputs.errors / "aflw-net-official.csv")
    for page in (table3, figure5):
        page.make(inputs)
        text = (inputs.results / f"{page.__name__.rpartition('.')[2]}.md").read_text(encoding="utf-8")
        assert "reduced copy" in text and "about 0.8 % of the box's width" in text


def test_the_whole_of_aflw_has_no_such_remark() -> None:
    n = table3.N_FULL
    names, sides = [str(i) for i in range(n)], np.full((n, 2), 50.0)
    full, official = [frozenset({"full"})] * n, ["official"] * n
    table = PhotoErrors(names, full, np.full(n, 0.01), "box_width", sides[:, 0], official, sides)
    assert table3.differences(table) == "" and "4386 faces of Full" in table3._counts("net", table)


def test_a_network_of_other_points_is_refused(
    write_aflw: Callable[..., dict],  # noqa: F811
    tmp_path: Path,
) -> None:
    write_aflw(tmp_path, order=[0, 1])
    with pytest.raises(OcclumarkError, match=r"'five-off' finds 68 landmarks, .* have 19"):
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
    assert table.missed() == 0


def test_a_table_needs_a_name_that_table_4_knows(inputs: Inputs) -> None:
    (inputs.shared / "data" / "300w").mkdir(parents=True)
    with pytest.raises(AnnotationError, match="expected ablation-ROW-seedN"):
        measure.write_errors(inputs, "odn", None, None, "mine")


def test_aflw_needs_a_network_of_its_own(inputs: Inputs) -> None:
    with pytest.raises(OcclumarkError, match="--weights FILE"):
        measure.write_aflw(inputs, inputs.shared, None)


def test_300ws_sizes_and_missed_faces_come_from_the_evaluation(
    tmp_path: Path, symmetric_face: np.ndarray, dot_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outer eye corners are 116 apart in the generated face, 58 at half its size; no .pts is read again."""
    for name in ("lfpw/testset/a", "helen/testset/b", "ibug/c"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        np.savetxt(path.with_suffix(".pts"), 0.5 * symmetric_face + 20.5)
        cv2.imwrite(str(path.with_suffix(".png")), np.full((160, 160, 3), 90, np.uint8))
    box = [20.0, 60, 130, 130]
    answers = iter([[(box, 0.9)], [], [(box, 0.8)]])
    detector = Detector(weights=dot_network, face_finder=lambda _: next(answers), threads=1, recrop="never")
    found = errors_on_300w(tmp_path, detector, "finder")
    assert found.names == ["helen/testset/b.png", "ibug/c.png", "lfpw/testset/a.png"]
    assert [sorted(each) for each in found.subsets] == [["common"], ["challenging"], ["common"]]
    np.testing.assert_allclose(found.sizes, 58)
    (missed,) = np.flatnonzero(np.isnan(found.errors)).tolist()
    assert found.names[missed] == "helen/testset/b.png" and found.boxes == ["none", "finder", "finder"]
    np.testing.assert_array_equal(np.isnan(found.sides[:, 0]), [True, False, False])


def test_an_unusable_face_stops_a_published_set(tmp_path: Path, symmetric_face: np.ndarray, dot_network: Path) -> None:
    for name in ("lfpw/testset/a", "helen/testset/b", "ibug/c"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        np.savetxt(path.with_suffix(".pts"), 0.5 * symmetric_face + 20.5)
        cv2.imwrite(str(path.with_suffix(".png")), np.full((160, 160, 3), 90, np.uint8))
    (tmp_path / "ibug" / "c.png").write_bytes(b"")
    with pytest.raises(AnnotationError, match=r"1 faces cannot be used; .* first ibug/c\.png: .*empty"):
        errors_on_300w(tmp_path, Detector(weights=dot_network, threads=1), "tight")


@pytest.mark.parametrize(("model", "recrop"), [("odn", "never"), ("occlumark-fast", "auto")])
def test_a_file_of_the_papers_network_is_cropped_once(model, recrop):
    assert measure._of_file(packaged_weights(model)[0], "auto").recrop == recrop
