"""The table of the random-effect parameters on nlme's natural scale, with the right variances.

The question that started this project asked for it; its own last row was wrong, because it
took the parameters to be uncorrelated. Both numbers are here, so that the gap can be shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from ..errors import ApVarError, SpecError
from .arrays import Array
from .derivatives import complex_step
from .parameters import natural_from_unconstrained, tau_basis
from .snapshot import ApVar, ApVarUnavailable, FitSnapshot, RandomLevel


@dataclass(frozen=True)
class RanefTable:
    """Random-effect parameters on two scales.

    Attributes
    ----------
    rows : tuple of str, length k
        ``re.11``, ``re.22`` … for the variances, then ``re.12``, ``re.13`` … ``re.23`` … for
        the covariances; after ``<group>.`` when there is more than one level, and with dots
        between the numbers from ten random effects on.
    eta, var_eta : (k,) arrays
        log sd_i, and log((1 + ρ_ij)/(1 − ρ_ij)).
    sigma, var_sigma : (k,) arrays
        Elements of D and their variances by the whole delta rule.
    var_sigma_diagonal_only : (k,) array
        What the rule gives when the covariances among ``eta`` are left out: wrong for the
        covariances, shown for comparison.
    rho_ij, drho_ij_deta_ij : (c,) arrays
        Of the covariance rows: correlation and its derivative by its own ``eta``.
    grad_rhoij : (c, 3) array
        Derivatives of the covariance by η_ij, η_i and η_j.
    """

    rows: tuple[str, ...]
    eta: Array
    var_eta: Array
    sigma: Array
    var_sigma: Array
    var_sigma_diagonal_only: Array
    rho_ij: Array
    drho_ij_deta_ij: Array
    grad_rhoij: Array


def _matrices(snapshot: FitSnapshot, u: Array) -> list[Array]:
    """The (q, q) matrix D of each level, outermost first, from ``Pars``."""
    bases = [tau_basis(level)[1] for level in snapshot.levels]
    ends = np.cumsum([len(E) for E in bases])
    tau = np.split(natural_from_unconstrained(snapshot, u), ends)
    return [np.tensordot(values, E, 1) for values, E in zip(tau, bases)]


def _pairs(level: RandomLevel) -> tuple[Array, Array]:
    """Positions of the elements of D that are not zero by construction: variances first."""
    q = len(level.names)
    free = tau_basis(level)[1].any(axis=0)
    above = [(i, j) for i in range(q) for j in range(i + 1, q) if free[i, j]]
    row, column = np.array([(i, i) for i in range(q)] + above).T
    return row, column


def _row_names(level: RandomLevel, several_levels: bool) -> list[str]:
    prefix = f"{level.group}." if several_levels else ""
    dot = "." if len(level.names) > 9 else ""
    return [f"{prefix}re.{i + 1}{dot}{j + 1}" for i, j in zip(*_pairs(level))]


def _eta(level: RandomLevel, D: Array) -> Array:
    """log sd and logit of the correlations; analytic in D."""
    i, j = _pairs(level)
    variances = np.diag(D)
    n = len(variances)
    rho = D[i[n:], j[n:]] / np.sqrt(variances[i[n:]] * variances[j[n:]])
    return np.append(np.log(variances) / 2, np.log((1 + rho) / (1 - rho)))


def _derivatives(level: RandomLevel, D: Array) -> tuple[Array, Array, Array]:
    """∂σ/∂η of one level as a (k, k) matrix; ρ and ∂ρ_ij/∂η_ij of its covariances."""
    i, j = _pairs(level)
    q, k = len(level.names), len(i)
    sd = np.sqrt(np.diag(D))
    rho = D[i[q:], j[q:]] / (sd[i[q:]] * sd[j[q:]])
    slope = (1 - rho**2) / 2
    J = np.diag(np.append(2 * np.diag(D), slope * sd[i[q:]] * sd[j[q:]]))
    covariance = np.arange(q, k)
    J[covariance, i[q:]] = J[covariance, j[q:]] = D[i[q:], j[q:]]
    return J, rho, slope


def _gradients(level: RandomLevel, J: Array) -> Array:
    """The (c, 3) elements of ∂σ/∂η that the covariances have: by η_ij, η_i, η_j."""
    i, j = _pairs(level)
    covariance = np.arange(len(level.names), len(i))
    columns = [covariance, i[covariance], j[covariance]]
    return np.stack([J[covariance, column] for column in columns], axis=-1)


def _eta_and_covariance(snapshot: FitSnapshot, apvar: ApVar) -> tuple[Array, Array]:
    """η of every level, outermost first, and its covariance from apVar."""

    def eta(u: Array) -> Array:
        matrices = _matrices(snapshot, u)
        return np.concatenate([_eta(level, D) for level, D in zip(snapshot.levels, matrices)])

    with np.errstate(all="ignore"):
        estimates = eta(apvar.pars)
    if not np.isfinite(estimates).all():
        raise SpecError("a correlation of random effects is ±1, or a variance 0: no finite eta")
    J = complex_step(eta, apvar.pars)
    return estimates, J @ apvar.cov @ J.T


def ranef_params(snapshot: FitSnapshot) -> RanefTable:
    """Random-effect parameters on nlme's natural scale and as elements of D.

    Parameters
    ----------
    snapshot : FitSnapshot
        Of an lme fit, with any number of levels and random effects.

    Returns
    -------
    RanefTable
        Every class of matrix has the same rows: the variances of all random effects, and the
        covariances that are not zero by construction. ``eta`` is always log sd and logit of the
        correlation, as an R user reads D in ``VarCorr``; where nlme codes D otherwise (pdIdent,
        pdCompSymm, ``natural=FALSE``), its variance comes through the delta rule too. So a
        pdIdent of three effects has three equal rows for its one parameter, a pdDiag no
        covariances.

    Raises
    ------
    SpecError
        There are no random effects, or a correlation is numerically ±1.
    ApVarError
        nlme gave no apVar; the message has its reason.

    Notes
    -----
    Var(σ) = diag(J Σ_η J'), J_ij,ij = sd_i sd_j (1 − ρ²)/2, J_ij,i = J_ij,j = σ_ij, J_ii,i = 2σ_ii.
    """
    if not snapshot.levels:
        raise SpecError("a gls fit has no random effects")
    levels, apvar = snapshot.levels, snapshot.apvar
    if isinstance(apvar, ApVarUnavailable):
        raise ApVarError(apvar.reason)
    eta, cov_eta = _eta_and_covariance(snapshot, apvar)
    matrices = _matrices(snapshot, apvar.pars)
    J, rho, slope = zip(*(_derivatives(level, D) for level, D in zip(levels, matrices)))
    whole = block_diag(*J)
    var_eta = np.diag(cov_eta).copy()
    return RanefTable(
        rows=tuple(name for level in levels for name in _row_names(level, len(levels) > 1)),
        eta=eta,
        var_eta=var_eta,
        sigma=np.concatenate([D[_pairs(level)] for level, D in zip(levels, matrices)]),
        var_sigma=np.diag(whole @ cov_eta @ whole.T).copy(),
        var_sigma_diagonal_only=whole**2 @ var_eta,
        rho_ij=np.concatenate(rho),
        drho_ij_deta_ij=np.concatenate(slope),
        grad_rhoij=np.concatenate([_gradients(level, part) for level, part in zip(levels, J)]),
    )
