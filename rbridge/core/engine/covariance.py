"""Natural parameters to matrices: one function per structure, its derivatives taken by Jet.

Each function is plain arithmetic on the coefficients, so it serves floats, complex numbers (for a
complex step) and :class:`~rbridge.core.engine.jet.Jet` alike. Comparisons look at data or real
parts only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InformationError, SnapshotError
from ..arrays import Array
from ..snapshot import CorStruct, VarFunc
from .jet import Jet, solve, variables

Coefs = Any  # (k,) float or complex array, or Jet
Rows = slice | NDArray[Any]


class NotPositiveDefinite(InformationError):
    """A covariance matrix is not positive definite at this θ, so there is no likelihood."""


def cholesky(M: Array, what: str) -> Array:
    """Lower factors of (…, s, s) matrices; :class:`NotPositiveDefinite` where there are none."""
    try:
        return np.linalg.cholesky(M)
    except np.linalg.LinAlgError:
        raise NotPositiveDefinite(f"{what} is not positive definite") from None


# Correlation structures: R from the lags, distances or indices ``x`` between the rows -------------


def _power_of_lag(cor: CorStruct, c: Coefs, covariate: Array) -> Any:
    return c[0] ** _distance(covariate)


def _comp_symm(cor: CorStruct, c: Coefs, covariate: Array) -> Any:
    return c[0] * _off_diagonal(covariate) + _eye(covariate)


def _symm(cor: CorStruct, c: Coefs, covariate: Array) -> Any:
    index = covariate[..., 0].astype(int)
    return c[_pair_positions(cor.size)[index[..., :, None], index[..., None, :]]] * _off_diagonal(
        covariate
    ) + _eye(covariate)


def _arma(cor: CorStruct, c: Coefs, covariate: Array) -> Any:
    lag = np.rint(_distance(covariate)).astype(int)
    return arma_acf(c[: cor.p], c[cor.p :], cor.p, cor.q, int(lag.max(initial=0)))[lag]


def _spatial(shape: Callable[[Any], Any]) -> Callable[[CorStruct, Coefs, Array], Any]:
    """R = (1 − nugget) f(d / range) off the diagonal, 1 on it."""

    def correlation_of_distance(cor: CorStruct, c: Coefs, covariate: Array) -> Any:
        R = shape(_distance(covariate, cor.metric) / c[0]) * _off_diagonal(covariate)
        return (R * (1.0 - c[1]) if cor.nugget else R) + _eye(covariate)

    return correlation_of_distance


def _spherical(x: Any) -> Any:
    return (1.0 - 1.5 * x + 0.5 * x**3.0) * (x.real < 1)


_CORRELATIONS: dict[str, Callable[[CorStruct, Coefs, Array], Any]] = {
    "corAR1": _power_of_lag,
    "corCAR1": _power_of_lag,
    "corCompSymm": _comp_symm,
    "corSymm": _symm,
    "corNatural": _symm,
    "corARMA": _arma,
    "corExp": _spatial(lambda x: np.exp(-x)),
    "corGaus": _spatial(lambda x: np.exp(-(x**2.0))),
    "corLin": _spatial(lambda x: (1.0 - x) * (x.real < 1)),
    "corRatio": _spatial(lambda x: 1.0 / (1.0 + x**2.0)),
    "corSpher": _spatial(_spherical),
}


def correlation(cor: CorStruct, coefs: Coefs, covariate: Array) -> Any:
    """Correlation matrix of the rows of one or several correlation groups.

    Parameters
    ----------
    cor : CorStruct
        Gives the class and its constants; its rows are not read.
    coefs : (k,) array or Jet
        Natural coefficients, in the order of ``cor.names``.
    covariate : (..., s, d) array
        Covariate of the rows, as in ``cor.covariate``.

    Returns
    -------
    (..., s, s) array, or Jet when ``coefs`` is one

    References
    ----------
    Pinheiro and Bates (2000), Mixed-Effects Models in S and S-PLUS, section 5.3.
    """
    if cor.cor_class not in _CORRELATIONS:
        raise SnapshotError(f"no formula for the correlation structure {cor.cor_class}")
    return _CORRELATIONS[cor.cor_class](cor, coefs, covariate)


def arma_acf(phi: Coefs, theta: Coefs, p: int, q: int, max_lag: int) -> Any:
    """Autocorrelations of an ARMA(p, q) process at the lags 0 … ``max_lag``.

    Notes
    -----
    Yule-Walker at every lag: γ_k − Σ_j φ_j γ_|k−j| = Σ_{j≥k} θ_j ψ_{j−k}, with θ_0 = 1 and the
    MA(∞) weights ψ_k = θ_k + Σ_j φ_j ψ_{k−j}.
    """
    gamma = arma_start(phi, theta, p, q, max_lag)[0]
    return gamma / gamma[0]


def arma_start(phi: Coefs, theta: Coefs, p: int, q: int, max_lag: int) -> tuple[Any, list[Any]]:
    """Autocovariances at the lags 0 … ``max_lag`` for innovations of variance 1, and ψ_0 … ψ_q."""
    lags = np.arange(max(max_lag, p, q) + 1)
    moving = [1.0, *(theta[j] for j in range(q))]
    psi: list[Any] = []
    for k in range(q + 1):
        psi.append(moving[k] + sum(phi[j] * psi[k - 1 - j] for j in range(min(k, p))))
    A: Any = np.eye(len(lags))
    for j in range(p):
        A = A - phi[j] * (np.abs(lags - j - 1)[:, None] == lags).astype(float)
    b: Any = np.zeros(len(lags))
    for k in range(q + 1):
        b = b + sum(moving[j] * psi[j - k] for j in range(k, q + 1)) * (lags == k).astype(float)
    return solve(A, b), psi


def _distance(covariate: Array, metric: str = "euclidean") -> Array:
    """(..., s, s) distances between the rows of ``covariate`` (..., s, d)."""
    gaps = np.abs(covariate[..., :, None, :] - covariate[..., None, :, :]).astype(float)
    if metric == "maximum":
        return np.asarray(gaps.max(axis=-1))
    if metric == "manhattan" or gaps.shape[-1] == 1:
        return np.asarray(gaps.sum(axis=-1))
    return np.asarray(np.sqrt((gaps**2).sum(axis=-1)))


def _eye(covariate: Array) -> Array:
    """Identity matrices of the shape of R, (..., s, s)."""
    shape = covariate.shape[:-1]
    return np.broadcast_to(np.eye(shape[-1]), (*shape, shape[-1]))


def _off_diagonal(covariate: Array) -> Array:
    return np.asarray(1.0 - _eye(covariate))


def _pair_positions(size: int) -> Array:
    """(size, size) position of the pair (i, j) in the order (1,2), (1,3), …, (2,3), …"""
    positions = np.zeros((size, size), dtype=int)
    positions[np.triu_indices(size, 1)] = np.arange(size * (size - 1) // 2)
    return np.asarray(positions + positions.T)


# Variance functions: s_i with sd(ε_i) = σ s_i -----------------------------------------------------


def _var_fixed(c: Coefs, v: Array, codes: Array) -> Any:
    return np.sqrt(np.abs(v))


def _var_ident(c: Coefs, v: Array, codes: Array) -> Any:
    return c[codes]


def _var_power(c: Coefs, v: Array, codes: Array) -> Any:
    return np.abs(v) ** c[codes]


def _var_exp(c: Coefs, v: Array, codes: Array) -> Any:
    return np.exp(c[codes] * v)


def _var_const_power(c: Coefs, v: Array, codes: Array) -> Any:
    return c[codes] + np.abs(v) ** c[codes + c.shape[0] // 2]


def _var_const_prop(c: Coefs, v: Array, codes: Array) -> Any:
    return np.sqrt(c[codes] ** 2.0 + (c[codes + c.shape[0] // 2] * v) ** 2.0)


_DEVIATIONS: dict[str, Callable[[Coefs, Array, Array], Any]] = {
    "varFixed": _var_fixed,
    "varIdent": _var_ident,
    "varPower": _var_power,
    "varExp": _var_exp,
    "varConstPower": _var_const_power,
    "varConstProp": _var_const_prop,
}


def deviation(var: VarFunc, coefs: Coefs, rows: Rows = slice(None)) -> Any:
    """Relative standard deviation s_i of each row under one variance function.

    Parameters
    ----------
    var : VarFunc
    coefs : (k,) array or Jet
        All natural coefficients, fixed ones included, in the order of ``var.names``.
    rows : slice or int array
        Which rows of the snapshot.

    Returns
    -------
    (n,) array, or Jet when ``coefs`` is one

    References
    ----------
    Pinheiro and Bates (2000), section 5.2.
    """
    if var.var_class not in _DEVIATIONS:
        raise SnapshotError(f"no formula for the variance function {var.var_class}")
    known = var.covariate if var.covariate is not None else var.codes
    if known is None:
        raise SnapshotError(f"{var.var_class} has neither covariate nor strata")
    v = known[rows]
    codes = np.zeros(len(v), dtype=int) if var.codes is None else var.codes[rows]
    return _DEVIATIONS[var.var_class](coefs, v, codes)


def relative_deviations(
    var: Sequence[VarFunc], coefs: Sequence[ArrayLike], rows: Rows = slice(None)
) -> tuple[Array, Array, Array]:
    """s of a product of variance functions, with ṡ/s and s̈/s for the free coefficients.

    Parameters
    ----------
    var : sequence of VarFunc
    coefs : sequence of (k,) arrays
        All natural coefficients of each component.

    Returns
    -------
    s : (n,) array
    first : (r, n) array
        ∂s/∂c / s for the r free coefficients, component after component.
    second : (r, r, n) array
        ∂²s/∂c∂d / s.

    Raises
    ------
    NotPositiveDefinite
        A row has s ≤ 0.
    """
    s: Any = 1.0
    firsts, seconds = [], []
    for component, values in zip(var, coefs):
        jet = deviation(component, variables(values), rows)
        value = jet.value if isinstance(jet, Jet) else jet
        if not (value > 0).all():
            raise NotPositiveDefinite(f"{component.var_class} gives a row no variance")
        s = s * value
        if not isinstance(jet, Jet):  # varFixed: nothing depends on a coefficient
            continue
        free = component.free.astype(bool)
        firsts.append(jet.grad[free] / value)
        seconds.append(jet.hess[np.ix_(free, free)] / value)
    first = np.concatenate(firsts) if firsts else np.zeros((0, len(s)))
    second = first[:, None] * first[None]  # exact between components; within one replaced below
    start = 0
    for block in seconds:
        stop = start + len(block)
        second[start:stop, start:stop] = block
        start = stop
    return np.asarray(s), first, second
