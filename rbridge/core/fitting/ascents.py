"""Trust-region Newton ascent of many functions at once: :mod:`.newton`, over arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from ..arrays import Array
from .newton import FAR, FLAT, GROWTH, LEAST_RADIUS, MOST_STEPS, RADIUS, RISING, ROUNDING

At = Callable[[Array, Array], tuple[Array, Array, Array, Array, Array]]


@dataclass
class Locals:
    """k functions around a point each, as :class:`.newton.Local`: (k, …) arrays."""

    psi: Array
    value: Array
    gradient: Array
    hessian: Array
    axes: Array
    size: Array
    reach: Array

    @classmethod
    def of(cls, at: At, psi: Array, which: Array) -> Locals:
        with np.errstate(all="ignore"):
            value, gradient, hessian, metric, size = at(psi, which)
        bad = ~(np.isfinite(value) & np.isfinite(hessian).all(axis=(1, 2)))
        bad |= ~np.isfinite(metric).all(axis=(1, 2))
        value = np.where(bad, -np.inf, value)
        hessian[bad], metric[bad], gradient[bad] = 0, np.eye(psi.shape[1]), 0
        values, vectors = np.linalg.eigh(metric)
        reach = np.sqrt(np.einsum("kaa->ka", metric).min(axis=1))
        axes = vectors / np.sqrt(np.maximum(values, values[:, -1:] * 1e-14))[:, None, :]
        turned = axes.transpose(0, 2, 1)
        slopes = np.einsum("kab,kb->ka", turned, gradient)
        return cls(psi, value, slopes, turned @ hessian @ axes, axes, size, reach)

    @property
    def slope(self) -> Array:
        return np.asarray(np.linalg.norm(self.gradient, axis=1))

    def put(self, where: Array, other: Locals, taken: Array) -> None:
        """The points ``taken`` of ``other`` in the places ``where``."""
        for field in fields(self):
            getattr(self, field.name)[where] = getattr(other, field.name)[taken]

    def take(self, which: Array) -> Locals:
        return Locals(*(getattr(self, field.name)[which] for field in fields(self)))


def climb_all(at: At, start: Array) -> tuple[Array, Array]:
    """The maximum above each of k starts, and whether the search converged.

    Parameters
    ----------
    at : callable
        ``at(psi, which)``: value (k,), gradient (k, d), Hessian and metric (k, d, d) and size (k,)
        of the functions number ``which`` at (k, d) points.
    start : (k, d) array

    Returns
    -------
    (k, d) array, (k,) bool array

    Notes
    -----
    The rules of :func:`.newton.climb`, step by step for all that still climb.
    """
    k = len(start)
    now = Locals.of(at, start, np.arange(k))
    radius = np.maximum(RADIUS, FAR * now.reach)
    widest = GROWTH * radius
    converged = np.zeros(k, dtype=bool)
    left = np.flatnonzero(now.value > -np.inf)
    for _ in range(MOST_STEPS):
        here = now.take(left)
        step, rise = trust_steps(here.gradient, here.hessian, radius[left])
        there = (here.slope < FLAT) & (rise < RISING)
        converged[left[there]] = True
        left, here, step, rise = left[~there], here.take(~there), step[~there], rise[~there]
        if not len(left):
            break
        tried = Locals.of(at, here.psi + np.einsum("kab,kb->ka", here.axes, step), left)
        gain = tried.value - here.value
        noise = ROUNDING * here.size
        unseen = rise < 10 * noise  # too little to be seen in the value: the slope decides
        worse = (gain < -1e3 * noise) | (tried.slope > here.slope / 2)
        done = unseen & worse
        converged[left[done]] = here.slope[done] < 1e3 * FLAT
        length = np.linalg.norm(step, axis=1)
        shrink, grow = ~unseen & (gain < 0.25 * rise), gain > 0.75 * rise
        grow &= ~unseen & (length > 0.8 * radius[left])
        radius[left[shrink]] = length[shrink] / 4
        radius[left[grow]] = np.minimum(2 * radius, widest)[left[grow]]
        better = np.where(unseen, ~worse, gain > 1e-4 * rise)
        now.put(left[better], tried, better)
        stuck = ~unseen & ~better & (radius[left] < LEAST_RADIUS)
        left = left[~done & ~stuck]
    return now.psi, converged


def trust_steps(gradient: Array, hessian: Array, radius: Array) -> tuple[Array, Array]:
    """:func:`.newton.trust_step` of k quadratics: (k, d) steps and (k,) rises."""
    values, vectors = np.linalg.eigh(hessian)
    slopes = np.einsum("kba,kb->ka", vectors, gradient)
    inside = _in_eigenvectors(values, slopes, radius)
    step = np.einsum("kab,kb->ka", vectors, inside)
    bent = np.einsum("ka,kab,kb->k", step, hessian, step)
    return step, np.einsum("ka,ka->k", gradient, step) + bent / 2


def _in_eigenvectors(values: Array, slopes: Array, radius: Array) -> Array:
    """Solution s = slopes/(μ − values) with μ ≥ max(0, values) and |s| ≤ radius."""
    top = values[:, -1]
    with np.errstate(all="ignore"):
        step = slopes / -values
    lengths = np.linalg.norm(np.where(top[:, None] < 0, step, 0), axis=1)
    bounded = ~((top < 0) & (lengths <= radius))
    step[bounded] = _bounded(values[bounded], slopes[bounded], radius[bounded])
    return np.asarray(step)


def _bounded(values: Array, slopes: Array, radius: Array) -> Array:
    """The same where the step is as long as the radius."""
    least = np.maximum(values[:, -1], 0)
    far = np.linalg.norm(slopes, axis=1) / radius
    tiny = 1e-12 * np.maximum(np.maximum(np.abs(values).max(axis=1), far), 1e-300)
    step = slopes / ((least + tiny)[:, None] - values)
    short = radius**2 - np.einsum("ka,ka->k", step, step)
    hard = short >= 0  # to the boundary along the direction of largest curvature
    last = step[hard, -1]
    step[hard, -1] += np.copysign(np.sqrt(last**2 + short[hard]) - np.abs(last), slopes[hard, -1])
    low, high, left = tiny, tiny + far, np.flatnonzero(~hard)
    for _ in range(60):
        if not len(left):
            break
        mu = np.sqrt(low[left] * high[left])
        step[left] = slopes[left] / ((least[left] + mu)[:, None] - values[left])
        length = np.linalg.norm(step[left], axis=1)
        long = length > radius[left]
        low[left[long]], high[left[~long]] = mu[long], mu[~long]
        left = left[np.abs(length / radius[left] - 1) >= 0.05]
    return np.asarray(step)
