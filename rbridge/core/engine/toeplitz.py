"""ARMA correlation of long series without gaps: R is a Toeplitz matrix, its inverse nearly banded.

With T the autoregressive filter from row max(p, q) on, W = T R T' is banded: the covariance of a
few first values and of a moving average. So R⁻¹ = T'W⁻¹T in linear time; products with R and its
derivatives go by the fast Fourier transform; sums along the diagonals of R⁻¹ come from its first
column alone.

References
----------
Ansley (1979), Biometrika 66, 59–65, for W; Gohberg and Semencul (1972) for R⁻¹ from a column.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded, solve_banded

from ..arrays import Array
from .covariance import NotPositiveDefinite, arma_acf, arma_start
from .jet import Jet, variables

_ROUNDING = 1e-17  # beside the diagonal of R⁻¹ ∘ R, which is 1 or more


class ToeplitzBatch:
    """Series of one length s, at consecutive times; the interface of ``DenseBatch``.

    Parameters
    ----------
    phi, theta : (p,) and (q,) arrays
    r : int
        0 where the coefficients are fixed, else p + q.
    rows : (m, s) int array
        In order of time.
    """

    def __init__(self, phi: Array, theta: Array, r: int, rows: Array) -> None:
        self.rows, s = rows, rows.shape[1]
        self._phi, self._m = phi, max(len(phi), len(theta))
        value, grad, hess = _autocorrelations(phi, theta, s)
        self._factor = _banded_root(phi, theta, s)
        self._R, self._first, self._second = map(_spectrum, (value, grad[:r], hess[:r, :r]))
        self._value = value
        one = np.zeros(s)
        one[0] = 1
        self._x = self._inverse_times(one)
        weights = np.where(np.arange(s) == 0, 1.0, 2.0)
        sums = _diagonal_sums(self._x)
        m = len(rows)
        moved = -self._inverse_times(_times(self._first, self._x)) if r else np.zeros((0, s))
        tangents = np.array([_diagonal_sums(self._x, x) for x in moved]).reshape(r, s)
        self.log_det = 2 * m * float(np.log(self._factor[0]).sum())
        self.trace1 = m * (grad[:r] @ (weights * sums))
        self.trace2 = -m * ((grad[:r] * weights) @ tangents.T)
        self.trace3 = m * (hess[:r, :r] @ (weights * sums))
        self.diagonals = np.array([self._diagonal(c, grad[c]) for c in range(r)]).reshape(r, 1, s)

    def solve(self, X: Array) -> Array:
        return self._inverse_times(X)

    def multiply(self, X: Array) -> Array:
        return _times(self._R, X)

    def solve_first(self, c: int, X: Array) -> Array:
        return self._inverse_times(_times(self._first[c], self._inverse_times(X)))

    def solve_second(self, c: int, d: int, X: Array) -> Array:
        return self._inverse_times(_times(self._second[c, d], self._inverse_times(X)))

    def hadamard(self, X: Array) -> Array:
        """(R⁻¹ ∘ R) X for X (..., s), one diagonal after another, as far out as they count."""
        s, x = len(self._x), self._x
        y = np.append(0.0, x[:0:-1])
        out = np.zeros_like(X)
        for k in range(self.reach if X.size else 0):  # no variance function, no rows
            steps = x[k:] * x[: s - k] - y[k:] * y[: s - k]
            diagonal = self._value[k] * np.cumsum(steps) / x[0]
            out[..., : s - k] += diagonal * X[..., k:]
            if k:
                out[..., k:] += diagonal * X[..., : s - k]
        return out

    @cached_property
    def reach(self) -> int:
        """How many diagonals of R⁻¹ ∘ R are more than rounding: a number that does not grow with s.

        By |R⁻¹_{i,i+k}| ≤ 2 |x| |x_k, x_{k+1} …|/x_0, from R⁻¹ by its first column.
        """
        x = self._x
        beyond = np.sqrt(np.cumsum(x[::-1] ** 2)[::-1])
        bound = np.abs(self._value) * beyond * 2 * beyond[0] / x[0]
        return int(np.count_nonzero(np.cumsum(bound[::-1])[::-1] > _ROUNDING))

    def _inverse_times(self, X: Array) -> Array:
        flat = _filtered(self._phi, X.reshape(-1, X.shape[-1]), self._m)
        solved = cho_solve_banded((self._factor, True), flat.T, check_finite=False).T
        return np.asarray(_filtered_back(self._phi, solved, self._m).reshape(X.shape))

    def _diagonal(self, c: int, first: Array) -> Array:
        """diag R⁻¹Ṙ_c, from one element to the next along the diagonals of R⁻¹."""
        x, s = self._x, len(self._x)
        y = np.append(0.0, x[:0:-1])
        Rx, Ry = _times(self._first[c], np.stack([x, y]))
        steps = np.empty(s)
        steps[0] = Rx[0]
        inside = x[1:] * (Rx[1:] - x[0] * first[1:]) - y[1:] * Ry[1:]
        steps[1:] = inside / x[0] + x[1:] * first[1:] - (x[::-1] * first[::-1])[:-1]
        return np.asarray(np.cumsum(steps))


def _autocorrelations(phi: Array, theta: Array, s: int) -> tuple[Array, Array, Array]:
    """At the lags 0 … s − 1, with first and second derivatives by (φ, θ)."""
    p, q = len(phi), len(theta)
    m, r = max(p, q), p + q
    jet = variables(np.concatenate([phi, theta]))
    start = arma_acf(jet[:p], jet[p:], p, q, m)
    assert isinstance(start, Jet)
    value = _recursion(phi, start.value, np.zeros(s))
    grad, hess = np.empty((r, s)), np.empty((r, r, s))
    for c in range(r):
        grad[c] = _recursion(phi, start.grad[c], _lagged(value, c, p))
    for c in range(r):
        for d in range(r):
            driven = _lagged(grad[d], c, p) + _lagged(grad[c], d, p)
            hess[c, d] = _recursion(phi, start.hess[c, d], driven)
    return value, grad, hess


def _lagged(x: Array, c: int, p: int) -> Array:
    """x_{k−c−1}, which ∂φ_c multiplies in the recursion; nothing for a coefficient of θ."""
    out = np.zeros(len(x))
    if c < p:
        out[c + 1 :] = x[: len(x) - c - 1]
    return out


def _recursion(phi: Array, start: Array, driven: Array) -> Array:
    """x_k = Σ φ_j x_{k−j} + driven_k after the values ``start``."""
    s, p, m = len(driven), len(phi), len(start)
    right = driven.copy()
    right[:m] = start[:s]
    band = np.zeros((p + 1, s))
    band[0] = 1
    for j in range(p):
        band[j + 1, max(m - j - 1, 0) : s - j - 1] = -phi[j]
    return np.asarray(solve_banded((p, 0), band, right, check_finite=False))


def _banded_root(phi: Array, theta: Array, s: int) -> Array:
    """Lower Cholesky factor of W in scipy's banded form, (bands, s).

    Raises
    ------
    NotPositiveDefinite
        The coefficients are not those of a stationary series.
    """
    p, q = len(phi), len(theta)
    m = max(p, q)
    gamma, psi = arma_start(phi, theta, p, q, m)
    moving = np.append(1.0, theta)
    band = np.zeros((max(m, 1) + 1, s))
    for k in range(m + 1):
        late = moving[: q + 1 - k] @ moving[k:] if k <= q else 0.0
        band[k, : s - k] = late
        for i in range(min(m, s - k)):
            t = i + k  # a first value with a first value, or with the moving average
            band[k, i] = gamma[k] if t < m else _cross(moving, psi, k)
    try:
        factor: Array = cholesky_banded(band / gamma[0], lower=True)
    except np.linalg.LinAlgError:
        raise NotPositiveDefinite("corARMA: R is not positive definite") from None
    return factor


def _cross(moving: Array, psi: list[float], k: int) -> float:
    """Covariance of a value with the moving average k steps later: Σ_j θ_j ψ_{j−k}."""
    return float(sum(moving[j] * psi[j - k] for j in range(k, len(moving))))


def _filtered(phi: Array, X: Array, m: int) -> Array:
    """T X': each row of X (k, s) through the autoregressive filter from its m-th value on."""
    out = X.copy()
    for j, coefficient in enumerate(phi):
        out[:, m:] -= coefficient * X[:, m - j - 1 : X.shape[1] - j - 1]
    return out


def _filtered_back(phi: Array, X: Array, m: int) -> Array:
    """T' X', likewise."""
    out = X.copy()
    for j, coefficient in enumerate(phi):
        out[:, m - j - 1 : X.shape[1] - j - 1] -= coefficient * X[:, m:]
    return out


def _spectrum(lags: Array) -> Array:
    """Transform of the circulant that holds the symmetric Toeplitz matrix of (..., s) lags."""
    return np.asarray(np.fft.rfft(np.concatenate([lags, 0 * lags[..., :1], lags[..., :0:-1]], -1)))


def _times(spectrum: Array, X: Array) -> Array:
    """Toeplitz matrices with the given spectra times X (..., s), broadcast."""
    s = X.shape[-1]
    return np.asarray(np.fft.irfft(spectrum * np.fft.rfft(X, 2 * s), 2 * s)[..., :s])


def _diagonal_sums(x: Array, tangent: Array | None = None) -> Array:
    """Σ_i (R⁻¹)_{i,i+k} for every k, from the first column x of R⁻¹; or their derivative.

    R⁻¹ = (L(x)L(x)' − L(y)L(y)')/x_0 with lower triangular Toeplitz matrices, y = (0, x_s … x_1).
    """
    y = np.append(0.0, x[:0:-1])
    sums = (_ladder(x, x) - _ladder(y, y)) / x[0]
    if tangent is None:
        return np.asarray(sums)
    z = np.append(0.0, tangent[:0:-1])
    moved = _ladder(tangent, x) + _ladder(x, tangent) - _ladder(z, y) - _ladder(y, z)
    return np.asarray((moved - tangent[0] * sums) / x[0])


def _ladder(a: Array, b: Array) -> Array:
    """Σ_l a_l (s − l − k) b_{l+k} for k = 0 … s − 1."""
    s = len(a)
    spectra = np.conj(np.fft.rfft(a, 2 * s)) * np.fft.rfft((s - np.arange(s)) * b, 2 * s)
    return np.asarray(np.fft.irfft(spectra, 2 * s)[:s])
