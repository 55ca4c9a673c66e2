"""Within-group part of the recursion: the moments of the rows under V = σ² S R S."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np

from ..arrays import Array
from .absorb import Moments, Starts, without_parameters
from .correlation import Correlation, correlation_operator
from .covariance import Rows, relative_deviations
from .layout import Layout, between, even_size, symmetric_sums
from .model import Model


def base_pairs(r: int) -> list[tuple[int, int]]:
    """The pairs of coefficients in the order of ``Moments.F3``."""
    return [(a, b) for a, b in combinations_with_replacement(range(r), 2)]


def base_moments(
    design: Layout, model: Model, start: int, stop: int, cells: Starts, derivatives: bool
) -> Moments:
    """Moments of the rows ``start:stop`` with respect to the coefficients of R, of S, and σ².

    Parameters
    ----------
    cells : (m,) int array or None
        First row of each cell, relative to ``start``; None for a single cell.
    derivatives : bool
        False: F0 and log det V only.
    """
    n = stop - start
    log_det = n * np.log(model.sigma_sq)
    if not model.structured:
        moments = without_parameters(design.cross_of(start, stop) / model.sigma_sq, log_det)
        return _with_scale(moments, model, n) if derivatives else moments
    if model.cor is None:
        moments = _uncorrelated(design, model, start, stop, cells, derivatives)
        return _with_scale(moments, model, n) if derivatives else moments
    rows = design.rows(start, stop)
    B = np.stack([column[rows] for column in design.columns])
    first, second = np.zeros((0, n)), np.zeros((0, 0, n))
    if model.var:
        s, first, second = relative_deviations(model.var, model.var_coefs, rows)
        B /= s
        log_det += 2 * np.log(s).sum()
    B /= np.sqrt(model.sigma_sq)
    groups = between(design.cor_starts, start, stop)
    R = correlation_operator(model.cor, model.cor_coefs, n, rows, groups)
    log_det += R.log_det
    if not derivatives:
        return without_parameters(symmetric_sums(B, R.solve(B), cells), log_det)
    return _with_scale(_moments(_Whitened(B, R, first, second), cells, log_det), model, n)


def _with_scale(moments: Moments, model: Model, n: int) -> Moments:
    """Add the parameter σ², unless it is fixed: V̇ = V/σ², so nothing new is summed over rows."""
    if model.fixed_sigma:
        return moments
    scale = model.sigma_sq
    F1 = np.concatenate([moments.F1, moments.F0[None] / scale])
    F2 = np.empty((len(F1), *F1.shape))
    F2[:-1, :-1] = moments.F2
    F2[-1] = F2[:, -1] = F1 / scale  # F1 is symmetric
    trace1 = np.append(moments.trace1, n / scale)
    trace2 = np.block([[moments.trace2, moments.trace1[:, None] / scale], [trace1 / scale]])
    return replace(moments, F1=F1, F2=F2, trace1=trace1, trace2=trace2)


def _uncorrelated(
    design: Layout, model: Model, start: int, stop: int, cells: Starts, derivatives: bool
) -> Moments:
    """Moments where V = σ²S²: weighted sums of the cross-products of rows, or of strata."""
    strata = design.strata
    rows: Rows = slice(start, stop) if strata is None else strata.first
    s, first, second = relative_deviations(model.var, model.var_coefs, rows)
    weights: Array = _weights(s, first, second, derivatives) / model.sigma_sq
    if strata is None:
        B = np.stack([column[start:stop] for column in design.columns])
        F, count = _weighted_sums(weights, B, cells), np.ones(stop - start)
    else:
        cross, counts = design.cross_of_strata(start, stop)
        F, count = np.tensordot(weights, cross, 1), counts.sum(axis=1)
    log_det = float(count @ np.log(model.sigma_sq * s**2))
    if not derivatives:
        return without_parameters(F[0], log_det)
    return _of_weighted(F, first, second, count, log_det)


def _weights(s: Array, first: Array, second: Array, derivatives: bool) -> Array:
    """Of a row's cross-products in F0, each of F1, and F2 and F3 by :func:`base_pairs`."""
    one: Array = 1 / s**2
    if not derivatives:
        return one[None]
    pairs = base_pairs(len(first))
    products = [first[a] * first[b] for a, b in pairs]
    third = [2 * (second[a, b] + w) for (a, b), w in zip(pairs, products)]
    factors = [np.ones(len(s)), *(2 * first), *(4 * w for w in products), *third]
    return np.asarray(np.array(factors) * one)


def _weighted_sums(weights: Array, B: Array, cells: Starts) -> Array:
    """Σ over the rows of each cell of w b b': (t, n) and (k, n) to (t, k, k, m)."""
    if cells is None:
        return np.asarray(np.stack([(w * B) @ B.T for w in weights])[..., None])
    out = np.empty((len(weights), len(B), len(B), len(cells)))
    size = even_size(cells, B.shape[1])
    by_cell = weights.reshape(len(weights), -1, size) if size else weights
    for i, left in enumerate(B):
        for j in range(i, len(B)):
            product = left * B[j]
            if size:  # in one pass
                sums = np.einsum("tms,ms->tm", by_cell, product.reshape(-1, size))
            else:
                sums = np.add.reduceat(weights * product, cells, axis=1)
            out[:, i, j] = out[:, j, i] = sums
    return out


def _of_weighted(F: Array, first: Array, second: Array, count: Array, log_det: float) -> Moments:
    r = len(first)
    pairs = base_pairs(r)
    F2 = np.empty((r, r, *F.shape[1:]))
    trace3 = 2 * np.array([count @ (second[a, b] + first[a] * first[b]) for a, b in pairs])
    for (a, b), value in zip(pairs, F[1 + r :]):
        F2[a, b] = F2[b, a] = value
    return Moments(
        F[0],
        F[1 : 1 + r],
        F2,
        F[1 + r + len(pairs) :],
        log_det,
        2 * first @ count,
        4 * (first * count) @ first.T,
        trace3,
    )


class _Whitened:
    """Rows divided by σs, where V = R, V̇_c = Ṙ_c and V̇_v = WR + RW with W = diag(ṡ/s).

    ``H[r]`` = V⁻¹V̇_r V⁻¹B and ``VH[r]`` = V H[r], so that F1 = B'H and F2 = VH'H.
    """

    def __init__(self, B: Array, R: Correlation, first: Array, second: Array) -> None:
        self.B, self.R, self.first, self.second = B, R, first, second
        self.n_cor = len(R.trace1)
        self.U = R.solve(B)
        self.H = [R.solve_first(c, B) for c in range(self.n_cor)]
        self.H += [R.solve(w * B) + w * self.U for w in first]
        self.VH = [R.multiply(h) for h in self.H]

    def F3(self, a: int, b: int, cells: Starts) -> Array:
        """U'V̈_ab U, a ≤ b: R̈, WṘ + ṘW, or (s̈/s)R + R(s̈/s) + W_a R W_b + W_b R W_a."""
        n_cor, U = self.n_cor, self.U
        if b < n_cor:
            return symmetric_sums(self.B, self.R.solve_second(a, b, self.B), cells)
        WU = self.first[b - n_cor] * U
        if a < n_cor:
            half = _products(WU, self.VH[a], cells)  # VH = Ṙ U
        else:
            half = _products(self.first[a - n_cor] * U, self.R.multiply(WU), cells)
            half += _products(self.second[a - n_cor, b - n_cor] * U, self.B, cells)
        return np.asarray(half + half.swapaxes(0, 1))


def _moments(rows: _Whitened, cells: Starts, log_det: float) -> Moments:
    R, first, VH, H = rows.R, rows.first, rows.VH, rows.H
    r, k, m = len(H), len(rows.B), 1 if cells is None else len(cells)
    pairs = base_pairs(r)
    F2 = np.empty((r, r, k, k, m))
    for a, b in pairs:
        F2[a, b] = symmetric_sums(VH[a], H[b], cells) if a == b else _products(VH[a], H[b], cells)
        F2[b, a] = F2[a, b].swapaxes(0, 1)
    trace2, trace3 = _traces(R, first, rows.second)
    return Moments(
        symmetric_sums(rows.B, rows.U, cells),
        np.array([symmetric_sums(rows.B, h, cells) for h in H]).reshape(r, k, k, m),
        F2,
        np.array([rows.F3(a, b, cells) for a, b in pairs]).reshape(-1, k, k, m),
        log_det,
        np.concatenate([R.trace1, 2 * first.sum(axis=1)]),
        trace2,
        np.array([trace3[a, b] for a, b in pairs]),
    )


def _traces(R: Correlation, first: Array, second: Array) -> tuple[Array, Array]:
    """tr V⁻¹V̇_r V⁻¹V̇_s and tr V⁻¹V̈_rs, both (r, r)."""
    mixed = 2 * R.diagonals @ first.T
    hadamard = 2 * R.hadamard(first)
    trace2 = np.block([[R.trace2, mixed], [mixed.T, 2 * first @ first.T + hadamard]])
    trace3 = np.block([[R.trace3, mixed], [mixed.T, 2 * second.sum(axis=2) + hadamard]])
    return trace2, trace3


def _products(X: Array, Y: Array, cells: Starts) -> Array:
    """Σ over the rows of each cell of x y': (k, n) and (k, n) to (k, k, m)."""
    if cells is None:
        return np.asarray((X @ Y.T)[..., None])
    return np.stack([np.add.reduceat(x * Y, cells, axis=1) for x in X])
