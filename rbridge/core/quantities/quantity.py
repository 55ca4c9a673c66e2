"""What derived numbers are made of: functions of the parameters of a fit, real or complex."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..engine.covariance import deviation
from ..parameters import split, tau_basis, theta
from ..snapshot import FitSnapshot, VarFunc


@dataclass(frozen=True)
class Point:
    """The structures of a fit at some θ and β, which may be complex.

    Attributes
    ----------
    theta, beta : (r,) and (p,) arrays
    D : tuple of (q, q) arrays
        Of each level, outermost first.
    cor : (k,) array
        Coefficients of the correlation structure, fixed ones included.
    var : tuple of (k,) arrays
        Coefficients of each variance function, fixed ones included.
    sigma_sq : number
    """

    theta: Array
    beta: Array
    D: tuple[Array, ...]
    cor: Array
    var: tuple[Array, ...]
    sigma_sq: Any


@dataclass(frozen=True)
class Quantity:
    """A number that depends on the parameters.

    Attributes
    ----------
    kind : str
        Its range, in the words of ``Theta.kinds``.
    value : callable
        From a :class:`Point` to a number; analytic.
    effects : tuple of (level, effect)
        Random effects without whose variance the quantity is zero (itself a variance or standard
        deviation) or is not defined (a correlation).
    """

    kind: str
    value: Callable[[Point], Any]
    effects: tuple[tuple[int, int], ...] = ()


class Points:
    """The structures of one fit at any parameters."""

    def __init__(self, snapshot: FitSnapshot) -> None:
        self._snapshot = snapshot
        self._bases = [tau_basis(level)[1] for level in snapshot.levels]

    def at(self, theta: Array, beta: Array | None = None) -> Point:
        """At (r,) ``theta`` and (p,) ``beta`` (by default β̂)."""
        snapshot = self._snapshot
        parts = split(snapshot, theta, inner_first=False)
        D = (
            np.tensordot(np.concatenate(pieces), E, 1)
            for E, pieces in zip(self._bases, parts.levels)
        )
        fixed = snapshot.cor.values if snapshot.cor else np.empty(0)
        return Point(
            theta,
            snapshot.beta if beta is None else beta,
            tuple(D),
            parts.cor if len(parts.cor) else fixed,
            tuple(_all_coefs(var, piece) for var, piece in zip(snapshot.var, parts.var)),
            parts.sigma[0] if len(parts.sigma) else np.float64(snapshot.sigma**2),
        )


def _all_coefs(var: VarFunc, free: Array) -> Array:
    coefs = var.values.astype(np.result_type(var.values, free))
    coefs[var.free.astype(bool)] = free
    return coefs


def sd_and_cor(snapshot: FitSnapshot) -> dict[str, Quantity]:
    """θ's variances as standard deviations and its covariances as correlations.

    Labels as in θ with ``sd`` for ``var`` and ``cor`` for ``cov``; σ² becomes ``sigma``;
    coefficients of the correlation structure and the variance function stay out.
    """
    out: dict[str, Quantity] = {}
    for k, level in enumerate(snapshot.levels):
        stem = f"Tau.{level.group}."
        for label, E in zip(*tau_basis(level)):
            i, j = np.argwhere(E)[0]
            name = label[len(stem) :]
            word = "sd" if E.trace() else "cor"
            quantity = deviation_of(k, i) if E.trace() else correlation_of(k, i, j)
            out[f"{stem}{word}{name[3:]}"] = quantity
    if not snapshot.fixed_sigma:
        out["sigma"] = Quantity("scale", lambda p: np.sqrt(p.sigma_sq))
    return out


def components(snapshot: FitSnapshot) -> dict[str, Quantity]:
    """Every component of θ by label."""
    natural = theta(snapshot)
    effects: list[tuple[tuple[int, int], ...]] = []
    for k, level in enumerate(snapshot.levels):
        for E in tau_basis(level)[1]:
            effects.append(((k, int(np.argwhere(E)[0, 0])),) if E.trace() else ())
    effects += [()] * (len(natural.names) - len(effects))
    parts = zip(natural.names, natural.kinds, effects)
    return {name: _component(k, kind, at) for k, (name, kind, at) in enumerate(parts)}


def _component(k: int, kind: str, effects: tuple[tuple[int, int], ...]) -> Quantity:
    return Quantity(kind, lambda p: p.theta[k], effects)


def component_quantities(snapshot: FitSnapshot) -> dict[str, Quantity]:
    """Every component of θ, and the correlations of random effects, by label."""
    pairs = sd_and_cor(snapshot).items()
    return {**components(snapshot), **{name: q for name, q in pairs if q.kind == "correlation"}}


def deviation_of(level: int, i: int) -> Quantity:
    """Standard deviation of one random effect."""
    return Quantity("scale", lambda p: np.sqrt(p.D[level][i, i]), ((level, i),))


def correlation_of(level: int, i: int, j: int) -> Quantity:
    """Correlation of two random effects of one level."""

    def value(p: Point) -> Any:
        D = p.D[level]
        return D[i, j] / np.sqrt(D[i, i] * D[j, j])

    return Quantity("correlation", value, ((level, i), (level, j)))


def level_variance(snapshot: FitSnapshot, level: int) -> Quantity:
    """Variance of z'b of one level, averaged over the rows of the fit: tr(D Z'Z)/n.

    References
    ----------
    Johnson (2014), Methods in Ecology and Evolution 5, 944–946.
    """
    Z = snapshot.levels[level].Z
    moment = Z.T @ Z / len(Z)
    return Quantity("variance", lambda p: np.sum(p.D[level] * moment))


def squared_deviations(var: Sequence[VarFunc], p: Point) -> Any:
    """s² of each row, (n,); the number 1 without a variance function."""
    squares: Any = 1.0
    for component, coefs in zip(var, p.var):
        squares = squares * deviation(component, coefs) ** 2
    return squares


def residual_variance(snapshot: FitSnapshot) -> Quantity:
    """σ² s_i², averaged over the rows of the fit."""
    return Quantity("variance", lambda p: p.sigma_sq * np.mean(squared_deviations(snapshot.var, p)))


def total_variance(snapshot: FitSnapshot) -> Quantity:
    """Marginal variance of an observation, averaged over the rows of the fit.

    The sum of all variances where none depends on a covariate. A correlation structure, with or
    without nugget, leaves it as it is.
    """
    parts = [level_variance(snapshot, k) for k in range(len(snapshot.levels))]
    parts.append(residual_variance(snapshot))
    return Quantity("variance", lambda p: sum(part.value(p) for part in parts))
