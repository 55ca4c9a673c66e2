"""Coordinates of the search: factors of D that are not logged, nlme's codings for the rest.

φ, in the order of θ: for every block of a D its factor relative to σ, the unconstrained
coefficients of the correlation structure, those of the variance function. A singular D is an
ordinary point: a zero in the factor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from ..arrays import Array, lasting
from ..derivatives import complex_step
from ..parameters import block_basis, free_cor
from ..snapshot import CorStruct, FitSnapshot, PdBlock
from ..unconstrained import cor_natural, cor_unconstrained, var_natural, var_unconstrained, vech

_STEP = 1e-5  # of the differences between exact Jacobians


@dataclass(frozen=True)
class Factor:
    """One block: δ_e = l'Q_e l gives D = σ² Σ δ_e E_e.

    Attributes
    ----------
    block : PdBlock
    E : (n_e, q, q) array
    Q : (n_e, n_e, n_e) array
        Symmetric in the last two; every class has as many elements of l as of D.
    """

    block: PdBlock
    E: Array
    Q: Array

    @classmethod
    def of(cls, block: PdBlock) -> Factor:
        return cls(block, block_basis(block), _squares(block.pd_class, len(block.names)))

    def factor(self, delta: Array) -> Array:
        """l of (..., n_e) ``delta``, an indefinite one first brought back into the cone."""
        D, q = np.tensordot(delta, self.E, 1), len(self.block.names)
        if self.block.pd_class in ("pdIdent", "pdDiag"):
            return np.asarray(np.sqrt(np.maximum(delta, 0)))
        if self.block.pd_class == "pdCompSymm":
            first, second = delta[..., 0], delta[..., 1]
            values = np.stack([first - second, first + (q - 1) * second], axis=-1)
            return np.asarray(np.sqrt(np.maximum(values, 0)))
        unit = np.sqrt(np.diagonal(D, axis1=-2, axis2=-1).clip(min=1e-300))
        roots, vectors = np.linalg.eigh(D / (unit[..., :, None] * unit[..., None, :]))
        halved = vectors * np.sqrt(roots.clip(min=0))[..., None, :]
        R = np.linalg.qr(halved.swapaxes(-1, -2), mode="r") * unit[..., None, :]
        sign = np.where(np.diagonal(R, axis1=-2, axis2=-1) < 0, -1.0, 1.0)
        row, column = vech(q)
        return np.asarray((R * sign[..., None])[..., row, column])


@lru_cache(maxsize=256)
def _squares(pd_class: str, q: int) -> Array:
    """Q of :class:`Factor`. Unstructured: the triangle R with D = R'R, by columns as D itself."""
    if pd_class == "pdIdent":
        return lasting(np.ones((1, 1, 1)))
    if pd_class == "pdDiag":
        return lasting(np.stack([np.diag(row) for row in np.eye(q)]))
    if pd_class == "pdCompSymm":  # eigenvalues l₁² (q − 1 times) and l₂²
        return lasting(np.stack([np.diag([1 - 1 / q, 1 / q]), np.diag([-1 / q, 1 / q])]))
    row, column = vech(q)
    Q = np.zeros((len(row),) * 3)
    for e, (i, j) in enumerate(zip(row, column)):
        for k in range(i + 1):  # D_ij = Σ_k R_ki R_kj
            a, b = (np.flatnonzero((row == k) & (column == c))[0] for c in (i, j))
            Q[e, a, b] += 0.5
            Q[e, b, a] += 0.5
    return lasting(Q)


@dataclass(frozen=True)
class Smooth:
    """Coefficients c(u) of one structure; ``back`` is the inverse."""

    natural: Callable[[Array], Array]
    back: Callable[[Array], Array]
    n: int


class Coding:
    """φ and σ² to θ and back, with derivatives.

    Attributes
    ----------
    factors : tuple of Factor
        Outermost level first.
    n_tau, n_phi : int
        Number of elements of the D's, and of φ.
    """

    def __init__(self, snapshot: FitSnapshot) -> None:
        self.factors = tuple(Factor.of(b) for level in snapshot.levels for b in level.blocks)
        self._smooth = _structures(snapshot)
        sizes = [len(f.Q) for f in self.factors]
        self.n_tau = sum(sizes)
        self.n_phi = self.n_tau + sum(s.n for s in self._smooth)
        ends = np.cumsum([*sizes, *(s.n for s in self._smooth)]).tolist()
        parts = [slice(a, b) for a, b in zip([0, *ends], ends)]
        self._pd, self._base = parts[: len(sizes)], parts[len(sizes) :]

    def theta(self, phi: Array, sigma_sq: float) -> Array:
        """(n_phi,) array: θ without σ²."""
        tau = [sigma_sq * (f.Q @ phi[at] @ phi[at]) for f, at in zip(self.factors, self._pd)]
        base = [s.natural(phi[at]) for s, at in zip(self._smooth, self._base)]
        return np.concatenate([*tau, *base, np.empty(0)])

    def phi(self, theta: Array, sigma_sq: float) -> Array:
        """Inverse of :meth:`theta`; infinite where a coefficient lies at the end of its range."""
        tau = [f.factor(theta[at] / sigma_sq) for f, at in zip(self.factors, self._pd)]
        with np.errstate(all="ignore"):
            base = [s.back(theta[at]) for s, at in zip(self._smooth, self._base)]
        return np.concatenate([*tau, *base, np.empty(0)])

    def jacobian(self, phi: Array, sigma_sq: float) -> Array:
        """∂θ/∂φ, (n_phi, n_phi)."""
        J = np.zeros((self.n_phi, self.n_phi))
        for f, at in zip(self.factors, self._pd):
            J[at, at] = 2 * sigma_sq * (f.Q @ phi[at])
        for s, at in zip(self._smooth, self._base):
            J[at, at] = complex_step(s.natural, phi[at])
        return J

    def curvature(self, phi: Array, sigma_sq: float, weight: Array) -> Array:
        """Σ_r weight_r ∂²θ_r/∂φ∂φ', (n_phi, n_phi)."""
        H = np.zeros((self.n_phi, self.n_phi))
        for f, at in zip(self.factors, self._pd):
            H[at, at] = 2 * sigma_sq * np.tensordot(weight[at], f.Q, 1)
        for s, at in zip(self._smooth, self._base):
            H[at, at] = _second(s.natural, phi[at], weight[at])
        return H

    def squares(self, sigma_sq: float) -> Array:
        """What the square of each factor's element adds to θ, (n_phi, n_tau)."""
        out = np.zeros((self.n_phi, self.n_tau))
        for f, at in zip(self.factors, self._pd):
            out[at, at] = sigma_sq * np.einsum("ekk->ke", f.Q)
        return out


def _structures(snapshot: FitSnapshot) -> list[Smooth]:
    found = []
    if (cor := free_cor(snapshot)) is not None:
        found.append(_correlation(cor))
    for var in (var for var in snapshot.var if var.free.any()):
        found.append(
            Smooth(partial(var_natural, var), partial(var_unconstrained, var), int(var.free.sum()))
        )
    return found


def _correlation(cor: CorStruct) -> Smooth:
    # spherical angles, for a product of correlations need not be positive definite
    coded = replace(cor, cor_class="corSymm") if cor.cor_class == "corNatural" else cor
    return Smooth(
        lambda u: cor_natural(coded, u, natural=False),
        lambda c: cor_unconstrained(coded, c, natural=False),
        len(cor.names),
    )


def _second(natural: Callable[[Array], Array], u: Array, weight: Array) -> Array:
    """Σ_r weight_r ∂²c_r/∂u∂u' by central differences of the exact gradient."""

    def gradient(x: Array) -> Array:
        return np.asarray(weight @ complex_step(natural, x))

    steps = _STEP * np.eye(len(u))
    rows = [(gradient(u + h) - gradient(u - h)) / (2 * _STEP) for h in steps]
    H = np.array(rows).reshape(len(u), len(u))
    return np.asarray((H + H.T) / 2)
