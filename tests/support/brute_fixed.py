"""Inference about β written a second time, on dense V, sharing no code with the package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rbridge.core.snapshot import FitSnapshot
from tests.support import brute

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Dense:
    """V, V̇ (r, n, n), V̈ (r, r, n, n): by complex steps, and Richardson differences of these."""

    V: Array
    first: Array
    second: Array
    X: Array

    @classmethod
    def at(cls, V: Callable[[Array], Array], point: Array, X: Array) -> Dense:
        def first(at: Array) -> Array:
            steps = at + 1j * brute.STEP * np.eye(len(at))
            return np.array([V(step).imag / brute.STEP for step in steps])

        rows = []
        for i, unit in enumerate(np.eye(len(point))):
            h = 1e-3 * max(abs(point[i]), 0.1) * unit
            once, twice = ((first(point + k * h) - first(point - k * h)) / k for k in (1, 2))
            rows.append((4 * once - twice) / 3 / (2 * h[i]))
        return cls(V(point).real, first(point), np.array(rows), X)

    @classmethod
    def of(cls, fit: FitSnapshot, theta: Array) -> Dense:
        return cls.at(brute.covariance_of(fit), theta, fit.X)

    @property
    def inverse(self) -> Array:
        return np.linalg.inv(self.V)

    @property
    def phi(self) -> Array:
        return np.linalg.inv(self.X.T @ self.inverse @ self.X)

    def theta_covariance(self) -> Array:
        """Inverse of the expected information ½ tr P V̇_i P V̇_j."""
        P = self.inverse - self.inverse @ self.X @ self.phi @ self.X.T @ self.inverse
        moved = [P @ d for d in self.first]
        return np.linalg.inv([[np.trace(a @ b) / 2 for b in moved] for a in moved])

    def kr_covariance(self, W: Array, second: bool) -> Array:
        """Φ_A term by term."""
        A, X, phi = self.inverse, self.X, self.phi
        P = [-X.T @ A @ d @ A @ X for d in self.first]
        total = np.zeros_like(phi)
        for i, a in enumerate(self.first):
            for j, b in enumerate(self.first):
                Q, R = X.T @ A @ a @ A @ b @ A @ X, X.T @ A @ self.second[i, j] @ A @ X
                total = total + W[i, j] * (Q - P[i] @ phi @ P[j] - (R / 4 if second else 0))
        return phi + 2 * phi @ total @ phi

    def kr_test(self, W: Array, L: Array) -> tuple[float, float]:
        """λ and m of L (q, p), by Kenward and Roger's section 3 as it stands."""
        A, X, phi, q = self.inverse, self.X, self.phi, len(L)
        theta = L.T @ np.linalg.inv(L @ phi @ L.T) @ L
        C = [-theta @ phi @ X.T @ A @ d @ A @ X @ phi for d in self.first]
        pairs = [(W[i, j], a, b) for i, a in enumerate(C) for j, b in enumerate(C)]
        A1 = sum(w * np.trace(a) * np.trace(b) for w, a, b in pairs)
        A2 = sum(w * np.trace(a @ b) for w, a, b in pairs)
        B = (A1 + 6 * A2) / (2 * q)
        g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
        d = 3 * q + 2 * (1 - g)
        c1, c2, c3 = g / d, (q - g) / d, (q + 2 - g) / d
        E = 1 / (1 - A2 / q)
        V = 2 / q * (1 + c1 * B) / ((1 - c2 * B) ** 2 * (1 - c3 * B))
        m = 4 + (q + 2) / (q * V / (2 * E**2) - 1)
        return m / (E * (m - 2)), m

    def variance_gradient(self, fit: FitSnapshot, theta: Array, row: Array) -> Array:
        """∂(l'Φ(θ)l)/∂θ by complex step of the whole expression."""

        def variance(point: Array) -> Any:
            V = brute.covariance(fit, point)
            return row @ np.linalg.solve(fit.X.T @ np.linalg.solve(V, fit.X), row)

        steps = theta + 1j * brute.STEP * np.eye(len(theta))
        return np.array([variance(step).imag / brute.STEP for step in steps])


def at_gls(fit: FitSnapshot, theta: Array) -> FitSnapshot:
    """The fit with β̂ and b̂ of its own V, by dense algebra."""
    V = brute.covariance(fit, theta)
    A = np.linalg.inv(V)
    beta = np.linalg.solve(fit.X.T @ A @ fit.X, fit.X.T @ A @ fit.y)
    pulled = A @ (fit.y - fit.X @ beta)
    levels = []
    for level in fit.levels:
        rows = [level.codes == g for g in range(len(level.labels))]
        levels.append(
            replace(level, b=np.array([level.D @ level.Z[r].T @ pulled[r] for r in rows]))
        )
    return replace(fit, beta=beta, levels=tuple(levels))
