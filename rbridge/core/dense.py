"""The formulas taken literally on n × n matrices: the fallback where groups do not nest.

Cubic in the rows. The tests hold the linear path against it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InformationError
from .correlation import NotPositiveDefinite
from .covariance import correlation, relative_deviations
from .forms import Forms, Method
from .jet import variables
from .model import Model
from .snapshot import FitSnapshot

Array = NDArray[Any]


def dense_forms(snapshot: FitSnapshot, model: Model, method: Method, reason: str) -> Forms:
    """As :func:`rbridge.core.contractions.contract`, from V, V̇ and V̈ of all the rows.

    Parameters
    ----------
    reason : str
        Why the dense path is taken; it stands in the result.
    """
    V, dV, ddV = dense_covariance(snapshot, model)
    X, n, p = snapshot.X, snapshot.n, snapshot.X.shape[1]
    try:
        np.linalg.cholesky(V)
    except np.linalg.LinAlgError:
        raise NotPositiveDefinite("V is not positive definite") from None
    inverse = np.linalg.inv(V)
    cross = X.T @ inverse @ X
    sign, log_det_x = np.linalg.slogdet(cross)
    if sign <= 0:
        raise InformationError("the fixed-effects design is singular")
    P = inverse - inverse @ X @ np.linalg.solve(cross, X.T @ inverse)
    W = P if method == "REML" else inverse
    Py = P @ (snapshot.y - snapshot.X @ snapshot.beta)
    WdV, rows = W @ dV, dV @ Py
    return Forms(
        model.names,
        method,
        "dense",
        reason,
        n,
        p,
        float(np.linalg.slogdet(V)[1]),
        float(log_det_x),
        float(Py @ V @ Py),
        np.einsum("rii->r", WdV),
        rows @ Py,
        np.einsum("rij,sji->rs", WdV, WdV),
        rows @ P @ rows.T,
        rows @ inverse @ rows.T,
        np.einsum("ij,rsji->rs", W, ddV),
        np.einsum("i,rsij,j->rs", Py, ddV, Py, optimize=True),
    )


def dense_covariance(snapshot: FitSnapshot, model: Model) -> tuple[Array, Array, Array]:
    """V (n, n), ∂V/∂θ (r, n, n) and ∂²V/∂θ² (r, r, n, n), rows in snapshot order."""
    residual, first, second = _within(snapshot, model)
    V, dV = residual * model.sigma_sq, []
    for level, D, E in zip(snapshot.levels, model.D, model.E):
        same = level.codes[:, None] == level.codes
        V = V + level.Z @ D @ level.Z.T * same
        dV += [level.Z @ e @ level.Z.T * same for e in E]
    dV += list(first * model.sigma_sq)
    if not model.fixed_sigma:
        dV.append(residual)
    ddV = np.zeros((len(dV), len(dV), *V.shape))
    base = slice(model.n_tau, model.n_tau + model.n_base)
    ddV[base, base] = second * model.sigma_sq
    if not model.fixed_sigma:
        ddV[base, -1] = ddV[-1, base] = first
    return V, np.array(dV).reshape(-1, *V.shape), ddV


def _within(snapshot: FitSnapshot, model: Model) -> tuple[Array, Array, Array]:
    """S R S with its derivatives by the coefficients of R, then of S."""
    n = snapshot.n
    s, first, second = np.ones(n), np.zeros((0, n)), np.zeros((0, 0, n))
    if model.var:
        s, first, second = relative_deviations(model.var, model.var_coefs)
    R, dR, ddR = _correlation(snapshot, model)
    left, right = first[..., None], first[:, None]
    by_s = left * R + R * right
    both = left[:, None] * R * right[None]
    dd_s = second[..., None] * R + R * second[:, :, None] + both + both.swapaxes(0, 1)
    mixed = left * dR[:, None] + dR[:, None] * right
    n_cor, r = len(dR), len(dR) + len(first)
    dd = np.zeros((r, r, n, n))
    dd[:n_cor, :n_cor], dd[n_cor:, n_cor:] = ddR, dd_s
    dd[:n_cor, n_cor:], dd[n_cor:, :n_cor] = mixed, mixed.swapaxes(0, 1)
    SS = np.outer(s, s)
    return SS * R, SS * np.concatenate([dR, by_s]), SS * dd


def _correlation(snapshot: FitSnapshot, model: Model) -> tuple[Array, Array, Array]:
    """R (n, n) with its derivatives by the free coefficients."""
    cor, n, r = model.cor, snapshot.n, model.n_cor
    R, dR, ddR = np.eye(n), np.zeros((r, n, n)), np.zeros((r, r, n, n))
    if cor is None:
        return R, dR, ddR
    for code in np.unique(cor.codes):
        at = np.flatnonzero(cor.codes == code)
        jet = correlation(cor, variables(model.cor_coefs), cor.covariate[at])
        block = np.ix_(at, at)
        R[block] = jet.value
        dR[np.ix_(range(r), at, at)] = jet.grad[:r]
        ddR[np.ix_(range(r), range(r), at, at)] = jet.hess[:r, :r]
    return R, dR, ddR
