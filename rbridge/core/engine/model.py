"""The covariance structure of a fit at any θ: θ cut into the coefficients of each structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...errors import SnapshotError
from .. import parameters
from ..arrays import Array
from ..snapshot import CorStruct, FitSnapshot, VarFunc


@dataclass(frozen=True)
class Model:
    """The structures of a fit with their coefficients at θ.

    Attributes
    ----------
    names : tuple of str, length r
        Labels of θ.
    theta : (r,) array
    D, E : tuple of (q, q) and of (n_e, q, q) arrays
        Of each level, outermost first: D = Σ_e θ_e E_e.
    cor : CorStruct or None
    cor_coefs : (k,) array
    var : tuple of VarFunc
    var_coefs : tuple of (k,) arrays
        Fixed coefficients included.
    sigma_sq : float
    fixed_sigma : bool
    """

    names: tuple[str, ...]
    theta: Array
    D: tuple[Array, ...]
    E: tuple[Array, ...]
    cor: CorStruct | None
    cor_coefs: Array
    var: tuple[VarFunc, ...]
    var_coefs: tuple[Array, ...]
    sigma_sq: float
    fixed_sigma: bool

    @property
    def n_tau(self) -> int:
        """Number of elements of the D's among θ; they come first."""
        return sum(len(E) for E in self.E)

    @property
    def n_cor(self) -> int:
        """Number of free coefficients of the correlation structure."""
        return 0 if self.cor is None or self.cor.fixed else len(self.cor_coefs)

    @property
    def structured(self) -> bool:
        """Whether there is a correlation structure or a variance function, fixed ones included."""
        return self.cor is not None or bool(self.var)

    @property
    def n_base(self) -> int:
        """Number of free coefficients of the correlation structure and the variance function."""
        return self.n_cor + sum(int(v.free.sum()) for v in self.var)


def model_at(snapshot: FitSnapshot, theta: ArrayLike | None = None) -> Model:
    """The structures of ``snapshot`` at ``theta`` ((r,) array; by default the estimates).

    Raises
    ------
    SnapshotError
        ``theta`` has the wrong length.
    """
    estimates = parameters.theta(snapshot)
    values = np.array(estimates.values if theta is None else theta, dtype=float)
    if values.shape != estimates.values.shape:
        raise SnapshotError(f"theta has shape {values.shape}, expected {estimates.values.shape}")
    rest = values
    D, E = [], []
    for level in snapshot.levels:
        basis = parameters.tau_basis(level)[1]
        taken, rest = rest[: len(basis)], rest[len(basis) :]
        E.append(basis)
        D.append(np.tensordot(taken, basis, 1))
    cor_coefs = np.empty(0) if snapshot.cor is None else snapshot.cor.values
    if snapshot.cor is not None and not snapshot.cor.fixed:
        cor_coefs, rest = rest[: len(cor_coefs)], rest[len(cor_coefs) :]
    var_coefs = []
    for var in snapshot.var:
        coefs, free = np.array(var.values, dtype=float), var.free.astype(bool)
        coefs[free], rest = rest[: free.sum()], rest[free.sum() :]
        var_coefs.append(coefs)
    return Model(
        names=estimates.names,
        theta=values,
        D=tuple(D),
        E=tuple(E),
        cor=snapshot.cor,
        cor_coefs=cor_coefs,
        var=snapshot.var,
        var_coefs=tuple(var_coefs),
        sigma_sq=snapshot.sigma**2 if snapshot.fixed_sigma else float(rest[0]),
        fixed_sigma=snapshot.fixed_sigma,
    )
