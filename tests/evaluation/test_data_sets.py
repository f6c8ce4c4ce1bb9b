"""Evaluation of other data sets than 300W, with a network of their markup whose landmarks all lie at a dot."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.cli.main import main
from occlumark.data.data_sets import DataSet
from occlumark.data.sample import Sample
from occlumark.detect import Detector
from occlumark.errors import OcclumarkError
from occlumark.evaluation import landmarks as module
from occlumark.evaluation.landmarks import evaluate, evaluate_data_set

DOT = np.array([100.0, 90.0])


@pytest.fixture
def wflw(tmp_path: Path) -> Path:
    """Two test faces in WFLW's form, on circles of 30 around the dot, the outer eye corners across: errors of 0.5.

    The first is of the subset pose, the second of none.
    """
    angles = np.linspace(0, 2 * np.pi, 98, endpoint=False)
    angles[60], angles[72] = np.pi, 0
    points = DOT - 0.5 + 30 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lists = tmp_path / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    lists.mkdir(parents=True)
    (tmp_path / "WFLW_images").mkdir()
    photo = np.zeros((200, 220, 3), np.uint8)
    photo[88:92, 98:102, 2] = 255
    lines = []
    for i in range(2):
        flags = [int(i == 0), 0, 0, 0, 0, 0]
        lines.append(" ".join(map(str, [*points.ravel(), 69, 59, 130, 120, *flags, f"{i}.png"])))
        cv2.imwrite(str(tmp_path / "WFLW_images" / f"{i}.png"), photo)
    for part, content in (("test", lines), ("train", lines[:1])):
        (lists / f"list_98pt_rect_attr_{part}.txt").write_text("\n".join(content))
    return tmp_path


def test_errors_by_hand_with_a_row_for_each_subset(wflw: Path, write_dot_network: Callable, capsys) -> None:
    network = str(write_dot_network(98))
    assert main(["evaluate", str(wflw), "--dataset", "wflw", "--weights", network, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["n"], values["box"], values["normaliser"]) == (2, "official", "inter_ocular")
    assert values["nme"] == pytest.approx(0.5, abs=1e-4)
    assert {name: part["n"] for name, part in values["sets"].items()} == {
        **{"test": 2, "pose": 1, "expression": 0, "illumination": 0, "make-up": 0, "occlusion": 0, "blur": 0}
    }


def test_a_network_of_another_markup_is_refused(wflw: Path, dot_network: Path, write_dot_network: Callable) -> None:
    with pytest.raises(OcclumarkError, match=r"'dot' finds 68 landmarks, faces of wflw have 98; name a network of 98"):
        evaluate_data_set("wflw", wflw, Detector(weights=dot_network))
    with pytest.raises(OcclumarkError, match=r"'dot' finds 98 landmarks, faces of 300W have 68"):
        evaluate([wflw], Detector(weights=write_dot_network(98)))


@pytest.mark.parametrize("more", [["--occlude", "0"], ["more"]])
def test_what_goes_not_with_another_data_set(wflw: Path, more: list[str], capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", str(wflw), *more, "--dataset", "wflw"])
    assert "--dataset wflw takes one DIR, the data set's own, and no --occlude" in capsys.readouterr().err


def test_the_occlusion_benchmark_is_of_68_points(tmp_path: Path, write_dot_network: Callable, capsys) -> None:
    words = ["evaluate-occlusion", str(tmp_path), "--weights", str(write_dot_network(29))]
    assert main(words) == 1
    assert "finds 29 landmarks, faces of the benchmark have 68" in capsys.readouterr().err


def test_aflws_size_is_its_own_boxs_width_and_only_annotated_landmarks_count(
    tmp_path: Path, write_dot_network: Callable, monkeypatch
) -> None:
    photo = tmp_path / "a.png"
    pixels = np.zeros((200, 220, 3), np.uint8)
    pixels[88:92, 98:102, 2] = 255
    cv2.imwrite(str(photo), pixels)
    landmarks = np.full((19, 2), np.nan)
    landmarks[:4] = np.add(DOT, [(30, 0), (-30, 0), (0, 10), (0, -10)])
    box = np.array([60.0, 50, 140, 120])
    samples = [
        Sample("a", photo, landmarks, box, None, frozenset({"full", "frontal"})),
        Sample("b", photo, landmarks, None, None, frozenset({"full"})),
    ]
    data_set = DataSet(19, lambda _: (samples, []), ("full", "frontal"))
    for where in (module, module.faces_for_testing.__globals__):
        target = where if isinstance(where, dict) else vars(where)
        monkeypatch.setitem(target, "DATA_SETS", {"aflw": data_set})
    detector = Detector(weights=write_dot_network(19))
    result = evaluate_data_set("aflw", tmp_path, detector)
    assert result.normaliser == "box_width" and result.names == ["a"]
    assert result.errors[0] == pytest.approx((30 + 30 + 10 + 10) / 4 / 80, abs=1e-4)
    assert [problem.reason for problem in result.skipped] == ["no official box, whose size box_width is"]
    assert {name: part.n for name, part in result.sets.items()} == {"full": 1, "frontal": 1}
    tight = evaluate_data_set("aflw", tmp_path, detector, "tight", "box_longer")
    assert tight.errors[0] == pytest.approx(20 / 80, abs=1e-4)  # found from the tight box, over the official one's side
