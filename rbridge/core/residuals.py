"""Residuals on nlme's three scales, and the root of R that takes correlation out or puts it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


def autocorrelation(residuals: Array, codes: Array) -> tuple[Array, Array]:
    """Autocorrelation within groups, by position in the group, as nlme's ``ACF``.

    Parameters
    ----------
    residuals : (n,) array
    codes : (n,) int array
        Group of each row, non-decreasing.

    Returns
    -------
    acf : (k,) array
        At the lags 0 … k−1, up to 10 log₁₀(size + 1) for the largest group.
    pairs : (k,) int array
        Number of pairs of rows behind each.

    Notes
    -----
    Mean product at the lag over mean square; rows must stand in order of time within their group.

    References
    ----------
    Pinheiro and Bates (2000), section 5.3.1.
    """
    largest = int(np.bincount(codes).max())
    n_lags = min(largest - 1, int(10 * np.log10(largest + 1))) + 1
    sums, pairs = np.empty(n_lags), np.empty(n_lags, dtype=int)
    for lag in range(n_lags):
        same = codes[lag:] == codes[: len(codes) - lag]
        products = residuals[lag:] * residuals[: len(codes) - lag]
        sums[lag], pairs[lag] = products[same].sum(), same.sum()
    means = sums / np.maximum(pairs, 1)
    return np.asarray(means / means[0]), pairs
