"""The likelihood written a second time, entry by entry, sharing no code with the package.

Complex parameters pass through, so that its gradient is a complex step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rbridge.core.snapshot import CorStruct, FitSnapshot, VarFunc

Array = np.ndarray[Any, Any]
STEP = 1e-30


def covariance(fit: FitSnapshot, theta: Array) -> Array:
    """V (n, n) from θ taken from the front, part by part."""
    rest = list(theta)
    n = fit.n
    V = np.zeros((n, n), dtype=np.asarray(theta).dtype)
    for level in fit.levels:
        D = np.zeros((len(level.names),) * 2, dtype=V.dtype)
        for block in level.blocks:
            at = [level.names.index(name) for name in block.names]
            D[np.ix_(at, at)] = _block(block.pd_class, len(at), rest)
        V += level.Z @ D @ level.Z.T * (level.codes[:, None] == level.codes)
    cor = fit.cor
    coefs: list[Any] = []
    if cor is not None:
        coefs = list(cor.values) if cor.fixed else [rest.pop(0) for _ in cor.values]
    s: Any = 1.0
    for var in fit.var:
        values = [rest.pop(0) if f else v for v, f in zip(var.values, var.free)]
        s = s * np.array([_deviation(var, values, i) for i in range(n)])
    sigma_sq = fit.sigma**2 if fit.fixed_sigma else rest.pop(0)
    assert not rest
    R = np.eye(n, dtype=V.dtype)
    if cor is not None:
        f = _correlation(cor, coefs)
        for i, j in zip(*np.nonzero(np.triu(cor.codes[:, None] == cor.codes, 1))):
            R[i, j] = R[j, i] = f(cor.covariate[i], cor.covariate[j])
    return V + sigma_sq * np.outer(s * np.ones(n), s * np.ones(n)) * R


def _block(pd_class: str, q: int, rest: list[Any]) -> Array:
    if pd_class == "pdIdent":
        return np.eye(q) * rest.pop(0)
    if pd_class == "pdDiag":
        return np.diag([rest.pop(0) for _ in range(q)])
    if pd_class == "pdCompSymm":
        v, c = rest.pop(0), rest.pop(0)
        return v * np.eye(q) + c * (1 - np.eye(q))
    D = np.zeros((q, q), dtype=complex)
    for j in range(q):
        for i in range(j + 1):
            D[i, j] = D[j, i] = rest.pop(0)
    return D if np.iscomplex(D).any() else D.real


def _correlation(cor: CorStruct, c: list[Any]) -> Callable[[Array, Array], Any]:
    name = cor.cor_class
    if name in ("corAR1", "corCAR1"):
        return lambda a, b: c[0] ** abs(a[0] - b[0])
    if name == "corCompSymm":
        return lambda a, b: c[0]
    if name == "corSymm":
        pairs = [(i, j) for i in range(cor.size) for j in range(i + 1, cor.size)]
        return lambda a, b: c[pairs.index((int(min(a[0], b[0])), int(max(a[0], b[0]))))]
    if name == "corARMA":
        return _arma(c[: cor.p], c[cor.p :])
    f = {
        "corExp": lambda x: np.exp(-x),
        "corGaus": lambda x: np.exp(-x * x),
        "corLin": lambda x: 1 - x if x.real < 1 else 0.0,
        "corRatio": lambda x: 1 / (1 + x * x),
        "corSpher": lambda x: 1 - 1.5 * x + 0.5 * x**3 if x.real < 1 else 0.0,
    }[name]
    order = {"euclidean": 2, "maximum": np.inf, "manhattan": 1}[cor.metric]
    keep = 1 - c[1] if cor.nugget else 1.0
    return lambda a, b: keep * f(np.linalg.norm(a - b, order) / c[0])


def _arma(phi: list[Any], theta: list[Any], terms: int = 600) -> Callable[[Array, Array], Any]:
    """Autocorrelations from the MA(∞) weights, summed."""
    psi: list[Any] = [1.0]
    for k in range(1, terms):
        psi.append(
            (theta[k - 1] if k <= len(theta) else 0.0)
            + sum(phi[j] * psi[k - 1 - j] for j in range(min(k, len(phi))))
        )
    weights = np.array(psi)
    total = weights @ weights

    def f(a: Array, b: Array) -> Any:
        lag = int(abs(a[0] - b[0]))
        return weights[: terms - lag] @ weights[lag:] / total

    return f


def _deviation(var: VarFunc, c: list[Any], i: int) -> Any:
    k = 0 if var.codes is None else int(var.codes[i])
    v = 0.0 if var.covariate is None else float(var.covariate[i])
    half = len(c) // 2
    if var.var_class == "varFixed":
        return abs(v) ** 0.5
    if var.var_class == "varIdent":
        return c[k]
    if var.var_class == "varPower":
        return abs(v) ** c[k]
    if var.var_class == "varExp":
        return np.exp(c[k] * v)
    if var.var_class == "varConstPower":
        return c[k] + abs(v) ** c[half + k]
    return (c[k] ** 2 + c[half + k] ** 2 * v**2) ** 0.5


def log_likelihood(fit: FitSnapshot, theta: Array) -> Any:
    V, X, y = covariance(fit, theta), fit.X, fit.y
    L = _cholesky(V)
    A, b = np.linalg.solve(L, X), np.linalg.solve(L, y)
    cross = A.T @ A
    e = b - A @ np.linalg.solve(cross, A.T @ b)
    log_det, free = 2 * np.log(np.diagonal(L)).sum(), len(y)
    if fit.method == "REML":
        log_det += 2 * np.log(np.diagonal(_cholesky(cross))).sum()
        free -= X.shape[1]
    return -0.5 * (free * np.log(2 * np.pi) + log_det + e @ e)


def _cholesky(V: Array) -> Array:
    """L with LL' = V, without conjugates."""
    if not np.iscomplexobj(V):
        return np.linalg.cholesky(V)
    real = np.linalg.cholesky(V.real)
    whole = np.linalg.solve(real, np.linalg.solve(real, V.imag).T).T
    inner = np.tril(whole, -1) + np.diag(np.diagonal(whole)) / 2
    return real + 1j * (real @ inner)  # exact to first order in the imaginary part


def gradient(fit: FitSnapshot, theta: Array) -> Array:
    steps = theta + 1j * STEP * np.eye(len(theta))
    return np.array([np.imag(log_likelihood(fit, step)) / STEP for step in steps])


def hessian(fit: FitSnapshot, theta: Array) -> Array:
    """Richardson differences of the gradient; error O(h⁶)."""
    rows = []
    for i in range(len(theta)):
        h = 2e-3 * max(abs(theta[i]), 0.1)
        step = h * np.eye(len(theta))[i]
        d1, d2, d4 = (
            (gradient(fit, theta + k * step) - gradient(fit, theta - k * step)) / (2 * k * h)
            for k in (1, 2, 4)
        )
        fine, coarse = (4 * d1 - d2) / 3, (4 * d2 - d4) / 3
        rows.append((16 * fine - coarse) / 15)
    return np.array(rows)
