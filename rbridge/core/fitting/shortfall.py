"""How far estimates lie from the optimum above them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InformationError
from ..engine.contractions import contract
from ..information import information_from
from ..parameters import theta
from ..snapshot import FitSnapshot
from .centring import Centred
from .maximum import ascend, free_of_scale, maximise
from .newton import RADIUS, trust_step
from .surface import Surface

SHORT = 0.01  # of the log-likelihood: beyond it, a fit is no maximum


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

    Parameters
    ----------
    snapshot : FitSnapshot
        By :func:`~rbridge.core.orthonormal.by_orthonormal`, where one step sees the whole ridge.

    Raises
    ------
    InformationError
        The estimates are not inside the model.
    """
    centred = Centred.of(snapshot)
    surface = Surface(centred.snapshot)
    if not surface.coding.n_phi:
        return 0.0
    with np.errstate(all="ignore"):  # of structures that the data tell nothing about
        start = surface.psi(centred.there(theta(snapshot).values))
        point = surface.at(start, profiled=True)
        if point is None:
            raise InformationError("there is no likelihood at the estimates")
        local = free_of_scale(point, surface.fixed)
        rise = trust_step(local.gradient, local.hessian, RADIUS)[1]
        if rise > SHORT:
            rise = ascend(surface, start)[0].log_lik - point.log_lik
    return rise if np.isfinite(rise) else 0.0
