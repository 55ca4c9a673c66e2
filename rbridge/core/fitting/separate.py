"""One model on many data sets, all at once: each has a design of its own."""

from __future__ import annotations

import numpy as np

from ..arrays import Array, group_starts
from ..parameters import tau_basis
from ..snapshot import FitSnapshot
from .ascents import climb_all
from .coding import Coding
from .heights import CELLS, Coordinates, Fits, Heights, Sums, apart
from .start import prior


class Separate(Coordinates):
    """Data sets one below the other, made ready.

    Parameters
    ----------
    snapshot : FitSnapshot
        One that :func:`.heights.batches` says yes to, of the rows of all; every group lies in one
        data set. Its estimates are not used.
    ends : (k + 1,) int array
        Data set i has the rows ``ends[i]:ends[i + 1]``, and an X of full rank.
    """

    def __init__(self, snapshot: FitSnapshot, ends: Array) -> None:
        (level,) = snapshot.levels
        self.factors, self.E = Coding(snapshot).factors, tau_basis(level)[1]
        self.reml, self.n = snapshot.method == "REML", np.diff(ends)
        parts = [_orthonormal(snapshot, a, b) for a, b in zip(ends, ends[1:])]
        B = np.concatenate([columns for columns, _, _ in parts])
        self._R = np.stack([R for _, R, _ in parts])
        self._least_squares = np.stack([coef for _, _, coef in parts])
        self._own = np.add.reduceat(B[:, -1] ** 2, ends[:-1])
        starts, Z = group_starts(level.codes), level.Z
        self.G = np.add.reduceat(Z[:, :, None] * Z[:, None, :], starts)
        self._zb = np.add.reduceat(Z[:, :, None] * B[:, None, :], starts)
        self._first = np.searchsorted(starts, ends)  # group of each data set
        self._squares = np.add.reduceat(Z**2, ends[:-1]) / self.n[:, None]

    def fit(self) -> Fits:
        """The maximum of every data set."""
        t, columns = (len(self.E) + 1) * (len(self.E) + 2) // 2, self._zb.shape[2]
        at_once = CELLS // (t * max(columns, len(self.E[0])) ** 2)  # groups
        part = self._first[:-1] // max(at_once, 1)
        cuts = np.flatnonzero(np.diff(part, prepend=-1, append=part[-1] + 1))
        return Fits.joined([self._fit(np.arange(a, b)) for a, b in zip(cuts, cuts[1:])])

    def _fit(self, which: Array) -> Fits:
        start = self.coded(self._start(which))
        psi, converged = climb_all(lambda x, places: self.local(x, which[places]), start)
        delta, back = self.delta(psi), np.linalg.inv(self._R[which])
        return self.heights(delta, which).fits(delta, converged, self._least_squares[which], back)

    def _start(self, which: Array) -> Array:
        """One MIVQUE step from the usual start."""
        usual = prior(self._squares[which], self.E, 1.0)
        at = self.heights(usual, which)
        return self.mivque(at, usual, at.information(usual), usual)

    def heights(self, delta: Array, data: Array) -> Heights:
        """``data`` (k,): which data sets."""
        groups, owner, first = self._groups(data)
        G, zb = self.G[groups], self._zb[groups]
        D = np.tensordot(delta, self.E, 1)[owner]
        A = np.eye(len(G[0])) + D @ G
        W = np.linalg.inv(A)
        GW = G @ W
        M = apart(delta[owner], self.E, W[:, None], GW[:, None])[:, :, 0]
        each = zb.swapaxes(-1, -2)[:, None] @ (M @ zb[:, None])
        sums = np.add.reduceat(each, first)
        GE = [GW @ basis for basis in self.E]
        trace1 = np.stack([np.einsum("gaa->g", x) for x in GE], axis=1)
        trace2 = np.stack([[np.einsum("gab,gba->g", x, y) for y in GE] for x in GE])
        log_det_x = 2 * np.log(np.abs(np.einsum("kii->ki", self._R[data]))).sum(axis=1)
        of_v = np.add.reduceat(np.linalg.slogdet(A)[1], first)
        traces = np.add.reduceat(trace1, first), np.add.reduceat(trace2.transpose(2, 0, 1), first)
        of_data = sums[..., :-1, :-1], sums[..., :-1, -1], sums[..., -1, -1], self._own[data]
        return Heights.of(Sums(*of_data, of_v, *traces, self.n[data], log_det_x), self.reml)

    def _groups(self, data: Array) -> tuple[Array, Array, Array]:
        """The groups of some data sets, whose they are (by place), and where each one's begin."""
        counts = self._first[data + 1] - self._first[data]
        first = np.cumsum(counts) - counts
        owner = np.repeat(np.arange(len(data)), counts)
        return np.arange(len(owner)) - first[owner] + self._first[data][owner], owner, first


def _orthonormal(snapshot: FitSnapshot, start: int, stop: int) -> tuple[Array, Array, Array]:
    """Of one data set: [X orthonormal, y less its least squares], R, and these coefficients."""
    X, R = np.linalg.qr(snapshot.X[start:stop])
    y = snapshot.y[start:stop]
    coef = X.T @ y
    return np.column_stack([X, y - X @ coef]), R, coef
