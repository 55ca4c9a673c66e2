"""Derived quantities with their joint covariance: user formulas, and the ready-made ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.derivatives import complex_step
from ..core.fixed_effects.moments import fixed_moments
from ..core.quantities import quantity as quantities
from ..core.quantities.expressions import read
from ..core.quantities.quantity import Points, Quantity
from ..core.quantities.reliability import reliability_of
from ..core.quantities.vocabulary import Vocabulary
from ..core.snapshot import FitSnapshot
from ..errors import SpecError
from ..fit.components import Fit
from ..fit.vcov import DERIVED, VarcompVcov, delta_method, square

What = Union[str, Callable[[pd.Series], Any]]


def derive(
    fit: Fit, *what: What, method: str = "expected", names: Sequence[str] | None = None
) -> VarcompVcov:
    """Functions of the variance components, with standard errors and joint covariance.

    Parameters
    ----------
    fit : Fit
    *what : str or callable
        Lines ``name = expression``, in one string or several; later ones may use earlier ones.
        Components: full labels (bare, quoted or backquoted), ``sigma_sq``, ``sigma``,
        ``var(subject)``, ``var(subject, age)``, ``sd(…)``, ``cov(subject, age, (Intercept))``,
        ``cor(…)``, ``cor_params``, ``var_params``, nlme's names of within-group coefficients,
        ``sigma_sq(stratum)``, ``beta(age)`` for a fixed effect; ``mean_var(subject)``,
        ``residual`` and ``total`` are variances averaged over the rows of the fit, plain sums
        where no covariate matters. Arithmetic, ``sqrt exp log abs logit expit`` and the like.
        Or one function of the Series of components, in numpy.
    method : {"expected", "observed", "average", "delta"}
        Which covariance of the components, as in :meth:`Fit.varcomp_vcov`.
    names : sequence of str, optional
        Names of what a function returns, where it returns no mapping.

    Returns
    -------
    VarcompVcov

    Raises
    ------
    SpecError
        An unknown component, with a list of those there are; text that is more than arithmetic;
        a result that is not finite.
    InformationError, ApVarError
        The components have no covariance by that method.

    Notes
    -----
    g(θ̂, β̂) ± by the delta method. By their expected information θ̂ and β̂ are uncorrelated;
    by ``method="observed"`` they have the covariance of :meth:`rbridge.LmeResults.joint_cov`.
    """
    if len(what) == 1 and callable(what[0]):
        return _of_function(fit, what[0], method, names)
    if not what or not all(isinstance(text, str) for text in what) or names is not None:
        raise SpecError("derive takes expressions as text, or one function (and then names)")
    return derived(fit, read("\n".join(map(str, what)), Vocabulary(fit.snapshot)), method)


def _of_function(
    fit: Fit, g: Callable[[pd.Series], Any], method: str, names: Sequence[str] | None
) -> VarcompVcov:
    vcov = fit.varcomp_vcov(method)
    first = g(vcov.estimates.copy())
    if names is None:
        keyed = isinstance(first, (Mapping, pd.Series))
        own, size = getattr(g, "__name__", "g"), np.size(first)
        numbered = [own] if np.ndim(first) == 0 else [f"{own}{i + 1}" for i in range(size)]
        names = list(map(str, first.keys())) if keyed else numbered

    def of_array(theta: Array) -> Any:
        out = g(pd.Series(theta, vcov.estimates.index))
        return list(out.values()) if isinstance(out, Mapping) else np.asarray(out)

    return vcov.transform(of_array, list(names))


def values(fit: Fit, wanted: Mapping[str, Quantity], thetas: Any = None) -> Array:
    """The quantities at the estimates, (k,), or at each of several (m, r) θ, (m, k)."""
    points, given = Points(fit.snapshot), thetas is not None
    rows = np.asarray(thetas, dtype=float) if given else fit.varcomp.to_numpy()[None]
    with np.errstate(all="ignore"):  # nan where one is not defined
        found = [[float(q.value(points.at(row))) for q in wanted.values()] for row in rows]
    return np.array(found) if given else np.array(found[0])


def derived(
    fit: Fit, wanted: Mapping[str, Quantity], method: str, what: str = DERIVED
) -> VarcompVcov:
    """The quantities at the estimates, with their covariance by the delta method.

    ``what`` they are stands in captions.
    """
    snapshot, vcov = fit.snapshot, fit.varcomp_vcov(method)
    points, r = Points(snapshot), len(vcov.estimates)
    estimates = np.append(vcov.estimates, snapshot.beta)
    cov = np.zeros((len(estimates), len(estimates)))
    cov[:r, :r], cov[r:, r:] = vcov.cov, snapshot.vcov
    if method == "observed":
        move = fixed_moments(fit.forms).dbeta.T  # ∂β̂(θ)/∂θ'
        cov[r:, :r] = move @ cov[:r, :r]
        cov[:r, r:] = cov[r:, :r].T
        cov[r:, r:] += cov[r:, :r] @ move.T

    def g(x: Array) -> Array:
        p = points.at(x[:r], x[r:])
        return np.array([quantity.value(p) for quantity in wanted.values()])

    for name, value in zip(wanted, values(fit, wanted)):
        if not np.isfinite(value):
            raise SpecError(f"{name!r} is {value} at the estimates")
    with np.errstate(all="ignore"):
        jacobian = complex_step(g, estimates)
    result = delta_method(g, estimates, cov, names=list(wanted), jacobian=jacobian)
    kinds = tuple(quantity.kind for quantity in wanted.values())
    source, called = f"{vcov.source}; delta method", vcov.coefficients
    estimated = result.estimates, result.cov
    return VarcompVcov(*estimated, method, source, kinds, what=what, coefficients=called)


# --- ready-made --------------------------------------------------------------------------------


def icc(fit: Fit, method: str = "expected") -> VarcompVcov:
    """Intraclass correlations: each level's share of the total variance, and the shares combined.

    Returns
    -------
    VarcompVcov
        ``school``, ``case``: the level's share; ``school/case``: the correlation of two
        observations of the same innermost unit, every level from the outermost on.

    Notes
    -----
    With random slopes or a variance function the variances are averaged over the rows of the
    fit (Johnson 2014). Correlation between residuals (``correlation=``) is no part of it.
    """
    snapshot = fit.snapshot
    _need_levels(snapshot)
    parts = [quantities.level_variance(snapshot, k) for k in range(len(snapshot.levels))]
    total = quantities.total_variance(snapshot)
    groups = [level.group for level in snapshot.levels]
    wanted = {group: _share([part], total) for group, part in zip(groups, parts)}
    for k in range(2, len(parts) + 1):
        wanted["/".join(groups[:k])] = _share(parts[:k], total)
    return derived(fit, wanted, method, "Intraclass correlations")


def _share(parts: Sequence[Quantity], total: Quantity) -> Quantity:
    return Quantity("proportion", lambda p: sum(part.value(p) for part in parts) / total.value(p))


def _need_levels(snapshot: FitSnapshot) -> None:
    if not snapshot.levels:
        raise SpecError("the model has no random effects")


def r_squared(fit: Fit, method: str = "expected") -> VarcompVcov:
    """Variance explained by the fixed effects (``marginal``) and by the whole model.

    Notes
    -----
    σ_f²/(σ_f² + Σσ_l² + σ_ε²), and (σ_f² + Σσ_l²) over the same; σ_f² = Var(Xβ̂) over the rows
    with n − 1, σ_l² the mean of z'Dz, σ_ε² the mean residual variance. Standard errors from the
    components and the fixed effects jointly.

    References
    ----------
    Nakagawa and Schielzeth (2013), Methods in Ecology and Evolution 4, 133–142; random slopes:
    Johnson (2014), the same 5, 944–946.
    """
    snapshot = fit.snapshot
    spread = np.atleast_2d(np.cov(snapshot.X, rowvar=False))
    fixed = Quantity("variance", lambda p: p.beta @ spread @ p.beta)
    total = quantities.total_variance(snapshot)
    all_ = Quantity("variance", lambda p: fixed.value(p) + total.value(p))
    residual = quantities.residual_variance(snapshot)
    unexplained = _share([residual], all_)
    conditional = Quantity("proportion", lambda p: 1 - unexplained.value(p))
    wanted = {"marginal": _share([fixed], all_), "conditional": conditional}
    return derived(fit, wanted, method, "R²: shares of the variance that are explained")


def standard_deviations(fit: Fit, method: str = "expected") -> VarcompVcov:
    """Standard deviations of the random effects, and σ."""
    return derived(fit, _of_kind(fit, "scale"), method, "Standard deviations")


def correlations(fit: Fit, method: str = "expected") -> VarcompVcov:
    """Correlations of the random effects.

    Raises
    ------
    SpecError
        The model has none.
    """
    wanted = _of_kind(fit, "correlation")
    if not wanted:
        raise SpecError("the model has no correlation of random effects")
    return derived(fit, wanted, method, "Correlations of random effects")


def _of_kind(fit: Fit, kind: str) -> dict[str, Quantity]:
    found = quantities.sd_and_cor(fit.snapshot)
    return {name: quantity for name, quantity in found.items() if quantity.kind == kind}


def stratum_variances(fit: Fit, method: str = "expected") -> VarcompVcov:
    """Residual variance of each stratum of a ``varIdent``."""
    every = fit.varcomp_vcov(method, separate_variances=True)
    prefix = "sigma_sq."
    old = [name for name in every.estimates.index if name.startswith(prefix)]
    names = [f"sigma_sq({name[len(prefix):]})" for name in old]
    series = pd.Series(every.estimates[old].to_numpy(), names, name="estimate")
    cov = square(every.cov.loc[old, old], names)
    kinds = ("variance",) * len(names)
    what = "Residual variances of the strata"
    return VarcompVcov(series, cov, method, every.source, kinds, what=what)


def variance_ratio(
    fit: Fit, numerator: str, denominator: str, method: str = "expected"
) -> VarcompVcov:
    """Ratio of two expressions: ``variance_ratio(fit, "var(school)", "sigma_sq")``."""
    parts = read(f"({numerator})\n({denominator})", Vocabulary(fit.snapshot)).values()
    if len(parts) != 2:
        raise SpecError("variance_ratio takes two different expressions")
    above, below = parts
    ratio = Quantity("scale", lambda p: above.value(p) / below.value(p))
    return derived(fit, {f"{numerator} / {denominator}": ratio}, method, "Ratio of variances")


def reliability(
    fit: Fit, level: str | None = None, n: float | None = None, method: str = "expected"
) -> VarcompVcov:
    """Reliability of the group means of one level.

    Parameters
    ----------
    level : str, optional
        Grouping level; by default the outermost.
    n : float, optional
        Observations a group in a planned study, for a model with one level of random intercepts.
        By default the groups as they are, and the average of their reliabilities.

    Notes
    -----
    λ_j = z̄_j'D z̄_j / (z̄_j'D z̄_j + variance of the group's mean from everything inside it);
    τ²/(τ² + σ²/n_j) for random intercepts. Averaged over the groups.

    References
    ----------
    Raudenbush and Bryk (2002), Hierarchical Linear Models, 2nd ed., chapter 3.
    """
    groups = [lv.group for lv in fit.snapshot.levels]
    _need_levels(fit.snapshot)
    if level is not None and level not in groups:
        raise SpecError(f"{level!r} is no grouping level (levels: {', '.join(groups)})")
    k = 0 if level is None else groups.index(level)
    wanted = {groups[k]: reliability_of(fit.snapshot, k, n)}
    return derived(fit, wanted, method, "Reliability of group means")
