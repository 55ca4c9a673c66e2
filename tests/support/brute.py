"""The likelihood written a second time, pair by pair, sharing no code with the package.

Complex parameters pass through, so that its gradient is a complex step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.signal import lfilter

from rbridge.core.arrays import Array
from rbridge.core.parameters import theta as parameters
from rbridge.core.snapshot import CorStruct, FitSnapshot, VarFunc

STEP = 1e-30
Likelihood = Callable[[Array], Any]


# --- V --------------------------------------------------------------------------------------------


def covariance(fit: FitSnapshot, theta: Array) -> Array:
    """V (n, n) from θ taken from the front, part by part."""
    return covariance_of(fit)(theta)


def marginal(fit: FitSnapshot, outermost: int = 0) -> Array:
    """V at the estimates; without the levels outside ``outermost``."""
    inner = replace(fit, levels=fit.levels[outermost:], fitted=fit.fitted[:, outermost:])
    return covariance(inner, parameters(inner).values)


def covariance_of(fit: FitSnapshot) -> Callable[[Array], Array]:
    """V as a function of θ, what does not depend on θ prepared."""
    together = [level.codes[:, None] == level.codes for level in fit.levels]
    first, second = _pairs(fit.cor)
    between = _correlations(fit.cor, first, second)

    def V(theta: Array) -> Array:
        rest = list(theta)
        total = np.zeros((fit.n, fit.n), dtype=np.asarray(theta).dtype)
        for level, same in zip(fit.levels, together):
            D = np.zeros((len(level.names),) * 2, dtype=total.dtype)
            for block in level.blocks:
                at = [level.names.index(name) for name in block.names]
                D[np.ix_(at, at)] = _block(block.pd_class, len(at), rest)
            total += level.Z @ D @ level.Z.T * same
        R = np.eye(fit.n, dtype=total.dtype)
        if fit.cor is not None:
            held = list(fit.cor.values)
            R[first, second] = between(held if fit.cor.fixed else [rest.pop(0) for _ in held])
            R[second, first] = R[first, second]
        s: Any = np.ones(fit.n)
        for var in fit.var:
            s = s * _deviations(
                var, [rest.pop(0) if f else v for v, f in zip(var.values, var.free)]
            )
        sigma_sq = fit.sigma**2 if fit.fixed_sigma else rest.pop(0)
        assert not rest
        return total + sigma_sq * s[:, None] * R * s

    return V


def _block(pd_class: str, q: int, rest: list[Any]) -> Any:
    if pd_class == "pdIdent":
        return np.eye(q) * rest.pop(0)
    if pd_class == "pdDiag":
        return np.diag([rest.pop(0) for _ in range(q)])
    if pd_class == "pdCompSymm":
        v, c = rest.pop(0), rest.pop(0)
        return v * np.eye(q) + c * (1 - np.eye(q))
    D = [[0.0] * q for _ in range(q)]
    for j in range(q):
        for i in range(j + 1):
            D[i][j] = D[j][i] = rest.pop(0)
    return D


# --- correlations, for all pairs of rows of a group -----------------------------------------------


def _pairs(cor: CorStruct | None) -> tuple[Array, ...]:
    codes = np.empty(0) if cor is None else cor.codes
    return np.nonzero(np.triu(codes[:, None] == codes, 1))


def _correlations(cor: CorStruct | None, first: Array, second: Array) -> Callable[[list[Any]], Any]:
    """Correlation of each pair as a function of the coefficients."""
    if cor is None:
        return lambda c: ()
    a, b = cor.covariate[first], cor.covariate[second]
    lag, name = abs(a - b)[:, 0], cor.cor_class
    if name in ("corAR1", "corCAR1"):
        return lambda c: c[0] ** lag
    if name == "corCompSymm":
        return lambda c: c[0]
    if name == "corSymm":
        order = [(i, j) for i in range(cor.size) for j in range(i + 1, cor.size)]
        which = [order.index((min(i, j), max(i, j))) for i, j in zip(a[:, 0], b[:, 0])]
        return lambda c: np.array(c)[which]
    if name == "corARMA":
        whole = lag.astype(int)
        return lambda c: _arma(c[: cor.p], c[cor.p :], whole.max(initial=0))[whole]
    norm = {"euclidean": 2, "maximum": np.inf, "manhattan": 1}[cor.metric]
    distance, f = np.linalg.norm(a - b, norm, axis=1), SPATIAL[name]
    return lambda c: (1 - c[1] if cor.nugget else 1.0) * f(distance / c[0])


SPATIAL: dict[str, Callable[[Array], Array]] = {
    "corExp": lambda x: np.exp(-x),
    "corGaus": lambda x: np.exp(-x * x),
    "corLin": lambda x: np.where(x.real < 1, 1 - x, 0.0),
    "corRatio": lambda x: 1 / (1 + x * x),
    "corSpher": lambda x: np.where(x.real < 1, 1 - 1.5 * x + 0.5 * x**3, 0.0),
}


def _arma(phi: Sequence[Any], theta: Sequence[Any], lags: int, terms: int = 2000) -> Array:
    """Autocorrelations at lags 0, 1, … from the MA(∞) weights, summed; none unless stationary."""
    if (abs(np.roots([1.0, *(-np.real(phi))])) >= 1).any():
        raise np.linalg.LinAlgError("not stationary")
    weights = lfilter([1.0, *theta], [1.0, *(-c for c in phi)], np.eye(1, terms)[0])
    sums = [weights[: terms - lag] @ weights[lag:] for lag in range(lags + 1)]
    return np.array(sums) / sums[0]


# --- standard deviations --------------------------------------------------------------------------


def _deviations(var: VarFunc, coefficients: list[Any]) -> Any:
    """s of every row."""
    v = 0.0 if var.covariate is None else var.covariate
    if var.var_class == "varFixed":
        return abs(v) ** 0.5
    strata = 1 if var.codes is None else len(var.strata)
    codes = 0 if var.codes is None else var.codes
    c, *more = (part[codes] for part in np.reshape(coefficients, (-1, strata)))
    if var.var_class == "varIdent":
        return c
    if var.var_class == "varPower":
        return abs(v) ** c
    if var.var_class == "varExp":
        return np.exp(c * v)
    if var.var_class == "varConstPower":
        return c + abs(v) ** more[0]
    return (c**2 + more[0] ** 2 * v**2) ** 0.5


# --- the likelihood and its derivatives -----------------------------------------------------------


def likelihood(fit: FitSnapshot) -> Likelihood:
    """The log-likelihood, restricted under REML, of θ; LinAlgError outside the model."""
    V, y, p = covariance_of(fit), fit.y, fit.X.shape[1]
    restricted = fit.method == "REML"
    free = fit.n - restricted * p

    def f(theta: Array) -> Any:
        at = V(theta)
        np.linalg.cholesky(at.real)
        W = np.linalg.solve(at, np.column_stack([fit.X, y]))
        cross, moment = fit.X.T @ W[:, :p], fit.X.T @ W[:, p]
        rss = y @ W[:, p] - moment @ np.linalg.solve(cross, moment)
        log_det = _log_det(at) + restricted * _log_det(cross)
        return -0.5 * (free * np.log(2 * np.pi) + log_det + rss)

    return f


def _log_det(A: Array) -> Any:
    """log |A|; the imaginary part of a complex step is the angle of the determinant."""
    sign, size = np.linalg.slogdet(A)
    return size + 1j * sign.imag if np.iscomplexobj(A) else size


def log_likelihood(fit: FitSnapshot, theta: Array) -> Any:
    return likelihood(fit)(theta)


def gradient(fit: FitSnapshot, theta: Array) -> Array:
    return _gradient(likelihood(fit), theta)


def _gradient(f: Likelihood, theta: Array, start: int = 0) -> Array:
    steps = theta + 1j * STEP * np.eye(len(theta))[start:]
    return np.array([np.imag(f(step)) / STEP for step in steps])


def hessian(fit: FitSnapshot, theta: Array) -> Array:
    """Central differences of the exact gradient; error O(h²)."""
    f, upper = likelihood(fit), np.zeros((len(theta),) * 2)
    for i, unit in enumerate(np.eye(len(theta))):
        h = 2e-5 * max(abs(theta[i]), 0.1) * unit
        rise = _gradient(f, theta + h, i) - _gradient(f, theta - h, i)
        upper[i, i:] = rise / (2 * h[i])
    return upper + np.triu(upper, 1).T
