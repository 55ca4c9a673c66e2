"""The noncentral t distribution, for any noncentrality."""

from __future__ import annotations

import numpy as np
from scipy import special

from ..arrays import Array

_TAIL = 1e-18  # of χ² left out at either end
_FAR = 10.0  # standard deviations beyond which Φ is 0 or 1


def noncentral_t_cdf(t: float, df: float, ncp: float) -> float:
    """P(T ≤ t) for T = (Z + ncp)/√(χ²_df/df).

    Notes
    -----
    E Φ(t√(χ²_ν/ν) − ncp) by the trapezoidal rule in log √(χ²_ν/ν), where the density falls off at
    least exponentially on both sides, so that the rule converges exponentially. R's own function
    stops at a noncentrality of 37.6.
    """
    scale, weight = _scales(df, t)
    return float(np.clip(weight @ special.ndtr(t * scale - ncp), 0.0, 1.0))


def noncentrality(t: float, df: float, probability: float) -> float:
    """The noncentrality at which P(T ≤ t) is ``probability``."""
    from scipy.optimize import brentq

    scale, weight = _scales(df, t)
    ends = t * scale[0], t * scale[-1]
    return float(
        brentq(
            lambda ncp: weight @ special.ndtr(t * scale - ncp) - probability,
            min(ends) - _FAR,
            max(ends) + _FAR,
            xtol=1e-13,
            rtol=1e-14,
        )
    )


def _scales(df: float, t: float) -> tuple[Array, Array]:
    """Values of √(χ²_ν/ν) and their probabilities, dense enough for Φ(t√(χ²_ν/ν))."""
    ends = special.gammaincinv(df / 2, _TAIL), special.gammainccinv(df / 2, _TAIL)
    low, high = np.log(np.maximum(ends, np.finfo(float).tiny) * 2 / df) / 2
    width = min(1 / np.sqrt(2 * df), 1 / (1 + abs(t) * np.exp(high)))  # of the density; of Φ
    x = np.linspace(low, high, 2 + int(3 * (high - low) / width))
    log_density = df * (x - np.exp(2 * x) / 2)
    weight = np.exp(log_density - log_density.max())
    return np.asarray(np.exp(x)), np.asarray(weight / weight.sum())
