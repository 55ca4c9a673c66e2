"""β̂ of several completed data sets by Rubin's rules, with degrees of freedom for small samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array
from .distributions import f_tail, t_tails
from .hypothesis import WaldTest, hypothesis, rows_of, wald
from .inference import Inference, Rows
from .interior import Dropped


@dataclass(frozen=True)
class PooledInference:
    """What :class:`~rbridge.core.fixed_effects.inference.Inference` offers, for m fits at once.

    Attributes
    ----------
    parts : tuple of Inference, length m
        One for each completed data set, by one method.
    """

    parts: tuple[Inference, ...]

    @property
    def beta(self) -> Array:
        """Q̄, the mean of the m estimates (p,)."""
        return np.asarray(np.mean([part.beta for part in self.parts], axis=0))

    @property
    def within(self) -> Array:
        """Ū, the mean of the m covariances (p, p)."""
        return np.asarray(np.mean([part.vcov for part in self.parts], axis=0))

    @property
    def between(self) -> Array:
        """(1 + 1/m) B, with the covariance B of the m estimates (p, p)."""
        m = len(self.parts)
        estimates = np.array([part.beta for part in self.parts])
        return np.atleast_2d(np.cov(estimates, rowvar=False)) * (1 + 1 / m)

    @property
    def vcov(self) -> Array:
        """T = Ū + (1 + 1/m) B."""
        return self.within + self.between

    @property
    def description(self) -> str:
        return f"{len(self.parts)} imputations by Rubin's rules; {self.parts[0].description}"

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """What stood at the boundary in any of the fits."""
        return tuple(dict.fromkeys(d for part in self.parts for d in part.dropped))

    def rows(self, L: ArrayLike, rhs: ArrayLike = 0.0) -> Rows:
        """Estimate, standard error and t test of every row of L (q, p).

        Notes
        -----
        Barnard and Rubin (1999), Biometrika 86, 948–955: 1/ν = 1/ν_m + 1/ν_obs with
        ν_m = (m − 1)/λ², ν_obs = (1 − λ) ν_com (ν_com + 1)/(ν_com + 3). ν_com is the mean of the
        degrees of freedom that the completed data give.
        """
        rows = rows_of(L, len(self.beta))
        estimate = rows @ self.beta
        variance = np.einsum("qi,ij,qj->q", rows, self.vcov, rows)
        missing = np.einsum("qi,ij,qj->q", rows, self.between, rows) / variance
        complete = np.mean([part.method.row_df(rows) for part in self.parts], axis=0)
        df = _barnard_rubin(missing, complete, len(self.parts))
        t = (estimate - np.asarray(rhs, float)) / np.sqrt(variance)
        return Rows(estimate, np.sqrt(variance), df, t, t_tails(t, df))

    def test(self, L: ArrayLike, rhs: ArrayLike = 0.0) -> WaldTest:
        """F test of Lβ = rhs.

        Notes
        -----
        D₁ of Li, Raghunathan and Rubin (1991), JASA 86, 1065–1073, with the degrees of freedom of
        Reiter (2007), Biometrika 94, 502–508.
        """
        asked = hypothesis(L, self.vcov, rhs)
        q, m = len(asked.L), len(self.parts)
        if q == 1:
            row = self.rows(asked.L, asked.rhs)
            return WaldTest(float(row.t[0] ** 2), 1, float(row.df[0]), float(row.p[0]))
        U = asked.L @ self.within @ asked.L.T
        r = float(np.trace(np.linalg.solve(U, asked.L @ self.between @ asked.L.T))) / q
        statistic = wald(asked.L @ self.beta - asked.rhs, U) / (1 + r)
        complete = float(np.mean([part.method.scaling(asked.L).df_den for part in self.parts]))
        df = reiter_df(q, m, r, complete)
        redundant = f"{asked.redundant} of the rows follow from the others"
        return WaldTest(
            statistic, q, df, f_tail(statistic, q, df), redundant if asked.redundant else ""
        )


def pooled_inference(parts: Sequence[Inference]) -> PooledInference:
    """Pool inferences of two or more completed data sets."""
    return PooledInference(tuple(parts))


def _barnard_rubin(missing: Array, complete: Array, m: int) -> Array:
    finite = np.where(np.isfinite(complete), complete, 0.0)
    observed = (1 - missing) * finite * (finite + 1) / (finite + 3)
    with np.errstate(divide="ignore"):
        inverse = missing**2 / (m - 1) + np.where(np.isfinite(complete), 1 / observed, 0.0)
        return np.asarray(1 / inverse)


def reiter_df(q: int, m: int, r: float, complete: float) -> float:
    """Denominator degrees of freedom of D₁.

    Parameters
    ----------
    q, m : int
        Rows of the hypothesis; imputations.
    r : float
        Average relative increase of variance by what is missing.
    complete : float
        Degrees of freedom of the completed data; may be infinite.
    """
    t = q * (m - 1)
    if r <= 0:
        return complete
    if t <= 4:  # the expansions below need more
        large = t * (1 + 1 / q) * (1 + 1 / r) ** 2 / 2
        return min(large, complete)
    if np.isinf(complete):
        return 4 + (t - 4) * (1 + (1 - 2 / t) / r) ** 2
    nu = complete * (complete + 1) / (complete + 3)
    a = r * t / (t - 2)
    c1, c2 = nu - 2 * (1 + a), nu - 4 * (1 + a)
    series = c1 / ((1 + a) ** 2 * c2) + 8 * c1 / ((1 + a) * c2**2) + 4 / ((1 + a) * c2)
    series += 4 / (c2 * c1) + 16 * c1 / c2**3 + 8 / c2**2
    return 4 + 1 / (1 / c2 + a**2 / (t - 4) * series)
