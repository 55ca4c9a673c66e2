"""Covariance of β̂ and θ̂ together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from ..engine.forms import Forms
from ..information import Kind
from ..parameters import theta
from ..snapshot import FitSnapshot
from .interior import Dropped, interior_covariance
from .moments import fixed_moments


@dataclass(frozen=True)
class JointCovariance:
    """Covariance of the fixed effects and the variance components.

    Attributes
    ----------
    names : tuple of str, length p + r
        Coefficients, then θ.
    values : (p + r,) array
    matrix : (p + r, p + r) array
    kind : {"expected", "observed"}
    dropped : tuple of Dropped
        What stands at the boundary: zero rows and columns.
    """

    names: tuple[str, ...]
    values: Array
    matrix: Array
    kind: Kind
    dropped: tuple[Dropped, ...]


def joint_covariance(
    snapshot: FitSnapshot, forms: Forms, kind: Kind = "expected"
) -> JointCovariance:
    """Covariance of (β̂, θ̂) from the expected or the observed information.

    Raises
    ------
    InformationError
        The information has no inverse.

    Notes
    -----
    Expected: Φ and W, and zero between them, for E(X'V⁻¹V̇V⁻¹(y − Xβ)) = 0. Observed, with W of
    the observed information and G = ∂β̂(θ)/∂θ': [Φ + GWG', GW; WG', W]. Under ML that is the
    inverse of minus the Hessian of the likelihood in (β, θ). REML has no likelihood of β; there it
    is the covariance of β and θ given y under a flat prior of β, with θ normal around θ̂.
    """
    moments, W = fixed_moments(forms), interior_covariance(snapshot, forms, kind)
    G = moments.dbeta.T if kind == "observed" else np.zeros_like(moments.dbeta.T)
    GW = G @ W.matrix
    matrix = np.block([[moments.phi + GW @ G.T, GW], [GW.T, W.matrix]])
    return JointCovariance(
        (*snapshot.coef_names, *forms.names),
        np.concatenate([snapshot.beta, theta(snapshot).values]),
        matrix,
        kind,
        W.dropped,
    )
