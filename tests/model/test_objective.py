"""Equation (3), each term worked by hand."""

import math

import pytest
import torch

from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.model.nuclear_norm import spectrum
from occlumark.model.objective import ObjectiveConfig, conv_weights, objective


@pytest.fixture(scope="module")
def network() -> OcclusionAdaptiveNetwork:
    return OcclusionAdaptiveNetwork(NetworkConfig(), 64)


def off_by(pixels: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Landmarks of two faces, every coordinate off by so many pixels; P = 1/4 everywhere; the truth."""
    truth = torch.full((2, 68, 2), 30.0)
    return truth + pixels, torch.full((2, 1, 7, 7), 0.25), truth


def test_every_term_of_equation_3(network):
    landmarks, P, truth = off_by(6.4)
    polar = spectrum(network.M).polar
    config = ObjectiveConfig(beta=2.0, gamma=3.0, alpha=5.0, lambda_=7.0, eta=11.0)
    terms = objective(config, network, landmarks, P, truth, polar)
    assert list(terms) == ["data", "M_nuclear", "M_frobenius", "W_c", "W_fc", "P_l1"]
    assert terms["data"].item() == pytest.approx(136 * 0.1**2, rel=1e-4)
    assert terms["M_nuclear"].item() == pytest.approx(2 * 64, rel=1e-4)  # the identity's nuclear norm
    assert terms["M_frobenius"].item() == pytest.approx(3 * 64)
    W_c = sum(weight.detach().double().square().sum().item() for weight in conv_weights(network))
    assert terms["W_c"].item() == pytest.approx(5 * W_c, rel=1e-4)
    assert terms["W_fc"].item() == pytest.approx(7 * network.W_fc.detach().square().sum().item(), rel=1e-4)
    assert terms["P_l1"].item() == pytest.approx(11 * 49 * 0.25)


def test_the_papers_weights_are_the_default():
    config = ObjectiveConfig()
    assert (config.alpha, config.gamma, config.lambda_) == (1e-5, 1e-5, 1e-5)
    assert (config.beta, config.eta) == (1e-6, 1e-6)
    assert config.data == "l2"


@pytest.mark.parametrize(
    ("kind", "pixels", "by_hand"),
    [
        ("l2", 3.2, 0.05**2),
        ("l1", -3.2, 0.05),
        ("wing", 1.28, 0.04 * math.log(1 + 0.02 / 0.008)),
        ("wing", 6.4, 0.1 - (0.04 - 0.04 * math.log(1 + 0.04 / 0.008))),
    ],
)
def test_data_terms_by_hand(network, kind, pixels, by_hand):
    landmarks, P, truth = off_by(pixels)
    terms = objective(ObjectiveConfig(data=kind), network, landmarks, P, truth, None)
    assert terms["data"].item() == pytest.approx(136 * by_hand, rel=1e-4)


def test_weight_zero_leaves_a_term_out(network):
    landmarks, P, truth = off_by(1)
    config = ObjectiveConfig(beta=0.0, gamma=0.0, alpha=0.0, lambda_=0.0, eta=0.0)
    assert list(objective(config, network, landmarks, P, truth, spectrum(network.M).polar)) == ["data"]


def test_sub_gradient_is_what_m_receives(network):
    landmarks, P, truth = off_by(0)
    polar = spectrum(torch.randn_like(network.M)).polar
    config = ObjectiveConfig(beta=0.5, gamma=0.0, alpha=0.0, lambda_=0.0, eta=0.0)
    network.zero_grad()
    objective(config, network, landmarks, P, truth, polar)["M_nuclear"].backward()
    torch.testing.assert_close(network.M.grad, 0.5 * polar)


@pytest.mark.parametrize("wrong", [{"beta": -1.0}, {"wing_width": 0.0}, {"refresh_every": 0}])
def test_impossible_weights_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is (above|in)"):
        ObjectiveConfig(**wrong)


def test_what_is_not_annotated_is_ignored(network):
    landmarks, P, truth = off_by(6.4)
    truth[0, :17] = torch.nan
    landmarks.requires_grad_()
    terms = objective(ObjectiveConfig(data="l1"), network, landmarks, P, truth, None)
    assert terms["data"].item() == pytest.approx((136 + 2 * 51) / 2 * 0.1, rel=1e-4)
    terms["data"].backward()
    assert torch.isfinite(landmarks.grad).all()
    assert not landmarks.grad[0, :17].any() and (landmarks.grad[1] > 0).all()
