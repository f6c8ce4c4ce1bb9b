"""The refinement: where it reads, what flows back, how it starts."""

import pytest
import torch

from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.model.refinement import Refinement, RefinementConfig, RefinementStage


def refining(**refinement) -> OcclusionAdaptiveNetwork:
    torch.manual_seed(0)
    return OcclusionAdaptiveNetwork(NetworkConfig(refinement=True, rf=RefinementConfig(**refinement)), 64)


def crops(n: int) -> torch.Tensor:
    return torch.randint(0, 256, (n, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))


def test_before_training_it_leaves_the_guess_where_it_is():
    network = refining(stages=2).eval()
    with torch.no_grad():
        output = network(crops(2))
    assert len(output.refined.landmarks) == 2
    torch.testing.assert_close(output.landmarks, output.guess, rtol=0, atol=1e-4)
    assert not output.refined.occlusion_logit.any() and not output.refined.log_scale.any()
    assert output.refined.occlusion_map_logit.shape == (2, 8, 8)


def test_the_map_is_read_around_every_landmark():
    """On a map whose channels are the cells' own coordinates, what is read is where it was read."""
    stage = RefinementStage(RefinementConfig(width=2, token=8, window_radius=1), 68)
    rows, columns = torch.meshgrid(torch.arange(16.0) + 0.5, torch.arange(16.0) + 0.5, indexing="ij")
    fine = torch.stack([columns, rows]).unsqueeze(0)
    places = torch.rand(1, 68, 2) * 10 + 3  # no neighbour beyond the border
    read = []
    stage.embed.register_forward_pre_hook(lambda module, args: read.append(args[0]))
    stage(fine, places)
    seen, place = read[0][..., :-2].unflatten(-1, (9, 2)), read[0][..., -2:]
    steps = [(x, y) for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)]
    torch.testing.assert_close(seen, places.unsqueeze(2) + torch.tensor(steps))
    torch.testing.assert_close(place, places / 8 - 1)


def test_each_stage_starts_where_the_one_before_ended():
    network = refining(stages=2).eval()
    with torch.no_grad():
        first, second = network.refinement.stages
        first.head.bias[:2] = torch.tensor([0.5, -1.0])
        second.head.bias[:2] = torch.tensor([0.25, 2.0])
        output = network(crops(1))
    moved = (output.landmarks - output.guess) / Refinement.stride
    torch.testing.assert_close(moved, torch.tensor([0.75, 1.0]).expand(1, 68, 2), rtol=0, atol=1e-5)


def test_gradients_reach_the_features_but_not_the_guess():
    network = refining()
    torch.nn.init.normal_(network.refinement.stages[0].head.weight)
    network(crops(2)).landmarks.sum().backward()
    assert network.W_fc.grad is None
    assert network.backbone.layer2[0].conv1.weight.grad.abs().sum() > 0
    assert network.geometry is not None and next(network.geometry.parameters()).grad is not None


def test_it_reads_p():
    network = refining().eval()
    torch.nn.init.normal_(network.refinement.stages[0].head.weight)
    with torch.no_grad():
        before = network(crops(1)).refined.occlusion_logit
        lateral = network.refinement.laterals[2]
        assert lateral.in_channels == 513 + network.config.gm.channels
        lateral.weight[:, -1] += 1  # of P's channel alone
        after = network(crops(1)).refined.occlusion_logit
    assert (before - after).abs().max() > 1e-3


def test_the_paper_keeps_its_network():
    network = OcclusionAdaptiveNetwork(NetworkConfig(), 64).eval()
    assert network.refinement is None
    with torch.no_grad():
        output = network(crops(1))
    assert output.refined is None and torch.equal(output.landmarks, output.guess)


@pytest.mark.parametrize("wrong", [{"stages": 0}, {"window_radius": 4}, {"token": 6}, {"width": 0}, {"layers": 0}])
def test_ranges(wrong):
    with pytest.raises(ValueError):
        RefinementConfig(**wrong)


def test_it_needs_one_of_the_modules():
    with pytest.raises(ValueError, match="three modules"):
        NetworkConfig(refinement=True, geometry_aware=False, distillation=False, low_rank=False)
