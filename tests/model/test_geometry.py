import pytest
import torch

from occlumark.model.geometry import GeometryAware, GeometryConfig, channel_product


def test_product_is_row_times_column_of_each_channel():
    A = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    B = torch.tensor([[[[5.0, 6.0], [7.0, 8.0]]]])
    by_hand = torch.tensor([[[[19.0, 22.0], [43.0, 50.0]]]]) / 2**0.5
    torch.testing.assert_close(channel_product(A, B, "matrix"), by_hand)
    transposed = torch.tensor([[[[17.0, 23.0], [39.0, 53.0]]]]) / 2**0.5
    torch.testing.assert_close(channel_product(A, B, "transposed"), transposed)


def test_product_keeps_unit_scale():
    generator = torch.Generator().manual_seed(0)
    A, B = (torch.randn(8, 64, 7, 7, generator=generator) for _ in range(2))
    assert channel_product(A, B, "matrix").std().item() == pytest.approx(1, abs=0.05)


def test_an_output_sees_its_whole_row_and_column():
    """Long-range: a place of G depends on its row of A and its column of B, and on no other place of either."""
    A = torch.randn(1, 1, 7, 7, requires_grad=True)
    B = torch.randn(1, 1, 7, 7, requires_grad=True)
    channel_product(A, B, "matrix")[0, 0, 2, 5].backward()
    assert (A.grad[0, 0] != 0).nonzero()[:, 0].unique().tolist() == [2]
    assert (B.grad[0, 0] != 0).nonzero()[:, 1].unique().tolist() == [5]
    assert (A.grad[0, 0, 2] != 0).all()
    assert (B.grad[0, 0, :, 5] != 0).all()


def test_module_keeps_the_grid_and_has_the_papers_kernels():
    module = GeometryAware(32, GeometryConfig(width=8, channels=16))
    assert module(torch.randn(2, 32, 7, 7)).shape == (2, 16, 7, 7)
    kernels = {
        path: [m.kernel_size[0] for m in getattr(module, path).modules() if isinstance(m, torch.nn.Conv2d)]
        for path in ("pathway_a", "pathway_b", "fuse")
    }
    assert kernels == {"pathway_a": [1, 3, 1], "pathway_b": [1, 5, 1], "fuse": [1]}


def test_width_below_one_is_refused():
    with pytest.raises(ValueError, match=r"width is in 1\.\.2_048, not 0"):
        GeometryConfig(width=0)
