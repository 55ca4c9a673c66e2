"""Log-likelihood of the variance components and its gradient, at any θ."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array
from .engine.contractions import contract
from .engine.covariance import NotPositiveDefinite
from .engine.forms import Method
from .snapshot import FitSnapshot


def log_likelihood(
    snapshot: FitSnapshot, theta: ArrayLike | None = None, method: Method | None = None
) -> float:
    """Log-likelihood at ``theta``, β profiled out (ML) or integrated out (REML).

    Parameters
    ----------
    snapshot : FitSnapshot
    theta : (r,) array, optional
        In the order of :func:`rbridge.core.parameters.theta`; by default the estimates.
    method : {"REML", "ML"}, optional
        By default that of the fit.

    Returns
    -------
    float
        −inf where V is not positive definite.

    Notes
    -----
    Equal to nlme's ``logLik`` for lme and gls, constants included: REML has (n − p) log 2π and
    no term in log det X'X. With a fixed σ nlme's lme is off by a constant under REML
    (−(n − p) log σ); this value is the likelihood.
    """
    try:
        return contract(snapshot, theta, method, derivatives=False).log_likelihood
    except NotPositiveDefinite:
        return -np.inf


def score(
    snapshot: FitSnapshot, theta: ArrayLike | None = None, method: Method | None = None
) -> Array:
    """Gradient of :func:`log_likelihood` with respect to θ, an (r,) array; ≈ 0 at an optimum."""
    return contract(snapshot, theta, method).score
