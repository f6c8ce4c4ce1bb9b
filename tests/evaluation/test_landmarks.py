from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.detect import Detector
from occlumark.errors import AnnotationError
from occlumark.evaluation.landmarks import evaluate

DOT = np.array([100.0, 90.0])  # where the dot network puts all 68 landmarks
RIGHT = np.array([12.0, 0.0])
AddFace = Callable[..., np.ndarray]


@pytest.fixture
def add_face() -> AddFace:
    """A function that writes a photo with one red dot, and 68 true points at a distance of it.

    The points are at 30 pixels of the dot, on a circle, the outer eye corners at its right and left: their distance
    is 60 and every landmark's error 30 / 60 = 0.5, whatever crop the dot is found in. With grow the circle is larger.
    """

    def add(annotation: Path, grow: float = 1.0) -> np.ndarray:
        annotation.parent.mkdir(parents=True, exist_ok=True)
        angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
        angles[36], angles[45] = np.pi, 0
        truth = DOT + 30 * grow * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        np.savetxt(annotation, truth + 0.5, fmt="%.9f")
        photo = np.zeros((200, 220, 3), np.uint8)
        photo[88:92, 98:102, 2] = 255  # centred at DOT; OpenCV writes blue, green, red
        cv2.imwrite(str(annotation.with_suffix(".png")), photo)
        return truth

    return add


def box_around(centre: np.ndarray, half: float) -> np.ndarray:
    return np.concatenate([centre - half, centre + half])


@pytest.fixture
def detector(dot_network: Path) -> Detector:
    return Detector(weights=dot_network, threads=1)


def test_errors_by_hand(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    truth = add_face(tmp_path / "a.pts")
    np.savetxt(tmp_path / "b.pts", truth + 0.5 + RIGHT)  # the truth 12 to the right of the dot's surroundings
    cv2.imwrite(str(tmp_path / "b.png"), cv2.imread(str(tmp_path / "a.png")))
    result = evaluate([tmp_path], detector, "tight")
    assert result.names == ["a.png", "b.png"] and result.n == 2 and not result.skipped and result.sets == {}
    by_hand = [0.5, np.linalg.norm(truth + RIGHT - DOT, axis=1).mean() / 60]
    np.testing.assert_allclose(result.errors, by_hand, atol=1e-4)
    assert result.nme == pytest.approx(np.mean(by_hand), abs=1e-4)
    np.testing.assert_allclose(result.boxes[0], [*truth.min(axis=0), *truth.max(axis=0)], atol=1e-6)
    assert result.failure_rate(0.1) == 1 and result.auc(0.1) == 0


@pytest.mark.parametrize(("normaliser", "size"), [("inter_ocular", 60), ("box_width", 60), ("inter_pupil", None)])
def test_the_normaliser_is_named_and_used(
    tmp_path: Path, add_face: AddFace, detector: Detector, normaliser: str, size: float | None
) -> None:
    truth = add_face(tmp_path / "a.pts")
    if size is None:
        size = float(np.linalg.norm(truth[36:42].mean(axis=0) - truth[42:48].mean(axis=0)))
    result = evaluate([tmp_path], detector, "tight", normaliser)  # type: ignore[arg-type]
    assert result.normaliser == normaliser and result.nme == pytest.approx(30 / size, abs=1e-4)


def test_official_boxes_and_the_fallback(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    truth = add_face(tmp_path / "a.pts")
    add_face(tmp_path / "b.pts")
    (tmp_path / "detector_boxes.csv").write_text("set,file,x0,y0,x1,y1\n.,a.png,60.5,50.5,150.5,140.5\n")
    result = evaluate([tmp_path], detector, box="official")
    assert result.box == "official" and result.fallback == ["b.png"] and not result.skipped
    np.testing.assert_allclose(result.boxes[0], [60, 50, 150, 140])
    np.testing.assert_allclose(result.boxes[1], [*truth.min(axis=0), *truth.max(axis=0)], atol=1e-6)
    assert evaluate([tmp_path], detector, box="tight").fallback == []


def test_official_boxes_are_the_default_and_none_is_there(
    tmp_path: Path, add_face: AddFace, detector: Detector
) -> None:
    add_face(tmp_path / "a.pts")
    expected = r"no official box .* a detector_boxes\.csv .* --box finder .* --box tight "
    with pytest.raises(AnnotationError, match=expected):
        evaluate([tmp_path], detector)


def test_the_finder_must_find_the_annotated_face(tmp_path: Path, add_face: AddFace, dot_network: Path) -> None:
    for name in ("both", "far", "none"):
        add_face(tmp_path / f"{name}.pts")
    other, right = box_around(np.array([40.0, 40.0]), 30), box_around(DOT + 4, 30)
    answers = iter([[(other, 0.9), (right, 0.6)], [(other, 0.9)], []])
    detector = Detector(weights=dot_network, face_finder=lambda _: next(answers), threads=1)
    result = evaluate([tmp_path], detector, box="finder")
    assert result.names == ["both.png"] and list(result.missed) == ["far.png", "none.png"]
    np.testing.assert_array_equal(result.boxes, [right])
    assert result.nme == pytest.approx(0.5, abs=1e-4)
    reasons = [problem.reason for problem in result.skipped]
    # By hand: the boxes share nothing.
    assert reasons == [
        "missed by the face finder: 1 found, the best with an overlap of 0.00",
        "missed by the face finder: 0 found",
    ]


@pytest.mark.parametrize(("shift", "found"), [(25.0, True), (26.0, False)])
def test_an_overlap_of_four_tenths_is_needed(
    tmp_path: Path, add_face: AddFace, dot_network: Path, shift: float, found: bool
) -> None:
    """By hand: of two squares of 60, one moved by s, the overlap is (60 - s) / (60 + s): .412 at 25, .395 at 26."""
    add_face(tmp_path / "a.pts")
    add_face(tmp_path / "b.pts")
    first, second = box_around(DOT, 30), box_around(DOT + shift * np.array([1, 0]), 30)
    answers = iter([[(first, 1.0)], [(second, 1.0)]])
    detector = Detector(weights=dot_network, face_finder=lambda _: next(answers), threads=1)
    assert evaluate([tmp_path], detector, box="finder").missed == ({} if found else {"b.png": 60})


def test_nothing_is_skipped_in_silence(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    for name in ("good", "broken_photo", "no_photo", "nan", "outside", "flat"):
        add_face(tmp_path / f"{name}.pts")
    (tmp_path / "broken_photo.png").write_text("no photo")
    (tmp_path / "no_photo.png").unlink()
    (tmp_path / "nan.pts").write_text("nan nan\n" * 68)
    outside = np.loadtxt(tmp_path / "outside.pts")
    np.savetxt(tmp_path / "outside.pts", outside + 1000)
    flat = np.loadtxt(tmp_path / "flat.pts")
    flat[36] = flat[45]
    np.savetxt(tmp_path / "flat.pts", flat)
    result = evaluate([tmp_path], detector, "tight")
    assert result.names == ["good.png"] and result.missed == {}
    reasons = {problem.name: problem.reason for problem in result.skipped}
    assert len(result.skipped) == 5
    for name, word in [
        ("broken_photo.png", "not a photo"),
        ("no_photo.pts", "no photo beside"),
        ("nan.pts", "not finite"),
        ("outside.png", "outside the photo"),
        ("flat.png", "no inter_ocular size"),
    ]:
        assert word in reasons[name]


def test_nothing_left_is_an_error(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    add_face(tmp_path / "a.pts")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(AnnotationError, match=r"none of 1 faces could be evaluated; the first: .*empty"):
        evaluate([tmp_path], detector, "tight")


def test_sets_and_all_of_them(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    for name in ("one/a", "one/b", "one_more/a", "two/x/a"):
        add_face(tmp_path / f"{name}.pts")
    (tmp_path / "one" / "b.png").unlink()
    np.savetxt(tmp_path / "two/x/a.pts", np.loadtxt(tmp_path / "two/x/a.pts") + RIGHT)
    roots = [tmp_path / "one", tmp_path / "one_more", tmp_path / "two"]
    result = evaluate(roots, detector, "tight")
    assert list(result.sets) == [str(root) for root in roots]
    assert [part.n for part in result.sets.values()] == [1, 1, 1] and result.n == 3
    assert [len(part.skipped) for part in result.sets.values()] == [1, 0, 0]
    assert result.nme == pytest.approx(np.mean([part.nme for part in result.sets.values()]))
    for root, part in zip(roots, result.sets.values(), strict=True):
        assert part.nme == pytest.approx(evaluate([root], detector, "tight").nme)


def test_a_limit_takes_faces_evenly_spaced(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    for number in range(7):
        add_face(tmp_path / f"{number}.pts")
    assert evaluate([tmp_path], detector, "tight", limit=3).names == ["0.png", "2.png", "4.png"]
    assert evaluate([tmp_path], detector, "tight", limit=100).n == 7


def test_json_has_the_summaries_as_fractions(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    add_face(tmp_path / "a.pts")
    add_face(tmp_path / "b.pts")
    (tmp_path / "b.png").unlink()
    values = evaluate([tmp_path], detector, "tight").to_json()
    assert (values["n"], values["skipped"], values["missed"], values["fallback"]) == (1, 1, 0, [])
    assert values["nme"] == pytest.approx(0.5, abs=1e-4) and values["nme_interval"] == [values["nme"]] * 2
    assert [values[key] for key in ("failure_rate_08", "failure_rate_10", "auc_08", "auc_10")] == [1, 1, 0, 0]
    assert values["skipped_photos"][0]["name"] == "b.pts" and "no photo" in values["skipped_photos"][0]["reason"]


def test_a_set_without_a_measured_face_has_nulls(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    add_face(tmp_path / "one" / "a.pts")
    add_face(tmp_path / "two" / "a.pts")
    (tmp_path / "two" / "a.png").unlink()
    part = evaluate([tmp_path / "one", tmp_path / "two"], detector, "tight").to_json()["sets"][str(tmp_path / "two")]
    assert (part["n"], part["nme"], part["auc_08"], part["nme_interval"]) == (0, None, None, [None, None])


def test_bad_arguments(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    add_face(tmp_path / "a.pts")
    add_face(tmp_path / "b.pts")
    for arguments in ({"box": "best"}, {"box": "tight", "normaliser": "diagonal"}, {"box": "tight", "limit": 0}):
        with pytest.raises(ValueError, match=r"box is one of|number of items to choose is at least 1, not 0"):
            evaluate([tmp_path], detector, **arguments)  # type: ignore[arg-type]


def test_json_samples_the_cumulative_error_distribution(tmp_path: Path, add_face: AddFace, detector: Detector) -> None:
    add_face(tmp_path / "a.pts")
    result = replace(
        evaluate([tmp_path], detector, "tight"), errors=np.array([0.02, 0.05, 0.12, 0.3]), names=list("abcd")
    )
    curve = result.to_json()["ced"]
    assert list(curve) == [f"0.{i:02d}" for i in range(1, 16)]
    assert [curve[t] for t in ("0.01", "0.02", "0.05", "0.11", "0.12", "0.15")] == [0, 0.25, 0.5, 0.5, 0.75, 0.75]
