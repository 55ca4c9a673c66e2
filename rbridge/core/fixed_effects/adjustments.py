"""Several t tests at once: adjusted p-values and the quantiles of simultaneous intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from ...errors import SpecError
from ...options import one_of
from ..arrays import Array
from .distributions import t_quantile, t_tails

ADJUSTMENTS = ("none", "bonferroni", "holm", "tukey", "dunnett", "mvt")
_SEED = 1952  # of the quasi-random points: the same figures each time
_POWER = 18  # of 2: how many points
_RANK, _TINY = 1e-10, 1e-15
_LARGE = 1e5  # degrees of freedom beyond which the normal distribution serves


@dataclass(frozen=True)
class Family:
    """The tests that are adjusted together.

    Attributes
    ----------
    t, df : (k,) arrays
    corr : (k, k) array
        Correlation of the estimates.
    means : int
        Number of means that are compared (Tukey's).
    """

    t: Array
    df: Array
    corr: Array
    means: int


def adjusted(family: Family, adjust: str, level: float) -> tuple[Array, Array]:
    """Adjusted p-values and half-widths of simultaneous intervals in standard errors.

    Parameters
    ----------
    family : Family
    adjust : {"none", "bonferroni", "holm", "tukey", "dunnett", "mvt"}
        Holm's intervals are Bonferroni's. ``tukey`` takes the studentized range, exact for
        independent means of one variance, else conservative. ``dunnett`` and ``mvt`` take the
        multivariate t distribution of the very contrasts, with the mean of their degrees of
        freedom where these differ, to about 1e-4.
    level : float

    Returns
    -------
    (k,) arrays

    References
    ----------
    Hsu (1996), Multiple Comparisons; Genz and Bretz (2009), Computation of Multivariate Normal
    and t Probabilities.
    """
    one_of(adjust, ADJUSTMENTS, "adjust")
    if not (family.df > 0).all():
        raise SpecError("a contrast has no degrees of freedom: use another ddf")
    return _METHODS[adjust](family, level)


def _none(family: Family, level: float) -> tuple[Array, Array]:
    return t_tails(family.t, family.df), t_quantile((1 + level) / 2, family.df)


def _bonferroni(family: Family, level: float) -> tuple[Array, Array]:
    k = len(family.t)
    p = np.minimum(k * t_tails(family.t, family.df), 1.0)
    return p, t_quantile(1 - (1 - level) / (2 * k), family.df)


def _holm(family: Family, level: float) -> tuple[Array, Array]:
    p, k = t_tails(family.t, family.df), len(family.t)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (k - np.arange(k)))
    out = np.empty(k)
    out[order] = np.minimum(stepped, 1.0)
    return out, _bonferroni(family, level)[1]


def _tukey(family: Family, level: float) -> tuple[Array, Array]:
    p = [_beyond(abs(t), family.means, df) for t, df in zip(family.t, family.df)]
    k = len(family.t)
    return np.array(p), np.array([_tukey_width(level, family.means, k, df) for df in family.df])


def _beyond(t: float, means: int, df: float) -> float:
    from scipy.stats import studentized_range  # late: import rbridge must stay quick

    return float(studentized_range.sf(t * np.sqrt(2), means, df))


@lru_cache(maxsize=64)
def _tukey_width(level: float, means: int, k: int, df: float) -> float:
    """Between the widths without adjustment and Bonferroni's."""
    from scipy.optimize import brentq  # late: import rbridge must stay quick

    low, high = t_quantile((1 + level) / 2, df), t_quantile(1 - (1 - level) / (2 * k), df)
    if means == 2:
        return float(low)
    return float(brentq(lambda t: _beyond(t, means, df) - (1 - level), low, high, xtol=1e-7))


def _mvt(family: Family, level: float) -> tuple[Array, Array]:
    single = t_tails(family.t, family.df)
    if len(single) == 1:
        return _none(family, level)
    largest = _largest(family.corr, float(np.mean(family.df)))
    beyond = 1 - np.searchsorted(largest, np.abs(family.t)) / len(largest)
    p = np.clip(beyond, single, np.minimum(len(single) * single, 1.0))  # where few points reach
    return p, np.full(len(p), np.quantile(largest, level))


def _largest(corr: Array, df: float) -> Array:
    """Quasi-random points of max |T_i|, sorted; T is multivariate t with this correlation."""
    values, vectors = np.linalg.eigh(corr)
    root = (vectors * np.sqrt(np.maximum(values, 0)))[:, values > _RANK]
    dimension = root.shape[1]
    return np.sort(np.abs(root @ _points(dimension)[0]).max(axis=0) / _scales(dimension, df))


@lru_cache(maxsize=4)
def _points(dimension: int) -> tuple[Array, Array]:
    """Quasi-random normal points (dimension, n), and (n,) uniform ones beside them."""
    from scipy.stats import qmc  # late: import rbridge must stay quick

    points = qmc.Sobol(dimension + 1, seed=_SEED).random_base2(_POWER)
    points = np.clip(points, _TINY, 1 - _TINY)
    return special.ndtri(points[:, 1:].T), points[:, 0]


@lru_cache(maxsize=4)
def _scales(dimension: int, df: float) -> Array | float:
    """√(χ²/df) by which the normal points are divided."""
    if df > _LARGE:
        return 1.0
    return np.asarray(np.sqrt(special.chdtri(df, _points(dimension)[1]) / df))


_METHODS: dict[str, Callable[[Family, float], tuple[Array, Array]]] = {
    "none": _none,
    "bonferroni": _bonferroni,
    "holm": _holm,
    "tukey": _tukey,
    "dunnett": _mvt,
    "mvt": _mvt,
}
