"""Visibility on labelled photos: which faces are taken, and numbers worked by hand."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.cli.main import main
from occlumark.data.split import split_validation
from occlumark.detect import Detector
from occlumark.errors import AnnotationError
from occlumark.evaluation.visibility import VisibilityEvaluation, evaluate_visibility

STATES = np.array([[1, 1, 0, 0, -1, *[0] * 63], [1, 0, 0, 0, 0, *[-1] * 63], [0] * 68], np.int8)
SEEN = np.array([[0.1, 0.6, 0.2, 0.9, 0.0, *[1.0] * 63], [0.3, 0.8, 0.9, 0.9, 0.9, *[0.0] * 63], [0.95] * 68])


def _evaluation() -> VisibilityEvaluation:
    clean = np.array([False, False, True])
    errors = np.full((3, 68), 0.02)
    expected = np.where(STATES == 1, 0.04, 0.01)
    return VisibilityEvaluation(["a", "b", "c"], ["hand", "hair", ""], clean, SEEN, STATES, errors, expected, 0.5, [])


def test_unknown_points_are_left_out_of_every_number():
    found = _evaluation().summary()
    assert found["faces"] == 3 and found["occluded"] == 3 and found["visible"] == 2 + 63 + 4 + 68
    # predicted occluded: 0.1 and 0.3 rightly, 0.2 wrongly; 0.6 is missed
    assert found["precision"] == pytest.approx(2 / 3) and found["recall"] == pytest.approx(2 / 3)
    assert found["false_positives"] == pytest.approx(1 / 137)
    # by rising visibility: 0.1 right, 0.2 wrong, 0.3 right, 0.6 right
    assert found["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert found["recall_at_80_precision"] == pytest.approx(1 / 3)


def test_by_kind_region_and_clean():
    values = _evaluation().to_json()
    assert values["kinds"].keys() == {"hand", "hair"} and values["kinds"]["hair"]["recall"] == 1
    assert values["clean"] == {
        "faces": 1,
        "occluded": 0,
        "visible": 68,
        "average_precision": None,
        "precision": None,
        "recall": None,
        "recall_at_80_precision": None,
        "false_positives": 0,
    }
    assert values["regions"]["jaw"]["occluded"] == 3 and values["regions"]["mouth"]["occluded"] == 0
    assert sum(values["reliability"]["points"]) == 3 + 137
    low, high = values["intervals"]["average_precision"]
    assert 0 <= low <= values["all"]["average_precision"] <= high <= 1


def test_the_expected_error_of_visible_and_of_occluded_points():
    found = _evaluation()
    values = found.to_json()["expected_error"]
    assert values["occluded"] is None  # three points are too few
    visible = values["visible"]
    assert sum(visible["points"]) == visible["all"]["points"] == 137 and len(visible["points"]) == 10
    assert visible["all"]["predicted"] == pytest.approx(0.01) and visible["all"]["true"] == pytest.approx(0.02)
    assert visible["gap_intervals"][0] == pytest.approx([-0.5, -0.5])
    # where one face's true error is twice the other's, the interval reaches from one to the other
    found.errors[0], found.errors[2] = 0.01, np.nan
    found.errors[1] = 0.02
    low, high = found.expected_error(occluded=False)["all"]["gap_interval"]
    assert low == pytest.approx(-0.5) and high == pytest.approx(0)
    found.expected[:] = np.nan
    assert found.expected_error(occluded=False) is None


def _folder(root: Path, names: list[str]) -> Path:
    """300W's layout with photos of a dot, and labels: the first half of the points occluded."""
    folder = root / "300w" / "afw"
    folder.mkdir(parents=True)
    rows = []
    for name in names:
        angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
        points = 60 + 30 * np.column_stack([np.cos(angles), np.sin(angles)])
        np.savetxt(folder / f"{name}.pts", points, fmt="%.4f")
        photo = np.zeros((120, 120, 3), np.uint8)
        photo[58:62, 58:62, 2] = 255
        cv2.imwrite(str(folder / f"{name}.png"), photo)
        rows.append([f"300w/afw/{name}.png", "occluded", "hand", 1, *[1] * 34, *[0] * 34])
    with (root / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["photo", "screen", "kind", "labelled", *(f"v{i}" for i in range(68))])
        writer.writerows(rows)
    return root


def test_the_validation_part_is_what_training_leaves_out(tmp_path, dot_network):
    names = [f"photo{i:03d}" for i in range(40)]
    root = _folder(tmp_path, names)
    detector = Detector(weights=dot_network, threads=1)
    whole = evaluate_visibility(root / "labels.csv", root, detector, 0.5, "all", "tight")
    part = evaluate_visibility(root / "labels.csv", root, detector, 0.5, "validation", "tight")
    _, chosen = split_validation([f"{name}.png" for name in names], 0.2, 0)
    assert len(whole.names) == 40 and part.names == [f"{names[i]}.png" for i in chosen] and 0 < len(chosen) < 20
    unseen = evaluate_visibility(root / "labels.csv", root, detector, 0.5, "unseen", "tight")
    _, fewer = split_validation([f"{name}.png" for name in names], 0.05, 0)
    assert unseen.names == [f"{names[i]}.png" for i in fewer] and set(unseen.names) < set(part.names)
    assert whole.kinds == ["hand"] * 40 and (whole.states[:, :34] == 1).all() and (whole.states[:, 34:] == 0).all()


def test_the_command_prints_tables_or_json_and_says_what_is_missing(tmp_path, dot_network, capsys):
    root = _folder(tmp_path / "data", [f"photo{i:03d}" for i in range(12)])
    arguments = ["evaluate-visibility", str(root / "labels.csv"), "--weights", str(dot_network), "--part", "all"]
    assert main([*arguments, "--photos", str(root)]) == 0
    text = capsys.readouterr().out
    assert "recall at 80 % precision" in text and "hand" in text and "largest gap" in text
    assert main([*arguments, "--photos", str(tmp_path)]) == 1
    assert "holds neither 300w/afw" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, "--photos", str(root), "--threshold", "2"])
    assert "--threshold: expected a number in 0..1, not 2" in capsys.readouterr().err


def test_a_part_without_a_labelled_face(tmp_path, dot_network):
    root = _folder(tmp_path, ["photo001"])
    _, chosen = split_validation(["photo001.png"], 0.2, 0)
    assert not len(chosen)
    with pytest.raises(AnnotationError, match="no labelled face of the part validation"):
        evaluate_visibility(root / "labels.csv", root, Detector(weights=dot_network, threads=1), 0.5)
