"""A second implementation, from the book and with nothing of rbridge: V, ℓ and its derivatives.

Pinheiro and Bates (2000), chapters 2 and 5. Everything is a dense matrix; first derivatives of V
are complex steps, second ones differences of these. Parameters are looked up by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Params = dict[str, Any]
STEP = 1e-200
DIFFERENCE = 1e-5


def parameters(fit: Any) -> Params:
    """Natural parameters of a snapshot by name, free ones only; fixed ones stay in the fit."""
    found: Params = {}
    for level in fit.levels:
        for block in level.blocks:
            at = [level.names.index(name) for name in block.names]
            D = level.D[np.ix_(at, at)]
            found |= {f"Tau.{level.group}.{k}": v for k, v in _elements(block, D).items()}
    if fit.cor is not None and not fit.cor.fixed:
        found |= _numbered("cor_params", fit.cor.values)
    found |= _numbered("var_params", [c for v in fit.var for c in v.values[v.free]])
    return found if fit.fixed_sigma else {**found, "sigma_sq": fit.sigma**2}


def _numbered(name: str, values: Any) -> Params:
    if len(values) == 1:
        return {name: values[0]}
    return {f"{name}{i + 1}": value for i, value in enumerate(values)}


def _elements(block: Any, D: Any) -> Params:
    names, q = block.names, len(block.names)
    if block.pd_class == "pdIdent":
        return {f"var({names[0] if q == 1 else block.formula})": D[0, 0]}
    if block.pd_class == "pdCompSymm":
        return {f"var({block.formula})": D[0, 0], f"cov({block.formula})": D[1, 0]}
    found = {f"var({names[i]})": D[i, i] for i in range(q)}
    if block.pd_class != "pdDiag":
        found |= {f"cov({names[j]},{names[i]})": D[j, i] for i in range(q) for j in range(i + 1, q)}
    return found


def _random_covariance(level: Any, p: Params) -> Any:
    D = np.zeros((len(level.names),) * 2, dtype=complex)
    for block in level.blocks:
        at = [level.names.index(name) for name in block.names]
        for i, a in enumerate(at):
            for j, b in enumerate(at):
                D[a, b] = p.get(f"Tau.{level.group}.{_element_name(block, i, j)}", 0.0)
    return D


def _element_name(block: Any, i: int, j: int) -> str:
    names, inner, outer = block.names, min(i, j), max(i, j)
    if block.pd_class == "pdIdent":
        shared = names[0] if len(names) == 1 else block.formula
        return f"var({shared})" if i == j else "zero"
    if block.pd_class == "pdCompSymm":
        return f"var({block.formula})" if i == j else f"cov({block.formula})"
    return f"var({names[i]})" if i == j else f"cov({names[outer]},{names[inner]})"


def _correlation(cor: Any, c: Any, a: Any, b: Any) -> Any:
    """Correlations of the errors of the pairs of rows a and b, of one group each."""
    kind, gaps = cor.cor_class, np.abs(cor.covariate[a] - cor.covariate[b])
    if kind in ("corAR1", "corCAR1"):
        return c[0] ** gaps[:, 0]
    if kind == "corCompSymm":
        return np.full(len(a), c[0])
    if kind in ("corSymm", "corNatural"):
        places = [cor.covariate[rows, 0].astype(int) for rows in (a, b)]
        lower, upper = np.minimum(*places), np.maximum(*places)
        begins = np.array([sum(cor.size - 1 - k for k in range(i)) for i in range(cor.size)])
        return c[begins[lower] + upper - lower - 1]
    if kind == "corARMA":
        lags = np.rint(gaps[:, 0]).astype(int)
        return _arma(c[: cor.p], c[cor.p :], int(lags.max(initial=0)))[lags]
    metric = {
        "euclidean": np.sqrt(np.sum(gaps**2, axis=1)),
        "maximum": gaps.max(axis=1),
        "manhattan": gaps.sum(axis=1),
    }
    r = metric[cor.metric] / c[0]
    inside = np.where(r.real < 1, 1.0, 0.0)
    shape = {
        "corExp": np.exp(-r),
        "corGaus": np.exp(-(r**2)),
        "corLin": (1 - r) * inside,
        "corRatio": 1 / (1 + r**2),
        "corSpher": (1 - 1.5 * r + 0.5 * r**3) * inside,
    }[kind]
    return shape * (1 - c[1]) if cor.nugget else shape


def _arma(phi: Any, theta: Any, most: int, terms: int = 160) -> Any:
    """Autocorrelations at the lags 0 … most, from the first terms of the MA(∞) form."""
    psi = np.zeros(terms + most, dtype=complex)
    for k in range(len(psi)):
        moving = 1.0 if k == 0 else (theta[k - 1] if k <= len(theta) else 0.0)
        psi[k] = moving + sum(phi[j] * psi[k - 1 - j] for j in range(len(phi)) if k - 1 - j >= 0)
    products = [np.sum(psi[: len(psi) - lag] * psi[lag:]) for lag in range(most + 1)]
    return np.array(products) / products[0]


def _deviation(v: Any, c: Any, n: int) -> Any:
    x = np.zeros(n) if v.covariate is None else v.covariate
    k = np.zeros(n, int) if v.codes is None else v.codes
    second_half = k + max(len(v.strata), 1)
    if v.var_class == "varFixed":
        return np.sqrt(np.abs(x))
    if v.var_class == "varIdent":
        return c[k]
    if v.var_class == "varPower":
        return np.abs(x) ** c[k]
    if v.var_class == "varExp":
        return np.exp(c[k] * x)
    if v.var_class == "varConstPower":
        return c[k] + np.abs(x) ** c[second_half]
    return np.sqrt(c[k] ** 2 + (c[second_half] * x) ** 2)  # varConstProp


def covariance(fit: Any, p: Params) -> Any:
    """V (n, n) at the parameters, which may be complex."""
    n = fit.X.shape[0]
    sigma_sq = p.get("sigma_sq", fit.sigma**2)
    s = np.ones(n, dtype=complex)
    free = [value for name, value in p.items() if name.startswith("var_params")]
    for v in fit.var:
        c = v.values.astype(complex)
        c[v.free], free = free[: v.free.sum()], free[v.free.sum() :]
        s = s * _deviation(v, c, n)
    R = np.eye(n, dtype=complex)
    if fit.cor is not None:
        moving = [value for name, value in p.items() if name.startswith("cor_params")]
        c = np.array(moving or list(fit.cor.values), dtype=complex)
        a, b = np.nonzero(np.tril(fit.cor.codes[:, None] == fit.cor.codes, -1))
        R[a, b] = R[b, a] = _correlation(fit.cor, c, a, b)
    V = sigma_sq * np.outer(s, s) * R
    for level in fit.levels:
        same = level.codes[:, None] == level.codes
        V = V + same * (level.Z @ _random_covariance(level, p) @ level.Z.T)
    return V


def first(fit: Any, p: Params) -> dict[str, Any]:
    """∂V by each parameter, by complex step."""
    return {name: covariance(fit, {**p, name: p[name] + 1j * STEP}).imag / STEP for name in p}


def second(fit: Any, p: Params, name: str) -> dict[str, Any]:
    """∂²V by one parameter and each, by a fourth-order difference of complex steps."""
    h = DIFFERENCE * max(1.0, abs(p[name]))
    at = {k: first(fit, {**p, name: p[name] + k * h}) for k in (-2, -1, 1, 2)}
    return {
        other: (at[-2][other] - 8 * at[-1][other] + 8 * at[1][other] - at[2][other]) / (12 * h)
        for other in p
    }


class Dense:
    """Log-likelihood, score and information of a fit, in the order of ``names``."""

    def __init__(self, fit: Any) -> None:
        self.fit, self.p = fit, parameters(fit)
        self.names = list(self.p)
        X, restricted = fit.X, fit.method == "REML"
        V = covariance(fit, self.p).real
        W = np.linalg.inv(V)
        cross = X.T @ W @ X
        self.P = P = W - W @ X @ np.linalg.solve(cross, X.T @ W)
        self.Py = P @ fit.y
        self.Q = P if restricted else W
        n = len(V) - (X.shape[1] if restricted else 0)
        log_det = np.linalg.slogdet(V)[1] + (np.linalg.slogdet(cross)[1] if restricted else 0.0)
        self.log_likelihood = -0.5 * (n * np.log(2 * np.pi) + log_det + fit.y @ self.Py)
        self.dV = first(fit, self.p)

    def score(self) -> Any:
        return np.array(
            [
                -0.5 * np.sum(self.Q * self.dV[k]) + 0.5 * self.Py @ self.dV[k] @ self.Py
                for k in self.names
            ]
        )

    def expected(self) -> Any:
        parts = [self.Q @ self.dV[k] for k in self.names]
        return np.array([[0.5 * np.sum(a * b.T) for b in parts] for a in parts])

    def observed(self) -> Any:
        """Minus the Hessian, without the likelihood itself being differenced."""
        y, expected = self.Py, self.expected()
        out = np.empty_like(expected)
        for i, a in enumerate(self.names):
            ddV = second(self.fit, self.p, a)
            for j, b in enumerate(self.names):
                square = y @ self.dV[a] @ self.P @ self.dV[b] @ y
                curve = 0.5 * (np.sum(self.Q * ddV[b]) - y @ ddV[b] @ y)
                out[i, j] = square - expected[i, j] + curve
        return out
