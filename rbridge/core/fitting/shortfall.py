"""How far estimates lie from the optimum above them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import InformationError
from ..engine.contractions import contract
from ..information import information_from
from ..parameters import tau_basis, theta
from ..snapshot import FitSnapshot, RandomLevel
from .centring import Centred
from .maximum import ascend, free_of_scale, maximise
from .newton import RADIUS, trust_step
from .surface import Surface

SHORT = 0.01  # of the log-likelihood: beyond it, a fit is no maximum
_FAR = 0.05  # of a column, less than which is not also in those before: a covariate far from zero
_REPEATED = 1e-10  # of a column, less than which is rounding: it is one of those before


@dataclass(frozen=True)
class Shortfall:
    """What is missing to the optimum.

    Attributes
    ----------
    log_lik : float
        Of the log-likelihood.
    move : float
        Largest way of a component, in its standard errors (expected information at the optimum).
    parameter : str
        That component; empty where there is none.
    """

    log_lik: float
    move: float
    parameter: str


def shortfall(snapshot: FitSnapshot) -> Shortfall:
    """From the estimates of a fit to the optimum, with computed weights as they are.

    Raises
    ------
    InformationError
        There is no likelihood at the estimates, or no information at the optimum.
    """
    here = theta(snapshot)
    found = maximise(snapshot)
    if not found.converged:
        raise InformationError("the search from the estimates found no optimum")
    ahead = contract(snapshot, found.theta)
    below = ahead.log_likelihood - contract(snapshot, derivatives=False).log_likelihood
    if not len(here.values):
        return Shortfall(below, 0.0, "")
    se = np.sqrt(np.diag(information_from(ahead, "expected").inverse()))
    moves = np.abs(found.theta - here.values) / se
    worst = int(moves.argmax())
    return Shortfall(below, float(moves[worst]), here.names[worst])


def visible_rise(snapshot: FitSnapshot) -> float:
    """How far the log-likelihood rises from the estimates to the optimum above them.

    Newton's first step tells, of one pass over the data: near the optimum it promises half the
    square of the way in standard errors. Only where that is more than :data:`SHORT` the search
    goes there, as far as it comes.

    Raises
    ------
    InformationError
        The estimates are not inside the model.
    """
    near = replace(snapshot, levels=tuple(map(_orthonormal, snapshot.levels)))
    centred = Centred.of(near)
    surface = Surface(centred.snapshot)
    if not surface.coding.n_phi:
        return 0.0
    with np.errstate(all="ignore"):  # of structures that the data tell nothing about
        start = surface.psi(centred.there(theta(near).values))
        point = surface.at(start, profiled=True)
        if point is None:
            raise InformationError("there is no likelihood at the estimates")
        local = free_of_scale(point, surface.fixed)
        rise = trust_step(local.gradient, local.hessian, RADIUS)[1]
        if rise > SHORT:
            rise = ascend(surface, start)[0].log_lik - point.log_lik
    return rise if np.isfinite(rise) else 0.0


def _orthonormal(level: RandomLevel) -> RandomLevel:
    """The same effects about the middle of a far covariate, where one step sees the whole ridge."""
    q, size = len(level.names), np.linalg.norm(level.Z, axis=0)
    Q, R = np.linalg.qr(level.Z / np.where(size > 0, size, 1))
    own = np.abs(np.diagonal(R)).min(initial=1)
    if len(tau_basis(level)[0]) < q * (q + 1) // 2 or not _REPEATED < own < _FAR:
        return level
    root = R * size / np.sqrt(len(Q))
    return replace(level, Z=Q * np.sqrt(len(Q)), D=root @ level.D @ root.T)
