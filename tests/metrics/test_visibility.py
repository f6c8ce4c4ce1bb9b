import numpy as np
import pytest

from occlumark.metrics.visibility import (
    average_precision,
    error_bins,
    precision_recall_at,
    recall_at_precision,
    reliability,
    share_of_error,
)


@pytest.mark.parametrize(
    ("scores", "hidden", "expected"),
    [
        # By hand from scikit-learn's definition, sum of (R_n - R_n-1) P_n; the first is its documentation's example.
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.5 * 1 + 0.5 * 2 / 3),
        ([0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 0, 1], (1 + 2 / 3 + 3 / 5) / 3),
        ([3, 2, 1], [1, 1, 0], 1.0),
        ([1, 2, 3], [1, 0, 0], 1 / 3),
        ([7, 7, 7, 7], [1, 0, 0, 0], 1 / 4),  # one threshold: all points
        ([0.9, 0.5, 0.5, 0.5, 0.1], [1, 1, 0, 0, 1], (1 + 2 / 4 + 3 / 5) / 3),  # a tie is one step
    ],
)
def test_average_precision_by_hand(scores: list, hidden: list, expected: float) -> None:
    for order in (slice(None), slice(None, None, -1)):
        found = average_precision(np.array(scores)[order], np.array(hidden, bool)[order])
        assert found == pytest.approx(expected, abs=1e-12)


def test_average_precision_of_any_shape_and_of_chance() -> None:
    rng = np.random.default_rng(0)
    scores, hidden = rng.random((300, 68)), rng.random((300, 68)) < 0.3
    assert average_precision(scores, hidden) == pytest.approx(0.3, abs=0.02)
    assert average_precision(scores, hidden) == average_precision(scores.ravel(), hidden.ravel())
    assert average_precision(np.exp(scores), hidden) == pytest.approx(average_precision(scores, hidden), abs=1e-12)


def test_recall_at_precision_by_hand() -> None:
    scores, hidden = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([1, 0, 1, 1, 1], bool)
    # From the highest score down: precision 1, 1/2, 2/3, 3/4, 4/5; recall 1/4, 1/4, 2/4, 3/4, 4/4.
    for precision, recall in [(1.0, 0.25), (0.81, 0.25), (0.8, 1.0), (0.5, 1.0)]:
        assert recall_at_precision(scores, hidden, precision) == recall
    assert recall_at_precision(-scores, ~hidden, 0.9) == 0  # the first one found is shown
    assert recall_at_precision(np.array([1, 1, 1]), np.array([1, 1, 0], bool), 0.9) == 0  # a tie is not divided


def test_error_bins_by_hand() -> None:
    predicted, true = np.array([4.0, 1, 3, 2, 6, 5]), np.array([8.0, 1, 3, 3, 4, 6])
    bins = error_bins(predicted, true, bins=3)
    np.testing.assert_array_equal(bins.points, [2, 2, 2])
    np.testing.assert_allclose(bins.predicted, [1.5, 3.5, 5.5])
    np.testing.assert_allclose(bins.true, [2, 5.5, 5])


def test_a_right_expectation_is_right_in_every_bin() -> None:
    rng = np.random.default_rng(0)
    expected = rng.uniform(1, 10, (2000, 68))
    bins = error_bins(expected, rng.exponential(expected))
    assert np.abs(bins.predicted / bins.true - 1).max() < 0.03
    assert np.all(bins.points == 13600)
    assert np.all(np.diff(bins.predicted) > 0)


def test_share_of_error_by_hand() -> None:
    predicted, true = np.arange(10.0), np.array([1.0, 1, 1, 1, 1, 1, 1, 1, 4, 8])
    assert share_of_error(predicted, true) == pytest.approx(8 / 20)
    assert share_of_error(predicted, true, top=0.2) == pytest.approx(12 / 20)
    assert share_of_error(predicted, true, top=1) == pytest.approx(1)
    assert share_of_error(predicted, true, top=0.15) == pytest.approx((8 + 0.5 * 4) / 20)
    assert share_of_error(np.zeros(10), true) == pytest.approx(0.1)
    assert share_of_error(np.array([0.0, 1, 1, 1]), np.array([1.0, 2, 3, 4]), top=0.5) == pytest.approx(2 * 3 / 10)


@pytest.mark.parametrize("measure", [average_precision, lambda *args: recall_at_precision(*args, 0.8)])
def test_scores_that_cannot_be_measured(measure) -> None:
    for scores, hidden in [([1.0], [True, False]), ([np.nan, 1], [True, False]), ([1.0, 2], [False, False])]:
        with pytest.raises(ValueError, match="at least one point occluded"):
            measure(np.array(scores), np.array(hidden))


def test_arguments_out_of_range() -> None:
    one, two = np.array([1.0]), np.array([1.0, 2])
    for call in (
        lambda: recall_at_precision(two, np.array([True, False]), 0),
        lambda: error_bins(two, two, bins=3),
        lambda: error_bins(one, two, bins=1),
        lambda: error_bins(np.array([np.nan]), one, bins=1),
        lambda: share_of_error(two, two, top=0),
        lambda: share_of_error(two, 0 * two),
        lambda: share_of_error(two, np.array([np.inf, 1])),
    ):
        with pytest.raises(ValueError, match=r"not|finite"):
            call()


def test_reliability_by_hand() -> None:
    visibility = np.array([[0.05, 0.06, 0.95], [0.95, 0.99, 1.0]])
    occluded = np.array([[1, 0, 0], [1, 0, 0]], bool)
    bins = reliability(visibility, occluded)
    assert bins.points.tolist() == [2, *[0] * 8, 4] and np.isnan(bins.predicted[1:9]).all()
    assert bins.predicted[[0, 9]] == pytest.approx([0.055, (0.95 + 0.95 + 0.99 + 1) / 4])
    assert bins.visible[[0, 9]] == pytest.approx([0.5, 0.75])
    assert bins.largest_gap() == pytest.approx(0.5 - 0.055)
    assert bins.largest_gap(0.4) == pytest.approx((0.95 + 0.95 + 0.99 + 1) / 4 - 0.75)  # the large bin alone


def test_precision_and_recall_by_hand() -> None:
    visibility, occluded = np.array([0.1, 0.2, 0.3, 0.6, 0.9]), np.array([1, 1, 0, 1, 0], bool)
    assert precision_recall_at(visibility, occluded, 0.5) == pytest.approx((2 / 3, 2 / 3, 1 / 2))
    assert precision_recall_at(visibility, occluded, 0.2) == pytest.approx((1, 1 / 3, 0))  # 0.2 is not below
    nothing = precision_recall_at(visibility, occluded, 0)
    assert np.isnan(nothing.precision) and nothing.recall == 0 and nothing.false_positives == 0
    assert np.isnan(precision_recall_at(visibility, occluded & False, 0.5).recall)


@pytest.mark.parametrize("visibility", [[0.1], [], [0.5, 1.2], [0.5, np.nan]])
def test_a_visibility_that_is_none_is_refused(visibility: list) -> None:
    truth = np.zeros(2 if len(visibility) != 0 else 0, bool)
    for measure in (reliability, lambda v, o: precision_recall_at(v, o, 0.5)):
        with pytest.raises(ValueError, match=r"visibility"):
            measure(np.array(visibility), truth)
