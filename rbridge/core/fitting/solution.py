"""What follows from θ: β̂ and its covariance, the predicted random effects, the fitted values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from ..engine.absorb import absorb, inverse
from ..engine.dense import dense_covariance
from ..engine.layout import Layout, NotNested, between, layout, slices_of_cells
from ..engine.model import Model, model_at
from ..engine.one_level import one_level, one_more
from ..engine.within import base_moments
from ..snapshot import FitSnapshot


@dataclass(frozen=True)
class Solution:
    """The linear part of a model at one θ.

    Attributes
    ----------
    beta : (p,) array
        Generalised least squares.
    vcov : (p, p) array
        (X'V⁻¹X)⁻¹.
    b : tuple of (m, q) arrays
        Best linear unbiased predictions of each level's random effects, outermost level first.
    fitted : (n, 1 + number of levels) array
        Xβ̂, then with the random effects of one more level at a time.
    """

    beta: Array
    vcov: Array
    b: tuple[Array, ...]
    fitted: Array


def solution(snapshot: FitSnapshot, theta: Array | None = None) -> Solution:
    """β̂, random effects and fitted values, in time linear in the rows where the groups nest.

    Parameters
    ----------
    snapshot : FitSnapshot
    theta : (r,) array, optional
        By default the estimates.

    Raises
    ------
    NotPositiveDefinite
        V is not positive definite at ``theta``.

    Notes
    -----
    b = D Z'V⁻¹(y − Xβ̂), for each level with the V of the levels inside it:
    b = (I + DG)⁻¹ D Z'V⁻¹(y − Xβ̂ − Σ of the outer levels), G = Z'V⁻¹Z.
    """
    model = model_at(snapshot, theta)
    try:
        design = layout(snapshot)
    except NotNested:
        beta, vcov, b = _dense(snapshot, model)
    else:
        beta, vcov, b = _nested(snapshot, design, model)
    fitted = [snapshot.X @ beta]
    for level, effects in zip(snapshot.levels, b):
        fitted.append(fitted[-1] + np.einsum("ij,ij->i", level.Z, effects[level.codes]))
    return Solution(beta, vcov, b, np.stack(fitted, axis=1))


Parts = tuple[Array, Array, tuple[Array, ...]]  # β̂, its covariance, b


def _dense(snapshot: FitSnapshot, model: Model) -> Parts:
    V = dense_covariance(snapshot, model)[0]
    X = snapshot.X
    vcov = np.linalg.inv(X.T @ np.linalg.solve(V, X))
    beta = vcov @ (X.T @ np.linalg.solve(V, snapshot.y))
    weighed = np.linalg.solve(V, snapshot.y - X @ beta)
    b = []
    for level, D in zip(snapshot.levels, model.D):
        sums = np.zeros((len(level.labels), len(D)))
        np.add.at(sums, level.codes, level.Z * weighed[:, None])
        b.append(sums @ D)
    return beta, vcov, tuple(b)


def _nested(snapshot: FitSnapshot, design: Layout, model: Model) -> Parts:
    if len(design.starts) == 1 and not model.structured:
        F0 = one_level(design, model, False).F0[..., 0]
        beta, vcov, residual = _linear(snapshot, design, F0)
        return beta, vcov, (_effects_of_one(design, model, residual[list(design.needed(0))]),)
    chunks = design.chunks() if model.structured else design.chunks_of_cells()
    parts = [(start, stop, *_before(design, model, start, stop)) for start, stop in chunks]
    total = sum((last for *_, last in parts), np.zeros(()))
    beta, vcov, residual = _linear(snapshot, design, total)
    found = [_effects(design, model, residual, *part[:3]) for part in parts]
    b = tuple(np.concatenate(pieces) for pieces in zip(*found))
    return beta, vcov, b


def _linear(snapshot: FitSnapshot, design: Layout, F0: Array) -> tuple[Array, Array, Array]:
    """β̂, its covariance, and y − Xβ̂ in terms of the columns, from B'V⁻¹B of those needed last."""
    last = design.needed(0)
    x = [last.index(column) for column in design.x]
    cross = np.linalg.inv(F0[np.ix_(x, x)])
    assert design.y is not None
    change = cross @ F0[x, last.index(design.y)]  # in working columns, from the snapshot's β
    back = np.linalg.inv(design.x_map)
    residual = np.zeros(len(design.columns))
    residual[list(design.x)] = -change
    residual[design.y] = 1
    return snapshot.beta + back @ change, back @ cross @ back.T, residual


def _effects_of_one(design: Layout, model: Model, residual: Array) -> Array:
    """b (m, q) of the one level where nothing is within: (I + ΔG)⁻¹ Δ Z'(y − Xβ̂), Δ = D/σ²."""
    delta, groups = model.D[0] / model.sigma_sq, design.groups
    found = []
    for at in slices_of_cells(groups.G.shape[-1]):
        pulled = np.tensordot(residual, groups.c[..., at], 1)
        N = inverse(one_more(delta, groups.G[..., at]))[0]
        found.append(np.einsum("zwm,wm->mz", N, delta @ pulled))
    return np.concatenate(found)


def _before(design: Layout, model: Model, start: int, stop: int) -> tuple[list[Array], Array]:
    """F0 of each level's groups before it is absorbed, outermost first; and F0 after all."""
    inside = [between(starts, start, stop) for starts in design.starts]
    cells = base_moments(design, model, start, stop, inside[-1] if inside else None, False)
    before: list[Array] = []
    present: tuple[int, ...] = tuple(range(len(design.columns)))
    for level in reversed(range(len(inside))):
        before.insert(0, cells.F0)
        keep = design.needed(level)
        outer = np.searchsorted(inside[level], inside[level - 1]) if level else None
        z, kept = ([present.index(column) for column in c] for c in (design.z[level], keep))
        cells = absorb(cells, z, model.D[level], model.E[level][:0], kept, outer)
        present = keep
    return before, cells.F0[..., 0]


def _effects(
    design: Layout, model: Model, residual: Array, start: int, stop: int, before: list[Array]
) -> list[Array]:
    """b of each level's groups among the rows ``start:stop``, outermost first.

    ``residual`` (k,) is y − Xβ̂ in terms of the columns; what an outer level explains goes off it.
    """
    inside = [between(starts, start, stop) for starts in design.starts]
    found: list[Array] = []
    left = residual[:, None]
    for level, F0 in enumerate(before):
        if level:
            parent = np.searchsorted(inside[level - 1], inside[level], side="right") - 1
            left = left[:, parent]
        else:
            left = np.repeat(left, F0.shape[-1], axis=1)
        present = design.needed(level + 1)
        z = [present.index(column) for column in design.z[level]]
        D = model.D[level]
        M = one_more(D, F0[np.ix_(z, z)])
        pulled = np.einsum("zkm,km->mz", F0[z], left[list(present)])
        found.append(np.einsum("zwm,mw->mz", inverse(M)[0], pulled @ D))
        np.subtract.at(left, list(design.z[level]), found[-1].T)
    return found
