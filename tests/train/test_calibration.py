import numpy as np
import pytest

from occlumark.train.calibration import fit, fit_logit


def test_a_power_law_is_found_again():
    rng = np.random.default_rng(0)
    scale = np.exp(rng.normal(0, 0.7, 40000))
    error = 3 * scale**0.6 * rng.gamma(2, 0.5, len(scale))  # mean 1, as a plane's Laplace spreads
    found = fit(scale, error)
    assert found.power == pytest.approx(0.6, abs=0.02)
    assert found.factor == pytest.approx(3, rel=0.02)


def test_the_mean_expected_error_is_the_mean_error():
    rng = np.random.default_rng(1)
    scale, error = np.exp(rng.normal(0, 1, 5000)), rng.gamma(2, 2, 5000)
    found = fit(scale, error)
    assert (found.factor * scale**found.power).mean() == pytest.approx(error.mean())


def test_one_scale_for_all():
    found = fit(np.full(100, 2.0), np.arange(100.0))
    assert found.factor * 2.0**found.power == pytest.approx(49.5)


def test_scales_that_hardly_differ_say_nothing_of_a_power():
    scale = 2 + 1e-6 * np.arange(100)
    found = fit(scale, np.arange(100.0))
    assert found.power == 1
    assert (found.factor * scale**found.power).mean() == pytest.approx(49.5)


def test_logits_become_the_probabilities_that_they_were_made_from() -> None:
    """Truth drawn from sigmoid(2 x - 3): the fit gives 2 and -3 back, and the probability's mean is the truth's."""
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 2, 60_000)
    probability = 1 / (1 + np.exp(-(2 * logit - 3)))
    occluded = rng.random(len(logit)) < probability
    scale, offset = fit_logit(logit, occluded)
    assert scale == pytest.approx(2, rel=0.03) and offset == pytest.approx(-3, rel=0.03)
    found = 1 / (1 + np.exp(-(scale * logit + offset)))
    assert found.mean() == pytest.approx(occluded.mean(), abs=1e-4)


def test_logits_that_tell_all_points_apart_get_a_finite_scale() -> None:
    logit = np.array([-5.0, -4, -3, 3, 4, 5, np.inf, -np.inf])
    scale, offset = fit_logit(logit, logit > 0)
    assert np.isfinite([scale, offset]).all() and 0 < scale < 10


@pytest.mark.parametrize("power", [60.0, -60.0])
def test_of_a_hardly_trained_network_the_factor_stays_a_number(power: float) -> None:
    """Scales around 0.01 that differ by little, errors by much: the factor would be 1e120 or 1e-120."""
    scale = 0.01 * np.exp(np.random.default_rng(0).normal(0, 0.05, 4000))
    found = fit(scale, (scale / 0.01) ** power)
    assert 0 <= found.power <= 4 and np.isfinite(np.float32(found.factor)) and found.factor > 1e-6
    expected = found.factor * scale**found.power
    assert np.isfinite(np.float32(expected)).all()
    assert expected.mean() == pytest.approx(((scale / 0.01) ** power).mean())
