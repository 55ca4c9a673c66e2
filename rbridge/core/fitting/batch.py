"""Many responses on one design, all at once: Newton's method over arrays of them.

One grouping level and nothing within: V = σ²(I + ZΔZ') group by group, Δ = D/σ². Groups with one
and the same Z'Z are a pattern; an evaluation costs the patterns, not the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.linalg import solve_triangular

from ..arrays import Array
from ..engine.contractions import contract
from ..parameters import tau_basis
from ..snapshot import FitSnapshot
from ..unconstrained import vech
from .ascents import climb_all
from .coding import Coding, Factor
from .start import LEAST_SHARE, LEAST_SIGMA, prior

_CELLS = 2_000_000  # numbers in the largest array of one go


@dataclass(frozen=True)
class Fits:
    """The maxima of k responses.

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


@dataclass(frozen=True)
class Responses:
    """What the likelihood needs of k responses: residuals of least squares, in products.

    ``yy`` (k,); ``Xy`` (k, s, p) and ``yy_z`` (k, s): Σ (Z'x)(Z'y)' and Σ (Z'y)(Z'y)' over the
    groups of each pattern, s = patterns × q².
    """

    yy: Array
    Xy: Array
    yy_z: Array

    def __getitem__(self, which: Array) -> Responses:
        return Responses(self.yy[which], self.Xy[which], self.yy_z[which])


@dataclass(frozen=True)
class Heights:
    """The profile log-likelihood of k responses at k points δ, with its derivatives.

    ``gradient`` (k, e), ``hessian`` and ``metric`` (k, e, e) with respect to δ; ``quad`` (k,) is
    r'V⁻¹r at σ = 1 and ``quad1`` (k, e) r'V⁻¹V̇V⁻¹r; ``trace1``, ``trace2`` those of P; ``coef``
    (k, p) and ``cross`` (k, p, p) are of the orthonormal X.
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


class Batch:
    """One design, made ready for many responses.

    Parameters
    ----------
    snapshot : FitSnapshot
        One that :func:`batches` says yes to; its estimates are not used.
    """

    def __init__(self, snapshot: FitSnapshot) -> None:
        (level,) = snapshot.levels
        self.snapshot = snapshot
        self.n, self.p = snapshot.X.shape
        self.reml = snapshot.method == "REML"
        self.free = self.n - self.p if self.reml else self.n
        self.E = tau_basis(level)[1]
        self.factors = Coding(snapshot).factors
        self.X, self.R = np.linalg.qr(snapshot.X)
        m, q = len(level.labels), level.Z.shape[1]
        rows = np.arange(self.n).repeat(q)
        columns = (level.codes[:, None] * q + np.arange(q)).ravel()
        self._Zt = sparse.csr_matrix((level.Z.ravel(), (columns, rows)), (m * q, self.n))
        self._order(self._blocks(m, q))
        zx = self._products(self.X)
        self.XX = self._sums(zx, zx).reshape(-1, self.p * self.p)

    def _blocks(self, m: int, q: int) -> Array:
        """Z'Z of each group, (m, q, q)."""
        (level,) = self.snapshot.levels
        starts = np.flatnonzero(np.diff(level.codes, prepend=-1))
        products = level.Z[:, :, None] * level.Z[:, None, :]
        return np.asarray(np.add.reduceat(products, starts, axis=0)).reshape(m, q, q)

    def _order(self, G: Array) -> None:
        """Groups by pattern: those of pattern i stand at ``ends[i]:ends[i + 1]`` of ``order``."""
        m, q = G.shape[:2]
        flat, pattern = np.unique(G.reshape(m, -1), axis=0, return_inverse=True)
        pattern = pattern.ravel()
        self.G = flat.reshape(-1, q, q)
        self.counts = np.bincount(pattern).astype(float)
        self.order = np.argsort(pattern, kind="stable")
        self.ends = np.r_[0, np.cumsum(self.counts)].astype(int)
        self.q = q

    def _products(self, columns: Array) -> Array:
        """Z'c of each group, (m, q, c), pattern by pattern."""
        found = np.asarray(self._Zt @ columns)
        return found.reshape(-1, self.q, columns.shape[1])[self.order]

    def _sums(self, a: Array, b: Array) -> Array:
        """Σ over each pattern's groups of a b', (patterns, q, q, columns of a, of b)."""
        out = np.empty((len(self.G), self.q, self.q, a.shape[2], b.shape[2]))
        for i, (start, stop) in enumerate(zip(self.ends, self.ends[1:])):
            left, right = (x[start:stop].reshape(stop - start, -1) for x in (a, b))
            cross = (left.T @ right).reshape(self.q, a.shape[2], self.q, b.shape[2])
            out[i] = cross.transpose(0, 2, 1, 3)
        return out

    @cached_property
    def at_once(self) -> int:
        """Responses in one go."""
        e = len(self.E)
        each = len(self.G) * self.q**2 * max(self.p, 1 + e + e * (e + 1) // 2)
        return max(1, _CELLS // max(each, self.n))

    # --- one go ----------------------------------------------------------------------------------

    def fit(self, Y: Array, start: Array | None = None) -> Fits:
        """The maxima of the (n, k) responses; ``start`` (e,) is a D/σ² in their neighbourhood."""
        k = Y.shape[1]
        cuts = list(range(0, k, self.at_once)) + [k]
        parts = [self._fit(Y[:, a:b], start) for a, b in zip(cuts, cuts[1:])]
        return Fits(*(np.concatenate(arrays) for arrays in zip(*map(_fields, parts))))

    def _fit(self, Y: Array, start: Array | None) -> Fits:
        data, least_squares = self._responses(Y)
        psi = self._coded(self._start(data, start))
        psi, converged = climb_all(lambda x, which: self._local(x, data[which]), psi)
        delta = self._delta(psi)
        at = self._heights(delta, data)
        sigma_sq = at.quad / self.free
        theta = np.column_stack([delta * sigma_sq[:, None], sigma_sq])
        back = solve_triangular(self.R, np.eye(self.p))
        beta = (least_squares + at.coef) @ back.T
        cov = back @ np.linalg.inv(at.cross) @ back.T * sigma_sq[:, None, None]
        information = self._information(delta, at) / (2 * sigma_sq**2)[:, None, None]
        return Fits(theta, beta, at.value, converged, cov, information)

    def _responses(self, Y: Array) -> tuple[Responses, Array]:
        """The products of what least squares leaves, and its coefficients of the orthonormal X."""
        coef = self.X.T @ Y
        left = Y - self.X @ coef
        zx, zy = self._products(self.X), self._products(left)
        k, s = Y.shape[1], len(self.G) * self.q**2
        Xy = self._sums(zx, zy).reshape(s, self.p, k).transpose(2, 0, 1)
        own = np.einsum("gak,gbk->gabk", zy, zy)
        yy_z = np.add.reduceat(own, self.ends[:-1], axis=0).reshape(s, k).T
        return Responses(np.einsum("ij,ij->j", left, left), np.ascontiguousarray(Xy), yy_z), coef.T

    def _information(self, delta: Array, at: Heights) -> Array:
        """tr(P V̇ P V̇) at σ = 1, (k, r, r): V = Σ δ V̇ + I gives the row of σ²."""
        mixed = at.trace1 - np.einsum("kef,kf->ke", at.trace2, delta)
        last = (self.n - self.p if self.reml else self.n) - np.einsum(
            "ke,ke->k", delta, at.trace1 + mixed
        )
        side = mixed[:, :, None]
        top = np.concatenate([at.trace2, side], axis=2)
        bottom = np.concatenate([side.transpose(0, 2, 1), last[:, None, None]], axis=2)
        return np.concatenate([top, bottom], axis=1)

    # --- coordinates -----------------------------------------------------------------------------

    def _cut(self) -> Iterator[tuple[slice, Factor]]:
        start = 0
        for factor in self.factors:
            yield slice(start, start + len(factor.Q)), factor
            start += len(factor.Q)

    def _delta(self, psi: Array) -> Array:
        """(k, e) D/σ² of the factors."""
        parts = [np.einsum("eab,ka,kb->ke", f.Q, psi[:, at], psi[:, at]) for at, f in self._cut()]
        return np.concatenate(parts, axis=1)

    def _coded(self, delta: Array) -> Array:
        return np.concatenate([_factor(f, delta[:, at]) for at, f in self._cut()], axis=1)

    def _local(self, psi: Array, data: Responses) -> tuple[Array, Array, Array, Array, Array]:
        """Value, gradient, Hessian, metric and size in the coordinates of the search."""
        at = self._heights(self._delta(psi), data)
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

    def _start(self, data: Responses, near: Array | None) -> Array:
        """One MIVQUE step, whose matrix is that of the design alone; inside the cone."""
        (level,) = self.snapshot.levels
        usual = prior(level.Z, self.E, 1.0)
        least = LEAST_SHARE * np.tensordot(usual, self.E, 1)
        begin = usual if near is None else _inside(near[None], self.E, least)[0]
        forms = contract(replace(self.snapshot, sigma=1.0), np.append(begin, 1.0))
        at = self._heights(np.tile(begin, (len(data.yy), 1)), data)
        quad1 = np.column_stack([at.quad1, at.quad - at.quad1 @ begin])
        unit = np.sqrt(np.diag(forms.trace2))  # singular where a component is not identified
        scaled = np.linalg.pinv(forms.trace2 / np.outer(unit, unit), hermitian=True)
        found = quad1 / unit @ scaled / unit
        sigma_sq = np.maximum(found[:, -1], LEAST_SIGMA * at.quad / self.free)
        return _inside(found[:, :-1] / sigma_sq[:, None], self.E, least)

    # --- the likelihood --------------------------------------------------------------------------

    def _heights(self, delta: Array, data: Responses) -> Heights:
        (k, e), p, pairs = delta.shape, self.p, vech(len(self.E))
        W, GW, log_det = self._inverses(delta)
        parts = self._parts(delta, W, GW)
        X = (parts.reshape(-1, parts.shape[2]) @ self.XX).reshape(k, -1, p, p)
        Xy, yy = parts @ data.Xy, np.einsum("kts,ks->kt", parts, data.yy_z)
        cross = np.eye(p) - X[:, 0]
        inverse = np.linalg.inv(cross)
        coef = -np.einsum("kij,kj->ki", inverse, Xy[:, 0])
        own = (
            yy - 2 * np.einsum("ktp,kp->kt", Xy, coef) + np.einsum("ktij,ki,kj->kt", X, coef, coef)
        )
        quad = data.yy + np.einsum("ki,ki->k", coef, coef) - own[:, 0]
        quad1 = own[:, 1 : 1 + e]
        pull = Xy[:, 1 : 1 + e] - np.einsum("keij,kj->kei", X[:, 1 : 1 + e], coef)
        quad2 = -_square(own[:, 1 + e :], pairs) - 2 * np.einsum(
            "kei,kij,kfj->kef", pull, inverse, pull
        )
        trace1, trace2, weight = self._traces(GW)
        if self.reml:
            KX = np.einsum("kij,ktjl->ktil", inverse, X[:, 1:])
            trace1 = trace1 - np.einsum("keii->ke", KX[:, :e])
            trace2 = trace2 + _square(np.einsum("ktii->kt", KX[:, e:]), pairs)
            trace2 = trace2 + np.einsum("keij,kfji->kef", KX[:, :e], KX[:, :e])
            log_det = log_det + np.linalg.slogdet(cross)[1] + 2 * self._log_det_x
        ratio = quad1 / quad[:, None]
        value = -(self.free * (1 + np.log(2 * np.pi * quad / self.free)) + log_det) / 2
        hessian = (
            trace2
            - self.free * (quad2 / quad[:, None, None] - ratio[:, :, None] * ratio[:, None, :])
        ) / 2
        size = np.abs(log_det) + 3.0 * self.n * np.maximum(1, data.yy / quad)
        gradient = (self.free * ratio - trace1) / 2
        return Heights(
            value, gradient, hessian, weight, size, quad, quad1, trace1, trace2, coef, cross
        )

    @cached_property
    def _log_det_x(self) -> float:
        return float(np.log(np.abs(np.diag(self.R))).sum())

    def _inverses(self, delta: Array) -> tuple[Array, Array, Array]:
        """(I + ΔG)⁻¹ and G(I + ΔG)⁻¹ of each pattern, (k, patterns, q, q); log |V| at σ = 1."""
        D = np.einsum("ke,eab->kab", delta, self.E)
        A = np.eye(self.q) + np.einsum("kab,gbc->kgac", D, self.G)
        W = np.linalg.inv(A)
        return W, self.G @ W, np.linalg.slogdet(A)[1] @ self.counts

    def _parts(self, delta: Array, W: Array, GW: Array) -> Array:
        """M = (I + ΔG)⁻¹Δ and its derivatives by δ, (k, 1 + e + e(e + 1)/2, s)."""
        k, e = delta.shape
        Wt = W.swapaxes(-1, -2)
        M = W @ np.einsum("ke,eab->kab", delta, self.E)[:, None]
        WE = [W @ E for E in self.E]
        first = [we @ Wt for we in WE]
        EW = [GW @ E @ Wt for E in self.E]
        second = []
        for i, j in zip(*vech(e)):
            half = WE[i] @ EW[j]
            second.append(-(half + half.swapaxes(-1, -2)))
        every = np.stack([M, *first, *second], axis=1)
        return np.asarray(every.reshape(k, -1, len(self.G) * self.q**2))

    def _traces(self, GW: Array) -> tuple[Array, Array, Array]:
        """tr(V⁻¹V̇), tr(V⁻¹V̇V⁻¹V̇) and the metric: expected information with σ² at its best."""
        GE = [GW @ E for E in self.E]
        trace1 = np.stack([np.einsum("kgaa,g->k", x, self.counts) for x in GE], axis=1)
        rows = [[np.einsum("kgab,kgba,g->k", x, y, self.counts) for y in GE] for x in GE]
        trace2 = np.stack([np.stack(row, axis=1) for row in rows], axis=1)
        weight = (trace2 - trace1[:, :, None] * trace1[:, None, :] / self.n) / 2
        return trace1, trace2, weight


def batches(snapshot: FitSnapshot) -> bool:
    """Whether many responses of this model can be fitted at once."""
    alone = len(snapshot.levels) == 1 and snapshot.cor is None and not snapshot.var
    return alone and not snapshot.fixed_sigma


def _fields(fits: Fits) -> tuple[Array, ...]:
    return (
        *(fits.theta, fits.beta, fits.log_lik, fits.converged),
        *(fits.beta_cov, fits.information),
    )


def _square(values: Array, pairs: tuple[Array, Array]) -> Array:
    """(k, e, e) symmetric matrices from their (k, e(e + 1)/2) upper triangles."""
    e = int(pairs[0].max()) + 1
    out = np.empty((len(values), e, e))
    out[:, pairs[0], pairs[1]] = out[:, pairs[1], pairs[0]] = values
    return out


def _inside(delta: Array, E: Array, least: Array) -> Array:
    """(k, e) with D ≥ ``least``, a diagonal matrix: eigenvalues below it are lifted."""
    unit = np.sqrt(np.diag(least))
    both = np.outer(unit, unit)
    values, vectors = np.linalg.eigh(np.einsum("ke,eab->kab", delta, E) / both)
    D = np.einsum("kab,kb,kcb->kac", vectors, np.maximum(values, 1), vectors) * both
    lifted = np.einsum("eij,kij->ke", E, D) / np.einsum("eij->e", E)
    return np.asarray(np.where(values[:, :1] >= 1, delta, lifted))


def _factor(factor: Factor, delta: Array) -> Array:
    """(k, n_e) elements of the factors of positive definite blocks, as :meth:`Factor.factor`."""
    q = len(factor.block.names)
    if factor.block.pd_class in ("pdIdent", "pdDiag"):
        return np.asarray(np.sqrt(np.maximum(delta, 0)))
    if factor.block.pd_class == "pdCompSymm":
        values = [delta[:, 0] - delta[:, 1], delta[:, 0] + (q - 1) * delta[:, 1]]
        return np.asarray(np.sqrt(np.maximum(np.stack(values, axis=1), 0)))
    L = np.linalg.cholesky(np.einsum("ke,eab->kab", delta, factor.E))
    row, column = vech(q)
    return np.asarray(L[:, column, row])
