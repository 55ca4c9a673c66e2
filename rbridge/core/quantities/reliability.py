"""How well the mean of a group's observations shows the group."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import SpecError
from ..arrays import Array, group_starts
from ..snapshot import FitSnapshot
from .quantity import Point, Quantity, squared_deviations


def reliability_of(snapshot: FitSnapshot, level: int, n: float | None = None) -> Quantity:
    """Reliability of the group means of a level, averaged over its groups.

    Parameters
    ----------
    level : int
        Position among ``snapshot.levels``, outermost first.
    n : float, optional
        Observations a group, for a model with a single random intercept; by default the groups
        as they are.

    Raises
    ------
    SpecError
        The residuals are correlated, or ``n`` with any other model.

    Notes
    -----
    λ_j = b_j/(b_j + w_j): b_j = z̄_j'D z̄_j between the groups, and inside group j
    w_j = Σ_inner Σ_c (Σ_{i∈c} z_i)'D(Σ_{i∈c} z_i)/n_j² + Σ_i σ² s_i²/n_j².
    """
    if snapshot.cor is not None:
        raise SpecError(
            "the reliability of group means is not defined here for correlated residuals"
        )
    if n is not None:
        return _planned(snapshot, n)
    starts = group_starts(snapshot.levels[level].codes)
    size = np.diff(np.append(starts, snapshot.n))
    between = _squares(snapshot, level, starts, size)
    inner = range(level + 1, len(snapshot.levels))
    within = {k: _squares(snapshot, k, starts, size) for k in inner}

    def value(p: Point) -> Any:
        b = np.einsum("mij,ij->m", between, p.D[level])
        s2 = squared_deviations(snapshot.var, p) * np.ones(snapshot.n)
        w = p.sigma_sq * np.add.reduceat(s2, starts) / size**2
        w = w + sum(np.einsum("mij,ij->m", square, p.D[k]) for k, square in within.items())
        return np.mean(b / (b + w))

    return Quantity("proportion", value)


def _planned(snapshot: FitSnapshot, n: float) -> Quantity:
    levels = snapshot.levels
    if len(levels) != 1 or levels[0].names != ("(Intercept)",) or snapshot.var:
        raise SpecError("n needs a model with one level of random intercepts and equal variances")
    return Quantity("proportion", lambda p: p.D[0][0, 0] / (p.D[0][0, 0] + p.sigma_sq / n))


def _squares(snapshot: FitSnapshot, k: int, outer: Array, size: Array) -> Array:
    """Σ over the groups c of level k inside each outer group of z̄z̄', z̄ = Σ_{i∈c} z_i/n_j."""
    starts = group_starts(snapshot.levels[k].codes)
    sums = np.add.reduceat(snapshot.levels[k].Z, starts)
    squares = np.add.reduceat(sums[:, :, None] * sums[:, None], np.searchsorted(starts, outer))
    return np.asarray(squares / size[:, None, None] ** 2)
