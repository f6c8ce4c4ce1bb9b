"""What the refinement is trained for, each term worked by hand."""

import math

import pytest
import torch

from occlumark.model.network import NetworkOutput
from occlumark.model.refinement import Refined
from occlumark.model.refinement_objective import Cover, RefinementObjectiveConfig, refinement_objective

ALONE = {"refined": 0.0, "hidden": 0.0, "occlusion": 0.0, "error": 0.0}


def answer(
    *, off: tuple[float, ...] = (0.0,), hidden: float = 0.0, occlusion: float = 0.0, log_scale: float = 0.0
) -> tuple[NetworkOutput, torch.Tensor]:
    """Two faces of a crop of 64 pixels; every coordinate off by so many pixels after each look; P = 1/4."""
    truth = torch.full((2, 68, 2), 32.0)
    refined = Refined(
        tuple((truth + pixels) / 8 for pixels in off),
        torch.full((2, 68), hidden),
        torch.full((2, 68), log_scale),
        torch.full((2, 8, 8), occlusion),
    )
    return NetworkOutput(truth + off[-1], torch.full((2, 1, 2, 2), 0.25), truth, refined), truth


def cover(first: float = 0.0) -> Cover:
    """Of the first face, half the landmarks and the upper half of the map covered so far; of the second nothing."""
    landmarks, cells = torch.zeros(2, 68), torch.zeros(2, 8, 8)
    landmarks[0, :34] = first
    cells[0, :4] = first
    return Cover(landmarks, cells)


def terms(prediction: NetworkOutput, truth: torch.Tensor, covered: Cover, **config) -> dict[str, float]:
    found = refinement_objective(RefinementObjectiveConfig(**config), 64, prediction, truth, covered)
    return {name: value.item() for name, value in found.items()}


def test_every_look_counts():
    found = terms(*answer(off=(6.4, -3.2)), cover(), refined=2.0)
    assert found["refined"] == pytest.approx(2 * 136 * (0.1 + 0.05), rel=1e-4)


def test_all_places_count_alike():
    logit = math.log(3)  # a probability of 3/4
    found = terms(*answer(hidden=logit, occlusion=logit), cover(1.0), shown="all", hidden=2.0, occlusion=3.0)
    expected = -(0.25 * math.log(0.75) + 0.75 * math.log(0.25))  # a quarter of both is covered
    assert found["hidden"] == pytest.approx(2 * expected, rel=1e-5)
    assert found["occlusion"] == pytest.approx(3 * expected, rel=1e-5)


def test_near_leaves_out_what_no_drawn_occluder_comes_near():
    """The upper left cell alone is covered: 5 x 5 cells are near. The landmarks lie in the cell (4, 4) or (5, 5)."""
    logit = math.log(3)
    cells = torch.zeros(2, 8, 8)
    cells[0, 0, 0] = 1.0
    prediction, truth = answer(hidden=logit, occlusion=logit)
    truth[0, 34:] = 40.0
    found = terms(prediction, truth, Cover(torch.zeros(2, 68), cells), shown="near")
    assert found["hidden"] == pytest.approx(-math.log(0.25), rel=1e-5)  # 34 landmarks, all shown
    assert found["occlusion"] == pytest.approx(-(math.log(0.75) + 24 * math.log(0.25)) / 25, rel=1e-5)
    truth[0] = 40.0
    assert terms(prediction, truth, Cover(torch.zeros(2, 68), cells), shown="near")["hidden"] == 0
    assert terms(prediction, truth, cover(), shown="near")["occlusion"] == 0


def test_trusted_asks_little_where_the_network_sees_something():
    logit = math.log(3)
    found = terms(*answer(hidden=logit), cover(1.0), shown="trusted")
    # covered: weight 1; the rest: weight 1/4, the network's own probability of being shown
    expected = -(0.25 * math.log(0.75) + 0.75 * 0.25 * math.log(0.25)) / (0.25 + 0.75 * 0.25)
    assert found["hidden"] == pytest.approx(expected, rel=1e-5)


def test_more_trust_is_asked_of_the_doubted():
    logit = math.log(3)
    found = terms(*answer(hidden=logit), cover(1.0), shown="trusted", trust=3.0)
    expected = -(0.25 * math.log(0.75) + 0.75 * 0.25**3 * math.log(0.25)) / (0.25 + 0.75 * 0.25**3)
    assert found["hidden"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="trust"):
        RefinementObjectiveConfig(trust=0.0)


@pytest.mark.parametrize("weight", ["refined", "hidden", "occlusion", "taught", "error"])
def test_a_weight_below_zero_is_refused(weight: str):
    with pytest.raises(ValueError, match="at least 0"):
        RefinementObjectiveConfig(**{weight: -0.1})


def test_the_weight_is_no_way_to_escape():
    """No gradient flows through the weight: calling everything hidden must not pay."""
    prediction, truth = answer(hidden=1.0)
    logits = prediction.refined.hidden.requires_grad_()
    config = RefinementObjectiveConfig(**(ALONE | {"hidden": 1.0}), shown="trusted")
    refinement_objective(config, 64, prediction, truth, cover())["hidden"].backward()
    assert (logits.grad > 0).all()  # down, towards shown


def test_the_likeliest_scale_is_half_the_distance():
    distance = 8 * math.sqrt(2)  # pixels, so sqrt(2) cells
    best = math.log(math.sqrt(2) / 2)
    at = {
        s: terms(*answer(off=(8.0,), log_scale=s), cover(), error=1.0)["error"] for s in (best - 0.1, best, best + 0.1)
    }
    assert min(at, key=at.__getitem__) == best
    assert at[best] == pytest.approx(distance / 8 / math.exp(best) + 2 * best, rel=1e-5)


def test_the_error_teaches_the_scale_alone():
    prediction, truth = answer(off=(8.0,))
    places = prediction.refined.landmarks[-1].requires_grad_()
    scale = prediction.refined.log_scale.requires_grad_()
    config = RefinementObjectiveConfig(**(ALONE | {"error": 1.0}))
    refinement_objective(config, 64, prediction, truth, cover())["error"].backward()
    assert places.grad is None and (scale.grad != 0).all()


def test_p_is_taught_only_where_asked():
    assert "taught" not in terms(*answer(), cover(1.0))
    found = terms(*answer(), cover(1.0), shown="all", taught=2.0)
    # P = 1/4; covered are the two upper cells of the first face's four, of eight altogether
    expected = -(2 * math.log(0.75) + 6 * math.log(0.25)) / 8
    assert found["taught"] == pytest.approx(2 * expected, rel=1e-4)


@pytest.mark.parametrize("shown", ["all", "near", "trusted"])
def test_what_is_not_annotated_teaches_nothing(shown):
    """Half of the landmarks are right and known, the other half wrong and not annotated."""
    prediction, truth = answer(off=(0.0,), hidden=-10.0)
    refined, nowhere = prediction.refined, range(34, 68)
    wrong = [part.clone() for part in (refined.landmarks[0], refined.hidden, refined.log_scale)]
    for part in wrong:
        part[:, nowhere] += 30
        part.requires_grad_()
    landmarks, hidden, log_scale = wrong
    moved = prediction._replace(refined=refined._replace(landmarks=(landmarks,), hidden=hidden, log_scale=log_scale))
    half = truth.clone()
    half[:, nowhere] = torch.nan
    config = RefinementObjectiveConfig(shown=shown)
    found = refinement_objective(config, 64, moved, half, cover())
    expected = refinement_objective(config, 64, prediction, truth, cover())
    for name in ("refined", "error", "hidden"):
        assert found[name].item() == pytest.approx(expected[name].item(), abs=1e-4)
    torch.stack(list(found.values())).sum().backward()
    for part in wrong:
        assert torch.isfinite(part.grad).all() and not part.grad[:, nowhere].any()
