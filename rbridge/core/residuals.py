"""Residuals on nlme's three scales, and the root of R that takes correlation out or puts it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from ..options import one_of
from .arrays import Array, group_starts
from .engine.correlation import NotPositiveDefinite, equal_sizes
from .engine.covariance import correlation, deviation
from .snapshot import CorStruct, FitSnapshot

ResidualType = Literal["response", "pearson", "normalized"]


def residuals(
    snapshot: FitSnapshot, type: ResidualType = "normalized", level: int | None = None
) -> Array:
    """Residuals of every row, in snapshot order.

    Parameters
    ----------
    snapshot : FitSnapshot
    type : {"response", "pearson", "normalized"}
        y − ŷ in units of the response; divided by its standard deviation σ·s_i; and freed of
        the within-group correlation too.
    level : int, optional
        Whose fitted values: 0 for the population, by default the innermost groups.

    Returns
    -------
    (n,) array

    Raises
    ------
    SpecError
        An unknown type.

    Notes
    -----
    Normalized: L⁻¹ S⁻¹ (y − ŷ) / σ, with nlme's own root L of R (see :class:`Roots`).
    """
    one_of(type, get_args(ResidualType), "type")
    raw = np.asarray(snapshot.y - snapshot.fitted[:, -1 if level is None else level])
    if type == "response":
        return raw
    pearson = raw / standard_deviations(snapshot)
    if type == "pearson" or snapshot.cor is None:
        return np.asarray(pearson)
    return Roots.of(snapshot.cor).whiten(pearson)


def innovations(snapshot: FitSnapshot) -> Array:
    """Normalized residuals with each row after those before it in time, in snapshot order.

    Where the rows of a group stand in another order than their times, :func:`residuals` (and nlme)
    frees each row of those that stand above it: still white noise, but in no order of time.
    """
    pearson, cor = residuals(snapshot, "pearson"), snapshot.cor
    if cor is None or cor.covariate.shape[1] != 1:
        return residuals(snapshot)
    order = np.lexsort((cor.covariate[:, 0], cor.codes))
    in_time = replace(cor, codes=cor.codes[order], covariate=cor.covariate[order])
    white = np.empty(snapshot.n)
    white[order] = Roots.of(in_time).whiten(pearson[order])
    return white


def standard_deviations(snapshot: FitSnapshot) -> Array:
    """(n,) standard deviation σ·s_i of each row's within-group error."""
    s = np.full(snapshot.n, snapshot.sigma)
    for var in snapshot.var:
        s *= deviation(var, var.values)
    return s


@dataclass(frozen=True)
class Roots:
    """R = L L' of all rows, for the groups of one size at once.

    Attributes
    ----------
    cor_class : str
    parts : tuple of (rows (m, s), pattern (m,), L (P, s, s))
        Group k of a part has the lower triangular root ``L[pattern[k]]``.
    """

    cor_class: str
    parts: tuple[tuple[Array, Array, Array], ...]

    @classmethod
    def of(cls, cor: CorStruct) -> Roots:
        """The roots at the estimates."""
        parts = equal_sizes(cor, cor.covariate, group_starts(cor.codes))
        return cls(cor.cor_class, tuple((*part[:2], _root(cor, part[2])) for part in parts))

    def color(self, z: Array) -> Array:
        """L z of an (n,) array: white noise in, correlated noise out."""
        return self._apply(z, [L for *_, L in self.parts])

    def whiten(self, r: Array) -> Array:
        """L⁻¹ r of an (n,) array, with the root that nlme has.

        That is the Cholesky root in the order of the rows, but for compound symmetry Helmert's
        contrasts, the mean first.
        """
        if self.cor_class == "corCompSymm":
            return self._apply(r, [_inverse_helmert(L) for *_, L in self.parts])
        return self._apply(r, [np.linalg.inv(L) for *_, L in self.parts])

    def _apply(self, x: Array, matrices: Sequence[Array]) -> Array:
        out = np.empty(len(x))
        for (rows, pattern, _), matrix in zip(self.parts, matrices):
            if len(matrix) == 1:  # one product for all groups, no matrix a group
                out[rows] = x[rows] @ matrix[0].T
            else:
                out[rows] = np.einsum("mst,mt->ms", matrix[pattern], x[rows])
        return out


def _root(cor: CorStruct, covariate: Array) -> Array:
    """Cholesky roots (P, s, s) of the groups with these covariates (P, s, d)."""
    try:
        return np.linalg.cholesky(correlation(cor, cor.values, covariate))
    except np.linalg.LinAlgError:
        raise NotPositiveDefinite(f"{cor.cor_class}: R is not positive definite") from None


def _inverse_helmert(L: Array) -> Array:
    """nlme's own inverse root of compound symmetry, (1, s, s): the scaled mean, then contrasts."""
    s = L.shape[-1]
    rho = L[0, -1, 0] if s > 1 else 0.0
    i = np.arange(s)
    contrasts: Array = np.eye(s) * i[:, None] - np.tril(np.ones((s, s)), -1)
    contrasts[0] = np.sqrt((1 - rho) / (1 + (s - 1) * rho))  # the mean
    scale = np.sqrt((1 - rho) * np.where(i > 0, i * (i + 1), s))
    return np.asarray(contrasts / scale[:, None])[None]


def autocorrelation(
    residuals: Array, codes: Array, times: Array | None = None, max_lag: int | None = None
) -> tuple[Array, Array]:
    """Autocorrelation within groups, as nlme's ``ACF``.

    Parameters
    ----------
    residuals : (n,) array
    codes : (n,) int array
        Group of each row.
    times : (n,) int array, optional
        Time of each row, in any order, each once in its group; by default its position in the
        group.
    max_lag : int, optional
        By default 10 log₁₀(rows of the largest group), at most its rows − 1.

    Returns
    -------
    acf : (k,) array
        At the lags 0 … max_lag; NaN where there are no pairs.
    pairs : (k,) int array
        Number of pairs of rows behind each.

    Notes
    -----
    Mean product of the pairs so many times apart over the mean square.

    References
    ----------
    Pinheiro and Bates (2000), section 5.3.1.
    """
    times = positions(codes) if times is None else times
    largest = int(np.bincount(codes).max())
    last = min(largest - 1, int(10 * np.log10(largest))) if max_lag is None else max_lag
    order = np.lexsort((times, codes))
    first = times - times.min()
    key = (codes * (int(first.max()) + last + 1) + first)[order]  # no two groups come near
    ordered = residuals[order]
    sums, pairs = np.empty(last + 1), np.empty(last + 1, dtype=int)
    for lag in range(last + 1):
        later = np.searchsorted(key, key + lag).clip(max=len(key) - 1)
        found = key[later] == key + lag
        sums[lag], pairs[lag] = ordered[found] @ ordered[later[found]], found.sum()
    means = np.divide(sums, pairs, out=np.full(last + 1, np.nan), where=pairs > 0)
    return np.asarray(means / means[0]), pairs


def positions(codes: Array, by: Array | None = None) -> Array:
    """(n,) place of each row in its group, from 0: in the order of ``by``, or of the rows."""
    n = len(codes)
    order = np.lexsort((np.arange(n) if by is None else by, codes))
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    places = np.empty(n, dtype=np.int64)
    places[order] = np.arange(n) - np.repeat(starts, np.diff([*starts, n]))
    return places
