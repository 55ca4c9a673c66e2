"""One grouping level after another: the recursion behind the information matrix.

Cells lie on the last axis of every array, so that each operation runs over all cells at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import InformationError
from ..arrays import Array
from .covariance import NotPositiveDefinite

Starts = Array | None  # first cell of each group to sum; None: one sum of all cells


@dataclass(frozen=True)
class Moments:
    """What a set of cells says about θ: k columns B, r parameters, s pairs with V̈ ≠ 0, m cells.

    Attributes
    ----------
    F0 : (k, k, m) array
        B'V⁻¹B.
    F1 : (r, k, k, m) array
        B'V⁻¹V̇_r V⁻¹B.
    F2 : (r, r, k, k, m) array
        B'V⁻¹V̇_r V⁻¹V̇_s V⁻¹B.
    F3 : (s, k, k, m) array
        B'V⁻¹V̈V⁻¹B.
    log_det : float
        log det V of all cells.
    trace1, trace2, trace3 : (r,), (r, r), (s,) arrays
        tr V⁻¹V̇_r, tr V⁻¹V̇_r V⁻¹V̇_s and tr V⁻¹V̈ over all cells.
    """

    F0: Array
    F1: Array
    F2: Array
    F3: Array
    log_det: float
    trace1: Array
    trace2: Array
    trace3: Array

    def __add__(self, other: Moments) -> Moments:
        return Moments(*(a + b for a, b in zip(vars(self).values(), vars(other).values())))


def without_parameters(F0: Array, log_det: float) -> Moments:
    """F0 and log det V alone."""
    k, m = F0.shape[1:]
    F1, F2 = np.zeros((0, k, k, m)), np.zeros((0, 0, k, k, m))
    return Moments(F0, F1, F2, F1, log_det, np.zeros(0), np.zeros((0, 0)), np.zeros(0))


def absorb(
    cells: Moments, z: Sequence[int], D: Array, E: Array, keep: Sequence[int], starts: Starts
) -> Moments:
    """Add the random effects of one level, V' = V + Z D Z', and sum the cells of each outer group.

    Parameters
    ----------
    cells : Moments
        A cell per group of this level.
    z : sequence of int
        The q columns of B that are Z.
    D : (q, q) array
        Covariance matrix of the random effects; may be singular.
    E : (n_e, q, q) array
        ∂D/∂θ_e, the new parameters; they follow the old ones.
    keep : sequence of int
        Columns of B to keep.
    starts : (M,) int array or None
        First cell of each outer group; None for a single sum.

    Returns
    -------
    Moments of the outer groups.

    Notes
    -----
    With G = Z'V⁻¹Z and N = (I + DG)⁻¹: V'⁻¹Z = V⁻¹ZN and V'⁻¹ = V⁻¹ − V⁻¹Z ND Z'V⁻¹, so that
    every tensor changes by the one map L (see :func:`_reduce`). D⁻¹ is never needed.
    """
    z, keep = list(z), list(keep)
    G = cells.F0[np.ix_(z, z)]
    N, log_det = inverse(np.eye(len(z))[..., None] + np.einsum("zv,vwm->zwm", D, G))
    A = np.einsum("izm,zwm->iwm", cells.F0[:, z], N)  # B'V'⁻¹Z
    K = np.einsum("zvm,vw->zwm", N, D)
    reduced = _reduce(cells, z, K, np.einsum("zw,iwm->zim", D, A), N, log_det)
    reduced.F0[z] = A.swapaxes(0, 1)  # the same numbers without a subtraction
    return _extend(reduced, z, A, E, keep, starts)


def absorb_flat(cell: Moments, x: Sequence[int]) -> Moments:
    """Eliminate the fixed effects: :func:`absorb` of X with D → ∞, which turns V⁻¹ into P.

    ``log_det`` gains log det X'V⁻¹X. Needs a single cell.

    Raises
    ------
    InformationError
        X'V⁻¹X is singular.
    """
    x = list(x)
    cross = cell.F0[np.ix_(x, x)][..., 0]
    scale = np.sqrt(np.diagonal(cross))
    scaled = cross / np.outer(scale, scale)
    try:
        root = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        raise InformationError("the fixed-effects design is singular") from None
    K = (np.linalg.inv(scaled) / np.outer(scale, scale))[..., None]
    log_det = 2 * float(np.log(np.diagonal(root) * scale).sum())
    H = np.einsum("zwm,wim->zim", K, cell.F0[x])
    return _reduce(cell, x, K, H, np.zeros_like(K), log_det)


def _reduce(cells: Moments, z: list[int], K: Array, H: Array, N: Array, log_det: float) -> Moments:
    """The old parameters after absorption: F → L'FL with L = I − (rows z) H, H = K F0[z, :].

    The block L[z, z] = N is given: to subtract would lose digits where Z D Z' dominates.
    """

    def right(F: Array) -> Array:
        at_z = F[..., z, :]
        FL = F - np.einsum("...izm,zjm->...ijm", at_z, H)
        FL[..., z, :] = np.einsum("...izm,zwm->...iwm", at_z, N)
        return np.asarray(FL)

    def left(F: Array) -> Array:
        at_z = F[..., z, :, :]
        LF = F - np.einsum("zim,...zjm->...ijm", H, at_z)
        LF[..., z, :, :] = np.einsum("zwm,...zjm->...wjm", N, at_z)
        return np.asarray(LF)

    second = left(right(cells.F3)) if len(cells.F3) else cells.F3
    FL = right(cells.F1)
    rows = FL[:, z]
    F2 = left(right(cells.F2))
    F2 -= np.einsum("rzim,szjm->rsijm", rows, np.einsum("zwm,swjm->szjm", K, rows))
    KF1 = np.einsum("zwm,rwvm->rzvm", K, cells.F1[:, z][:, :, z])
    KF2 = np.einsum("zwm,rswzm->rs", K, cells.F2[:, :, z][:, :, :, z])
    return Moments(
        right(cells.F0),
        left(FL),
        F2,
        second,
        cells.log_det + log_det,
        cells.trace1 - np.einsum("rzzm->r", KF1),
        cells.trace2 - KF2 - KF2.T + np.einsum("rzwm,swzm->rs", KF1, KF1),
        cells.trace3 - np.einsum("zwm,swzm->s", K, cells.F3[:, z][:, :, z]),
    )


def _extend(
    cells: Moments, z: list[int], A: Array, E: Array, keep: list[int], starts: Starts
) -> Moments:
    """Put the new parameters after the old ones, and sum the cells of each outer group.

    F1_e = A E_e A' with A = B'V⁻¹Z; then F2_er = A E_e F1_r[z, :] and trace2_er =
    tr E_e F1_r[z, z] for every r, old and new.
    """
    AE = np.einsum("izm,ezw->eiwm", A, E)
    rows = np.concatenate([cells.F1[:, z], np.einsum("eiwm,jwm->eijm", AE[:, z], A)])
    old, kept = len(cells.F1), A[keep]
    F0 = _sum(_only(cells.F0, keep), starts)
    F1 = np.empty((len(rows), *F0.shape))
    F1[:old] = _sum(_only(cells.F1, keep), starts)
    F1[old:] = _sum_of_products(AE[:, keep], kept.swapaxes(0, 1)[None], starts)[:, 0]
    F2 = np.empty((len(F1), len(F1), *F0.shape))
    F2[:old, :old] = _sum(_only(cells.F2, keep), starts)
    F2[old:] = _sum_of_products(AE[:, keep], rows[:, :, keep], starts)
    F2[:old, old:] = F2[old:, :old].transpose(1, 0, 3, 2, 4)
    trace2 = np.empty((len(F1), len(F1)))
    trace2[:old, :old] = cells.trace2
    trace2[old:] = np.tensordot(E, rows[:, :, z].sum(axis=-1), axes=([2, 1], [1, 2]))
    trace2[:old, old:] = trace2[old:, :old].T
    return Moments(
        F0,
        F1,
        F2,
        _sum(_only(cells.F3, keep), starts),
        cells.log_det,
        np.append(cells.trace1, np.tensordot(E, A[z].sum(axis=-1), axes=([2, 1], [0, 1]))),
        trace2,
        cells.trace3,
    )


def _only(F: Array, keep: list[int]) -> Array:
    """The wanted columns, without a copy where all are wanted."""
    return F if keep == list(range(F.shape[-2])) else F[..., keep, :, :][..., keep, :]


def _sum(F: Array, starts: Starts) -> Array:
    """Sum over the cells (last axis) of each outer group."""
    if starts is None:
        return np.asarray(F.sum(axis=-1, keepdims=True))
    return np.asarray(np.add.reduceat(F, starts, axis=-1))


def _sum_of_products(AE: Array, rows: Array, starts: Starts) -> Array:
    """Σ over cells of AE_e rows_r: (e, k, q, m) and (r, q, k, m) to (e, r, k, k, M)."""
    if starts is None:
        total = np.tensordot(AE, rows, axes=([2, 3], [1, 3]))
        return np.asarray(total.transpose(0, 2, 1, 3)[..., None])
    return _sum(np.einsum("eizm,rzjm->erijm", AE, rows), starts)


def inverse(M: Array) -> tuple[Array, float]:
    """Inverse of the (q, q) matrix of each cell, and the sum of their log determinants."""
    if len(M) == 1:
        log_det = _total_log(M)
        return 1 / M, log_det
    if len(M) == 2:
        det = M[0, 0] * M[1, 1] - M[0, 1] * M[1, 0]
        log_det = _total_log(det)
        found = np.empty(M.shape)
        found[0, 0], found[1, 1] = M[1, 1] / det, M[0, 0] / det
        found[0, 1], found[1, 0] = M[0, 1] / -det, M[1, 0] / -det
        return found, log_det
    cells_first = np.ascontiguousarray(M.transpose(2, 0, 1))
    sign, log_dets = np.linalg.slogdet(cells_first)
    _total_log(sign)
    inverted = np.linalg.inv(cells_first).transpose(1, 2, 0)
    return np.ascontiguousarray(inverted), float(log_dets.sum())


def _total_log(det: Array) -> float:
    """Σ log det over the cells, where all are positive."""
    if not (det > 0).all():
        raise NotPositiveDefinite("V is not positive definite")
    return float(np.log(det).sum())
