"""The likelihood of many models at once, each of one grouping level and nothing within.

V = σ²(I + ZΔZ') group by group, Δ = D/σ², and σ² at its best for every Δ. V⁻¹ = (I − ZMZ')/σ² with
M = (I + ΔG)⁻¹Δ, G = Z'Z. X is orthonormal and y what least squares leaves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..snapshot import FitSnapshot
from ..unconstrained import vech
from .coding import Factor
from .start import LEAST_SHARE, LEAST_SIGMA, inside

CELLS = 2_000_000  # numbers in the largest array of one go


@dataclass(frozen=True)
class Fits:
    """The maxima of k likelihoods.

    Attributes
    ----------
    theta : (k, r) array
    beta : (k, p) array
    log_lik : (k,) array
    converged : (k,) bool array
    beta_cov : (k, p, p) array
        (X'V⁻¹X)⁻¹.
    information : (k, r, r) array
        Expected, about θ.
    """

    theta: Array
    beta: Array
    log_lik: Array
    converged: Array
    beta_cov: Array
    information: Array

    @classmethod
    def joined(cls, parts: Sequence[Fits]) -> Fits:
        """Those of one part after those of another."""
        return cls(*(np.concatenate(arrays) for arrays in zip(*(vars(p).values() for p in parts))))


@dataclass(frozen=True)
class Sums:
    """What k likelihoods need of the data at k points δ.

    ``X`` (k, t, p, p), ``Xy`` (k, t, p) and ``yy`` (k, t): Σ over the groups of (Z'x)'M(Z'x) and so
    on, and the same with each of M's first and second derivatives by δ, t = 1 + e + e(e + 1)/2.
    ``own`` (k,): y'y. ``log_det`` (k,), ``trace1`` (k, e), ``trace2`` (k, e, e): log |V|, tr V⁻¹V̇
    and tr V⁻¹V̇V⁻¹V̇ at σ = 1. ``n``, ``log_det_x``: rows and log |X'X| of the X as it was given,
    (k,) arrays or of all.
    """

    X: Array
    Xy: Array
    yy: Array
    own: Array
    log_det: Array
    trace1: Array
    trace2: Array
    n: Any
    log_det_x: Any


@dataclass(frozen=True)
class Heights:
    """The profile log-likelihood at k points δ, with its derivatives.

    ``gradient`` (k, e), ``hessian`` and ``metric`` (k, e, e) with respect to δ; ``quad`` (k,) is
    r'V⁻¹r at σ = 1 and ``quad1`` (k, e) r'V⁻¹V̇V⁻¹r; ``trace1``, ``trace2`` those of P; ``coef``
    (k, p) and ``cross`` (k, p, p) are of the orthonormal X; ``free`` (k,) the rows, less p under
    REML.
    """

    value: Array
    gradient: Array
    hessian: Array
    metric: Array
    size: Array
    quad: Array
    quad1: Array
    trace1: Array
    trace2: Array
    coef: Array
    cross: Array
    free: Array

    @classmethod
    def of(cls, sums: Sums, reml: bool) -> Heights:
        e, p = sums.trace1.shape[1], sums.X.shape[-1]
        pairs, X, Xy = vech(e), sums.X, sums.Xy
        free = np.broadcast_to(sums.n - p if reml else sums.n, sums.own.shape)
        cross = np.eye(p) - X[:, 0]
        inverse = np.linalg.inv(cross)
        coef = -np.einsum("kij,kj->ki", inverse, Xy[:, 0])
        left = sums.yy - 2 * np.einsum("ktp,kp->kt", Xy, coef)
        left += np.einsum("ktij,ki,kj->kt", X, coef, coef)
        quad = sums.own + np.einsum("ki,ki->k", coef, coef) - left[:, 0]
        quad1 = left[:, 1 : 1 + e]
        pull = Xy[:, 1 : 1 + e] - np.einsum("keij,kj->kei", X[:, 1 : 1 + e], coef)
        bent = np.einsum("kei,kij,kfj->kef", pull, inverse, pull)
        quad2 = -_square(left[:, 1 + e :], pairs) - 2 * bent
        trace1, trace2, log_det = sums.trace1, sums.trace2, sums.log_det
        both = trace1[:, :, None] * trace1[:, None, :]
        metric = (trace2 - both / np.reshape(sums.n, (-1, 1, 1))) / 2
        if reml:
            KX = np.einsum("kij,ktjl->ktil", inverse, X[:, 1:])
            trace1 = trace1 - np.einsum("keii->ke", KX[:, :e])
            trace2 = trace2 + _square(np.einsum("ktii->kt", KX[:, e:]), pairs)
            trace2 = trace2 + np.einsum("keij,kfji->kef", KX[:, :e], KX[:, :e])
            log_det = log_det + np.linalg.slogdet(cross)[1] + sums.log_det_x
        ratio = quad1 / quad[:, None]
        value = -(free * (1 + np.log(2 * np.pi * quad / free)) + log_det) / 2
        steep = quad2 / quad[:, None, None] - ratio[:, :, None] * ratio[:, None, :]
        hessian = (trace2 - free[:, None, None] * steep) / 2
        size = np.abs(log_det) + 3.0 * sums.n * np.maximum(1, sums.own / quad)
        gradient = (free[:, None] * ratio - trace1) / 2
        found = (value, gradient, hessian, metric, size, quad, quad1, trace1, trace2)
        return cls(*found, coef, cross, free)

    def fits(self, delta: Array, converged: Array, least_squares: Array, back: Array) -> Fits:
        """The fits at maxima ``delta`` (k, e).

        ``least_squares`` (k, p) are the coefficients of the orthonormal X that went off y, ``back``
        (p, p) or (k, p, p) makes coefficients of the given X of them.
        """
        sigma_sq = self.quad / self.free
        theta = np.column_stack([delta * sigma_sq[:, None], sigma_sq])
        beta = (back @ (least_squares + self.coef)[:, :, None])[:, :, 0]
        cov = back @ np.linalg.inv(self.cross) @ back.swapaxes(-1, -2)
        information = self.information(delta) / (2 * sigma_sq**2)[:, None, None]
        return Fits(theta, beta, self.value, converged, cov * sigma_sq[:, None, None], information)

    def information(self, delta: Array) -> Array:
        """tr(P V̇ P V̇) at σ = 1, (k, r, r): V = Σ δ V̇ + I gives the row of σ²."""
        mixed = self.trace1 - np.einsum("kef,kf->ke", self.trace2, delta)
        last = self.free - np.einsum("ke,ke->k", delta, self.trace1 + mixed)
        side = mixed[:, :, None]
        top = np.concatenate([self.trace2, side], axis=2)
        bottom = np.concatenate([side.transpose(0, 2, 1), last[:, None, None]], axis=2)
        return np.concatenate([top, bottom], axis=1)


class Coordinates(ABC):
    """Heights in the coordinates of the search, the factors of every Δ = Σ δ E."""

    factors: tuple[Factor, ...]
    E: Array

    @abstractmethod
    def heights(self, delta: Array, data: Any) -> Heights:
        """At (k, e) points, each of its own ``data``."""

    def mivque(self, at: Heights, delta: Array, information: Array, usual: Array) -> Array:
        """δ one step from ``delta``, both (k, e); in the cone, a share of the ``usual`` inside it.

        ``at`` are the heights there, ``information`` (r, r) or (k, r, r) is by the design alone.
        """
        quad1 = np.column_stack([at.quad1, at.quad - np.einsum("ke,ke->k", at.quad1, delta)])
        unit = np.sqrt(np.einsum("...ii->...i", information).clip(min=1e-300))
        scaled = information / (unit[..., :, None] * unit[..., None, :])
        inverse = np.linalg.pinv(scaled, hermitian=True)  # singular: a component not identified
        found = np.einsum("...ij,...j->...i", inverse, quad1 / unit) / unit
        sigma_sq = np.maximum(found[:, -1], LEAST_SIGMA * at.quad / at.free)
        least = LEAST_SHARE * np.tensordot(usual, self.E, 1)
        return inside(found[:, :-1] / sigma_sq[:, None], self.E, least)

    def _cut(self) -> Iterator[tuple[slice, Factor]]:
        start = 0
        for factor in self.factors:
            yield slice(start, start + len(factor.Q)), factor
            start += len(factor.Q)

    def delta(self, psi: Array) -> Array:
        """(k, e) D/σ² of the factors."""
        parts = [np.einsum("eab,ka,kb->ke", f.Q, psi[:, at], psi[:, at]) for at, f in self._cut()]
        return np.concatenate(parts, axis=1)

    def coded(self, delta: Array) -> Array:
        """The factors of (k, e) D/σ²."""
        return np.concatenate([f.factor(delta[:, at]) for at, f in self._cut()], axis=1)

    def local(self, psi: Array, data: Any) -> tuple[Array, Array, Array, Array, Array]:
        """Value, gradient, Hessian, metric and size in the coordinates of the search."""
        at = self.heights(self.delta(psi), data)
        k, d = psi.shape
        J, bend, floor = np.zeros((k, d, d)), np.zeros((k, d, d)), np.zeros((k, d))
        for cut, factor in self._cut():
            J[:, cut, cut] = 2 * np.einsum("eab,kb->kea", factor.Q, psi[:, cut])
            bend[:, cut, cut] = 2 * np.einsum("ke,eab->kab", at.gradient[:, cut], factor.Q)
            squares = np.einsum("eaa->ae", factor.Q)
            own = at.metric[:, cut, cut]
            floor[:, cut] = np.sqrt(np.einsum("ae,kef,af->ka", squares, own, squares).clip(min=0))
        Jt = J.transpose(0, 2, 1)
        metric = Jt @ at.metric @ J
        metric[:, np.arange(d), np.arange(d)] += floor
        gradient = np.einsum("kea,ke->ka", J, at.gradient)
        return at.value, gradient, Jt @ at.hessian @ J + bend, metric, at.size


def apart(delta: Array, E: Array, W: Array, GW: Array) -> Array:
    """M and its derivatives by δ, (k, t, groups, q, q), from (I + ΔG)⁻¹ and G(I + ΔG)⁻¹.

    ``delta`` (k, e) for W and GW (k, groups, q, q).
    """
    Wt = W.swapaxes(-1, -2)
    M = W @ np.einsum("ke,eab->kab", delta, E)[:, None]
    WE = [W @ basis for basis in E]
    first = [half @ Wt for half in WE]
    EW = [GW @ basis @ Wt for basis in E]
    second = []
    for i, j in zip(*vech(len(E))):
        half = WE[i] @ EW[j]
        second.append(-(half + half.swapaxes(-1, -2)))
    return np.stack([M, *first, *second], axis=1)


def batches(snapshot: FitSnapshot) -> bool:
    """Whether many models like this one can be fitted at once."""
    alone = len(snapshot.levels) == 1 and snapshot.cor is None and not snapshot.var
    return alone and not snapshot.fixed_sigma


def _square(values: Array, pairs: tuple[Array, Array]) -> Array:
    """(k, e, e) symmetric matrices from their (k, e(e + 1)/2) upper triangles."""
    e = int(pairs[0].max()) + 1
    out = np.empty((len(values), e, e))
    out[:, pairs[0], pairs[1]] = out[:, pairs[1], pairs[0]] = values
    return out
