"""F and t with degrees of freedom that may be infinite, absent, or no whole number."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ..arrays import Array


def f_tail(statistic: float, df_num: float, df_den: float) -> float:
    """P(F ≥ statistic): the χ² tail where ``df_den`` is infinite, NaN where it is not positive."""
    if np.isinf(df_den):
        return float(special.chdtrc(df_num, statistic * df_num))
    return float(special.fdtrc(df_num, df_den, statistic)) if df_den > 0 else float("nan")


def t_tails(statistic: ArrayLike, df: ArrayLike) -> Array:
    """P(|T| ≥ |t|), elementwise: normal where ``df`` is infinite, NaN where it is not positive."""
    t, df = np.broadcast_arrays(np.abs(np.asarray(statistic, float)), np.asarray(df, float))
    student = np.where(df > 0, 2 * special.stdtr(_finite(df), -t), np.nan)
    return np.asarray(np.where(np.isinf(df), 2 * special.ndtr(-t), student))


def t_quantile(probability: float, df: ArrayLike) -> Array:
    """Quantile of T, elementwise in ``df``; as :func:`t_tails` where that is no number."""
    df = np.asarray(df, dtype=float)
    nu = _finite(df)
    t = special.stdtrit(nu, probability)  # to nine digits; a Newton step gives the rest
    log_density = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - np.log(nu * np.pi) / 2
    density = np.exp(log_density - (nu + 1) / 2 * np.log1p(t**2 / nu))
    t = t - (special.stdtr(nu, t) - probability) / density
    student = np.where(df > 0, t, np.nan)
    return np.asarray(np.where(np.isinf(df), special.ndtri(probability), student))


def _finite(df: Array) -> Array:
    return np.where(np.isfinite(df) & (df > 0), df, 1.0)
