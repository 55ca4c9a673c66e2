"""Balanced one-way data: everything about them has a closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbridge.core.arrays import Array
from rbridge.core.snapshot import ApVarUnavailable, FitSnapshot
from tests.support import synthetic


@dataclass(frozen=True)
class OneWay:
    """m groups of n observations, with their sums of squares."""

    y: Array

    @property
    def shape(self) -> tuple[int, int]:
        return self.y.shape[0], self.y.shape[1]

    @property
    def within(self) -> float:
        return float(((self.y - self.y.mean(axis=1, keepdims=True)) ** 2).sum())

    @property
    def between(self) -> float:
        return float(self.shape[1] * ((self.y.mean(axis=1) - self.y.mean()) ** 2).sum())

    @property
    def reml(self) -> Array:
        """τ², σ²: the analysis of variance, where τ² is positive."""
        m, n = self.shape
        sigma_sq = self.within / (m * (n - 1))
        return np.array([(self.between / (m - 1) - sigma_sq) / n, sigma_sq])

    def restricted(self, tau: float, sigma_sq: float) -> float:
        """REML log-likelihood up to a constant."""
        m, n = self.shape
        lam = sigma_sq + n * tau
        inside = m * (n - 1) * np.log(sigma_sq) + self.within / sigma_sq
        return float(-0.5 * (inside + (m - 1) * np.log(lam) + self.between / lam))

    def snapshot(self) -> FitSnapshot:
        """The fit, at its REML estimates (τ² not below zero)."""
        m, n = self.shape
        tau, sigma_sq = self.reml
        codes, X = np.repeat(np.arange(m), n), np.ones((m * n, 1))
        block = synthetic.block("pdLogChol", ("(Intercept)",), "1")
        return synthetic.snapshot(
            synthetic.level("g", block, D=[[max(tau, 0.0)]], Z=X, codes=codes),
            X=X,
            y=self.y.ravel(),
            coef_names=("(Intercept)",),
            beta=[self.y.mean()],
            vcov=[[(sigma_sq + n * tau) / (m * n)]],
            sigma=float(np.sqrt(sigma_sq)),
            apvar=ApVarUnavailable("synthetic"),
        )


def simulated(m: int, n: int, tau: float, seed: int) -> OneWay:
    rng = np.random.default_rng(seed)
    return OneWay(10 + np.sqrt(tau) * rng.normal(size=(m, 1)) + rng.normal(size=(m, n)))
