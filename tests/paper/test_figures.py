import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occlumark.errors import AnnotationError, OcclumarkError
from occlumark.landmarker import Landmarker
from occlumark.packaged import packaged_weights
from paper import figure3, figure4, figure5, figure6
from paper.distilled import features
from paper.figure6_crops import SHOWN, portrait_crops
from paper.inputs import Inputs, MissingInputError
from paper.photo_errors import PhotoErrors

pytest.importorskip("matplotlib", reason="needs matplotlib (the paper extra)")
WriteErrors = Callable[..., PhotoErrors]
COMMITTED = Path(__file__).parents[2] / "docs" / "results"


def check_picture(path: Path) -> None:
    """As wide as it is shown, small, and not one colour."""
    with Image.open(path) as picture:
        assert picture.width == 900 and 200 < picture.height < 900
        assert np.asarray(picture.convert("RGB")).std() > 10
    assert path.stat().st_size < 150_000


def write_spiga(inputs: Inputs, name: str, subsets: list[str]) -> None:
    """Predictions that are off by 3 and 4 pixels at each point, of faces whose outer eye corners are 100 apart."""
    truth = np.zeros((len(subsets), 68, 2), np.float32)
    truth[:, 45, 0] = 100
    folder = inputs.shared / "data" / "predictions"
    folder.mkdir(parents=True, exist_ok=True)
    visible = np.ones((len(subsets), 68), np.uint8)
    arrays = {"truth": truth, "prediction": truth + np.float32([3, 4]), "visible": visible, "subset": np.array(subsets)}
    np.savez(folder / f"spiga_{name}.npz", **arrays)


def test_figure_3_counts_a_missed_face_as_a_failure(inputs: Inputs, write_errors: WriteErrors) -> None:
    subsets = ["challenging"] * 4 + ["common"]
    write_errors(inputs.errors / "300w-net-finder.csv", [0.02, 0.04, 0.09, np.nan, 0.9], subsets)
    write_spiga(inputs, "300wpublic", ["ibug", "helen", "ibug"])
    picture, page, table = figure3.make(inputs)
    check_picture(picture)
    lines = table.read_text(encoding="utf-8").splitlines()
    # AUC.08: (.06 + .04 + 0 + 0) / 4 / .08; AUC.10: (.08 + .06 + .01 + 0) / 4 / .1
    assert lines[1] == '"net, ours, finder boxes",3,5.00,50.00,25.00,0.3125,0.3750'
    assert lines[2] == "SPIGA (reference),2,5.00,0.00,0.00,0.3750,0.5000"
    assert "(figure3.png)" in page.read_text(encoding="utf-8")


def test_figure_3_needs_errors_and_predictions(inputs: Inputs, write_errors: WriteErrors) -> None:
    with pytest.raises(MissingInputError, match="make paper-errors"):
        figure3.make(inputs)
    write_errors(inputs.errors / "300w-net-tight.csv", [0.02], ["challenging"])
    with pytest.raises(MissingInputError, match=r"spiga_300wpublic\.npz"):
        figure3.make(inputs)


def test_figure_4_has_five_systems_and_ours_where_it_was_measured(
    shared: Path, inputs: Inputs, write_errors: WriteErrors
) -> None:
    here = Inputs(shared, inputs.results)
    write_errors(here.errors / "cofw68-net-official.csv", [0.04, 0.06, 0.1], ["test"] * 3)
    picture, page, table = figure4.make(here)
    check_picture(picture)
    cells = {line.split(",")[0]: line.split(",")[1:] for line in table.read_text(encoding="utf-8").splitlines()[1:]}
    assert cells["HPM"] == ["6.72", "81.46", "507"] and cells["SPIGA"] == ["3.93", "98.42", "507"]
    assert '"net' in cells  # quoted, for its name has a comma
    assert cells['"net'][1:] == ["6.67", "66.67", "3"]
    assert "not here" not in page.read_text(encoding="utf-8")


def test_figure_5_is_drawn_where_aflw_was_measured(inputs: Inputs, write_errors: WriteErrors) -> None:
    (page,) = figure5.make(inputs)
    assert "No network of 19 points has been measured here yet" in page.read_text(encoding="utf-8")
    write_errors(inputs.errors / "aflw-net-official.csv", [0.01, 0.03], ["full", "full frontal"], "box_width")
    picture, page, table = figure5.make(inputs)
    check_picture(picture)
    assert table.read_text(encoding="utf-8").splitlines()[1] == '"net, ours, official boxes",2,2.00'


@pytest.mark.slow
def test_figure_6_shows_the_map_under_drawn_occluders(inputs: Inputs) -> None:
    picture, page, table = figure6.make(inputs)
    check_picture(picture)
    rows = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    of_odn = [row for row in rows if row[0] == "odn"]
    assert [row[1] for row in of_odn] == list(SHOWN)
    assert of_odn[0][2] == "-" and all(0 < float(row[2]) < 1 for row in of_odn[1:])
    assert all(0 < float(row[4]) <= 1 for row in of_odn[1:]), "P is at most 1, so no more is kept than there was"
    assert all(row[4:6] == ["-", "-"] for row in rows if row[0] != "odn")
    assert "Features kept" in page.read_text(encoding="utf-8")
    before = picture.read_bytes()
    assert figure6.make(inputs)[0].read_bytes() == before


def test_figure_6_is_made_of_the_crops_that_are_kept(inputs: Inputs) -> None:
    """So that it comes out the same whichever OpenCV cuts and draws."""
    inputs.results.mkdir()
    shutil.copy(COMMITTED / "figure6-crops.png", inputs.results)
    _picture, _page, table = figure6.make(inputs)
    assert table.read_text(encoding="utf-8") == (COMMITTED / "figure6.csv").read_text(encoding="utf-8")


def test_the_crops_of_figure_6_are_those_that_are_drawn_within_what_opencv_changes(tmp_path: Path) -> None:
    network = Landmarker(packaged_weights("odn")[0], threads=1)
    kept = portrait_crops(COMMITTED / "figure6-crops.png", "odn", network)
    drawn = portrait_crops(tmp_path / "crops.png", "odn", network)
    again = portrait_crops(tmp_path / "crops.png", "odn", network)
    for one, other, read in zip(kept, drawn, again, strict=True):
        np.testing.assert_array_equal(other.pixels, read.pixels)
        np.testing.assert_array_equal(other.occlusion, read.occlusion)
        assert np.abs(one.pixels.astype(float) - other.pixels).mean() < 1
        assert ((one.occlusion > 127) == (other.occlusion > 127)).mean() > 0.99
    assert [bool(crop.occlusion.any()) for crop in kept] == [False, True, True, True, True]


def test_crops_of_another_size_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (50, 20)).save(tmp_path / "crops.png")
    with pytest.raises(AnnotationError, match=r"crops\.png: expected 5 crops of 224 pixels .* not 50 x 20"):
        portrait_crops(tmp_path / "crops.png", "odn", Landmarker(packaged_weights("odn")[0]))


def test_the_features_behind_the_distillation_module_are_those_before_it_times_P() -> None:
    pytest.importorskip("onnx", reason="needs onnx (the paper extra)")
    path, _ = packaged_weights("odn")
    crops = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    found = features(path, crops)
    P = 1 - Landmarker(path, threads=1).predict(crops).occlusion_maps
    assert found.before.shape == (2, 512, 7, 7) and found.before.min() >= 0 and found.before.max() > 0
    np.testing.assert_allclose(found.after, found.before * P[:, None], atol=1e-5)


def test_a_network_without_distillation_has_no_such_features(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx (the paper extra)")
    one = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Mul", ["x", "x"], ["y"])], "g", [one], [one])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "plain.onnx")
    with pytest.raises(AnnotationError, match="0 products with a sigmoid"):
        features(tmp_path / "plain.onnx", np.zeros((1, 8, 8, 3), np.uint8))


def test_figure_6_of_photos_writes_the_picture_alone(shared: Path, inputs: Inputs) -> None:
    photos = shared / "data" / "300w" / "ibug"
    if not photos.is_dir():
        pytest.skip("needs iBUG's photos in shared/data/300w/ibug")
    assert figure6.make(inputs, "odn", photos) == [inputs.results / "figure6.png"]
    check_picture(inputs.results / "figure6.png")
    assert sorted(path.name for path in inputs.results.iterdir()) == ["figure6.png"]


def test_figure_6_of_no_such_network(inputs: Inputs) -> None:
    with pytest.raises(OcclumarkError, match="no packaged model 'none'"):
        figure6.make(inputs, "none")
