from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.detect import Detector
from occlumark.errors import AnnotationError
from occlumark.evaluation import occluded_faces
from occlumark.evaluation.landmarks import evaluate
from occlumark.evaluation.occlusion import evaluate_occlusion
from occlumark.evaluation.occlusion_summary import Answers

AddFace = Callable[..., None]


@pytest.fixture
def add_face(symmetric_face: np.ndarray) -> AddFace:
    """A function that writes a photo of noise with a red dot, and the true points of a small face around it."""

    def add(annotation: Path, shift: tuple[float, float] = (0, 0)) -> None:
        annotation.parent.mkdir(parents=True, exist_ok=True)
        truth = 0.4 * symmetric_face + [60, 50] + shift
        np.savetxt(annotation, truth + 0.5, fmt="%.9f")
        photo = np.random.default_rng(0).integers(0, 90, (200, 220, 3), np.uint8)
        photo[88:92, 98:102, 2] = 255  # OpenCV writes blue, green, red
        cv2.imwrite(str(annotation.with_suffix(".png")), photo)

    return add


@pytest.fixture
def detector(dot_network: Path) -> Detector:
    return Detector(weights=dot_network, threads=1)


def same(first: Answers, second: Answers) -> bool:
    equal = [
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("errors", "visibility", "occluded")
    ]
    return all(equal) and first.kinds == second.kinds


def test_clean_faces_are_those_of_the_plain_evaluation(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    """What is cut out for the occluders changes nothing that the network sees."""
    add_face(tmp_path / "a.pts")
    add_face(tmp_path / "b.pts", (15.25, -40.5))
    result = evaluate_occlusion([tmp_path], {"dot": detector}, 0, box="tight")
    plain = evaluate([tmp_path], detector, box="tight")
    np.testing.assert_allclose(result.clean["dot"].errors.mean(axis=1), plain.errors, atol=1e-6)
    np.testing.assert_allclose(result.boxes, plain.boxes)
    assert [sample.name for sample in result.samples] == plain.names == ["a.png", "b.png"]
    assert not result.clean["dot"].occluded.any() and result.clean["dot"].kinds == ["", ""]


def test_every_model_gets_the_same_pictures(
    tmp_path: Path, add_face: AddFace, detector: Detector, error_network: Path
) -> None:
    add_face(tmp_path / "a.pts")
    other = Detector(weights=error_network, threads=1)  # the same landmarks, and an expected error
    result = evaluate_occlusion([tmp_path], {"dot": detector, "error": other}, 3, box="tight")
    assert result.models == ["dot", "error"] and list(result.occluded) == list(occluded_faces.SHARES)
    for by_model in [result.clean, *result.occluded.values()]:
        np.testing.assert_array_equal(by_model["dot"].errors, by_model["error"].errors)
        np.testing.assert_array_equal(by_model["dot"].occluded, by_model["error"].occluded)
        assert np.isnan(by_model["dot"].expected).all() and np.isfinite(by_model["error"].expected).all()
    assert all(by_model["dot"].occluded.any() for by_model in result.occluded.values())
    told = result.to_json()["models"]
    assert told["dot"]["all"]["expected_error"] is None and told["error"]["all"]["expected_error"]["top_share"] > 0


def test_a_faces_occluders_depend_on_no_other_face(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    for name in ("one/a", "one/b", "two/c"):
        add_face(tmp_path / f"{name}.pts")
    one, two = tmp_path / "one", tmp_path / "two"
    models = {"dot": detector}
    whole = evaluate_occlusion([one, two], models, 0, box="tight")
    turned = evaluate_occlusion([two, one], models, 0, box="tight")
    first = evaluate_occlusion([one], models, 0, box="tight", limit=1)
    another_seed = evaluate_occlusion([one], models, 1, box="tight", limit=1)
    for share in occluded_faces.SHARES:
        a = whole.occluded[share]["dot"].of(np.array([True, False, False]))
        assert same(a, turned.occluded[share]["dot"].of(np.array([False, True, False])))
        assert same(a, first.occluded[share]["dot"])
        assert not same(a, another_seed.occluded[share]["dot"])


def test_boxes_of_the_finder_and_official_ones(tmp_path: Path, add_face: AddFace, dot_network: Path) -> None:
    add_face(tmp_path / "a.pts")
    add_face(tmp_path / "b.pts")
    (tmp_path / "detector_boxes.csv").write_text("set,file,x0,y0,x1,y1\n.,a.png,60.5,50.5,150.5,140.5\n")
    found = [75.0, 65, 150, 145]
    answers = iter([[(found, 0.9)], []])
    detector = Detector(weights=dot_network, face_finder=lambda _: next(answers), threads=1)
    result = evaluate_occlusion([tmp_path], {"dot": detector}, 0, box="finder")
    assert result.missed == ["b.png"] and result.n == 1
    np.testing.assert_allclose(result.boxes, [found])
    official = evaluate_occlusion([tmp_path], {"dot": detector}, 0)
    assert official.box == "official" and official.fallback == ["b.png"]
    np.testing.assert_allclose(official.boxes[0], [60, 50, 150, 140])


def test_nothing_is_skipped_in_silence(
    tmp_path: Path, add_face: AddFace, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("good", "no_photo", "broken", "flat", "unoccludable"):
        add_face(tmp_path / f"{name}.pts")
    (tmp_path / "no_photo.png").unlink()
    (tmp_path / "broken.png").write_text("no photo")
    flat = np.loadtxt(tmp_path / "flat.pts")
    flat[36] = flat[45]
    np.savetxt(tmp_path / "flat.pts", flat)
    add_face(tmp_path / "outside.pts", (500, 0))
    draw = occluded_faces.generator

    def refuse(seed: int, share: float, name: str) -> np.random.Generator:
        if name == "unoccludable.png":
            raise AnnotationError("cannot be occluded")
        return draw(seed, share, name)

    monkeypatch.setattr(occluded_faces, "generator", refuse)
    result = evaluate_occlusion([tmp_path], {"dot": detector}, 0, box="tight")
    assert [sample.name for sample in result.samples] == ["good.png"]
    reasons = {problem.name: problem.reason for problem in result.skipped}
    for name, word in [
        ("no_photo.pts", "no photo beside"),
        ("broken.png", "not a photo"),
        ("flat.png", "no inter_ocular size"),
        ("outside.png", "outside the photo"),
        ("unoccludable.png", "cannot be occluded"),
    ]:
        assert word in reasons.pop(name)
    assert reasons == {} and result.to_json()["skipped"] == 5
    (tmp_path / "good.png").unlink()
    with pytest.raises(AnnotationError, match="none of 6 faces could be evaluated"):
        evaluate_occlusion([tmp_path], {"dot": detector}, 0, box="tight")


def test_rows_for_each_face_model_and_share(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    add_face(tmp_path / "a.pts")
    result = evaluate_occlusion([tmp_path], {"dot": detector}, 0, box="tight")
    rows = list(result.per_photo())
    assert [row[:3] for row in rows] == [("a.png", "dot", share) for share in (0.0, *occluded_faces.SHARES)]
    assert rows[0][3] == "" and rows[2][3] == result.occluded[0.25]["dot"].kinds[0]
    values = result.summary("dot")
    assert rows[0][4] == pytest.approx(values["clean"]["nme"])
    assert rows[3][4] == pytest.approx(values["shares"]["0.40"]["nme"])


def test_bad_arguments(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    add_face(tmp_path / "a.pts")
    for models, seed, options in [
        ({}, 0, {}),
        ({"dot": detector}, -1, {}),
        ({"dot": detector}, 0, {"box": "best"}),
        ({"dot": detector}, 0, {"normaliser": "diagonal"}),
    ]:
        with pytest.raises(ValueError, match=r"at least one detector|box is one of"):
            evaluate_occlusion([tmp_path], models, seed, **options)


def test_the_packaged_paper_network_on_real_faces(shared: Path) -> None:
    """It finds its way under occluders, at a price that grows with what is covered."""
    folder = shared / "data" / "300w" / "helen" / "testset"
    if not folder.is_dir():
        pytest.skip("needs 300W's photos in ../shared/data/300w")
    result = evaluate_occlusion([folder], {"odn": Detector(model="odn", threads=1)}, 0, limit=6)
    assert result.n == 6 and not result.skipped and not result.fallback
    values = result.summary("odn")
    assert values["clean"]["nme"] < 0.05
    assert 1 < values["shares"]["0.10"]["ratio"] < values["shares"]["0.40"]["ratio"] < 3
    assert values["all"]["nme_occluded"] > values["all"]["nme_visible"]
