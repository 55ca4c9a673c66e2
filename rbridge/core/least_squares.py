"""Ordinary least squares of one group's rows, whatever its rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import Array

TOLERANCE = 1e-7  # of a column's length: what is left of it beside those before it, as in R's lm


@dataclass(frozen=True)
class LeastSquares:
    """The fit of one group.

    Attributes
    ----------
    beta, scale : (p,) arrays
        Coefficients, and √diag((X'X)⁻¹), by which σ is multiplied for their standard errors; NaN
        for columns that those before them determine.
    rss : float
        Residual sum of squares.
    df : int
        Rows minus rank.
    """

    beta: Array
    scale: Array
    rss: float
    df: int


def least_squares(X: Array, y: Array) -> LeastSquares:
    """The fit of y (n,) on X (n, p); columns that repeat earlier ones have no coefficient."""
    n, p = X.shape
    kept, Q = _independent(X)
    beta, scale = np.full(p, np.nan), np.full(p, np.nan)
    if kept:
        R = Q.T @ X[:, kept]
        beta[kept] = np.linalg.solve(R, Q.T @ y)
        scale[kept] = np.sqrt((np.linalg.inv(R) ** 2).sum(axis=1))
    left: Any = y - Q @ (Q.T @ y)
    df = n - len(kept)
    return LeastSquares(beta, scale, float(left @ left) if df else 0.0, df)


def _independent(X: Array) -> tuple[list[int], Array]:
    """Columns that are no combination of those before them, and an orthonormal basis of them."""
    kept: list[int] = []
    Q: Any = np.empty((len(X), 0))
    for k in range(X.shape[1]):
        column: Any = X[:, k]
        left = column - Q @ (Q.T @ column)
        left = left - Q @ (Q.T @ left)  # once more for the digits
        size = np.linalg.norm(left)
        if len(kept) < len(X) and size > TOLERANCE * np.linalg.norm(column):
            kept.append(k)
            Q = np.column_stack([Q, left / size])
    return kept, Q
