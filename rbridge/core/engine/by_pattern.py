"""Models in which V is one and the same matrix in many units: a little algebra for each pattern.

With W = L⁻¹ of the Cholesky factor L of a unit's V, and A_r = W V̇_r W', all that depends on θ are
small matrices M: W'W for F0, W'A_r W for F1, W'A_r A_s W for F2. B'MB summed over the units of a
pattern is the product of M with their sums of cross-products, which no θ changes. So an evaluation
costs the patterns, not the rows, whatever the structures are.

In coordinates in which the random effects come first, and in units of V's own diagonal, large and
small variances do not meet: nothing is lost, however large D is.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np

from ..arrays import Array
from .absorb import Moments, without_parameters
from .covariance import cholesky, correlation, relative_deviations
from .jet import Jet, variables
from .layout import Layout
from .model import Model
from .patterns import BY_INDEX, UnitSums
from .within import base_pairs


def by_pattern(design: Layout, model: Model, derivatives: bool) -> Moments:
    """What :func:`.absorb.absorb` of all levels gives, summed over all units.

    Parameters
    ----------
    derivatives : bool
        False: F0 and log det V only.
    """
    sums = []
    for units in design.units:
        within = _Residual(model, units.rows, design.cor_starts)
        sums.append(_moments(units, model, within, derivatives))
    return reduce(add, sums)


def _moments(units: UnitSums, model: Model, within: _Residual, derivatives: bool) -> Moments:
    residual = _transposed(units.Q) @ within.value @ units.Q
    V = residual + sum(_two_sided(Z, D) for Z, D in zip(units.Z, model.D))
    W, log_det = _whitening(V, units.counts)
    if not derivatives:
        return without_parameters(_times_cross(_transposed(W) @ W, units)[0], log_det)
    WQ = W @ _transposed(units.Q)
    first = [*(WQ @ within.first() @ _transposed(WQ))]
    if not model.fixed_sigma:
        first.append(W @ residual @ _transposed(W) / model.sigma_sq)
    for Z, E in zip(units.Z[::-1], model.E[::-1]):
        WZ = np.einsum("pst,ptgv->psgv", W, Z)
        first += [_two_sided(WZ, e) for e in E]
    A = np.array(first).reshape(-1, *W.shape)
    C = WQ @ within.second() @ _transposed(WQ)
    F = _products([W, *(A @ W)], units)
    weighted = A * units.counts[:, None, None]
    return Moments(
        F[0, 0],
        F[0, 1:],
        F[1:, 1:],
        _times_cross(_transposed(W) @ C @ W, units),
        log_det,
        np.einsum("rpii->r", weighted),
        np.tensordot(weighted, A, axes=([1, 2, 3], [1, 2, 3])),
        np.einsum("rpii,p->r", C, units.counts),
    )


class _Residual:
    """σ²SRS of a unit of each pattern (P, s, s), by the coefficients of R (first) and of S."""

    def __init__(self, model: Model, rows: Array, cor_starts: Array) -> None:
        P, s = rows.shape
        self.n_cor, self.n_base = model.n_cor, model.n_base
        self.w, self.ww = np.zeros((0, P, s)), np.zeros((0, 0, P, s))
        scale, R = np.full((P, s, s), model.sigma_sq), np.eye(s)
        if model.var:
            size, first, second = relative_deviations(model.var, model.var_coefs, rows.reshape(-1))
            size = size.reshape(P, s)
            self.w, self.ww = first.reshape(-1, P, s), second.reshape(*second.shape[:2], P, s)
            scale = scale * (size[:, :, None] * size[:, None, :])
        if model.cor is not None:
            group = np.searchsorted(cor_starts, rows, side="right")
            R = self._correlation(model, rows, group, scale)
        self.value = scale * R

    def _correlation(self, model: Model, rows: Array, group: Array, scale: Array) -> Array:
        cor = model.cor
        assert cor is not None
        same, at = group[:, :, None] == group[:, None, :], cor.covariate[rows]
        if cor.cor_class not in BY_INDEX:  # near each other, for autocorrelations at every lag
            at = at - np.where(same[..., None], at[:, None], np.inf).min(axis=2)
        jet = correlation(cor, variables(model.cor_coefs), at)
        assert isinstance(jet, Jet)
        self.by_cor, self.by_cors = scale * same * jet.grad, scale * same * jet.hess
        R: Array = same * jet.value
        cholesky(R, f"{cor.cor_class}: R")
        return R

    def first(self) -> Array:
        """(n_base, P, s, s)."""
        return self._stacked([self._first(a) for a in range(self.n_base)])

    def second(self) -> Array:
        """(pairs, P, s, s) in the order of :func:`.within.base_pairs`."""
        return self._stacked([self._second(a, b) for a, b in base_pairs(self.n_base)])

    def _stacked(self, parts: list[Array]) -> Array:
        return np.array(parts).reshape(-1, *self.value.shape)

    def _first(self, a: int) -> Array:
        if a < self.n_cor:
            return np.asarray(self.by_cor[a])
        return _by_rows(self.w[a - self.n_cor], self.value)

    def _second(self, a: int, b: int) -> Array:
        i, j = a - self.n_cor, b - self.n_cor
        if j < 0:
            return np.asarray(self.by_cors[a, b])
        if i < 0:
            return _by_rows(self.w[j], self._first(a))
        both = self.w[i][:, :, None] * self.value * self.w[j][:, None, :]
        return np.asarray(_by_rows(self.ww[i, j], self.value) + both + _transposed(both))


def _by_rows(w: Array, M: Array) -> Array:
    """WM + MW with W = diag(w), w (P, s)."""
    return np.asarray((w[:, :, None] + w[:, None, :]) * M)


def _transposed(M: Array) -> Array:
    return M.swapaxes(-1, -2)


def _two_sided(X: Array, M: Array) -> Array:
    """XMX' of each pattern, X (P, s, g, q) with M (q, q), summed over the groups."""
    flat = (*X.shape[:2], -1)
    return np.asarray((X @ M).reshape(flat) @ _transposed(X.reshape(flat)))


def _whitening(V: Array, counts: Array) -> tuple[Array, float]:
    """W with WVW' = I of each pattern, and the sum of all units' log det V."""
    size = np.sqrt(np.einsum("pss->ps", V))
    L = cholesky(V / (size[:, :, None] * size[:, None, :]), "V")
    log_dets = np.log(np.einsum("pss->ps", L) * size).sum(axis=1)
    return np.linalg.inv(L) / size[:, None, :], 2 * float(counts @ log_dets)


def _products(X: list[Array], units: UnitSums) -> Array:
    """Σ B'X_a'X_b B over the units for every two of several (P, s, s): (a, b, k, k, 1)."""
    s, upper = units.rows.shape[1], np.triu_indices(len(X))
    Y = np.concatenate(X, axis=-1)
    M = (_transposed(Y) @ Y).reshape(-1, len(X), s, len(X), s).transpose(1, 3, 0, 2, 4)
    found = _times_cross(M[upper], units)
    out = np.empty((len(X), len(X), *found.shape[1:]))
    out[upper[::-1]], out[upper] = found.swapaxes(1, 2), found
    return out


def _times_cross(M: Array, units: UnitSums) -> Array:
    """Σ B'MB over the units: (..., P, s, s) to (…, k, k, 1)."""
    k = round(units.cross.shape[1] ** 0.5)
    return np.asarray((M.reshape(-1, len(units.cross)) @ units.cross).reshape(-1, k, k, 1))
