"""The nuclear norm of M and its sub-gradient U V^T (the paper's equations 4 to 8)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Spectrum:
    """What one singular value decomposition of M tells."""

    polar: Float[Tensor, "m n"]
    """U V^T, the sub-gradient of the nuclear norm at M. Equation (8)."""
    singular_values: Float[Tensor, " k"]
    """Descending."""

    @property
    def nuclear_norm(self) -> float:
        """||M||_*, the sum of the singular values. Equation (4)."""
        return float(self.singular_values.sum())

    @property
    def effective_rank(self) -> float:
        """exp of the entropy of the normalised singular values (Roy and Vetterli, 2007): 1 to the full rank."""
        share = self.singular_values / self.singular_values.sum().clamp_min(1e-30)
        return float(torch.exp(-torch.xlogy(share, share).sum()))


@torch.no_grad()
def spectrum(M: Float[Tensor, "m n"]) -> Spectrum:
    """Decompose M, in fp32. Equations (4) to (8).

    Singular values within rounding of zero take no part in U V^T: there the sub-gradient of the smallest norm is 0.
    """
    try:
        U, values, Vh = torch.linalg.svd(M.float(), full_matrices=False)
    except (
        torch.linalg.LinAlgError
    ):  # LAPACK's, now and then, where many singular values are equal, as M's are at first
        U, values, Vh = _by_eigenvectors(M.double())
    counts = values > values[0] * max(M.shape) * torch.finfo(values.dtype).eps
    return Spectrum(polar=(U * counts) @ Vh, singular_values=values)


def _by_eigenvectors(M: Float[Tensor, "m n"]) -> tuple[Tensor, Tensor, Tensor]:
    """The same decomposition from the eigenvectors of M^T M, which are always found; in fp64, as half its digits go."""
    squares, V = torch.linalg.eigh(M.T @ M)
    kept = min(M.shape)
    values, V = squares.flip(0)[:kept].clamp_min(0).sqrt(), V.flip(1)[:, :kept]
    U = M @ V / values.clamp_min(max(float(values[0]) * 1e-8, 1e-30))  # below that they are rounding
    return U.float(), values.float(), V.T.float()


def nuclear_norm(M: Float[Tensor, "m n"], polar: Float[Tensor, "m n"]) -> Float[Tensor, ""]:
    """<U V^T, M>: with the polar factor of M itself, the nuclear norm, and its gradient is U V^T (equation 8).

    With the factor of an M of some steps ago it is a lower bound of the norm (the spectral norm is its dual and
    U V^T's is 1), whose gradient is that factor: how training spares itself a decomposition at every step.

    Args:
        M: the shared matrix.
        polar: U V^T of M, or of an earlier M (Spectrum.polar).
    """
    return (polar.detach() * M).sum()
