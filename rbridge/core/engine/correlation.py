"""The correlation matrix R of the rows as an operator, with its derivatives.

Four implementations of one interface (r coefficients, n rows; arrays have rows on the last axis):

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

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from scipy.linalg import solveh_banded

from ..arrays import Array
from ..snapshot import CorStruct
from .covariance import NotPositiveDefinite as NotPositiveDefinite
from .covariance import Rows, cholesky, correlation
from .jet import Jet, variables
from .toeplitz import ToeplitzBatch

LONG = 48  # rows of an ARMA series from which dense matrices are the slower way


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
    if cor.cor_class == "corCompSymm":
        return CompoundSymmetry(cor, coefs, n, starts)
    return Dense(cor, coefs, covariate, starts)


def is_markov(cor: CorStruct | None) -> bool:
    """Whether R is φ^lag, whose inverse is tridiagonal once the rows are in order of time.

    So it is for corExp along a line without nugget, with φ = exp(−1/range).
    """
    if cor is None:
        return False
    if cor.cor_class == "corExp":
        return cor.covariate.shape[1] == 1 and not cor.nugget
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
    """AR(1), continuous AR(1), corExp along a line: R⁻¹ is one tridiagonal matrix over the chunk.

    Notes
    -----
    With the coupling ρ_i = φ^gap between neighbours (0 between groups), R⁻¹ has 1 + Σ ρ²/(1−ρ²)
    (over a row's links) on the diagonal, −ρ/(1−ρ²) beside it, and log det R = Σ log(1−ρ²).
    R⁻¹ṘR⁻¹ = −∂R⁻¹, and R⁻¹R̈R⁻¹ = 2 ∂R⁻¹ R ∂R⁻¹ − ∂²R⁻¹.
    """

    def __init__(self, cor: CorStruct, coefs: Array, covariate: Array, starts: Array) -> None:
        lags, link = _links(covariate[:, 0].astype(float), starts)
        count = np.bincount(link, minlength=len(lags)).astype(float)
        lag, coef = np.where(lags < 0, 1.0, lags), variables(coefs)[0]
        rho = (np.exp(-lag / coef) if cor.cor_class == "corExp" else coef**lag) * (lags >= 0)
        if not (np.abs(rho.value) < 1).all():
            raise NotPositiveDefinite(f"{cor.cor_class}: correlation 1 between two rows")
        rest = 1.0 - rho**2.0
        log_det, diagonal, beside = np.log(rest), rho**2.0 / rest, -rho / rest
        self.log_det = float(count @ log_det.value)
        self._rho, self._beside = rho.value[link], beside.value[link]
        self._first = _both_ends(diagonal.grad[0][link]), beside.grad[0][link]
        self._second = _both_ends(diagonal.hess[0, 0][link]), beside.hess[0, 0][link]
        self._upper = np.zeros((2, len(covariate)))
        self._upper[0, 1:] = self._beside
        self._upper[1] = 1.0 + _both_ends(diagonal.value[link])
        r = 0 if cor.fixed else 1
        self.diagonals = _both_ends((beside.value * rho.grad[0])[link])[None][:r]
        self.trace1 = (log_det.grad @ count)[:r]
        self.trace3 = 2 * ((beside.value * rho.hess[0, 0]) @ count).reshape(1, 1)[:r, :r]
        self.trace2 = self.trace3 - (log_det.hess @ count)[:r, :r]

    def solve(self, B: Array) -> Array:
        return _tridiagonal(self._upper[1], self._beside, B)

    def multiply(self, B: Array) -> Array:
        if B.shape[-1] == 1:  # a system of one equation is more than solveh_banded can take
            return B
        flat = B.reshape(-1, B.shape[-1])
        return np.asarray(solveh_banded(self._upper, flat.T, check_finite=False).T.reshape(B.shape))

    def solve_first(self, c: int, B: Array) -> Array:
        return -_tridiagonal(*self._first, B)

    def solve_second(self, c: int, d: int, B: Array) -> Array:
        once = self.multiply(self.solve_first(0, B))
        return 2 * self.solve_first(0, once) - _tridiagonal(*self._second, B)

    def hadamard(self, W: Array) -> Array:
        return np.asarray(W @ _tridiagonal(self._upper[1], self._beside * self._rho, W).T)


def _links(time: Array, starts: Array) -> tuple[Array, Array]:
    """The distinct lags between neighbours, −1 between groups, and which one each link has."""
    linked = np.ones(len(time), dtype=bool)
    linked[starts] = False
    lag = np.where(linked[1:], np.abs(np.diff(time)), -1.0)
    if len(lag) and (widest := lag.max()) > 0 and ((lag == widest) | (lag == -1)).all():
        return np.array([widest, -1.0]), (lag < 0).astype(int)  # without sorting
    distinct, link = np.unique(lag, return_inverse=True)
    return distinct, link.reshape(-1)


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


class CompoundSymmetry:
    """R = (1 − ρ)I + ρJ in each group: 1 + (s − 1)ρ times the mean, 1 − ρ times what is left."""

    def __init__(self, cor: CorStruct, coefs: Array, n: int, starts: Array) -> None:
        rho, sizes = float(coefs[0]), np.diff(np.append(starts, n))
        self._starts, self._sizes, self._rho = starts, sizes, rho
        self._mean, self._rest = 1 + (sizes - 1) * rho, 1 - rho
        if not (self._rest > 0 and (self._mean > 0).all()):
            raise NotPositiveDefinite("corCompSymm: R is not positive definite")
        mean, rest = (sizes - 1) / self._mean, -1 / self._rest  # ∂log of both
        free = sizes - 1
        r = 0 if cor.fixed else 1
        self.log_det = float(np.log(self._mean).sum() + free.sum() * np.log(self._rest))
        self.trace1 = np.array([mean.sum() + free.sum() * rest])[:r]
        self.trace2 = np.array([[mean @ mean + free.sum() * rest**2]])[:r, :r]
        self.trace3 = np.zeros((r, r))
        self.diagonals = np.repeat((mean + free * rest) / sizes, sizes)[None][:r]

    def _apply(self, mean: Array, rest: float, B: Array) -> Array:
        """B with its group means times ``mean`` (m,) and the rest times ``rest``."""
        means = np.add.reduceat(B, self._starts, axis=-1) / self._sizes
        return np.asarray(rest * B + np.repeat((mean - rest) * means, self._sizes, axis=-1))

    def solve(self, B: Array) -> Array:
        return self._apply(1 / self._mean, 1 / self._rest, B)

    def multiply(self, B: Array) -> Array:
        return self._apply(self._mean, self._rest, B)

    def solve_first(self, c: int, B: Array) -> Array:
        return self._apply((self._sizes - 1) / self._mean**2, -1 / self._rest**2, B)

    def solve_second(self, c: int, d: int, B: Array) -> Array:
        return np.zeros_like(B)

    def hadamard(self, W: Array) -> Array:
        # R⁻¹ = I/(1 − ρ) + βJ in a group, so that R⁻¹ ∘ R = (1/(1 − ρ) + β(1 − ρ))I + βρJ
        beta = (1 / self._mean - 1 / self._rest) / self._sizes
        sums = np.add.reduceat(W, self._starts, axis=-1)
        each = np.repeat(1 / self._rest + beta * self._rest, self._sizes)
        return np.asarray((W * each) @ W.T + (sums * (beta * self._rho)) @ sums.T)


class _Batch(Protocol):
    """Groups of equal size: rows (m, s), and R⁻¹ and the rest applied to X (..., m, s)."""

    rows: Array
    log_det: float
    trace1: Array
    trace2: Array
    trace3: Array
    diagonals: Array

    def solve(self, X: Array) -> Array:
        ...

    def multiply(self, X: Array) -> Array:
        ...

    def solve_first(self, c: int, X: Array) -> Array:
        ...

    def solve_second(self, c: int, d: int, X: Array) -> Array:
        ...

    def hadamard(self, X: Array) -> Array:
        ...


class DenseBatch:
    """Groups of equal size s: pattern (m,) among P, matrices (…, P, s, s)."""

    def __init__(
        self, cor: CorStruct, coefs: Array, rows: Array, pattern: Array, covariate: Array
    ) -> None:
        jet = correlation(cor, variables(coefs), covariate)
        assert isinstance(jet, Jet)
        R, r = jet.value, 0 if cor.fixed else len(coefs)
        cholesky(R, f"{cor.cor_class}: R")
        self.rows, self._pattern, self._R = rows, pattern, R
        self._inverse = np.linalg.inv(R)
        self._first, self._second = self._inverse @ jet.grad[:r], self._inverse @ jet.hess[:r, :r]
        counts = np.bincount(pattern, minlength=len(R)).astype(float)
        weighted = counts[:, None, None] * self._first
        self.log_det = float(counts @ np.linalg.slogdet(R)[1])
        self.trace1 = np.einsum("p,cpii->c", counts, self._first)
        flipped = self._first.swapaxes(-1, -2)
        self.trace2 = np.tensordot(weighted, flipped, axes=([1, 2, 3], [1, 2, 3]))
        self.trace3 = np.einsum("p,cdpii->cd", counts, self._second)
        self.diagonals = np.einsum("cpii->cpi", self._first)[:, pattern]

    def _apply(self, matrix: Array, X: Array) -> Array:
        """Symmetric ``matrix`` (P, s, s) of each group times X (..., m, s)."""
        if len(matrix) == 1:
            return np.asarray(X @ matrix[0])
        return np.asarray((X[..., None, :] @ matrix[self._pattern])[..., 0, :])

    def solve(self, X: Array) -> Array:
        return self._apply(self._inverse, X)

    def multiply(self, X: Array) -> Array:
        return self._apply(self._R, X)

    def solve_first(self, c: int, X: Array) -> Array:
        return self._apply(self._first[c] @ self._inverse, X)

    def solve_second(self, c: int, d: int, X: Array) -> Array:
        return self._apply(self._second[c, d] @ self._inverse, X)

    def hadamard(self, X: Array) -> Array:
        return self._apply(self._R * self._inverse, X)


class Dense:
    """Any structure, batch by batch of groups of one size.

    Dense matrices, once for each distinct pattern of the covariate; long ARMA series without gaps
    go by :class:`~rbridge.core.engine.toeplitz.ToeplitzBatch`.
    """

    def __init__(self, cor: CorStruct, coefs: Array, covariate: Array, starts: Array) -> None:
        r = 0 if cor.fixed else len(coefs)
        sizes = equal_sizes(cor, covariate, starts)
        self._batches = [batch for size in sizes for batch in _batches(cor, coefs, *size)]
        self.log_det = sum(batch.log_det for batch in self._batches)
        self.trace1 = sum((batch.trace1 for batch in self._batches), np.zeros(r))
        self.trace2 = sum((batch.trace2 for batch in self._batches), np.zeros((r, r)))
        self.trace3 = sum((batch.trace3 for batch in self._batches), np.zeros((r, r)))
        self.diagonals = np.zeros((r, len(covariate)))
        for batch in self._batches:
            self.diagonals[:, batch.rows] = batch.diagonals

    def _apply(self, B: Array, what: Callable[[_Batch, Array], Array]) -> Array:
        out = np.empty_like(B)
        for batch in self._batches:
            out[..., batch.rows] = what(batch, B[..., batch.rows])
        return out

    def solve(self, B: Array) -> Array:
        return self._apply(B, lambda batch, X: batch.solve(X))

    def multiply(self, B: Array) -> Array:
        return self._apply(B, lambda batch, X: batch.multiply(X))

    def solve_first(self, c: int, B: Array) -> Array:
        return self._apply(B, lambda batch, X: batch.solve_first(c, X))

    def solve_second(self, c: int, d: int, B: Array) -> Array:
        return self._apply(B, lambda batch, X: batch.solve_second(c, d, X))

    def hadamard(self, W: Array) -> Array:
        return np.asarray(W @ self._apply(W, lambda batch, X: batch.hadamard(X)).T)


def _batches(
    cor: CorStruct, coefs: Array, rows: Array, pattern: Array, covariate: Array
) -> Iterator[_Batch]:
    """Groups of one size as dense matrices; without their long series at consecutive times."""
    if cor.cor_class != "corARMA" or rows.shape[1] < max(LONG, cor.p + 1, cor.q + 1):
        yield DenseBatch(cor, coefs, rows, pattern, covariate)
        return
    order = np.argsort(covariate[..., 0], axis=1, kind="stable")
    gaps = np.diff(np.take_along_axis(covariate[..., 0], order, axis=1), axis=1)
    whole = (np.rint(gaps) == 1).all(axis=1)
    at = whole[pattern]
    if at.any():
        sorted_rows = np.take_along_axis(rows[at], order[pattern[at]], axis=1)
        r = 0 if cor.fixed else len(coefs)
        yield ToeplitzBatch(coefs[: cor.p], coefs[cor.p :], r, sorted_rows)
    if not at.all():
        left, places = np.unique(pattern[~at], return_inverse=True)
        yield DenseBatch(cor, coefs, rows[~at], places, covariate[left])


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
