import json
from dataclasses import replace

import numpy as np
import pytest

from occlumark.evaluation.occlusion_summary import Answers, expected_error, of_occluded, summaries

NONE = np.zeros((1, 68), bool)


def answers(errors: np.ndarray, visibility: np.ndarray, occluded: np.ndarray, kind: str) -> Answers:
    n = len(errors)
    return Answers(
        errors=errors,
        distances=50 * errors,
        visibility=visibility,
        expected=np.full((n, 68), np.nan),
        occluded=occluded,
        kinds=[kind] * n,
    )


@pytest.fixture
def clean() -> Answers:
    return answers(
        np.full((2, 68), 0.04), np.tile(np.r_[np.full(4, 0.2), np.full(64, 0.9)], (2, 1)), NONE.repeat(2, 0), ""
    )


@pytest.fixture
def occluded() -> Answers:
    """Two faces with 17 of 68 points occluded, at an error of 0.1, not 0.04; 10 of them and 10 others predicted so."""
    truth = np.tile(np.arange(68) < 17, (2, 1))
    visibility = np.tile(np.where((np.arange(68) >= 7) & (np.arange(68) < 27), 0.3, 0.8), (2, 1))
    return answers(np.where(truth, 0.1, 0.04), visibility, truth, "cup")


def test_numbers_by_hand(clean: Answers, occluded: Answers) -> None:
    values = of_occluded(clean, occluded)
    assert values["n"] == 2
    assert values["nme_clean"] == pytest.approx(0.04)
    assert values["nme"] == pytest.approx((17 * 0.1 + 51 * 0.04) / 68)
    assert values["ratio"] == pytest.approx((17 * 0.1 + 51 * 0.04) / 68 / 0.04)
    assert (values["nme_occluded"], values["nme_visible"]) == pytest.approx((0.1, 0.04))
    assert (values["occluded"], values["predicted_occluded"]) == pytest.approx((0.25, 20 / 68))
    assert (values["precision"], values["recall"]) == pytest.approx((10 / 20, 10 / 17))
    # Two thresholds: 20 points with 10 of the 17 occluded, then all.
    assert values["average_precision"] == pytest.approx(10 / 17 * 10 / 20 + 7 / 17 * 17 / 68)
    assert values["recall_at_precision_80"] == 0
    assert values["expected_error"] is None


def test_a_visibility_that_knows(clean: Answers, occluded: Answers) -> None:
    knows = answers(occluded.errors, 1 - 0.9 * occluded.occluded, occluded.occluded, "cup")
    values = of_occluded(clean, knows)
    assert [values[key] for key in ("average_precision", "recall_at_precision_80", "precision", "recall")] == [1] * 4


def test_shares_kinds_and_all(clean: Answers, occluded: Answers) -> None:
    leaves = answers(3 * occluded.errors, occluded.visibility, occluded.occluded, "leaves")
    values = summaries(clean, {0.1: occluded, 0.25: leaves})
    assert list(values["shares"]) == ["0.10", "0.25"] and list(values["kinds"]) == ["cup", "leaves"]
    assert values["kinds"]["leaves"] == values["shares"]["0.25"]
    first, second = (values["shares"][share]["ratio"] for share in ("0.10", "0.25"))
    assert second == pytest.approx(3 * first)
    assert values["all"]["n"] == 4 and values["all"]["ratio"] == pytest.approx((first + second) / 2)
    assert values["clean"] == {
        "n": 2,
        "nme": pytest.approx(0.04),
        "predicted_occluded": pytest.approx(4 / 68),
        "expected_error": None,
    }
    assert json.loads(json.dumps(values)) == values


def test_kinds_are_compared_with_the_same_faces_clean(occluded: Answers) -> None:
    """The first face's clean error is 0.02, the second's 0.08; each is under another thing."""
    clean = answers(np.array([[0.02], [0.08]]) * np.ones((1, 68)), np.ones((2, 68)), NONE.repeat(2, 0), "")
    both = Answers.joined(
        [occluded.of(np.array([True, False])), answers(np.full((1, 68), 0.08), np.ones((1, 68)), NONE, "book")]
    )
    values = summaries(clean, {0.1: both})["kinds"]
    assert values["book"]["nme_clean"] == pytest.approx(0.08) and values["book"]["ratio"] == pytest.approx(1)
    assert values["cup"]["nme_clean"] == pytest.approx(0.02)
    nothing = [values["book"][key] for key in ("average_precision", "recall_at_precision_80", "nme_occluded", "recall")]
    assert nothing == [None] * 4


def test_expected_errors_are_compared_in_pixels(occluded: Answers) -> None:
    expected = occluded.distances * 1.1
    told = replace(occluded, expected=expected)
    values = expected_error(told)
    assert values is not None and sum(values["points"]) == 136
    np.testing.assert_allclose(np.array(values["predicted"]) / values["true"], 1.1)
    # By hand: 34 points of 136 have 5 px, the others 2 px; a tenth is 13.6 points of 5 px.
    assert values["top_share"] == pytest.approx(13.6 * 5 / (34 * 5 + 102 * 2))
