"""Satterthwaite's degrees of freedom of a combination of β̂, Fai and Cornelius's of several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from .hypothesis import Scaling
from .interior import InteriorCovariance
from .moments import FixedMoments

_EQUAL = 1e-8  # relative: degrees of freedom that differ by less are one


def variance_df(moments: FixedMoments, W: Array, L: Array) -> Array:
    """Satterthwaite's degrees of freedom of each row of L, a (q,) array.

    Parameters
    ----------
    moments : FixedMoments
    W : (r, r) array
        Cov(θ̂).
    L : (q, p) array

    Returns
    -------
    (q,) array
        Infinite where the variance l'Φl does not move with θ̂.

    Notes
    -----
    2(l'Φl)²/(g'Wg) with g_i = ∂(l'Φl)/∂θ_i.

    References
    ----------
    Giesbrecht and Burns (1985), Biometrics 41, 477–486.
    """
    variance = np.einsum("qi,ij,qj->q", L, moments.phi, L)
    g = np.einsum("qi,rij,qj->qr", L, moments.dphi, L)
    spread = np.einsum("qr,rs,qs->q", g, W, g)
    with np.errstate(divide="ignore"):
        return np.asarray(2 * variance**2 / np.maximum(spread, 0.0))


def fai_cornelius_df(nu: Array) -> float:
    """Denominator degrees of freedom of F from those of its q independent squared t's.

    Parameters
    ----------
    nu : (q,) array

    Notes
    -----
    E = Σ ν/(ν − 2) is the expectation of qF; the F that has it has 2E/(E − q). Equal ν are
    returned as they are. Where a ν is 2 or less there is no expectation, and 2 is returned, as
    lmerTest and mmrm do.

    References
    ----------
    Fai and Cornelius (1996), Journal of Statistical Computation and Simulation 54, 363–378.
    """
    nu = np.asarray(nu, dtype=float)
    if np.isinf(nu).all():
        return float("inf")
    if np.ptp(nu) <= _EQUAL * nu.min():
        return float(nu.mean())
    if (nu <= 2).any():
        return 2.0
    excess = np.sum(2 / (nu - 2))  # E − q, without the subtraction
    return float(2 * (len(nu) + excess) / excess)


@dataclass(frozen=True)
class Satterthwaite:
    """Tests with Φ and Satterthwaite's degrees of freedom.

    Attributes
    ----------
    moments : FixedMoments
    W : InteriorCovariance
    """

    moments: FixedMoments
    W: InteriorCovariance

    @property
    def vcov(self) -> Array:
        """Φ, (p, p)."""
        return self.moments.phi

    def row_df(self, L: Array) -> Array:
        """(q,) degrees of freedom of the rows of L (q, p)."""
        return variance_df(self.moments, self.W.matrix, L)

    def scaling(self, L: Array) -> Scaling:
        """Of the F test of linearly independent rows L (q, p).

        The rows are turned by the eigenvectors of LΦL', which makes them uncorrelated; as in SAS,
        lmerTest and mmrm the result depends on how the rows of L are scaled.
        """
        turned = np.linalg.eigh(L @ self.moments.phi @ L.T)[1].T @ L
        return Scaling(1.0, fai_cornelius_df(self.row_df(turned)))
