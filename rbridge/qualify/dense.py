"""Second methods: the restricted likelihood by dense matrices, and derivatives by differences.

Nothing here is shared with :mod:`rbridge.core.engine`: V is written out whole, (n, n), from θ, its
derivatives are complex steps, and those of the gradient are Richardson's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.snapshot import FitSnapshot

Array = np.ndarray[Any, Any]
Covariance = Callable[[Array], Array]
COMPLEX, RICHARDSON = 1e-30, 1e-3


def random_slopes(fit: FitSnapshot) -> Covariance:
    """V of one level with intercept and slope: θ = (var, cov, var, σ²)."""
    (level,) = fit.levels
    same = level.codes[:, None] == level.codes

    def V(theta: Array) -> Array:
        a, b, c, sigma_sq = theta
        D = np.array([[a, b], [b, c]])
        return np.asarray(same * (level.Z @ D @ level.Z.T) + sigma_sq * np.eye(fit.n))

    return V


def autoregressive(fit: FitSnapshot) -> Covariance:
    """V of AR(1) residuals: θ = (ρ, σ²)."""
    assert fit.cor is not None
    same = fit.cor.codes[:, None] == fit.cor.codes
    lag = np.abs(fit.cor.covariate - fit.cor.covariate.T)

    def V(theta: Array) -> Array:
        rho, sigma_sq = theta
        return np.asarray(sigma_sq * np.where(same, rho**lag, 0))

    return V


def log_likelihood(fit: FitSnapshot, V: Array) -> Any:
    """The restricted log-likelihood, complex where V is."""
    n, p = fit.X.shape
    inside = fit.X.T @ np.linalg.solve(V, fit.X)
    beta = np.linalg.solve(inside, fit.X.T @ np.linalg.solve(V, fit.y))
    rest: Array = fit.y - fit.X @ beta
    square = rest @ np.linalg.solve(V, rest)
    return -0.5 * ((n - p) * np.log(2 * np.pi) + _log_det(V) + _log_det(inside) + square)


def _log_det(A: Array) -> Any:
    sign, log = np.linalg.slogdet(A)
    return log + np.log(sign) if np.iscomplexobj(A) else log


def slopes(V: Covariance, theta: Array) -> list[Array]:
    """The derivatives of V by each parameter, as complex steps."""
    return [V(theta + step).imag / COMPLEX for step in 1j * COMPLEX * np.eye(len(theta))]


def expected_information(fit: FitSnapshot, V: Covariance, theta: Array) -> Array:
    """½ tr(P V̇ᵢ P V̇ⱼ), P = V⁻¹ − V⁻¹X (X'V⁻¹X)⁻¹ X'V⁻¹ (Patterson and Thompson 1971)."""
    inverse = np.linalg.inv(V(theta))
    WX = inverse @ fit.X
    P = inverse - WX @ np.linalg.solve(fit.X.T @ WX, WX.T)
    products = [P @ slope for slope in slopes(V, theta)]
    return 0.5 * np.array([[np.sum(a * b.T) for b in products] for a in products])


def observed_information(fit: FitSnapshot, V: Covariance, theta: Array) -> Array:
    """Minus the second derivatives: complex steps, differenced by Richardson."""

    def gradient(at: Array) -> Array:
        steps = 1j * COMPLEX * np.eye(len(at))
        return np.array([log_likelihood(fit, V(at + step)).imag for step in steps]) / COMPLEX

    return -richardson(gradient, theta)


def richardson(f: Callable[[Array], Array], x: Array) -> Array:
    """Jacobian by central differences, twice extrapolated."""
    columns = []
    for i, value in enumerate(x):
        h = RICHARDSON * max(abs(value), 1e-2) * np.eye(len(x))[i]
        one, two, four = ((f(x + k * h) - f(x - k * h)) / (2 * k) for k in (1, 2, 4))
        once, again = (4 * one - two) / 3, (4 * two - four) / 3
        columns.append((16 * once - again) / 15 / h[i])
    return np.column_stack(columns)


def natural_slopes(pars: Array) -> Array:
    """θ of :func:`random_slopes` from nlme's parameters: log deviations, Fisher's z times two."""
    one, two, z, log_sigma = pars
    a, c = np.exp(one), np.exp(two)
    return np.array([a**2, np.tanh(z / 2) * a * c, c**2, np.exp(2 * log_sigma)])


def largest_gap(A: Array, B: Array) -> float:
    """The largest difference of two symmetric matrices, each entry by the root of its diagonals."""
    scale = np.sqrt(np.abs(np.diag(B)))
    return float(np.max(np.abs(A - B) / np.outer(scale, scale)))
