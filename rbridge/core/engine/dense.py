"""The formulas taken literally on n × n matrices: the fallback where groups do not nest.

Cubic in the rows. The tests hold the linear path against it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..arrays import Array
from ..snapshot import FitSnapshot
from .covariance import cholesky, correlation, relative_deviations
from .forms import FixedForms, Forms, Method
from .jet import Jet, variables
from .layout import conditioned, map_log_det
from .model import Model
from .within import base_pairs


def dense_forms(snapshot: FitSnapshot, model: Model, method: Method, reason: str) -> Forms:
    """As :func:`rbridge.core.engine.contractions.contract`, from V, V̇ and V̈ of all the rows.

    Parameters
    ----------
    reason : str
        Why the dense path is taken; it stands in the result.
    """
    V, dV = dense_covariance(snapshot, model)
    X, x_map = conditioned(snapshot.X)
    n, p = X.shape
    cholesky(V, "V")
    inverse = np.linalg.inv(V)
    cross = X.T @ inverse @ X
    P = inverse - inverse @ X @ np.linalg.solve(cross, X.T @ inverse)
    W = P if method == "REML" else inverse
    Py = P @ (snapshot.y - snapshot.X @ snapshot.beta)
    WdV, rows = W @ dV, dV @ Py
    trace3, quad3 = np.zeros((2, len(dV), len(dV)))
    for a, b, ddV in second_derivatives(snapshot, model):
        trace3[a, b] = trace3[b, a] = (W * ddV).sum()
        quad3[a, b] = quad3[b, a] = Py @ ddV @ Py
    return Forms(
        names=model.names,
        method=method,
        path="dense",
        reason=reason,
        n=n,
        p=p,
        log_det=float(np.linalg.slogdet(V)[1]),
        log_det_x=map_log_det(x_map) + float(np.linalg.slogdet(cross)[1]),
        quad=float(Py @ V @ Py),
        trace1=np.einsum("rii->r", WdV),
        quad1=rows @ Py,
        trace2=np.einsum("rij,sji->rs", WdV, WdV, optimize=True),
        quad2=rows @ P @ rows.T,
        quad2_fixed=rows @ inverse @ rows.T,
        trace3=trace3,
        quad3=quad3,
        fixed=_fixed_forms(snapshot, model, x_map, cross, inverse, inverse @ X, dV, rows),
    )


def _fixed_forms(
    snapshot: FitSnapshot,
    model: Model,
    x_map: Array,
    cross: Array,
    inverse: Array,
    VX: Array,
    dV: Array,
    rows: Array,
) -> FixedForms:
    """From V⁻¹, V⁻¹U, V̇ and V̇Py."""
    dVX = dV @ VX
    cross3 = np.zeros((len(dV), len(dV), *x_map.shape))
    for a, b, ddV in second_derivatives(snapshot, model):
        cross3[a, b] = cross3[b, a] = VX.T @ ddV @ VX
    return FixedForms(
        x_map=x_map,
        cross=cross,
        cross1=VX.T @ dVX,
        cross2=np.einsum("rni,snj->rsij", dVX, inverse @ dVX, optimize=True),
        cross3=cross3,
        residual1=rows @ VX,
    )


def dense_covariance(snapshot: FitSnapshot, model: Model) -> tuple[Array, Array]:
    """V (n, n) and ∂V/∂θ (r, n, n), rows in snapshot order."""
    within = _Within(snapshot, model)
    residual = within.value()
    V, dV = residual * model.sigma_sq, []
    for level, D, E in zip(snapshot.levels, model.D, model.E):
        same = level.codes[:, None] == level.codes
        V += level.Z @ D @ level.Z.T * same
        dV += [level.Z @ e @ level.Z.T * same for e in E]
    dV += [within.first(a) * model.sigma_sq for a in range(model.n_base)]
    if not model.fixed_sigma:
        dV.append(residual)
    return V, np.array(dV).reshape(-1, *V.shape)


def second_derivatives(snapshot: FitSnapshot, model: Model) -> Iterator[tuple[int, int, Array]]:
    """Each ∂²V/∂θ_a∂θ_b (n, n) that is not zero, a ≤ b, after a and b."""
    within, start = _Within(snapshot, model), model.n_tau
    for a, b in base_pairs(model.n_base):
        yield start + a, start + b, within.second(a, b) * model.sigma_sq
    if not model.fixed_sigma:
        for a in range(model.n_base):
            yield start + a, len(model.names) - 1, within.first(a)


class _Within:
    """S R S and its derivatives by the coefficients of R (first), then of S."""

    def __init__(self, snapshot: FitSnapshot, model: Model) -> None:
        n = snapshot.n
        s, self.w, self.ww = np.ones(n), np.zeros((0, n)), np.zeros((0, 0, n))
        if model.var:
            s, self.w, self.ww = relative_deviations(model.var, model.var_coefs)
        self.n_cor = model.n_cor
        self.outer: Array = np.outer(s, s)
        self.R: Array = np.eye(n)
        if (cor := model.cor) is not None:
            self.groups = [np.flatnonzero(cor.codes == code) for code in np.unique(cor.codes)]
            coefs = variables(model.cor_coefs)
            self.jets: list[Jet] = [correlation(cor, coefs, cor.covariate[g]) for g in self.groups]
            self.R = self._scatter([jet.value for jet in self.jets])

    def value(self) -> Array:
        return np.asarray(self.outer * self.R)

    def first(self, a: int) -> Array:
        if a < self.n_cor:
            return np.asarray(self.outer * self._scatter([jet.grad[a] for jet in self.jets]))
        return np.asarray(self.outer * self._both_sides(self.w[a - self.n_cor], self.R))

    def second(self, a: int, b: int) -> Array:
        """Second derivative by a ≤ b."""
        if b < self.n_cor:
            return np.asarray(self.outer * self._scatter([jet.hess[a, b] for jet in self.jets]))
        w_b = self.w[b - self.n_cor]
        if a < self.n_cor:
            return self._both_sides(w_b, self.first(a))
        w_a, w_ab = self.w[a - self.n_cor], self.ww[a - self.n_cor, b - self.n_cor]
        both = w_a[:, None] * self.R * w_b
        return np.asarray(self.outer * (self._both_sides(w_ab, self.R) + both + both.T))

    def _scatter(self, blocks: list[Array]) -> Array:
        out = np.zeros(self.outer.shape)
        for group, block in zip(self.groups, blocks):
            out[np.ix_(group, group)] = block
        return out

    @staticmethod
    def _both_sides(w: Array, M: Array) -> Array:
        """WM + MW with W = diag(w)."""
        return np.asarray(w[:, None] * M + M * w)
