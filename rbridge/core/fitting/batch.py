"""Many responses on one design, all at once: Newton's method over arrays of them.

Groups with one and the same Z'Z are a pattern; an evaluation costs the patterns, not the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.linalg import solve_triangular

from ..arrays import Array
from ..engine.contractions import design_traces
from ..parameters import tau_basis
from ..snapshot import FitSnapshot
from .ascents import climb_all
from .coding import Coding
from .heights import CELLS, Coordinates, Fits, Heights, Sums, apart, batches
from .start import LEAST_SHARE, inside, mean_squares, prior


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


class Batch(Coordinates):
    """One design, made ready for many responses.

    Parameters
    ----------
    snapshot : FitSnapshot
        One that :func:`.heights.batches` says yes to; its estimates are not used.
    """

    def __init__(self, snapshot: FitSnapshot) -> None:
        (level,) = snapshot.levels
        self.snapshot = snapshot
        self.n, self.p = snapshot.X.shape
        self.reml = snapshot.method == "REML"
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
        return max(1, CELLS // max(each, self.n))

    # --- one go ----------------------------------------------------------------------------------

    def fit(self, Y: Array, start: Array | None = None) -> Fits:
        """The maxima of the (n, k) responses; ``start`` (e,) is a D/σ² in their neighbourhood."""
        k = Y.shape[1]
        cuts = list(range(0, k, self.at_once)) + [k]
        return Fits.joined([self._fit(Y[:, a:b], start) for a, b in zip(cuts, cuts[1:])])

    def _fit(self, Y: Array, start: Array | None) -> Fits:
        data, least_squares = self._responses(Y)
        psi = self.coded(self._start(data, start))
        psi, converged = climb_all(lambda x, which: self.local(x, data[which]), psi)
        delta = self.delta(psi)
        back = solve_triangular(self.R, np.eye(self.p))
        return self.heights(delta, data).fits(delta, converged, least_squares, back)

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

    def _start(self, data: Responses, near: Array | None) -> Array:
        """One MIVQUE step, whose matrix is that of the design alone; inside the cone."""
        (level,) = self.snapshot.levels
        usual = prior(mean_squares(level.Z), self.E, 1.0)
        least = LEAST_SHARE * np.tensordot(usual, self.E, 1)
        begin = usual if near is None else inside(near, self.E, least)
        traces = design_traces(replace(self.snapshot, sigma=1.0), np.append(begin, 1.0))
        delta = np.tile(begin, (len(data.yy), 1))
        return self.mivque(self.heights(delta, data), delta, traces.trace2, usual)

    # --- the likelihood --------------------------------------------------------------------------

    def heights(self, delta: Array, data: Responses) -> Heights:
        (k, _), p = delta.shape, self.p
        W, GW, log_det = self._inverses(delta)
        parts = apart(delta, self.E, W, GW).reshape(k, -1, len(self.G) * self.q**2)
        X = (parts.reshape(-1, parts.shape[2]) @ self.XX).reshape(k, -1, p, p)
        Xy, yy = parts @ data.Xy, np.einsum("kts,ks->kt", parts, data.yy_z)
        trace1, trace2 = self._traces(GW)
        sums = Sums(X, Xy, yy, data.yy, log_det, trace1, trace2, self.n, self._log_det_x)
        return Heights.of(sums, self.reml)

    @cached_property
    def _log_det_x(self) -> float:
        return 2 * float(np.log(np.abs(np.diag(self.R))).sum())

    def _inverses(self, delta: Array) -> tuple[Array, Array, Array]:
        """(I + ΔG)⁻¹ and G(I + ΔG)⁻¹ of each pattern, (k, patterns, q, q); log |V| at σ = 1."""
        D = np.einsum("ke,eab->kab", delta, self.E)
        A = np.eye(self.q) + np.einsum("kab,gbc->kgac", D, self.G)
        W = np.linalg.inv(A)
        return W, self.G @ W, np.linalg.slogdet(A)[1] @ self.counts

    def _traces(self, GW: Array) -> tuple[Array, Array]:
        """tr V⁻¹V̇ and tr V⁻¹V̇V⁻¹V̇."""
        GE = [GW @ E for E in self.E]
        trace1 = np.stack([np.einsum("kgaa,g->k", x, self.counts) for x in GE], axis=1)
        rows = [[np.einsum("kgab,kgba,g->k", x, y, self.counts) for y in GE] for x in GE]
        return trace1, np.stack([np.stack(row, axis=1) for row in rows], axis=1)


class LinearBatch:
    """A linear model without random effects and structures, made ready for many responses."""

    def __init__(self, snapshot: FitSnapshot) -> None:
        self.X, self.R = np.linalg.qr(snapshot.X)
        self.free, self.reml = snapshot.n, snapshot.method == "REML"
        self.free -= snapshot.X.shape[1] if self.reml else 0

    @property
    def at_once(self) -> int:
        """Responses in one go."""
        return max(1, CELLS // len(self.X))

    def fit(self, Y: Array, start: Array | None = None) -> Fits:
        """The maxima of the (n, k) responses; ``start`` is there for likeness to :class:`Batch`."""
        coef = self.X.T @ Y
        sigma_sq = ((Y - self.X @ coef) ** 2).sum(axis=0) / self.free
        back = solve_triangular(self.R, np.eye(len(self.R)))
        log_det_x = 2 * float(np.log(np.abs(np.diag(self.R))).sum()) if self.reml else 0.0
        with np.errstate(divide="ignore"):
            log_lik = -(self.free * (1 + np.log(2 * np.pi * sigma_sq)) + log_det_x) / 2
        known = sigma_sq > 0
        at = np.where(known, sigma_sq, 1.0)[:, None, None]
        cov, information = back @ back.T * at, self.free / (2 * at**2)
        return Fits(sigma_sq[:, None], (back @ coef).T, log_lik, known, cov, information)


def together(snapshot: FitSnapshot) -> Batch | LinearBatch | None:
    """What fits many responses of this model at once; None where nothing does."""
    if batches(snapshot):
        return Batch(snapshot)
    structured = snapshot.levels or snapshot.cor is not None or snapshot.var
    return None if structured or snapshot.fixed_sigma else LinearBatch(snapshot)
