"""A whole fit without nlme: the snapshot of a model and its data, with the estimates found here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Literal

import numpy as np

from ...errors import InformationError
from .. import parameters
from ..arrays import Array
from ..engine.forms import Forms
from ..engine.layout import keep_for
from ..engine.model import Model, model_at
from ..information import information_from
from ..snapshot import ApVar, ApVarUnavailable, FitSnapshot
from .maximum import Maximum, by_least_squares, climbed, maximise
from .solution import Solution, solution

Computed = Literal["fitted", "resid"]
_STILL = 1e-9  # change of a computed covariate, relative to its size, at a fixed point
_MOST_ROUNDS = 200
_ROUNDS_MIXED = 4
_MOST_FAILED = 2  # searches: each takes as long as ten that find their optimum
_NOT_ASKED_FOR = "Approximate variance-covariance matrix not available"
_NO_STRUCTURE = "there is no free structure parameter"
_NOT_POSITIVE = "Non-positive definite approximate variance-covariance"


def fit(
    snapshot: FitSnapshot,
    computed: Mapping[int, Computed] | None = None,
    *,
    start: Array | None = None,
    with_apvar: bool = True,
) -> tuple[FitSnapshot, Maximum]:
    """Fit a model from its data alone.

    Parameters
    ----------
    snapshot : FitSnapshot
        The model and the data. Estimates in it are not read, but for df, which are the design's,
        and the coding (``natural``) and names of ``apvar``.
    computed : mapping of int to {"fitted", "resid"}, optional
        Components of the variance function whose covariate comes from the fit itself.
    start : (r,) array, optional
        θ, near to which the maximum lies; the computed covariates in ``snapshot`` are then those
        of a fit that is near as well. By default the search begins with the data alone.
    with_apvar : bool

    Returns
    -------
    snapshot, maximum
        All that nlme's fit would hold, as nlme defines it; apVar from the exact Hessian.

    Notes
    -----
    A computed covariate is a fixed point: that of the fit that it leads to (Pinheiro and Bates
    2000, section 5.2), so the likelihood is at a maximum for the weights that it ends with.
    """
    now = by_least_squares(snapshot)
    if not computed:
        found = climbed(now) if start is None else maximise(now, start)
        return completed(now, found, with_apvar), found
    if start is not None:
        with suppress(InformationError):
            near, found = _settled(now, computed, start)
            if found.converged:
                return completed(near, found, with_apvar), found
    now = _weighted(now, computed, _unweighted(now, computed))
    now, found = _settled(now, computed, climbed(now).theta)
    return completed(now, found, with_apvar), found


def _settled(
    now: FitSnapshot, computed: Mapping[int, Computed], near: Array
) -> tuple[FitSnapshot, Maximum]:
    """Round after round until the computed covariates stay; not converged where it is given up."""
    mixing, failed = _Mixing(), 0
    for _ in range(_MOST_ROUNDS):
        ahead = _weighted(now, computed, solution(now, near))
        if _change(now, ahead, computed) < _STILL:
            return ahead, maximise(ahead, near)
        mixed = mixing.next(_covariates(now, computed), _covariates(ahead, computed))
        now = _with_covariates(ahead, dict(zip(computed, mixed)))
        found = maximise(now, near)
        near, failed = found.theta, failed + (not found.converged)
        if failed > _MOST_FAILED:
            break
    return now, replace(found, converged=False)


def _unweighted(snapshot: FitSnapshot, computed: Mapping[int, Computed]) -> Solution:
    """The fit without the components whose covariate is to come from a fit."""
    var = tuple(v for i, v in enumerate(snapshot.var) if i not in computed)
    plain = replace(snapshot, var=var)
    return solution(plain, climbed(plain).theta)


class _Mixing:
    """Anderson's acceleration of a fixed point x = g(x), a mixture of the last few rounds.

    References
    ----------
    Walker and Ni (2011), SIAM Journal on Numerical Analysis 49, 1715–1735.
    """

    def __init__(self) -> None:
        self._x: list[Array] = []
        self._g: list[Array] = []

    def next(self, x: Array, g: Array) -> Array:
        """Where to go on after (c, n) ``x`` gave ``g``."""
        self._x, self._g = [*self._x, x][-_ROUNDS_MIXED:], [*self._g, g][-_ROUNDS_MIXED:]
        if len(self._x) < 2:
            return g
        left = [(b - a).ravel() for a, b in zip(self._x, self._g)]
        steps = np.stack([b - a for a, b in zip(left, left[1:])], axis=1)
        share = np.linalg.lstsq(steps, left[-1], rcond=1e-10)[0]
        moves = [b - a for a, b in zip(self._g, self._g[1:])]
        return np.asarray(g - np.tensordot(share, np.stack(moves), 1))


def _covariates(snapshot: FitSnapshot, computed: Mapping[int, Computed]) -> Array:
    """(c, n) computed covariates."""
    return np.stack([np.asarray(snapshot.var[i].covariate) for i in computed])


def _with_covariates(snapshot: FitSnapshot, values: Mapping[int, Array]) -> FitSnapshot:
    var = tuple(
        replace(v, covariate=values[i]) if i in values else v for i, v in enumerate(snapshot.var)
    )
    return replace(snapshot, var=var)


def _weighted(
    snapshot: FitSnapshot, computed: Mapping[int, Computed], found: Solution
) -> FitSnapshot:
    """The snapshot with fitted values or residuals, innermost level, for covariates."""
    values = {"fitted": found.fitted[:, -1], "resid": snapshot.y - found.fitted[:, -1]}
    return _with_covariates(snapshot, {i: values[what] for i, what in computed.items()})


def _change(old: FitSnapshot, new: FitSnapshot, computed: Mapping[int, Computed]) -> float:
    pairs = [(old.var[i].covariate, new.var[i].covariate) for i in computed]
    return max(
        float(np.abs(a - b).max() / np.abs(b).max())
        for a, b in pairs
        if a is not None and b is not None
    )


def completed(snapshot: FitSnapshot, found: Maximum, with_apvar: bool = True) -> FitSnapshot:
    """The snapshot with all that follows from θ̂, as nlme defines it.

    Notes
    -----
    Standard errors as R's ``summary``: under ML with n/(n − p) times the variances, which for gls
    stands in ``vcov`` too. ``log_lik`` is the likelihood also where nlme's is not (fixed σ, REML).
    """
    model, linear = model_at(snapshot, found.theta), solution(snapshot, found.theta)
    n, p = snapshot.X.shape
    inflation = n / (n - p) if snapshot.method == "ML" else 1.0
    vcov = linear.vcov * (inflation if snapshot.kind == "gls" else 1.0)
    at_estimates = replace(
        snapshot,
        beta=linear.beta,
        vcov=vcov,
        std_error=np.sqrt(np.diag(linear.vcov) * inflation),
        levels=tuple(
            replace(level, D=D, b=b) for level, D, b in zip(snapshot.levels, model.D, linear.b)
        ),
        var=tuple(replace(v, values=c) for v, c in zip(snapshot.var, model.var_coefs)),
        cor=replace(snapshot.cor, values=model.cor_coefs) if snapshot.cor else None,
        sigma=float(np.sqrt(model.sigma_sq)),
        log_lik=found.log_lik,
        fitted=linear.fitted,
        converged=found.converged,
        warnings=(),
    )
    unknown = ApVarUnavailable(_NOT_ASKED_FOR)
    how = apvar(at_estimates, model, found.forms) if with_apvar else unknown
    return keep_for(replace(at_estimates, apvar=how), snapshot)


def apvar(snapshot: FitSnapshot, model: Model, forms: Forms) -> ApVar | ApVarUnavailable:
    """nlme's apVar at the estimates, by the exact Hessian of the log-likelihood.

    I_u = J'I_θJ at a maximum, J = ∂θ/∂u.
    """
    if snapshot.kind == "gls" and not model.n_base:
        return ApVarUnavailable(_NO_STRUCTURE)
    try:
        with np.errstate(all="ignore"):
            pars = parameters.unconstrained_from_natural(snapshot, model.theta)
            cov = _inverse(_in_pars(snapshot, forms, pars))
    except (InformationError, np.linalg.LinAlgError):
        return ApVarUnavailable(_NOT_POSITIVE)
    natural, known = parameters.is_natural(snapshot), snapshot.apvar
    names = known.names if isinstance(known, ApVar) else model.names
    return ApVar(names, pars, cov, natural)


def _in_pars(snapshot: FitSnapshot, forms: Forms, pars: Array) -> Array:
    """Observed information about nlme's Pars, (r, r)."""
    J = parameters.jacobian(snapshot, pars)
    return np.asarray(J.T @ information_from(forms, "observed").matrix @ J)


def _inverse(information: Array) -> Array:
    if not np.isfinite(information).all() or np.linalg.eigvalsh(information)[0] <= 0:
        raise InformationError(_NOT_POSITIVE)
    return np.asarray(np.linalg.inv(information))
