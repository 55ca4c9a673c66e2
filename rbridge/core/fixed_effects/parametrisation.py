"""SAS's parameters of a within-group structure, in which the full Kenward–Roger form is defined."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import SpecError
from ..arrays import Array
from ..engine.correlation import is_markov
from ..engine.jet import Jet, variables
from ..engine.model import Model, model_at
from ..snapshot import CorStruct, FitSnapshot, VarFunc

_AS_THEY_ARE = ("corExp", "corGaus", "corSpher")  # σ² and the range
_COVARIANCES = ("corSymm", "corNatural")


def sas_curvature(snapshot: FitSnapshot, W: Array) -> Array:
    """How θ bends in SAS's parameters η: Σ_ab Cov(η̂)_ab ∂²θ_i/∂η_a∂η_b, an (r,) array.

    Parameters
    ----------
    snapshot : FitSnapshot
    W : (r, r) array
        Cov(θ̂).

    Raises
    ------
    SpecError
        SAS has no such structure; the message names it.

    Notes
    -----
    η: the elements of every D, which are θ's own; the variance of each stratum of a varIdent, else
    σ²; for corSymm the covariances, for corCompSymm without strata the covariance and the rest of
    σ²; likewise for a nugget; ρ and γ of an ARMA(1, 1); ρ or the range of the other structures.
    With J = ∂η/∂θ the sum is −J⁻¹ tr(W ∂²η/∂θ∂θ'), so that only η(θ) has to be written down.

    References
    ----------
    SAS/STAT User's Guide, The MIXED Procedure: REPEATED statement, TYPE= and LOCAL=.
    """
    model = model_at(snapshot)
    curvature = np.zeros(len(W))
    within = variables(model.theta[model.n_tau :])
    if len(within.value):
        eta = _sas_parameters(snapshot, model, within)
        bend = np.array([np.sum(W[model.n_tau :, model.n_tau :] * jet.hess) for jet in eta])
        curvature[model.n_tau :] = -np.linalg.solve(np.array([jet.grad for jet in eta]), bend)
    return curvature


def _sas_parameters(snapshot: FitSnapshot, model: Model, within: Jet) -> list[Jet]:
    """η as functions of the coefficients of R, those of S, and σ²; as many as there are."""
    cor, strata = snapshot.cor, _strata(snapshot)
    sigma_sq = model.sigma_sq if model.fixed_sigma else within[-1]
    free: list[Any] = [] if model.fixed_sigma else [sigma_sq]
    variances: dict[int, Any] = {0: sigma_sq}
    if strata is not None:
        variances, more = _of_strata(strata, sigma_sq, within[model.n_cor :])
        free = more + free
    rho = [within[i] for i in range(model.n_cor)]
    if cor is None or not rho:
        return free
    if cor.cor_class in _COVARIANCES:
        visits = [variances[k] for k in _stratum_of_visit(cor, strata)]
        pairs = zip(rho, *np.triu_indices(cor.size, 1))
        return [r * np.sqrt(visits[i] * visits[j]) for r, i, j in pairs] + free
    if cor.nugget and strata is not None:
        raise _no_parameters(f"a {cor.cor_class} with a nugget and a varIdent")
    if (cor.nugget or cor.cor_class == "corCompSymm") and strata is None and free:
        return [*rho[:-1], sigma_sq * rho[-1], sigma_sq * (1.0 - rho[-1])]
    if (cor.p, cor.q) == (1, 1):
        return [rho[0], _gamma(*rho)] + free
    if is_markov(cor) or cor.cor_class in (*_AS_THEY_ARE, "corCompSymm"):
        return rho + free
    raise _no_parameters(cor.cor_class)


def _gamma(phi: Jet, theta: Jet) -> Any:
    """The first autocorrelation of an ARMA(1, 1)."""
    return (1.0 + phi * theta) * (phi + theta) / (1.0 + 2.0 * phi * theta + theta**2.0)


def _strata(snapshot: FitSnapshot) -> VarFunc | None:
    """The varIdent, if there is one; other variance functions with parameters are refused."""
    moving = [var for var in snapshot.var if var.free.any()]
    for var in moving:
        if var.var_class != "varIdent" or len(moving) > 1:
            raise _no_parameters(" and ".join(v.var_class for v in moving))
    return moving[0] if moving else None


def _of_strata(strata: VarFunc, sigma_sq: Any, ratios: Jet) -> tuple[dict[int, Any], list[Jet]]:
    """Variance σ²δ_k² of every stratum, and those of the strata whose δ_k is a parameter."""
    places = {int(k): i for i, k in enumerate(np.flatnonzero(strata.free))}
    deltas: dict[int, Any] = {
        k: ratios[places[k]] if k in places else float(d) for k, d in enumerate(strata.values)
    }
    variances = {k: sigma_sq * delta**2.0 for k, delta in deltas.items()}
    return variances, [variances[k] for k in places]


def _stratum_of_visit(cor: CorStruct, strata: VarFunc | None) -> list[int]:
    """The stratum of each row and column of a corSymm's matrix."""
    if strata is None or strata.codes is None:
        return [0] * cor.size
    pairs = np.unique(np.column_stack([cor.covariate[:, 0].astype(int), strata.codes]), axis=0)
    if len(np.unique(pairs[:, 0])) < len(pairs):
        raise _no_parameters(f"a {cor.cor_class} with a varIdent that is not by its own visits")
    of = dict(pairs.tolist())
    return [of.get(visit, 0) for visit in range(cor.size)]


def _no_parameters(what: str) -> SpecError:
    return SpecError(
        f"kr='full' depends on how the structure is parametrised, and SAS has no {what}: "
        "use kr='linear'"
    )
