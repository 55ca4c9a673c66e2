"""Satterthwaite's χ² interval of a variance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ...options import check_share
from ..arrays import Array


def satterthwaite(
    variances: ArrayLike, sampling: ArrayLike, level: float = 0.95
) -> tuple[Array, Array]:
    """χ² confidence intervals of estimated variances.

    Parameters
    ----------
    variances : (k,) array
        Estimates, positive.
    sampling : (k,) array
        Their sampling variances.
    level : float

    Returns
    -------
    lower, upper : (k,) arrays

    Notes
    -----
    df·x/χ²_{df}, df = 2x²/Var(x). Exact for σ² of a balanced design. Of next to no df both limits
    lead above the estimate: then every variance, 0 to ∞.

    References
    ----------
    Satterthwaite (1946), Biometrics Bulletin 2, 110–114.
    """
    check_share(level)
    x = np.asarray(variances, float)
    df = 2 * x**2 / np.asarray(sampling, float)
    with np.errstate(divide="ignore", over="ignore"):  # a tiny df has its quantiles at zero
        lower = df * x / special.chdtri(df, (1 - level) / 2)
        upper = df * x / special.chdtri(df, (1 + level) / 2)
    beyond = lower > x
    return np.where(beyond, 0.0, lower), np.where(beyond, np.inf, upper)
