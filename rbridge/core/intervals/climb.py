"""The likelihood around its maximum as a profile needs it: any quantity, held at any value."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .. import parameters
from ..arrays import Array
from ..derivatives import complex_step
from ..fitting.held import Held, maximise_held
from ..fitting.maximum import Maximum, maximise
from ..fitting.surface import Evaluation, Surface
from ..quantities.quantity import Points, Quantity
from ..snapshot import FitSnapshot

_TINY_SHARE = 1e-7  # of the residual variance: how far a singular D is moved inside
_STEP = 1e-6  # between exact gradients, relative


class Hill:
    """The likelihood of a fit above its maximum, which is moved inside where a D is singular.

    Attributes
    ----------
    maximum : Maximum
    top : (d,) array
        The coordinates ψ of its place.

    Raises
    ------
    InformationError
        There is no likelihood at the estimates.
    """

    def __init__(self, snapshot: FitSnapshot) -> None:
        self._surface, self._points = Surface(snapshot), Points(snapshot)
        self._no_beta = np.full(snapshot.X.shape[1], np.nan)  # β is no part of this surface
        self.maximum: Maximum = maximise(snapshot)
        self.top = self._surface.psi(_lifted(snapshot, self.maximum.theta))

    def quantity(self, wanted: Quantity) -> tuple[float, float]:
        """A quantity at the top and its standard error."""
        point = self._surface.at(self.top)
        if point is None:
            return np.nan, np.nan
        held = self._derivatives(wanted, point)
        step = np.linalg.solve(point.metric, held.gradient)
        return held.value, float(np.sqrt(held.gradient @ step))

    def at(self, wanted: Quantity, value: float, unit: float, start: Array) -> tuple[Array, float]:
        """ψ and log-likelihood of the maximum with the quantity held at ``value``.

        Parameters
        ----------
        unit : float
            A standard error of the quantity near there.
        start : (d,) array

        Returns
        -------
        psi : (d,) array
        log_lik : float
            nan where it cannot be held.
        """

        def held(point: Evaluation) -> Held:
            here = self._derivatives(wanted, point)
            return Held((here.value - value) / unit, here.gradient / unit, here.hessian / unit)

        with np.errstate(all="ignore"):
            found = maximise_held(self._surface, held, start)
        if found is None or not found[1]:
            return start, np.nan
        return found[0].psi, found[0].log_lik

    def _derivatives(self, wanted: Quantity, point: Evaluation) -> Held:
        """By ψ: through θ, exactly but for a difference of gradients in the second ones."""

        def value(theta: Array) -> Array:
            return np.asarray(wanted.value(self._points.at(theta, self._no_beta)))

        theta, J = point.theta, point.jacobian
        with np.errstate(all="ignore"):
            gradient = complex_step(value, theta)
            steps = np.diag(_STEP * np.maximum(np.abs(theta), 1e-8))
            ahead = [complex_step(value, theta + h) - gradient for h in steps]
            second = np.array(ahead) / np.diag(steps)[:, None]
            hessian = J.T @ ((second + second.T) / 2) @ J
            hessian += self._surface.curvature(point.psi, J, gradient)
            return Held(float(value(theta)), gradient @ J, hessian)


def _lifted(snapshot: FitSnapshot, theta: Array) -> Array:
    """θ with a tiny share of the residual variance added to the variances of a singular D."""
    lifted = theta.copy()
    for place, E, D, unit in _matrices(snapshot, theta):
        scaled = D / np.sqrt(np.outer(unit, unit))
        if np.linalg.eigvalsh(scaled)[0] < _TINY_SHARE:
            add = np.einsum("ekk,k->e", E, _TINY_SHARE * np.maximum(unit, np.diag(D)))
            lifted[place] += add / np.maximum(np.einsum("ekk->e", E), 1)
    return lifted


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
