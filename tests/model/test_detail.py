"""The refinement at stride 4: nothing before training, then a shift in its own cells."""

import pytest
import torch

from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.model.refinement_stage import RefinementConfig

WITH = NetworkConfig(refinement=True, rf=RefinementConfig(width=8, token=8, layers=1, detail=8))
WITHOUT = NetworkConfig(refinement=True, rf=RefinementConfig(width=8, token=8, layers=1))


def _crops(n: int = 2) -> "torch.Tensor":
    return torch.randint(0, 256, (n, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_before_training_it_changes_nothing():
    torch.manual_seed(0)
    network = OcclusionAdaptiveNetwork(WITH, 64).eval()
    plain = OcclusionAdaptiveNetwork(WITHOUT, 64).eval()
    plain.load_state_dict({k: v for k, v in network.state_dict().items() if "detail" not in k})
    for one in (network, plain):
        one.refinement.stages[0].head.bias.data = torch.tensor([0.5, -0.25, 0.7, 0.2])
    first, second = network(_crops()), plain(_crops())
    torch.testing.assert_close(first.landmarks, second.landmarks)
    torch.testing.assert_close(first.refined.occlusion_logit, second.refined.occlusion_logit)
    torch.testing.assert_close(first.refined.log_scale, second.refined.log_scale)
    assert len(first.refined.landmarks) == 2 and len(second.refined.landmarks) == 1


def test_its_shift_is_in_cells_of_four_pixels_and_its_logits_add():
    network = OcclusionAdaptiveNetwork(WITH, 64).eval()
    before = network(_crops())
    network.refinement.detail.stage.head.bias.data = torch.tensor([1.0, -2.0, 0.5, 0.25])
    after = network(_crops())
    shift = (after.landmarks - before.landmarks).reshape(-1, 2)
    torch.testing.assert_close(shift, torch.tensor([4.0, -8.0]).expand_as(shift), atol=1e-4, rtol=0)
    torch.testing.assert_close(after.refined.occlusion_logit, before.refined.occlusion_logit + 0.5)
    torch.testing.assert_close(after.refined.log_scale, before.refined.log_scale + 0.25)


def test_every_parameter_gets_a_gradient():
    network = OcclusionAdaptiveNetwork(WITH, 64).train()
    for stage in (network.refinement.stages[0], network.refinement.detail.stage):
        torch.nn.init.normal_(stage.head.weight, generator=torch.Generator().manual_seed(0))
    output = network(_crops(4))
    (output.landmarks.sum() + output.guess.square().sum() + output.refined.landmarks[0].square().sum()).backward()
    assert [name for name, p in network.refinement.detail.named_parameters() if p.grad is None] == []


def test_presence_starts_sure_of_a_face_and_learns_what_is_none():
    config = NetworkConfig(refinement=True, presence=True)
    with pytest.raises(ValueError, match="presence is told beside what the refinement tells"):
        NetworkConfig(presence=True)
    torch.manual_seed(0)
    network = OcclusionAdaptiveNetwork(config, 64).train()
    assert network(_crops()).presence.sigmoid().min() > 0.9
    crops = torch.zeros(8, 64, 64, 3, dtype=torch.uint8)
    crops[4:] = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    truth = torch.tensor([0.0] * 4 + [1.0] * 4)
    optimiser = torch.optim.Adam(network.presence.parameters(), 0.01)
    for _ in range(60):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(crops).presence, truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert ((network(crops).presence > 0) == (truth > 0)).all()
    assert OcclusionAdaptiveNetwork(NetworkConfig(), 64)(_crops()).presence is None
