"""The maximum of the likelihood over the variance components, free or with one quantity held.

Works on nlme's own parameterisation by log-Cholesky factors and angles, where every point is an
admissible model; scaled by the expected information, so that a unit step is about one standard
error in every direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import InformationError
from .. import parameters
from ..arrays import Array
from ..derivatives import complex_step
from ..engine.contractions import contract
from ..engine.forms import Forms
from ..quantities.quantity import Points, Quantity
from ..snapshot import ApVar, FitSnapshot, PdBlock, RandomLevel

_LEAST_INFORMATION = 0.05  # of a direction; below it a unit step is about 4 on a log scale
_TINY_SHARE = 1e-7  # of the residual variance: where a start on the boundary is moved to
_INSIDE_SHARE = 0.05
_SINGULAR = 1e-4  # least eigenvalue of D, likewise
_FLAT = 1e-3  # largest slope at a maximum, per standard error
_HELD = 1e-6  # standard errors from the value to hold
_FAR = 1e8  # log-likelihood below the start's where there is no model


@dataclass(frozen=True)
class Maximum:
    """A maximum of the log-likelihood.

    Attributes
    ----------
    theta : (r,) array
    log_lik : float
    converged : bool
    """

    theta: Array
    log_lik: float
    converged: bool


class Surface:
    """The log-likelihood of a fit as a function of scaled unconstrained parameters v.

    Parameters
    ----------
    snapshot : FitSnapshot
    start : (r,) array, optional
        θ at v = 0; by default the estimates.
    """

    def __init__(self, snapshot: FitSnapshot, start: Array | None = None) -> None:
        self._snapshot = _coded(snapshot)
        given = parameters.theta(snapshot).values if start is None else np.asarray(start, float)
        self._origin = _admissible(self._snapshot, given)
        self._axes = np.eye(len(self._origin))
        theta, jacobian = self._natural(np.zeros(len(self._origin)))
        forms = contract(self._snapshot, theta)
        self._base = forms.log_likelihood
        self._axes = _axes(forms, jacobian)
        self._points = Points(self._snapshot)
        self._theta = _last_kept(self._natural)
        self.log_lik = _last_kept(self._log_lik)

    def _natural(self, v: Array) -> tuple[Array, Array]:
        """θ at (r,) ``v`` and ∂θ/∂v, (r, r)."""
        u = self._origin + self._axes @ v
        with np.errstate(all="ignore"):
            theta = parameters.natural_from_unconstrained(self._snapshot, u)
            return theta, parameters.jacobian(self._snapshot, u) @ self._axes

    def _log_lik(self, v: Array) -> tuple[float, Array]:
        """Log-likelihood and its (r,) gradient at ``v``; far below where there is no model."""
        theta, jacobian = self._theta(v)
        with np.errstate(all="ignore"):
            try:
                forms = contract(self._snapshot, theta)
                value, gradient = forms.log_likelihood, forms.score @ jacobian
            except (InformationError, np.linalg.LinAlgError):
                value, gradient = np.nan, v
        if not np.isfinite(value) or not np.isfinite(gradient).all():
            return self._base - _FAR, np.zeros(len(v))
        return value, gradient

    def quantity(self, wanted: Quantity, v: Array) -> tuple[float, Array]:
        """A quantity and its (r,) gradient at ``v``."""
        theta, jacobian = self._theta(v)
        none = np.full(self._snapshot.X.shape[1], np.nan)  # β is no part of this surface

        def value(t: Array) -> Array:
            return np.asarray(wanted.value(self._points.at(t, none)))

        with np.errstate(all="ignore"):
            return float(value(theta)), complex_step(value, theta) @ jacobian

    def maximise(self) -> tuple[Array, Maximum]:
        """The unconstrained maximum, climbing from v = 0: where it is, and what."""
        from scipy.optimize import minimize  # late: import rbridge must stay quick

        def climb(start: Array) -> tuple[Array, Maximum]:
            options = {"gtol": 1e-7, "maxiter": 500}
            x = minimize(self._downhill, start, jac=True, method="BFGS", options=options).x
            log_lik, gradient = self.log_lik(x)
            flat = bool(np.abs(gradient).max(initial=0) < _FLAT)
            return x, Maximum(self._theta(x)[0], log_lik, flat)

        return max(map(climb, self._starts(np.zeros(len(self._origin)))), key=_height)

    def maximise_at(
        self, held: Callable[[Array], tuple[float, Array]], start: Array
    ) -> tuple[Array, Maximum]:
        """The maximum where ``held``, a function of v with its gradient, is zero."""
        from scipy.optimize import minimize

        constraint = {"type": "eq", "fun": lambda v: held(v)[0], "jac": lambda v: held(v)[1]}
        how = {"jac": True, "method": "SLSQP", "options": {"ftol": 1e-11, "maxiter": 100}}

        def climb(start: Array) -> tuple[Array, Maximum]:
            with np.errstate(all="ignore"):
                x = minimize(self._downhill, start, constraints=[constraint], **how).x
            there = abs(held(x)[0]) < _HELD
            return x, Maximum(self._theta(x)[0], self.log_lik(x)[0], there)

        return max(map(climb, self._starts(start)), key=_height)

    def _starts(self, v: Array) -> Iterator[Array]:
        """``v``; where a D is all but singular also a point inside, for no slope leads there."""
        yield v
        theta = self._theta(v)[0]
        if _singular(self._snapshot, theta):
            u = _admissible(self._snapshot, _lifted(self._snapshot, theta, _INSIDE_SHARE))
            yield np.linalg.solve(self._axes, u - self._origin)

    def _downhill(self, v: Array) -> tuple[float, Array]:
        value, gradient = self.log_lik(v)
        return self._base - value, -gradient


def maximise(snapshot: FitSnapshot, start: Array | None = None) -> Maximum:
    """Maximum likelihood (REML or ML, as the fit) estimates of θ, computed here.

    Parameters
    ----------
    snapshot : FitSnapshot
    start : (r,) array, optional
        By default the snapshot's own estimates.
    """
    if not parameters.theta(snapshot).names:  # sigma is fixed, and there is nothing else
        return Maximum(np.empty(0), contract(snapshot, derivatives=False).log_likelihood, True)
    surface = Surface(snapshot, start)
    v, found = surface.maximise()
    if not found.converged:  # scaled afresh where the first search ended
        found = Surface(snapshot, found.theta).maximise()[1]
    return found


def _height(found: tuple[Array, Maximum]) -> tuple[bool, float]:
    return found[1].converged, found[1].log_lik


def _last_kept(f: Callable[[Array], Any]) -> Callable[[Array], Any]:
    """``f`` that remembers its last result: optimisers ask twice at one place."""
    last: list[Any] = [b"", None]

    def kept(v: Array) -> Any:
        if last[0] != v.tobytes():
            last[:] = v.tobytes(), f(v)
        return last[1]

    return kept


# --- coding ------------------------------------------------------------------------------------


def _coded(snapshot: FitSnapshot) -> FitSnapshot:
    """The same model in the parameterisation that admits no indefinite matrix."""
    free = ApVar((), np.empty(0), np.empty((0, 0)), natural=False)
    levels = tuple(replace(level, blocks=_blocks(level)) for level in snapshot.levels)
    cor = snapshot.cor
    if cor is not None and cor.cor_class == "corNatural":
        cor = replace(cor, cor_class="corSymm")
    return replace(snapshot, apvar=free, levels=levels, cor=cor)


def _blocks(level: RandomLevel) -> tuple[PdBlock, ...]:
    whole = ("pdSymm", "pdNatural")
    return tuple(
        replace(block, pd_class="pdLogChol") if block.pd_class in whole else block
        for block in level.blocks
    )


def _admissible(snapshot: FitSnapshot, theta: Array) -> Array:
    """u of ``theta``, moved off the boundary where ``theta`` lies on it."""
    for share in (0.0, _TINY_SHARE, 1e-4):
        try:
            with np.errstate(all="ignore"):
                u = parameters.unconstrained_from_natural(snapshot, _lifted(snapshot, theta, share))
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(u).all():
            return u
    raise InformationError("the estimates are not inside the model: no likelihood to climb")


def _lifted(snapshot: FitSnapshot, theta: Array, share: float) -> Array:
    """θ with a share of the residual variance added to every variance of a random effect."""
    lifted = theta.copy()
    for place, E, D, unit in _matrices(snapshot, theta):
        add = np.einsum("ekk,k->e", E, share * np.maximum(unit, np.diag(D)))
        lifted[place] += add / np.maximum(np.einsum("ekk->e", E), 1)
    return lifted


def _singular(snapshot: FitSnapshot, theta: Array) -> bool:
    """Whether some D has a direction of next to no variance."""
    scaled = (D / np.sqrt(np.outer(unit, unit)) for _, _, D, unit in _matrices(snapshot, theta))
    return any(np.linalg.eigvalsh(D)[0] < _SINGULAR for D in scaled)


def _matrices(snapshot: FitSnapshot, theta: Array) -> Iterator[tuple[slice, Array, Array, Array]]:
    """Of each level: its place in θ, E, D, and the variances as large as the residual one."""
    start = 0
    sigma_sq = snapshot.sigma**2 if snapshot.fixed_sigma else theta[-1]
    for level in snapshot.levels:
        E = parameters.tau_basis(level)[1]
        place = slice(start, start + len(E))
        unit = sigma_sq / np.maximum(np.mean(level.Z**2, axis=0), 1e-300)
        yield place, E, np.tensordot(theta[place], E, 1), unit
        start = place.stop


def _axes(forms: Forms, J: Array) -> Array:
    """Directions of about one standard error each, (r, r): I_u⁻¹ = axes axes'."""
    values, vectors = np.linalg.eigh(J.T @ (forms.trace2 / 2) @ J)
    return np.asarray(vectors / np.sqrt(np.maximum(values, _LEAST_INFORMATION)))
