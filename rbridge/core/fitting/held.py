"""The maximum of the likelihood with one function of the parameters held at a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from .newton import Local, trust_step
from .surface import Evaluation, Surface

_FLAT = 1e-6  # slope along the surface of the held value, per standard error
_HELD = 1e-8  # of the function held at zero, whose unit is a standard error
_RADIUS = 4.0
_LEAST_RADIUS = 1e-9
_MOST_STEPS = 100
_SHARE = 0.8  # of the radius, at most, spent on the way back to the held value


@dataclass(frozen=True)
class Held:
    """A function of ψ: value, (d,) gradient and (d, d) Hessian."""

    value: float
    gradient: Array
    hessian: Array


@dataclass(frozen=True)
class _State:
    point: Evaluation
    held: Held
    local: Local
    a: Array  # gradient of the held function, in units of the standard errors

    @property
    def multiplier(self) -> float:
        return float(self.a @ self.local.gradient / (self.a @ self.a))

    @property
    def slope(self) -> float:
        """Of the log-likelihood where the held function does not change."""
        return float(np.linalg.norm(self.local.gradient - self.multiplier * self.a))

    def merit(self, price: float) -> float:
        return self.local.value - price * abs(self.held.value)


def maximise_held(
    surface: Surface, held: Callable[[Evaluation], Held], start: Array
) -> tuple[Evaluation, bool] | None:
    """The maximum over the ψ at which ``held`` is zero, and whether it was found.

    Parameters
    ----------
    surface : Surface
    held : callable
        In units of its own standard error.
    start : (d,) array

    Returns
    -------
    point, converged
        None where there is no likelihood at the start.

    Notes
    -----
    Newton's method on the Lagrange conditions, safeguarded: a step back to the surface of the
    held value, then one within it, together in a trust region.

    References
    ----------
    Omojokun (1989), thesis, University of Colorado; Nocedal and Wright (2006), Numerical
    Optimization, section 18.5.
    """
    now, radius, price = _state(surface, held, start), _RADIUS, 0.0
    if now is None:
        return None
    for _ in range(_MOST_STEPS):
        if not now.a @ now.a > 0:  # nothing moves the held function: no way to its value
            return now.point, False
        if abs(now.held.value) < _HELD and now.slope < _FLAT:
            return now.point, True
        step, rise, nearer = _step(now, radius)
        if rise < 0 and nearer > 0:
            price = max(price, -2 * rise / nearer)
        price = max(price, 1.5 * abs(now.multiplier))
        predicted = rise + price * nearer
        tried = _tried(surface, held, now, step, price)
        gain = -np.inf if tried is None else tried.merit(price) - now.merit(price)
        noise = 4e-15 * now.local.size
        length = float(np.linalg.norm(step))
        if gain < 0.25 * predicted - noise:
            radius = length / 4
        elif gain > 0.75 * predicted and length > 0.8 * radius:
            radius = 2 * radius
        if tried is not None and gain > 1e-4 * predicted - noise:
            now = tried
        elif radius < _LEAST_RADIUS:
            break
    return now.point, abs(now.held.value) < 1e2 * _HELD and now.slope < 1e2 * _FLAT


def _state(surface: Surface, held: Callable[[Evaluation], Held], psi: Array) -> _State | None:
    point = surface.at(psi)
    if point is None:
        return None
    constraint = held(point)
    local = Local.of(point.log_lik, point.gradient, point.hessian, point.metric, point.size)
    finite = np.isfinite(constraint.value) and np.isfinite(constraint.hessian).all()
    return _State(point, constraint, local, local.axes.T @ constraint.gradient) if finite else None


def _step(now: _State, radius: float) -> tuple[Array, float, float]:
    """The step, the rise of the Lagrangian along it, and how much nearer to zero it brings."""
    a, axes, c = now.a, now.local.axes, now.held.value
    W = now.local.hessian - now.multiplier * (axes.T @ now.held.hessian @ axes)
    back = -c * a / (a @ a)
    length = float(np.linalg.norm(back))
    if length > _SHARE * radius:
        back *= _SHARE * radius / length
    Z = np.linalg.svd(a[None])[2][1:].T
    step = back
    if Z.shape[1]:
        left = float(np.sqrt(radius**2 - back @ back))
        step = back + Z @ trust_step(Z.T @ (now.local.gradient + W @ back), Z.T @ W @ Z, left)[0]
    rise = float(now.local.gradient @ step + step @ W @ step / 2)
    return step, rise, abs(c) - abs(c + float(a @ step))


def _tried(
    surface: Surface, held: Callable[[Evaluation], Held], now: _State, step: Array, price: float
) -> _State | None:
    """The state after the step; brought back to the held value where that bends away from it."""
    axes = now.local.axes
    tried = _state(surface, held, now.point.psi + axes @ step)
    if tried is None or tried.merit(price) > now.merit(price):
        return tried
    second = step - tried.held.value * now.a / (now.a @ now.a)
    if np.linalg.norm(second - step) > np.linalg.norm(step):
        return tried
    again = _state(surface, held, now.point.psi + axes @ second)
    return again if again and again.merit(price) > tried.merit(price) else tried
