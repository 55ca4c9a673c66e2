"""Balanced one-way data: everything about them has a closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import designs
import numpy as np

from rbridge.core.snapshot import FitSnapshot

Array = np.ndarray[Any, Any]


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
        level = designs.level(codes, X, np.array([[max(tau, 0.0)]]))
        block = replace(level.blocks[0], names=("(Intercept)",), formula="1")
        level = replace(level, names=("(Intercept)",), blocks=(block,))
        fit = designs.fit(X, self.y.ravel(), [level], sigma=float(np.sqrt(sigma_sq)))
        beta = np.array([self.y.mean()])
        vcov = np.array([[(sigma_sq + n * tau) / (m * n)]])
        return replace(fit, beta=beta, vcov=vcov, coef_names=("(Intercept)",))


def simulated(m: int, n: int, tau: float, seed: int) -> OneWay:
    rng = np.random.default_rng(seed)
    return OneWay(10 + np.sqrt(tau) * rng.normal(size=(m, 1)) + rng.normal(size=(m, n)))
