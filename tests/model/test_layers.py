"""Windows of interpolated cells, held to PyTorch's own sampling."""

import pytest
import torch
from torch.nn import functional

from occlumark.model.layers import interpolated_windows


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_windows_are_what_grid_sample_reads(radius):
    """Places within the map, on cells' centres and borders, and beyond every side, near and far."""
    generator = torch.Generator().manual_seed(radius)
    values = torch.randn(2, 3, 5, 7, generator=generator, requires_grad=True)
    points = torch.rand(2, 60, 2, generator=generator) * 16 - 4
    points[0, :5] = torch.tensor([[0.5, 0.5], [3.0, 2.0], [6.5, 4.5], [-1e4, 2.25], [3.25, 1e6]])
    steps = torch.arange(-radius, radius + 1.0)
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="ij")[::-1], -1).reshape(-1, 2)
    grid = (points.unsqueeze(2) + offsets) * torch.tensor([2 / 7, 2 / 5]) - 1
    expected = functional.grid_sample(values, grid, padding_mode="border", align_corners=False)
    expected = expected.permute(0, 2, 3, 1).flatten(2)
    found = interpolated_windows(values, points, radius)
    near = points.abs().amax(-1) < 100  # grid_sample's own coordinates are coarse far outside
    torch.testing.assert_close(found[near], expected[near], atol=2e-5, rtol=0)
    gradient, oracle = (torch.autograd.grad(x[near].square().sum(), values)[0] for x in (found, expected))
    torch.testing.assert_close(gradient, oracle, atol=1e-3, rtol=1e-4)


def test_far_outside_it_is_the_border():
    values = torch.arange(12.0).reshape(1, 1, 3, 4)
    corners = torch.tensor([[[-1e4, -1e5], [1e4, -1e5], [-1e30, 1e30], [1e30, 1e30]]])
    assert interpolated_windows(values, corners, 1).mean(-1).tolist() == [[0.0, 3.0, 8.0, 11.0]]
