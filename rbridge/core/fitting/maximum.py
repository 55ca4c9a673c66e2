"""The maximum of the (restricted) likelihood over the variance components."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import InformationError
from .. import parameters
from ..arrays import Array
from ..engine.contractions import contract
from ..engine.forms import Forms
from ..snapshot import FitSnapshot
from .centring import Centred
from .newton import Local, climb
from .start import least_squares, starts
from .surface import Evaluation, Surface

LEAST_SIGMA_SQ = 1e-120  # whose square a computer still holds
_TOO_SMALL = (
    "σ² is {:.0e} where the variance covariate is 1 (varPower) or 0 (varExp), which is too far "
    "from the data: divide the covariate by its mean, or subtract it"
)
_SAME = 1e-6  # of the log-likelihood, within which a search that converged is preferred
ROUNDED = 1e-14  # of an information, of which less is left by rounding alone
_OUTSIDE = "the estimates are not inside the model: no likelihood to climb"


@dataclass(frozen=True)
class Maximum:
    """A maximum of the log-likelihood.

    Attributes
    ----------
    theta : (r,) array
    log_lik : float
    converged : bool
    evaluations : int
        How often the likelihood and its derivatives were computed.
    slope : float
        Length of the gradient, per standard error.
    forms : Forms
        Of the maximum.
    """

    theta: Array
    log_lik: float
    converged: bool
    evaluations: int
    slope: float
    forms: Forms


def maximise(snapshot: FitSnapshot, start: Array | None = None) -> Maximum:
    """The maximum (restricted or not, as the fit) above a given point.

    Parameters
    ----------
    snapshot : FitSnapshot
    start : (r,) array, optional
        θ; by default the snapshot's own estimates. See :func:`estimate` to start from the data.

    Raises
    ------
    InformationError
        There is no likelihood at the start.

    Notes
    -----
    Newton's method with the exact Hessian within a trust region, in the metric of the expected
    information; σ² is profiled out. The D's are searched by factors that are not logged, so that
    a singular D is an ordinary point; curvature upward is followed.
    """
    centred = Centred.of(snapshot)
    surface = Surface(centred.snapshot)
    given = parameters.theta(snapshot).values if start is None else np.asarray(start, dtype=float)
    found = ascend(surface, surface.psi(centred.there(given)))
    return _maximum(snapshot, centred, surface, *found)


def estimate(snapshot: FitSnapshot) -> Maximum:
    """The maximum from the data and the model alone: no estimate in ``snapshot`` is read.

    Raises
    ------
    InformationError
        The likelihood exists at none of the starts: X is singular, say.
    """
    return climbed(by_least_squares(snapshot))


def by_least_squares(snapshot: FitSnapshot) -> FitSnapshot:
    """The snapshot with the β of least squares: its residuals have the digits that y may lack."""
    return replace(snapshot, beta=least_squares(snapshot.X, snapshot.y))


def climbed(snapshot: FitSnapshot) -> Maximum:
    """:func:`estimate`, given a β for residuals of a size that suits the digits."""
    centred = Centred.of(snapshot)
    surface = Surface(centred.snapshot)
    found: list[tuple[Evaluation, bool]] = []
    reason = InformationError(_OUTSIDE)
    for psi in starts(surface):
        try:
            found.append(ascend(surface, psi))
        except InformationError as error:
            reason = error
    if not found:
        raise reason
    highest = max(point.log_lik for point, _ in found)
    best = max(found, key=lambda f: (f[0].log_lik > highest - _SAME, f[1], f[0].log_lik))
    return _maximum(snapshot, centred, surface, *best)


def _maximum(
    snapshot: FitSnapshot, centred: Centred, surface: Surface, point: Evaluation, converged: bool
) -> Maximum:
    slope = free_of_scale(point, surface.fixed).slope if surface.coding.n_phi else 0.0
    theta = centred.back(point.theta)
    if not surface.fixed and not theta[-1] > LEAST_SIGMA_SQ:
        raise InformationError(_TOO_SMALL.format(theta[-1]))
    forms = contract(snapshot, theta) if centred.shift.any() else point.forms
    evaluations = surface.evaluations + (forms is not point.forms)
    return Maximum(theta, point.log_lik, converged, evaluations, slope, forms)


def ascend(surface: Surface, psi: Array) -> tuple[Evaluation, bool]:
    """The maximum above ψ and whether the search converged.

    Raises
    ------
    InformationError
        There is no likelihood at ψ.
    """
    if not surface.coding.n_phi:
        return _only_scale(surface, psi), True

    def at(x: Array) -> tuple[Evaluation, Local] | None:
        point = surface.at(x, profiled=True)
        return None if point is None else (point, free_of_scale(point, surface.fixed))

    found = climb(at, psi)
    if found is None:
        raise InformationError(_OUTSIDE)
    return found


def _only_scale(surface: Surface, psi: Array) -> Evaluation:
    point = surface.at(psi, profiled=True)
    if point is None:
        raise InformationError(_OUTSIDE)
    return point


def free_of_scale(point: Evaluation, fixed_sigma: bool) -> Local:
    """The function of φ around a point with σ² at its best: Schur complements, exact there."""
    size = point.size
    if fixed_sigma:
        return Local.of(point.log_lik, point.gradient, point.hessian, point.metric, size)
    H, M = _without_last(point.hessian), _without_last(point.metric)
    given = np.diag(point.metric)[:-1]
    np.fill_diagonal(M, np.maximum(np.diag(M), ROUNDED * given))
    local = Local.of(point.log_lik, point.gradient[:-1], H, M, size)
    axes = np.vstack([local.axes, np.zeros(len(H))])
    return replace(local, axes=axes)


def _without_last(A: Array) -> Array:
    return np.asarray(A[:-1, :-1] - np.outer(A[:-1, -1], A[-1, :-1]) / A[-1, -1])
