"""What the refinement is trained for, each term worked by hand."""

import math

import pytest
import torch

from occlumark.model.network import NetworkOutput
from occlumark.model.refinement import Refined
from occlumark.model.refinement_objective import OcclusionTargets, RefinementObjectiveConfig, refinement_objective

ALONE = {"refined": 0.0, "occluded": 0.0, "occlusion": 0.0, "error": 0.0}


def predicted(
    *, off: tuple[float, ...] = (0.0,), logit: float = 0.0, occlusion: float = 0.0, log_scale: float = 0.0
) -> tuple[NetworkOutput, torch.Tensor]:
    """Two faces of a crop of 64 pixels; every coordinate off by so many pixels after each stage; P = 1/4."""
    truth = torch.full((2, 68, 2), 32.0)
    refined = Refined(
        tuple((truth + pixels) / 8 for pixels in off),
        torch.full((2, 68), logit),
        torch.full((2, 68), log_scale),
        torch.full((2, 8, 8), occlusion),
    )
    return NetworkOutput(truth + off[-1], torch.full((2, 1, 2, 2), 0.25), truth, refined), truth


def targets(first: float = 0.0) -> OcclusionTargets:
    """Of the first face, half the landmarks and the upper half of the map occluded so far; of the second nothing."""
    landmarks, cells = torch.zeros(2, 68), torch.zeros(2, 8, 8)
    landmarks[0, :34] = first
    cells[0, :4] = first
    return OcclusionTargets(landmarks, cells)


def terms(prediction: NetworkOutput, truth: torch.Tensor, targets: OcclusionTargets, **config) -> dict[str, float]:
    found = refinement_objective(RefinementObjectiveConfig(**config), 64, prediction, truth, targets)
    return {name: value.item() for name, value in found.items()}


def test_every_stage_counts():
    found = terms(*predicted(off=(6.4, -3.2)), targets(), refined=2.0)
    assert found["refined"] == pytest.approx(2 * 136 * (0.1 + 0.05), rel=1e-4)


def test_all_negatives_count_alike():
    logit = math.log(3)  # a probability of 3/4
    found = terms(*predicted(logit=logit, occlusion=logit), targets(1.0), negatives="all", occluded=2.0, occlusion=3.0)
    expected = -(0.25 * math.log(0.75) + 0.75 * math.log(0.25))  # a quarter of both is occluded
    assert found["occluded"] == pytest.approx(2 * expected, rel=1e-5)
    assert found["occlusion"] == pytest.approx(3 * expected, rel=1e-5)


def test_near_leaves_out_what_no_drawn_occluder_comes_near():
    """The upper left cell alone is occluded: 5 x 5 cells are near. The landmarks lie in the cell (4, 4) or (5, 5)."""
    logit = math.log(3)
    cells = torch.zeros(2, 8, 8)
    cells[0, 0, 0] = 1.0
    prediction, truth = predicted(logit=logit, occlusion=logit)
    truth[0, 34:] = 40.0
    found = terms(prediction, truth, OcclusionTargets(torch.zeros(2, 68), cells), negatives="near")
    assert found["occluded"] == pytest.approx(-math.log(0.25), rel=1e-5)  # 34 landmarks, all shown
    assert found["occlusion"] == pytest.approx(-(math.log(0.75) + 24 * math.log(0.25)) / 25, rel=1e-5)
    truth[0] = 40.0
    assert terms(prediction, truth, OcclusionTargets(torch.zeros(2, 68), cells), negatives="near")["occluded"] == 0
    assert terms(prediction, truth, targets(), negatives="near")["occlusion"] == 0


def test_negatives_count_by_the_networks_confidence():
    logit = math.log(3)
    found = terms(*predicted(logit=logit), targets(1.0), negatives="confident")
    # occluded: weight 1; the rest: weight 1/4, the network's own probability of being visible
    expected = -(0.25 * math.log(0.75) + 0.75 * 0.25 * math.log(0.25)) / (0.25 + 0.75 * 0.25)
    assert found["occluded"] == pytest.approx(expected, rel=1e-5)


def test_a_higher_power_needs_more_confidence():
    logit = math.log(3)
    found = terms(*predicted(logit=logit), targets(1.0), negatives="confident", confidence_power=3.0)
    expected = -(0.25 * math.log(0.75) + 0.75 * 0.25**3 * math.log(0.25)) / (0.25 + 0.75 * 0.25**3)
    assert found["occluded"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="confidence_power"):
        RefinementObjectiveConfig(confidence_power=0.0)


@pytest.mark.parametrize("weight", ["refined", "occluded", "occlusion", "P_supervision", "error"])
def test_a_weight_below_zero_is_refused(weight: str):
    with pytest.raises(ValueError, match=f"{weight} is in 0"):
        RefinementObjectiveConfig(**{weight: -0.1})


def test_the_weight_is_no_way_to_escape():
    """No gradient flows through the weight: predicting everything occluded must not pay."""
    prediction, truth = predicted(logit=1.0)
    logits = prediction.refined.occlusion_logit.requires_grad_()
    config = RefinementObjectiveConfig(**(ALONE | {"occluded": 1.0}), negatives="confident")
    refinement_objective(config, 64, prediction, truth, targets())["occluded"].backward()
    assert (logits.grad > 0).all()  # down, towards visible


def test_the_likeliest_scale_is_half_the_distance():
    distance = 8 * math.sqrt(2)  # pixels, so sqrt(2) cells
    best = math.log(math.sqrt(2) / 2)
    at = {
        s: terms(*predicted(off=(8.0,), log_scale=s), targets(), error=1.0)["error"]
        for s in (best - 0.1, best, best + 0.1)
    }
    assert min(at, key=at.__getitem__) == best
    assert at[best] == pytest.approx(distance / 8 / math.exp(best) + 2 * best, rel=1e-5)


def test_the_error_teaches_the_scale_alone():
    prediction, truth = predicted(off=(8.0,))
    places = prediction.refined.landmarks[-1].requires_grad_()
    scale = prediction.refined.log_scale.requires_grad_()
    config = RefinementObjectiveConfig(**(ALONE | {"error": 1.0}))
    refinement_objective(config, 64, prediction, truth, targets())["error"].backward()
    assert places.grad is None and (scale.grad != 0).all()


def test_p_is_supervised_only_where_asked():
    assert "P_supervision" not in terms(*predicted(), targets(1.0))
    found = terms(*predicted(), targets(1.0), negatives="all", P_supervision=2.0)
    # P = 1/4; occluded are the two upper cells of the first face's four, of eight altogether
    expected = -(2 * math.log(0.75) + 6 * math.log(0.25)) / 8
    assert found["P_supervision"] == pytest.approx(2 * expected, rel=1e-4)


@pytest.mark.parametrize("negatives", ["all", "near", "confident"])
def test_what_is_not_annotated_is_ignored(negatives):
    """Half of the landmarks are right and known, the other half wrong and not annotated."""
    prediction, truth = predicted(off=(0.0,), logit=-10.0)
    refined, nowhere = prediction.refined, range(34, 68)
    wrong = [part.clone() for part in (refined.landmarks[0], refined.occlusion_logit, refined.log_scale)]
    for part in wrong:
        part[:, nowhere] += 30
        part.requires_grad_()
    landmarks, logit, log_scale = wrong
    moved = prediction._replace(
        refined=refined._replace(landmarks=(landmarks,), occlusion_logit=logit, log_scale=log_scale)
    )
    half = truth.clone()
    half[:, nowhere] = torch.nan
    config = RefinementObjectiveConfig(negatives=negatives)
    found = refinement_objective(config, 64, moved, half, targets())
    expected = refinement_objective(config, 64, prediction, truth, targets())
    for name in ("refined", "error", "occluded"):
        assert found[name].item() == pytest.approx(expected[name].item(), abs=1e-4)
    torch.stack(list(found.values())).sum().backward()
    for part in wrong:
        assert torch.isfinite(part.grad).all() and not part.grad[:, nowhere].any()
