"""The refinement by whole cells: windows looked up as by hand, places counted from their cell's centre."""

import pytest
import torch

from occlumark.model.light_refinement import LightRefinement, cell_of, windows
from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.model.refinement_stage import RefinementConfig

CONFIG = NetworkConfig(
    geometry_aware=False,
    distillation=False,
    low_rank=False,
    flattened_head=True,
    refinement=True,
    presence=True,
    rf=RefinementConfig(width=8, token=8, layers=1, detail=8, detail_radius=1, window_radius=0, whole_cells=True),
)


def network() -> OcclusionAdaptiveNetwork:
    torch.manual_seed(0)
    return OcclusionAdaptiveNetwork(CONFIG, 64)


def crops(n: int) -> torch.Tensor:
    return torch.randint(0, 256, (n, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_windows_are_those_cut_out_one_by_one(radius):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 3, 6, 6, generator=generator)
    cells = torch.randint(0, 6, (2, 5, 2), generator=generator)
    found = windows(values, cells, radius)
    for face in range(2):
        for landmark in range(5):
            x, y = cells[face, landmark].tolist()
            by_hand = [
                values[face, :, row, column] if 0 <= row < 6 and 0 <= column < 6 else torch.zeros(3)
                for row in range(y - radius, y + radius + 1)
                for column in range(x - radius, x + radius + 1)
            ]
            torch.testing.assert_close(found[face, landmark], torch.cat(by_hand))


def test_a_place_outside_is_in_the_nearest_cell():
    places = torch.tensor([[[-3.0, 2.5], [7.99, 0.0], [8.0, 100.0]]])
    assert cell_of(places, 8).tolist() == [[[0, 2], [7, 0], [7, 7]]]


def test_before_training_a_landmark_is_the_centre_of_its_cell_of_four_pixels():
    model = network().eval()
    output = model(crops(3))
    inside = output.guess.clamp(0, 63.9)
    torch.testing.assert_close(output.landmarks, (inside / 4).floor() * 4 + 2)
    assert output.refined.occlusion_map_logit.shape == (3, 8, 8) and output.P is None
    model.refinement.head.bias.data = torch.tensor([1.0, -0.5, 0.25, 0.125])  # cells of 8 pixels
    moved = model(crops(3))
    torch.testing.assert_close(
        moved.landmarks - output.landmarks, torch.tensor([8.0, -4.0]).expand(3, 68, 2), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(moved.refined.occlusion_logit, torch.full((3, 68), 0.25))
    torch.testing.assert_close(moved.refined.log_scale, torch.full((3, 68), 0.125))


def test_every_parameter_gets_a_gradient_and_the_guess_none_from_here():
    model = network().train()
    assert isinstance(model.refinement, LightRefinement)
    torch.nn.init.normal_(model.refinement.head.weight, generator=torch.Generator().manual_seed(0))
    output = model(crops(4))
    (output.landmarks.square().sum() + output.refined.occlusion_map_logit.sum()).backward()
    assert [name for name, p in model.refinement.named_parameters() if p.grad is None] == []
    assert model.head.W_fc.grad is None


@pytest.mark.parametrize("wrong", [{"detail": 0}, {"detail": 8, "stages": 2}])
def test_it_reads_two_maps_in_one_stage(wrong):
    with pytest.raises(ValueError, match="whole_cells reads two maps in one stage"):
        RefinementConfig(whole_cells=True, **wrong)
