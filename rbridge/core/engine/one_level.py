"""Models with one level and V = Z D Z' + σ²I: every sum over the groups in one matrix product.

With G = Z'Z, g a generalised inverse of it, c = Z'B, N = (I + DG/σ²)⁻¹ and A = c'N for the rows
B of a group, σ^2j B'V⁻ʲB is what the group's own least squares leave of B'B, plus c'Nʲgc; and
V⁻¹Z = ZN/σ². So all moments are sums over the groups of A ⊗ A, once more times an element of
H = GN, of g, of Ng or of N, whatever D's elements are. Nothing is subtracted, however large D is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from operator import add

import numpy as np

from ..arrays import Array, lasting
from .absorb import Moments, inverse, without_parameters
from .groups import GroupSums
from .layout import Layout, slices_of_cells
from .model import Model


class _Places:
    """Where the distinct elements of A and of H stand among the rows of :class:`_Sums`.

    Those of A at a column of Z are elements of H, which is symmetric.

    Attributes
    ----------
    A, H : (k, q) and (q, q) int arrays
        Place of each element.
    elements : tuple of (is of H, row of G or c, element)
    n_A : int
        How many elements A has; they come first.
    """

    def __init__(self, inside: tuple[int | None, ...], q: int) -> None:
        found: dict[tuple[bool, int, int], int] = {}

        def place(of_H: bool, row: int, z: int) -> int:
            key = (True, min(row, z), max(row, z)) if of_H else (False, row, z)
            return found.setdefault(key, len(found))

        rows = [(at is not None, a if at is None else at) for a, at in enumerate(inside)]
        self.A = np.array([[place(*row, z) for z in range(q)] for row in rows]).reshape(-1, q)
        self.n_A = len(found)
        self.H = np.array([[place(True, y, z) for z in range(q)] for y in range(q)])
        self.elements = tuple(found)


@lru_cache(maxsize=256)
def _places(inside: tuple[int | None, ...], q: int) -> _Places:
    return _Places(inside, q)


def terms(groups: GroupSums) -> int:
    """How many sums :func:`one_level` keeps, however many groups there are: (kq)² · 5q²/2."""
    q, k = len(groups.G), len(groups.inside)
    return (k * q) ** 2 * (1 + 3 * (q * (q + 1) // 2) + q * q)


def one_more(delta: Array, G: Array) -> Array:
    """I + ΔG of each cell, (q, q, m)."""
    q = len(delta)
    out = (delta @ G.reshape(q, -1)).reshape(G.shape)
    out[range(q), range(q)] += 1
    return np.asarray(out)


@dataclass(frozen=True)
class _Sums:
    """Sums over groups.

    ``rows`` of the elements of A and H; ``own`` of these times gc; ``triple`` of each weight (1,
    then H, g, Ng, N element by element) times the pairs of elements of A; ``pairs`` of the
    elements of H and N with each other, ``N`` (q, q) of N.
    """

    log_det: float
    rows: Array
    own: Array
    triple: Array
    pairs: Array
    N: Array

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(*(a + b for a, b in zip(vars(self).values(), vars(other).values())))


def _sums(groups: GroupSums, places: _Places, delta: Array, at: slice, derivatives: bool) -> _Sums:
    """Of some groups at D/σ² = ``delta``."""
    G, q = groups.G[..., at], len(delta)
    N, log_det = inverse(one_more(delta, G))
    rows = np.empty((len(places.elements), G.shape[-1]))
    for out, (of_H, a, z) in zip(rows, places.elements):
        left = G[a] if of_H else groups.c[a, :, at]
        np.einsum("ym,ym->m", left, N[:, z], out=out)
    own = rows @ groups.own[..., at].reshape(-1, G.shape[-1]).T
    nothing = np.zeros(0)
    if not derivatives:
        return _Sums(log_det, rows.sum(axis=1), own, nothing, nothing, nothing)
    g, flat = groups.g[..., at], (q * q, -1)
    Ng = np.einsum("zym,ywm->zwm", N, g)
    upper = _upper(q)
    H, N_ = rows[places.H[upper]], N.reshape(flat)
    weights = [np.ones((1, G.shape[-1])), H, g[upper], (Ng[upper] + Ng[upper[::-1]]) / 2, N_]
    A, both = rows[: places.n_A], np.concatenate([H, N_])
    pairs = np.concatenate([a * A[i:] for i, a in enumerate(A)]) if len(A) else A
    return _Sums(
        log_det,
        rows.sum(axis=1),
        own,
        np.concatenate(weights) @ np.ascontiguousarray(pairs.T),
        both @ both.T,
        N.sum(axis=-1),
    )


def one_level(design: Layout, model: Model, derivatives: bool) -> Moments:
    """What :func:`.absorb.absorb` of the one level gives, summed over all groups.

    Parameters
    ----------
    derivatives : bool
        False: F0 and log det V only.
    """
    groups, sigma_sq = design.groups, model.sigma_sq
    places = _places(groups.inside, len(groups.G))
    delta, parts = model.D[0] / sigma_sq, slices_of_cells(groups.G.shape[-1])
    sums = reduce(add, (_sums(groups, places, delta, at, derivatives) for at in parts))
    log_det = design.n * np.log(sigma_sq) + sums.log_det
    F0 = _cross(groups, places, sums)[..., None] / sigma_sq
    if not derivatives:
        return without_parameters(F0, log_det)
    F1, F2 = _derivatives(groups, places, sums, model.E[0])
    trace1, trace2 = _traces(groups, places, sums, model.E[0], design.n)
    free = slice(1 if model.fixed_sigma else 0, None)
    return replace(
        without_parameters(F0, log_det),
        F1=F1[free, ..., None] / sigma_sq**2,
        F2=F2[free, free, ..., None] / sigma_sq**3,
        trace1=trace1[free] / sigma_sq,
        trace2=trace2[free, free] / sigma_sq**2,
    )


def _cross(groups: GroupSums, places: _Places, sums: _Sums) -> Array:
    """Σ B'V⁻¹B, (k, k), with σ² = 1."""
    k, q, own = (
        len(groups.inside),
        len(groups.G),
        sums.own.reshape(len(sums.own), -1, len(groups.G)),
    )
    others = [a for a, at in enumerate(groups.inside) if at is None]
    F0 = _at_others(groups)
    F0[:, others] += np.einsum("aqlq->al", own[places.A].reshape(k, q, -1, q))
    for a, at in enumerate(groups.inside):
        if at is not None:
            F0[a] = F0[:, a] = sums.rows[places.A[:, at]]
    return F0


def _at_others(groups: GroupSums) -> Array:
    """What the groups' own least squares leave of B'B, (k, k): nothing of a column of Z."""
    others = [a for a, at in enumerate(groups.inside) if at is None]
    out = np.zeros((len(groups.inside),) * 2)
    out[np.ix_(others, others)] = groups.left
    return out


def _derivatives(groups: GroupSums, places: _Places, sums: _Sums, E: Array) -> tuple[Array, Array]:
    """F1 and F2 for (σ², τ), with σ² = 1: AEA', A(EH)EA' and so on."""
    q, k = len(groups.G), len(groups.inside)
    half = q * (q + 1) // 2
    symmetric = _place_of_pairs(q)
    place = _place_of_pairs(places.n_A)[places.A.reshape(-1)[:, None], places.A.reshape(-1)]
    triple = sums.triple[:, place].reshape(-1, k, q, k, q)
    one, H, g, Ng, N = np.split(triple, [1, 1 + half, 1 + 2 * half, 1 + 3 * half])
    H, left = H[symmetric], _at_others(groups)
    r = 1 + len(E)
    F1, F2 = np.empty((r, k, k)), np.empty((r, r, k, k))
    F1[0] = left + np.einsum("zwazbw->ab", g[symmetric])
    F1[1:] = np.einsum("ezw,azbw->eab", E, one[0])
    F2[0, 0] = left + np.einsum("zwazbw->ab", Ng[symmetric])
    F2[0, 1:] = np.einsum("ezw,yzaybw->eab", E, N.reshape(q, q, k, q, k, q))
    F2[1:, 0] = F2[0, 1:].swapaxes(1, 2)
    EH = np.einsum("ezy,ywazbv->ewabv", E, H)
    F2[1:, 1:] = np.einsum("ewabv,fwv->efab", EH, E)
    return F1, F2


def _traces(
    groups: GroupSums, places: _Places, sums: _Sums, E: Array, n: int
) -> tuple[Array, Array]:
    """tr V⁻¹V̇_r and tr V⁻¹V̇_r V⁻¹V̇_s for (σ², τ), with σ² = 1."""
    q, half = len(groups.G), len(sums.pairs) - len(groups.G) ** 2
    free = n - q * groups.G.shape[-1]
    H, full = _place_of_pairs(q), half + np.arange(q * q).reshape(q, q)
    HH = sums.pairs[H][:, :, H]
    HN = np.einsum("zyyw->zw", sums.pairs[H][:, :, full])
    NN = np.einsum("zyyz->", sums.pairs[full][:, :, full])
    r = 1 + len(E)
    trace1, trace2 = np.empty(r), np.empty((r, r))
    trace1[0], trace1[1:] = free + np.trace(sums.N), np.tensordot(E, sums.rows[places.H], 2)
    trace2[0, 0] = free + NN
    trace2[0, 1:] = trace2[1:, 0] = np.tensordot(E, HN, 2)
    trace2[1:, 1:] = np.einsum("ezy,fwv,ywvz->ef", E, E, HH)
    return trace1, trace2


@lru_cache(maxsize=256)
def _place_of_pairs(q: int) -> Array:
    """(q, q) place of a symmetric matrix's element among those of its upper triangle, by rows."""
    place = np.zeros((q, q), dtype=int)
    upper = _upper(q)
    place[upper] = place[upper[::-1]] = np.arange(len(upper[0]))
    return lasting(place)


@lru_cache(maxsize=256)
def _upper(q: int) -> tuple[Array, Array]:
    row, column = np.triu_indices(q)
    return lasting(row), lasting(column)
