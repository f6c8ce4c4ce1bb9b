"""Equations (4) to (8) against autograd through the singular value decomposition."""

import pytest
import torch

from occlumark.model.nuclear_norm import nuclear_norm, spectrum


def random_matrix(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("shape", [(12, 12), (20, 7), (5, 16)])
def test_value_and_gradient_match_autograd_through_svd(shape):
    M = random_matrix(*shape).requires_grad_()
    value = nuclear_norm(M, spectrum(M).polar)
    value.backward()
    ours = M.grad.clone()
    M.grad = None
    exact = torch.linalg.svdvals(M).sum()
    exact.backward()
    torch.testing.assert_close(value, exact)
    torch.testing.assert_close(ours, M.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rank", [8, 2])
@pytest.mark.parametrize("shape", [(12, 12), (20, 8), (8, 16)])
def test_where_lapack_fails_the_same_comes_from_eigenvectors(shape, rank, monkeypatch):
    """Equal singular values, as of an identity, may make its svd fail; here it always does."""
    torch.manual_seed(0)
    M = torch.randn(shape[0], rank) @ torch.randn(rank, shape[1]) if rank == 2 else torch.eye(*shape)
    expected = spectrum(M)

    def fails(*_, **__):
        raise torch.linalg.LinAlgError("failed to converge")

    monkeypatch.setattr(torch.linalg, "svd", fails)
    found = spectrum(M)
    torch.testing.assert_close(found.singular_values, expected.singular_values, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.polar, expected.polar, atol=1e-5, rtol=1e-5)


def test_an_old_polar_factor_gives_a_lower_bound():
    M = random_matrix(10, 10)
    old = spectrum(M).polar
    moved = M + 0.3 * random_matrix(10, 10).flip(0)
    assert nuclear_norm(moved, old) < spectrum(moved).nuclear_norm
    assert nuclear_norm(moved, old) > 0.8 * spectrum(moved).nuclear_norm


def test_directions_without_weight_get_no_gradient():
    M = random_matrix(8, 2) @ random_matrix(2, 8)
    polar = spectrum(M).polar
    torch.testing.assert_close(torch.linalg.svdvals(polar), torch.tensor([1.0, 1.0] + [0.0] * 6), atol=1e-5, rtol=0)
    assert float((polar * M).sum()) == pytest.approx(spectrum(M).nuclear_norm, rel=1e-5)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_effective_rank_of_equal_singular_values_is_their_number(rank):
    M = torch.diag(torch.tensor([2.0] * rank + [0.0] * (8 - rank)))
    assert spectrum(M).effective_rank == pytest.approx(rank, rel=1e-5)


def test_zero_matrix_has_zero_norm_and_gradient():
    zero = spectrum(torch.zeros(4, 4))
    assert zero.nuclear_norm == 0
    assert not zero.polar.any()
