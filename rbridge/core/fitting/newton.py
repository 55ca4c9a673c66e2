"""Trust-region Newton ascent in the metric of the expected information."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from .surface import Evaluation

FLAT = 2e-7  # slope at a maximum, per standard error
RADIUS = 4.0  # standard errors; where the first step may always lead
FAR = 0.5  # of a coordinate, and where the first step may lead too
GROWTH = 16.0  # of the radius, at most
LEAST_RADIUS = 1e-12
MOST_STEPS = 200
ROUNDING = 4e-15  # of a log-likelihood, relative to the sum of the terms in it
RISING = 1e-9  # rise of the log-likelihood within the radius that is worth a step


@dataclass(frozen=True)
class Local:
    """The function around a point: gradient and Hessian in units of one standard error.

    ``axes`` (d, d) has the units in its columns: metric⁻¹ = axes axes'. ``size`` is that of
    the terms in ``value``, which decides how it is rounded; ``reach`` is that of one unit of the
    coordinate that is known worst, in standard errors.
    """

    value: float
    gradient: Array
    hessian: Array
    axes: Array
    size: float
    reach: float

    @classmethod
    def of(cls, value: float, gradient: Array, hessian: Array, metric: Array, size: float) -> Local:
        known = np.diag(metric).clip(min=1e-300)
        unit = np.sqrt(known)  # digits must not be lost between coordinates of unlike size
        values, vectors = np.linalg.eigh(metric / np.outer(unit, unit))
        reach = float(np.sqrt(known.min(initial=np.inf)))
        axes = vectors / np.sqrt(np.maximum(values, values[-1:] * 1e-14)) / unit[:, None]
        return cls(value, axes.T @ gradient, axes.T @ hessian @ axes, axes, size, reach)

    @property
    def slope(self) -> float:
        return float(np.linalg.norm(self.gradient))


def trust_step(gradient: Array, hessian: Array, radius: float) -> tuple[Array, float]:
    """The highest point of a quadratic within a ball, and its rise there.

    Parameters
    ----------
    gradient : (d,) array
    hessian : (d, d) array
        May be indefinite: negative curvature of −f is followed to the boundary.
    radius : float

    References
    ----------
    Moré and Sorensen (1983), SIAM Journal on Scientific and Statistical Computing 4, 553–572.
    """
    values, vectors = np.linalg.eigh(hessian)
    slopes = vectors.T @ gradient
    step = vectors @ _in_eigenvectors(values, slopes, radius)
    return step, float(gradient @ step + step @ hessian @ step / 2)


def _in_eigenvectors(values: Array, slopes: Array, radius: float) -> Array:
    """Solution s = slopes/(μ − values) with μ ≥ max(0, values) and |s| ≤ radius."""
    top = float(values[-1])
    if top < 0 and np.linalg.norm(slopes / -values) <= radius:
        return np.asarray(slopes / -values)
    least = max(top, 0.0)
    tiny = 1e-12 * max(np.abs(values).max(), np.linalg.norm(slopes) / radius, 1e-300)
    step = slopes / (least + tiny - values)
    short = radius**2 - step @ step
    if short >= 0:  # the hard case: to the boundary along the direction of largest curvature
        step[-1] += np.copysign(np.sqrt(step[-1] ** 2 + short) - abs(step[-1]), slopes[-1])
        return np.asarray(step)
    low, high = least + tiny, least + tiny + float(np.linalg.norm(slopes)) / radius
    for _ in range(60):
        mu = np.sqrt((low - least) * (high - least)) + least
        step = slopes / (mu - values)
        length = float(np.linalg.norm(step))
        if abs(length / radius - 1) < 0.05:
            break
        low, high = (mu, high) if length > radius else (low, mu)
    return np.asarray(step)


def climb(
    at: Callable[[Array], tuple[Evaluation, Local] | None], start: Array
) -> tuple[Evaluation, bool] | None:
    """The maximum above ``start``, and whether the search converged.

    Parameters
    ----------
    at : callable
        ψ to the point there (its own ψ may differ: what is profiled out) and the function around
        it; None where the function has no value.
    start : (d,) array

    Returns
    -------
    point, converged
        None where there is no value at the start.
    """
    found = at(start)
    if found is None:
        return None
    point, now = found
    radius = max(RADIUS, FAR * now.reach)
    widest = GROWTH * radius
    for _ in range(MOST_STEPS):
        step, rise = trust_step(now.gradient, now.hessian, radius)
        if now.slope < FLAT and rise < RISING:
            return point, True
        noise = ROUNDING * now.size
        tried = at(point.psi + now.axes @ step)
        gain = -np.inf if tried is None else tried[1].value - now.value
        if rise < 10 * noise:  # too little to be seen in the value: the slope decides
            if tried is None or gain < -1e3 * noise or tried[1].slope > now.slope / 2:
                return point, now.slope < 1e3 * FLAT
            point, now = tried
            continue
        length = float(np.linalg.norm(step))
        if gain < 0.25 * rise:
            radius = length / 4
        elif gain > 0.75 * rise and length > 0.8 * radius:
            radius = min(2 * radius, widest)
        if tried is not None and gain > 1e-4 * rise:
            point, now = tried
        elif radius < LEAST_RADIUS:
            break
    return point, False
