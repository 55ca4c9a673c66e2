"""Standardised mean differences whose scale is a sum of variance components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from ...errors import DataError, SpecError
from ...options import check_share, one_of
from ..arrays import Array
from .distributions import t_quantile
from .noncentral_t import noncentrality

LimitMethod = Literal["symmetric", "noncentral"]
_LEAST_DF = 2.001  # the variance of a t distribution needs more than 2


@dataclass(frozen=True)
class StandardisedDifference:
    """Hedges' g of a mixed model.

    Attributes
    ----------
    g : float
        Corrected for the bias of δ̂.
    se : float
    df : float
        ν of the scale r'θ̂; infinite where it is known.
    delta : float
        δ̂ = p'β̂/√(r'θ̂).
    kappa : float
        √(Var(p'β̂)/r'θ̂), the ratio of δ̂ to a t statistic.
    """

    g: float
    se: float
    df: float
    delta: float
    kappa: float

    def limits(self, level: float = 0.95, method: LimitMethod = "symmetric") -> tuple[float, float]:
        """Confidence limits of δ.

        Parameters
        ----------
        level : float
        method : {"symmetric", "noncentral"}
            g ± t_ν·se; or κ times the noncentralities at which δ̂/κ is a quantile of t_ν.
        """
        check_share(level)
        one_of(method, get_args(LimitMethod), "method")
        tails = (1 + level) / 2, (1 - level) / 2
        if method == "symmetric":
            reach = float(t_quantile(tails[0], self.df)) * self.se
            return self.g - reach, self.g + reach
        t = self.delta / self.kappa
        if np.isinf(self.df):
            reach = float(t_quantile(tails[0], np.inf)) * self.kappa
            return self.delta - reach, self.delta + reach
        lower, upper = (self.kappa * noncentrality(t, self.df, tail) for tail in tails)
        return lower, upper


def standardised_difference(
    beta: ArrayLike,
    vcov: ArrayLike,
    theta: ArrayLike,
    W: ArrayLike,
    p: ArrayLike,
    r: ArrayLike,
) -> StandardisedDifference:
    """g of p'β over √(r'θ), as ``g_mlm`` of lmeInfo.

    Parameters
    ----------
    beta, vcov : (k,) and (k, k) arrays
        Fixed effects and their covariance.
    theta, W : (s,) and (s, s) arrays
        Variance components of the model that gives the scale, not always the same one, and their
        covariance.
    p, r : (k,) and (s,) arrays

    Raises
    ------
    DataError
        p or r has the wrong length or is not finite.
    SpecError
        p is zero, or r'θ̂ is not positive.

    Notes
    -----
    ν = 2(r'θ)²/Var(r'θ̂); J(ν) = 1 − 3/(4ν − 1); g = J(ν)δ̂; with ν_t = max(ν, 2.001)
    Var(g) = J(ν)²[κ²ν_t/(ν_t − 2) + g²(ν_t/(ν_t − 2) − 1/J(ν_t)²)].

    References
    ----------
    Pustejovsky, Hedges and Shadish (2014), Journal of Educational and Behavioral Statistics 39,
    368–393; Hedges (1981), Journal of Educational Statistics 6, 107–128.
    """
    b, V, x, S = (np.asarray(a, dtype=float) for a in (beta, vcov, theta, W))
    effect, scale = _weights(p, "p", len(b)), _weights(r, "r", len(x))
    if not effect.any():
        raise SpecError("p is zero: it involves no coefficient")
    variance = float(scale @ x)
    if not variance > 0:
        raise SpecError(f"the denominator r'θ is {variance:.4g}: it must be a positive variance")
    spread = float(scale @ S @ scale)
    df = 2 * variance**2 / spread if spread > 0 else float("inf")
    delta, kappa = float(effect @ b) / np.sqrt(variance), np.sqrt(effect @ V @ effect / variance)
    J, enough = _bias(df), max(df, _LEAST_DF)
    g = J * delta
    inflation = 1 / (1 - 2 / enough)  # ν/(ν − 2), also of ν = ∞
    var_g = J**2 * (inflation * kappa**2 + g**2 * (inflation - 1 / _bias(enough) ** 2))
    return StandardisedDifference(float(g), float(np.sqrt(var_g)), df, float(delta), float(kappa))


def _bias(df: float) -> float:
    return 1 - 3 / (4 * df - 1)


def _weights(values: ArrayLike, name: str, k: int) -> Array:
    weights = np.asarray(values, dtype=float)
    if weights.shape != (k,):
        raise DataError(f"{name} has shape {weights.shape}, expected {k} weights")
    if not np.isfinite(weights).all():
        raise DataError(f"{name} is not finite at position {int((~np.isfinite(weights)).argmax())}")
    return weights
