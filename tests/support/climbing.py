"""The top of a likelihood by a simplex search on the brute density: what Newton must not miss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from rbridge.core.parameters import tau_basis
from rbridge.core.snapshot import FitSnapshot
from tests.support import brute, designs


def log_density(snapshot: FitSnapshot) -> Callable[[Any], float]:
    """The brute log-likelihood as a function of θ; −∞ outside the model."""
    f, bases = brute.likelihood(snapshot), [tau_basis(level)[1] for level in snapshot.levels]

    def inside(rest: Any) -> bool:
        for E in bases:
            D, rest = np.tensordot(rest[: len(E)], E, 1), rest[len(E) :]
            if np.linalg.eigvalsh(D)[0] < 0:
                return False
        c = rest[: 0 if snapshot.cor is None else len(snapshot.cor.values)]
        return bool(rest[-1] > 0 and np.abs(c).max(initial=0.0) < 1)

    def value(values: Any) -> float:
        try:
            return float(f(values)) if inside(values) else -np.inf
        except np.linalg.LinAlgError:
            return -np.inf

    return value


def best(density: Callable[[Any], float], start: Any, held: int | None = None) -> float:
    """Highest log-density over the free parameters, by a simplex search, restarted."""
    free = np.array([k for k in range(len(start)) if k != held])
    values = np.array(start, float)

    def loss(x: Any) -> float:
        values[free] = x
        return -density(values)

    x = values[free].copy()
    options = {"xatol": 1e-3, "fatol": 1e-6, "maxiter": 4000, "maxfev": 4000}
    for _ in range(3):
        step = np.diag(0.15 * np.abs(x) + 0.02)
        options["initial_simplex"] = np.vstack([x, x + step])
        x = minimize(loss, x, method="Nelder-Mead", options=options).x
    return -loss(x)


def realistic(levels: str, cor: str, var: str, method: str) -> FitSnapshot:
    """The design with data drawn from its own V, so that the maximum is inside."""
    snapshot = designs.named(levels, cor, var, method=method)
    root = np.linalg.cholesky(brute.marginal(snapshot))
    noise = np.random.default_rng(11).normal(size=snapshot.n)
    return replace(snapshot, y=snapshot.X @ snapshot.beta + root @ noise)
