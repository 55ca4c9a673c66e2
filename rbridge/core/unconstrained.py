"""nlme's unconstrained coding of each structure: u to natural values, and back.

The maps from u are analytic and accept complex u, so that derivatives follow by complex step.
Formulas: Pinheiro & Bates (2000), chapters 4 and 5, and the C sources of nlme.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.linalg import expm

from ..errors import SnapshotError
from .arrays import Array, lasting
from .snapshot import CorStruct, VarFunc

UNSTRUCTURED = ("pdLogChol", "pdSymm")  # coded as pdNatural where apVar says natural
LOG_RANGE = ("corExp", "corGaus", "corLin", "corRatio", "corSpher")


def correlation(u: Array) -> Array:
    """(e^u − 1)/(e^u + 1), the inverse of nlme's logit of a correlation."""
    return np.asarray(np.tanh(u / 2))


def proportion(u: Array) -> Array:
    """e^u/(e^u + 1)."""
    with np.errstate(over="ignore"):  # e^1000 is inf, and 1/inf the right answer
        return np.asarray(1 / (1 + np.exp(-u)))


def _above(lower: float, u: Array) -> Array:
    """(e^u + lower)/(e^u + 1): between ``lower`` and 1."""
    return lower + (1 - lower) * proportion(u)


# --- positive-definite matrices -------------------------------------------------------------


@lru_cache
def upper_by_row(q: int) -> tuple[Array, Array]:
    """Positions (1,2), (1,3) … (1,q), (2,3) …: the order of pdNatural and corSymm."""
    row, column = np.triu_indices(q, 1)
    return lasting(row), lasting(column)


@lru_cache
def _lower_by_row(q: int) -> tuple[Array, Array]:
    """Positions (2,1), (3,1), (3,2), (4,1) …: the order of the angles of corSymm."""
    row, column = np.tril_indices(q, -1)
    return lasting(row), lasting(column)


@lru_cache
def vech(q: int) -> tuple[Array, Array]:
    """Positions (1,1), (1,2), (2,2), (1,3) …: upper triangle by column, the order of θ."""
    column, row = np.tril_indices(q)
    return lasting(row), lasting(column)


def _symmetric(diagonal: Array, upper: Array, positions: tuple[Array, Array]) -> Array:
    """A symmetric matrix from its diagonal and its elements above it."""
    matrix = np.diag(diagonal).astype(np.result_type(diagonal, upper))
    matrix[positions] = matrix[positions[::-1]] = upper
    return matrix


def _natural(u: Array, q: int) -> tuple[Array, Array]:
    return np.exp(u[:q]), _symmetric(np.ones(q), correlation(u[q:]), upper_by_row(q))


def _diag(u: Array, q: int) -> tuple[Array, Array]:
    return np.exp(u), np.eye(q)


def _ident(u: Array, q: int) -> tuple[Array, Array]:
    return np.exp(np.repeat(u, q)), np.eye(q)


def _comp_symm(u: Array, q: int) -> tuple[Array, Array]:
    rho = _above(-1 / (q - 1), u[1])
    return np.exp(np.repeat(u[:1], q)), rho + (1 - rho) * np.eye(q)


@dataclass(frozen=True)
class PdClass:
    """Number of standard deviations and correlations among its parameters, and its map."""

    n_sd: Callable[[int], int]
    n_cor: Callable[[int], int]
    sd_and_cor: Callable[[Array, int], tuple[Array, Array]]

    def size(self, q: int) -> int:
        """Number of parameters of q random effects."""
        return self.n_sd(q) + self.n_cor(q)


_FULL = PdClass(lambda q: q, lambda q: q * (q - 1) // 2, _natural)
_PD_CLASSES = {
    "pdNatural": _FULL,
    "pdLogChol": _FULL,
    "pdSymm": _FULL,
    "pdDiag": PdClass(lambda q: q, lambda q: 0, _diag),
    "pdIdent": PdClass(lambda q: 1, lambda q: 0, _ident),
    "pdCompSymm": PdClass(lambda q: 1, lambda q: 1, _comp_symm),
}


def pd_class(name: str) -> PdClass:
    """The description of nlme's class ``name``.

    Raises
    ------
    SnapshotError
        nlme has no such class, or this package does not know it.
    """
    if name not in _PD_CLASSES:
        raise SnapshotError(f"unknown class {name!r}; known are {', '.join(_PD_CLASSES)}")
    return _PD_CLASSES[name]


def _log_cholesky(u: Array, q: int) -> Array:
    factor = np.diag(np.exp(u[:q]))
    column, row = np.tril_indices(q, -1)
    factor[row, column] = u[q:]
    return np.asarray(factor.T @ factor)


def _matrix_log(u: Array, q: int) -> Array:
    half = np.zeros((q, q), u.dtype)
    half[vech(q)] = half[vech(q)[::-1]] = u
    return np.asarray(expm(2 * half))


def pd_matrix(name: str, u: Array, q: int, natural: bool) -> Array:
    """Covariance matrix that nlme codes by ``u``.

    Parameters
    ----------
    name : str
        nlme's class.
    u : (k,) array
        This matrix' part of ``Pars``.
    q : int
        Number of random effects.
    natural : bool
        Whether unstructured matrices are coded by log sd and T⁻¹(cor) (``apVar``'s attribute).

    Returns
    -------
    (q, q) array

    Notes
    -----
    natural: D_ij = sd_i ρ_ij sd_j; otherwise pdLogChol: D = U'U with log U_ii first, then U_ij
    by column; pdSymm: D = exp(2S) with S by column.
    """
    if name in UNSTRUCTURED and not natural:
        return _log_cholesky(u, q) if name == "pdLogChol" else _matrix_log(u, q)
    sd, cor = pd_class(name).sd_and_cor(u, q)
    return np.asarray(sd[:, None] * cor * sd)


def pd_unconstrained(name: str, D: Array, natural: bool) -> Array:
    """Inverse of :func:`pd_matrix`: (q, q) covariance matrix to its k parameters."""
    q = len(D)
    if name in UNSTRUCTURED and not natural:
        if name == "pdSymm":
            values, vectors = np.linalg.eigh(D)
            return np.asarray(((vectors * np.log(values) / 2) @ vectors.T)[vech(q)])
        factor = np.linalg.cholesky(D)
        return np.append(np.log(np.diag(factor)), factor[np.tril_indices(q, -1)])
    described = pd_class(name)
    sd = np.sqrt(np.diag(D))
    rho = (D / np.outer(sd, sd))[upper_by_row(q)][: described.n_cor(q)]
    lower = -1 / (q - 1) if name == "pdCompSymm" else -1.0
    return np.append(np.log(sd[: described.n_sd(q)]), np.log((rho - lower) / (1 - rho)))


# --- correlation structures -----------------------------------------------------------------


def _levinson(r: Array, sign: int) -> Array:
    """ARMA coefficients from partial correlations; ``sign`` −1 for AR, +1 for MA."""
    phi = r[:0]
    for k in r:
        phi = np.append(phi + sign * k * phi[::-1], k)
    return phi


def _inverse_levinson(phi: Array, sign: int) -> Array:
    r = np.empty(len(phi))
    for i in reversed(range(len(phi))):
        r[i] = phi[i]
        phi = (phi[:i] - sign * r[i] * phi[:i][::-1]) / (1 - r[i] ** 2)
    return r


def _spherical(u: Array, size: int) -> Array:
    """Correlations from angles θ = π·plogis(u): rows of the Cholesky factor on the sphere."""
    angle = np.pi * proportion(u)
    below = _lower_by_row(size)
    cos, sin = np.eye(size, dtype=angle.dtype), np.ones((size, size), dtype=angle.dtype)
    cos[below], sin[:, 1:][below[0], below[1]] = np.cos(angle), np.sin(angle)
    L = cos * np.cumprod(sin, axis=1)
    return np.asarray((L @ L.T)[upper_by_row(size)])


def _inverse_spherical(rho: Array, size: int) -> Array:
    L = np.linalg.cholesky(_symmetric(np.ones(size), rho, upper_by_row(size)))
    u = []
    for i in range(1, size):
        rest = np.sqrt(np.cumsum(L[i, i::-1] ** 2))[::-1]  # sin θ_1 … sin θ_j−1
        angle = np.arctan2(rest[1:], L[i, :i])
        u.append(np.log(angle / (np.pi - angle)))
    return np.concatenate(u)


def cor_natural(cor: CorStruct, u: Array, natural: bool) -> Array:
    """Natural coefficients of a correlation structure, as R's ``coef(cor, FALSE)``.

    Parameters
    ----------
    cor : CorStruct
    u : (k,) array
        Its part of ``Pars``; empty when fixed.
    natural : bool
        Whether a ``corSymm`` is coded as ``corNatural``.

    Returns
    -------
    (k,) array
    """
    if cor.cor_class in LOG_RANGE:
        shift = cor.min_distance if cor.cor_class in ("corLin", "corSpher") else 0.0
        return np.append(np.exp(u[:1]) + shift, proportion(u[1:]))
    if cor.cor_class == "corSymm" and not natural:
        return _spherical(u, cor.size)
    if cor.cor_class == "corARMA":
        r = correlation(u)
        return np.append(_levinson(r[: cor.p], -1), _levinson(r[cor.p :], +1))
    if cor.cor_class == "corCAR1":
        return proportion(u)
    if cor.cor_class == "corCompSymm":
        return _above(cor.lower, u)
    if cor.cor_class in ("corAR1", "corSymm", "corNatural"):
        return correlation(u)
    raise SnapshotError(f"unknown correlation structure {cor.cor_class!r}")


def cor_unconstrained(cor: CorStruct, values: Array, natural: bool) -> Array:
    """Inverse of :func:`cor_natural` for the (k,) natural coefficients ``values``."""
    if cor.cor_class in LOG_RANGE:
        shift = cor.min_distance if cor.cor_class in ("corLin", "corSpher") else 0.0
        return np.append(np.log(values[:1] - shift), np.log(values[1:] / (1 - values[1:])))
    if cor.cor_class == "corSymm" and not natural:
        return _inverse_spherical(values, cor.size)
    if cor.cor_class == "corARMA":
        ar, ma = values[: cor.p], values[cor.p :]
        values = np.append(_inverse_levinson(ar, -1), _inverse_levinson(ma, +1))
    lower = {"corCAR1": 0.0, "corCompSymm": cor.lower}.get(cor.cor_class, -1.0)
    return np.asarray(np.log((values - lower) / (1 - values)))


def cor_kinds(cor: CorStruct) -> list[str]:
    """The range of each natural coefficient, in the words of ``Theta.kinds``."""
    if cor.cor_class in LOG_RANGE:
        return ["scale", "proportion"][: len(cor.names)]
    if cor.cor_class == "corARMA" and len(cor.names) > 1:
        return ["coefficient"] * len(cor.names)
    return ["proportion" if cor.cor_class == "corCAR1" else "correlation"] * len(cor.names)


# --- variance functions ---------------------------------------------------------------------


def logged(var: VarFunc) -> Array:
    """Which of the free coefficients nlme codes by their logarithm, a (k,) bool array."""
    n = len(var.names)
    n_logged = {"varIdent": n, "varConstPower": n // 2, "varConstProp": n // 2}
    by_class = np.arange(n) < n_logged.get(var.var_class, 0)
    return np.asarray(by_class[var.free.astype(bool)])


def var_natural(var: VarFunc, u: Array) -> Array:
    """Natural free coefficients of a variance function from its (k,) part of ``Pars``."""
    out = u.copy()
    out[logged(var)] = np.exp(u[logged(var)])
    return out


def var_unconstrained(var: VarFunc, values: Array) -> Array:
    """Inverse of :func:`var_natural`."""
    out = values.copy()
    out[logged(var)] = np.log(values[logged(var)])
    return out


def var_kinds(var: VarFunc) -> list[str]:
    """The range of each free coefficient, in the words of ``Theta.kinds``."""
    return ["scale" if log else "coefficient" for log in logged(var)]
