"""The correlation matrix R of the rows as an operator, with its derivatives.

Three implementations of one interface (r coefficients, n rows; arrays have rows on the last axis):

=====================  ===========================================================
``solve(B)``           R⁻¹ B
``multiply(B)``        R B
``solve_first(c, B)``  R⁻¹ Ṙ_c R⁻¹ B
``solve_second(…)``    R⁻¹ R̈_cd R⁻¹ B
``log_det``            log det R
``trace1`` (r,)        tr R⁻¹Ṙ_c
``trace2`` (r, r)      tr R⁻¹Ṙ_c R⁻¹Ṙ_d
``trace3`` (r, r)      tr R⁻¹R̈_cd
``diagonals`` (r, n)   diag R⁻¹Ṙ_c
``hadamard(W)``        W (R⁻¹ ∘ R) W' for W (m, n)
=====================  ===========================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import solveh_banded

from ..arrays import Array
from ..snapshot import CorStruct
from .covariance import NotPositiveDefinite as NotPositiveDefinite
from .covariance import Rows, correlation
from .jet import Jet, variables


class Correlation(Protocol):
    """See the module's docstring."""

    log_det: float
    trace1: Array
    trace2: Array
    trace3: Array
    diagonals: Array

    def solve(self, B: Array) -> Array:
        ...

    def multiply(self, B: Array) -> Array:
        ...

    def solve_first(self, c: int, B: Array) -> Array:
        ...

    def solve_second(self, c: int, d: int, B: Array) -> Array:
        ...

    def hadamard(self, W: Array) -> Array:
        ...


def correlation_operator(
    cor: CorStruct | None, coefs: Array, n: int, rows: Rows, starts: Array
) -> Correlation:
    """The operator of the rows of a chunk.

    Parameters
    ----------
    cor : CorStruct or None
    coefs : (k,) array
    n : int
        Number of rows in the chunk.
    rows : slice
        The chunk.
    starts : (m,) int array
        First row of each correlation group, relative to the chunk.
    """
    if cor is None:
        return Identity(n)
    covariate = cor.covariate[rows]
    if is_markov(cor):
        return Markov(cor, coefs, covariate, starts)
    return Dense(cor, coefs, covariate, starts)


def is_markov(cor: CorStruct | None) -> bool:
    """Whether R is φ^lag, whose inverse is tridiagonal once the rows are in order of time."""
    if cor is None:
        return False
    return cor.cor_class in ("corAR1", "corCAR1") or (
        cor.cor_class == "corARMA" and (cor.p, cor.q) == (1, 0)
    )


class Identity:
    """R = I."""

    def __init__(self, n: int) -> None:
        self.log_det = 0.0
        self.trace1 = np.zeros(0)
        self.trace2 = self.trace3 = np.zeros((0, 0))
        self.diagonals = np.zeros((0, n))

    def solve(self, B: Array) -> Array:
        return B

    def multiply(self, B: Array) -> Array:
        return B

    def solve_first(self, c: int, B: Array) -> Array:
        raise IndexError(c)

    def solve_second(self, c: int, d: int, B: Array) -> Array:
        raise IndexError(c, d)

    def hadamard(self, W: Array) -> Array:
        return np.asarray(W @ W.T)


class Markov:
    """AR(1) and continuous AR(1): R⁻¹ is one tridiagonal matrix over all rows of the chunk.

    Notes
    -----
    With the coupling ρ_i = φ^gap between neighbours (0 between groups), R⁻¹ has 1 + Σ ρ²/(1−ρ²)
    (over a row's links) on the diagonal, −ρ/(1−ρ²) beside it, and log det R = Σ log(1−ρ²).
    R⁻¹ṘR⁻¹ = −∂R⁻¹, and R⁻¹R̈R⁻¹ = 2 ∂R⁻¹ R ∂R⁻¹ − ∂²R⁻¹.
    """

    def __init__(self, cor: CorStruct, coefs: Array, covariate: Array, starts: Array) -> None:
        gap = np.diff(covariate[:, 0].astype(float))
        linked = np.ones(len(covariate), dtype=bool)
        linked[starts] = False
        linked = linked[1:]
        phi = variables(coefs)[0]
        rho = phi ** np.where(linked, np.abs(gap), 1.0) * linked
        if not (np.abs(rho.value) < 1).all():
            raise NotPositiveDefinite(f"{cor.cor_class}: correlation 1 between two rows")
        rest = 1.0 - rho**2.0
        self._diagonal, self._beside = rho**2.0 / rest, -rho / rest
        log_det = np.log(rest)
        self.log_det = float(log_det.value.sum())
        self._rho = rho
        self._upper = np.zeros((2, len(covariate)))
        self._upper[0, 1:] = self._beside.value
        self._upper[1] = 1.0 + _both_ends(self._diagonal.value)
        r = 0 if cor.fixed else 1
        first, second = rho.grad[0], rho.hess[0, 0]
        self.diagonals = _both_ends(self._beside.value * first)[None][:r]
        self.trace1 = log_det.grad.sum(axis=1)[:r]
        self.trace3 = 2 * (self._beside.value @ second).reshape(1, 1)[:r, :r]
        self.trace2 = self.trace3 - log_det.hess.sum(axis=2)[:r, :r]

    def solve(self, B: Array) -> Array:
        return _tridiagonal(self._upper[1], self._beside.value, B)

    def multiply(self, B: Array) -> Array:
        if B.shape[-1] == 1:  # a system of one equation is more than solveh_banded can take
            return B
        flat = B.reshape(-1, B.shape[-1])
        return np.asarray(solveh_banded(self._upper, flat.T, check_finite=False).T.reshape(B.shape))

    def solve_first(self, c: int, B: Array) -> Array:
        return -_tridiagonal(_both_ends(self._diagonal.grad[0]), self._beside.grad[0], B)

    def solve_second(self, c: int, d: int, B: Array) -> Array:
        once = self.multiply(self.solve_first(0, B))
        hess = _both_ends(self._diagonal.hess[0, 0]), self._beside.hess[0, 0]
        return 2 * self.solve_first(0, once) - _tridiagonal(*hess, B)

    def hadamard(self, W: Array) -> Array:
        return np.asarray(
            W @ _tridiagonal(self._upper[1], self._beside.value * self._rho.value, W).T
        )


def _both_ends(link: Array) -> Array:
    """(n,) sum over each row's links of the (n−1,) values of the links."""
    out = np.zeros(len(link) + 1)
    out[:-1] += link
    out[1:] += link
    return out


def _tridiagonal(diagonal: Array, beside: Array, B: Array) -> Array:
    """Product of a symmetric tridiagonal matrix with B (..., n)."""
    out = diagonal * B
    out[..., :-1] += beside * B[..., 1:]
    out[..., 1:] += beside * B[..., :-1]
    return np.asarray(out)


@dataclass(frozen=True)
class _Batch:
    """Groups of equal size s: rows (m, s), pattern (m,) among P, matrices (…, P, s, s)."""

    rows: Array
    pattern: Array
    R: Array
    inverse: Array
    first: Array  # R⁻¹ Ṙ_c
    second: Array  # R⁻¹ R̈_cd

    @property
    def counts(self) -> Array:
        return np.bincount(self.pattern, minlength=len(self.R)).astype(float)

    def apply(self, matrix: Array, B: Array) -> Array:
        """Symmetric ``matrix`` (P, s, s) of each group times B[..., rows]: (..., m, s)."""
        X = B[..., self.rows]
        if len(matrix) == 1:
            return np.asarray(X @ matrix[0])
        return np.asarray(np.einsum("...ms,mst->...mt", X, matrix[self.pattern], optimize=True))


class Dense:
    """Any structure: dense matrices, once for each distinct pattern of the covariate."""

    def __init__(self, cor: CorStruct, coefs: Array, covariate: Array, starts: Array) -> None:
        r = 0 if cor.fixed else len(coefs)
        self._batches = [_batch(cor, coefs, *b) for b in equal_sizes(cor, covariate, starts)]
        self.log_det = 0.0
        self.trace1, self.trace2, self.trace3 = np.zeros(r), np.zeros((r, r)), np.zeros((r, r))
        self.diagonals = np.zeros((r, len(covariate)))
        for batch in self._batches:
            counts, first = batch.counts, batch.first
            self.log_det += float(counts @ np.linalg.slogdet(batch.R)[1])
            self.trace1 += np.einsum("p,cpii->c", counts, first)
            self.trace2 += np.einsum("cpij,dpji->cd", counts[:, None, None] * first, first)
            self.trace3 += np.einsum("p,cdpii->cd", counts, batch.second)
            self.diagonals[:, batch.rows] = np.einsum("cpii->cpi", first)[:, batch.pattern]

    def _apply(self, B: Array, matrices: Iterator[Array]) -> Array:
        out = np.empty_like(B)
        for batch, matrix in zip(self._batches, matrices):
            out[..., batch.rows] = batch.apply(matrix, B)
        return out

    def solve(self, B: Array) -> Array:
        return self._apply(B, (b.inverse for b in self._batches))

    def multiply(self, B: Array) -> Array:
        return self._apply(B, (b.R for b in self._batches))

    def solve_first(self, c: int, B: Array) -> Array:
        return self._apply(B, (b.first[c] @ b.inverse for b in self._batches))

    def solve_second(self, c: int, d: int, B: Array) -> Array:
        return self._apply(B, (b.second[c, d] @ b.inverse for b in self._batches))

    def hadamard(self, W: Array) -> Array:
        return np.asarray(W @ self._apply(W, (b.R * b.inverse for b in self._batches)).T)


def equal_sizes(
    cor: CorStruct, covariate: Array, starts: Array
) -> Iterator[tuple[Array, Array, Array]]:
    """For each size of group: rows (m, s), pattern (m,), and the covariate of each pattern."""
    if cor.cor_class == "corCompSymm":
        covariate = np.zeros((len(covariate), 1))
    sizes = np.diff(np.append(starts, len(covariate)))
    for s in np.unique(sizes):
        rows = starts[sizes == s][:, None] + np.arange(s)
        values = covariate[rows]
        if (values == values[0]).all():
            yield rows, np.zeros(len(rows), dtype=int), values[:1]
        else:
            flat, pattern = np.unique(values.reshape(len(rows), -1), axis=0, return_inverse=True)
            yield rows, pattern.reshape(-1), flat.reshape(len(flat), s, -1)


def _batch(cor: CorStruct, coefs: Array, rows: Array, pattern: Array, covariate: Array) -> _Batch:
    jet = correlation(cor, variables(coefs), covariate)
    assert isinstance(jet, Jet)
    R, r = jet.value, 0 if cor.fixed else len(coefs)
    try:
        np.linalg.cholesky(R)
    except np.linalg.LinAlgError:
        raise NotPositiveDefinite(f"{cor.cor_class}: R is not positive definite") from None
    inverse = np.linalg.inv(R)
    return _Batch(rows, pattern, R, inverse, inverse @ jet.grad[:r], inverse @ jet.hess[:r, :r])
