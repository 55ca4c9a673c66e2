"""Within-group part of the recursion: the moments of the rows under V = σ² S R S."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .absorb import Moments, Starts
from .correlation import Correlation, correlation_operator
from .covariance import relative_deviations
from .layout import Layout
from .model import Model

Array = NDArray[Any]


def base_pairs(r: int) -> list[tuple[int, int]]:
    """The pairs of coefficients in the order of ``Moments.F3``."""
    return list(combinations_with_replacement(range(r), 2))


def base_moments(
    design: Layout, model: Model, start: int, stop: int, cells: Starts, derivatives: bool
) -> Moments:
    """Moments of the rows ``start:stop`` with respect to the coefficients of R, then of S.

    Parameters
    ----------
    cells : (m,) int array or None
        First row of each cell, relative to ``start``; None for a single cell.
    derivatives : bool
        False: F0 and log det V only.

    Notes
    -----
    σ² is no parameter here: V is homogeneous of degree 1 in (D, σ²), see
    :func:`rbridge.core.information.contract`.
    """
    rows = design.rows(start, stop)
    B = np.stack([column[rows] for column in design.columns])
    n = B.shape[1]
    log_det = n * np.log(model.sigma_sq)
    if model.cor is None and not model.var:
        return _moments_without_parameters(_sums(B, B, cells) / model.sigma_sq, log_det)
    first, second = np.zeros((0, n)), np.zeros((0, 0, n))
    if model.var:
        s, first, second = relative_deviations(model.var, model.var_coefs, rows)
        B /= s
        log_det += 2 * np.log(np.abs(s)).sum()
    B /= np.sqrt(model.sigma_sq)
    groups = design.cor_starts[np.searchsorted(design.cor_starts, start) :]
    groups = groups[: np.searchsorted(groups, stop)] - start
    R = correlation_operator(model.cor, model.cor_coefs, n, rows, groups)
    log_det += R.log_det
    if not derivatives:
        return _moments_without_parameters(_sums(B, R.solve(B), cells), log_det)
    return _moments(B, R, first, second, cells, log_det)


def _moments_without_parameters(F0: Array, log_det: float) -> Moments:
    k, m = F0.shape[1:]
    none = np.zeros((0, k, k, m))
    empty = np.zeros((0, 0))
    return Moments(
        F0, none, none[None][:0], none, log_det, empty[0:0].ravel(), empty, empty.ravel()
    )


def _moments(
    B: Array, R: Correlation, first: Array, second: Array, cells: Starts, log_det: float
) -> Moments:
    """The tensors in whitened rows, where V = R, V̇_c = Ṙ_c and V̇_v = WR + RW with W = ṡ/s.

    ``H_r`` = V⁻¹V̇_r V⁻¹B and ``VH_r`` = V H_r, so that F1 = B'H and F2 = VH'H.
    """
    n_cor, r = len(R.trace1), len(R.trace1) + len(first)
    U = R.solve(B)
    H = [R.solve_first(c, B) for c in range(n_cor)]
    H += [R.solve(w * B) + w * U for w in first]
    VH = [R.multiply(h) for h in H]
    k, m = len(B), 1 if cells is None else len(cells)
    F2 = np.empty((r, r, k, k, m))
    for a, b in base_pairs(r):
        F2[a, b] = _sums(VH[a], H[b], cells) if a == b else _products(VH[a], H[b], cells)
        F2[b, a] = F2[a, b].swapaxes(0, 1)
    F3 = [_second(B, U, R, VH, first, second, a, b, cells) for a, b in base_pairs(r)]
    trace2, trace3 = _traces(R, first, second)
    return Moments(
        _sums(B, U, cells),
        np.array([_sums(B, h, cells) for h in H]).reshape(r, k, k, m),
        F2,
        np.array(F3).reshape(-1, k, k, m),
        log_det,
        np.concatenate([R.trace1, 2 * first.sum(axis=1)]),
        trace2,
        np.array([trace3[a, b] for a, b in base_pairs(r)]),
    )


def _second(
    B: Array,
    U: Array,
    R: Correlation,
    VH: list[Array],
    first: Array,
    second: Array,
    a: int,
    b: int,
    cells: Starts,
) -> Array:
    """U'V̈_ab U for a ≤ b: R̈, WṘ + ṘW, or (s̈/s)R + R(s̈/s) + W_a R W_b + W_b R W_a."""
    n_cor = len(R.trace1)
    if b < n_cor:
        return _sums(B, R.solve_second(a, b, B), cells)
    w = first[b - n_cor] * U
    if a < n_cor:
        F = _products(w, VH[a], cells)  # V H_c = Ṙ_c U
    else:
        F = _products(first[a - n_cor] * U, R.multiply(w), cells)
        F = F + _products(second[a - n_cor, b - n_cor] * U, B, cells)
    return np.asarray(F + F.swapaxes(0, 1))


def _traces(R: Correlation, first: Array, second: Array) -> tuple[Array, Array]:
    """tr V⁻¹V̇_r V⁻¹V̇_s and tr V⁻¹V̈_rs, both (r, r)."""
    mixed = 2 * R.diagonals @ first.T
    hadamard = 2 * R.hadamard(first)
    trace2 = np.block([[R.trace2, mixed], [mixed.T, 2 * first @ first.T + hadamard]])
    trace3 = np.block([[R.trace3, mixed], [mixed.T, 2 * second.sum(axis=2) + hadamard]])
    return trace2, trace3


def _sums(X: Array, Y: Array, cells: Starts) -> Array:
    """Σ over the rows of each cell of x y', known to be symmetric: two (k, n) to (k, k, m)."""
    if cells is None:
        return np.asarray((X @ Y.T)[..., None])
    out = np.empty((len(X), len(X), len(cells)))
    for i, x in enumerate(X):
        out[i, i:] = out[i:, i] = np.add.reduceat(x * Y[i:], cells, axis=1)
    return out


def _products(X: Array, Y: Array, cells: Starts) -> Array:
    """Σ over the rows of each cell of x y': (k, n) and (k, n) to (k, k, m)."""
    if cells is None:
        return np.asarray((X @ Y.T)[..., None])
    return np.stack([np.add.reduceat(x * Y, cells, axis=1) for x in X])
