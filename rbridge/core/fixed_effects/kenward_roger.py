"""Kenward and Roger's covariance of β̂ and their F test, for any covariance structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ...errors import SpecError
from ...options import one_of
from ..arrays import Array
from ..engine.forms import Forms
from ..information import Kind
from ..snapshot import FitSnapshot
from .hypothesis import Scaling
from .interior import InteriorCovariance, interior_covariance
from .moments import FixedMoments, fixed_moments
from .parametrisation import sas_curvature
from .satterthwaite import variance_df

Form = Literal["linear", "full"]
_ZERO = 1e-14  # below it a factor that vanishes in exact arithmetic counts as zero
_NEAR_TWO = 1e-2  # of m, where λ = m(1 − A₂/q)/(m − 2) may lose its meaning; then λ = 1
_STEP = 1e-4


@dataclass(frozen=True)
class KenwardRoger:
    """Tests with Φ_A, Kenward and Roger's scale and degrees of freedom.

    Attributes
    ----------
    moments : FixedMoments
    W : InteriorCovariance
    vcov : (p, p) array
        Φ_A.
    form : {"linear", "full"}
    """

    moments: FixedMoments
    W: InteriorCovariance
    vcov: Array
    form: Form

    def row_df(self, L: Array) -> Array:
        """(q,) degrees of freedom of the rows of L (q, p): Satterthwaite's, to which m reduces."""
        return variance_df(self.moments, self.W.matrix, L)

    def scaling(self, L: Array) -> Scaling:
        """λ and m of the F test of linearly independent rows L (q, p)."""
        if len(L) == 1:
            return Scaling(1.0, float(self.row_df(L)[0]))
        return scaling_of(*traces(self.moments, self.W.matrix, L), len(L))


def kenward_roger(
    snapshot: FitSnapshot, forms: Forms, kind: Kind = "expected", form: Form = "linear"
) -> KenwardRoger:
    """Kenward and Roger's inference for a fit by REML.

    Parameters
    ----------
    snapshot : FitSnapshot
    forms : Forms
        Of this fit.
    kind : {"expected", "observed"}
        The information behind Cov(θ̂): expected in Kenward and Roger and in pbkrtest, observed in
        SAS.
    form : {"linear", "full"}
        Without and with the second derivatives of V. The linear form (SAS: FIRSTORDER) does not
        depend on how the structure is parametrised; the full one does and is taken in SAS's
        parameters. Where V is linear in these, the two are one.

    Raises
    ------
    SpecError
        The fit is by ML; or the full form is wanted and SAS has no parameters for the structure.
    InformationError
        The information has no inverse.

    Notes
    -----
    Φ_A = Φ + 2Φ{Σ W_ij (Q_ij − P_iΦP_j − ¼R_ij)}Φ; see :meth:`.moments.FixedMoments.bias`.

    References
    ----------
    Kenward and Roger (1997), Biometrics 53, 983–997.
    """
    one_of(form, get_args(Form), "kr")
    if snapshot.method != "REML":
        raise SpecError(
            "Kenward–Roger corrects the covariance that REML estimates: refit with method='REML', "
            "or use ddf='satterthwaite'"
        )
    moments, W = fixed_moments(forms), interior_covariance(snapshot, forms, kind, idle=True)
    curvature = sas_curvature(snapshot, W.matrix) if form == "full" else None
    return KenwardRoger(moments, W, moments.phi + moments.bias(W.matrix, curvature), form)


def traces(moments: FixedMoments, W: Array, L: Array) -> tuple[float, float]:
    """Kenward and Roger's A₁ and A₂ of a hypothesis with rows L (q, p).

    Notes
    -----
    A₁ = Σ W_ij tr(ΘΦP_iΦ) tr(ΘΦP_jΦ), A₂ = Σ W_ij tr(ΘΦP_iΦΘΦP_jΦ), Θ = L'(LΦL')⁻¹L.
    """
    scale = 1 / np.sqrt(np.einsum("qi,ij,qj->q", L, moments.phi, L))
    L = L * scale[:, None]
    C = np.linalg.solve(L @ moments.phi @ L.T, L @ moments.dphi @ L.T)
    trace = np.einsum("rqq->r", C)
    return float(trace @ W @ trace), float(np.einsum("ij,iab,jba->", W, C, C))


def scaling_of(A1: float, A2: float, q: int) -> Scaling:
    """λ and m of an F test with q numerator degrees of freedom.

    Notes
    -----
    F(q, m) has the first two moments of λF, which are E* = 1/(1 − A₂/q) and
    V* = (2/q)(1 + c₁B)/((1 − c₂B)²(1 − c₃B)), modified so that the result is exact where the
    distribution is known: Hotelling's T² and the balanced ANOVA. There factors vanish together;
    hence m = 4 + (q + 2)D/(N − D) with N = (1 − A₂/q)²(1 + c₁B), D = (1 − c₂B)²(1 − c₃B).
    """
    if A2 <= _ZERO:
        return Scaling(1.0, float("inf"))
    m, factor = _m_and_factor(A1, A2, q)
    if abs(m - 2) < _NEAR_TWO:
        factor = _factor_near_two(A1, A2, q)
    if m > 0 and factor > 0:
        return Scaling(factor, m)
    why = f"Kenward and Roger's approximation breaks down here (m = {m:.3g}): too few groups"
    return Scaling(1.0, float("nan"), why)


def _m_and_factor(A1: float, A2: float, q: int) -> tuple[float, float]:
    B = (A1 + 6 * A2) / (2 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    d = 3 * q + 2 * (1 - g)
    mean, root = 1 - A2 / q, 1 - (q - g) / d * B
    ratio = (1.0, 1.0) if max(abs(mean), abs(root)) < _ZERO else (mean, root)
    N, D = ratio[0] ** 2 * (1 + g / d * B), ratio[1] ** 2 * (1 - (q + 2 - g) / d * B)
    if N == D:
        return float("inf"), mean
    m = 4 + (q + 2) * D / (N - D)
    return m, m * mean / (m - 2) if m != 2 else float("nan")


def _factor_near_two(A1: float, A2: float, q: int) -> float:
    """λ where m = 2: in Hotelling's T² numerator and denominator vanish there together."""
    below, above = (_m_and_factor(A1 * c, A2 * c, q)[1] for c in (1 - _STEP, 1 + _STEP))
    return (below + above) / 2 if abs(below - above) < 0.05 * abs(below + above) else 1.0
