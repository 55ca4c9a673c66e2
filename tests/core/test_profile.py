"""Profile likelihood against closed forms and an independent optimiser on a dense V."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import designs
import numpy as np
import oneway
import pytest
from scipy import stats
from scipy.optimize import brentq, minimize, minimize_scalar
from test_derive import dense

from rbridge.analysis.profile import profile
from rbridge.core.fitting.maximum import maximise
from rbridge.core.intervals.profile import Profiler
from rbridge.core.intervals.reduced import without_effect
from rbridge.core.likelihood import log_likelihood
from rbridge.core.parameters import tau_basis, theta
from rbridge.core.quantities.quantity import component_quantities
from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import SpecError
from rbridge.results import LmeResults

CRITICAL = stats.chi2.ppf(0.95, 1)
DATA = oneway.simulated(15, 4, 0.7, seed=5)


# --- closed form: the balanced one-way layout -----------------------------------------------------


def closed_form(
    data: oneway.OneWay,
    top: float,
    between: tuple[float, float, float],
    free: Callable[[float, float], tuple[float, float]],
) -> list[float]:
    """Ends of the profile of a c inside ``between``; ``free(c, x)`` = τ², σ² for the other, x."""

    def drop(c: float) -> float:
        best = minimize_scalar(
            lambda x: -data.restricted(*free(c, x)), bounds=(-14, 8), method="bounded"
        )
        return float(2 * (top + best.fun) - CRITICAL)

    low, middle, high = between
    return [brentq(drop, low, middle), brentq(drop, middle, high)]


def test_tau_sigma_and_icc_of_the_one_way_layout() -> None:
    tau, sigma_sq = DATA.reml
    rho, top = tau / (tau + sigma_sq), DATA.restricted(tau, sigma_sq)
    found = profile(LmeResults(DATA.snapshot()), "var(g)\nsigma_sq\nvar(g) / total").conf_int()
    expected = [
        closed_form(DATA, top, (0.01 * tau, tau, 9 * tau), lambda c, x: (c, np.exp(x))),
        closed_form(DATA, top, (0.01, sigma_sq, 9.0), lambda c, x: (np.exp(x), c)),
        closed_form(
            DATA, top, (0.01, rho, 0.99), lambda c, x: (np.exp(x) * c / (1 - c), np.exp(x))
        ),
    ]
    np.testing.assert_allclose(found[["lower", "upper"]], expected, rtol=1e-4)


def test_maximum_is_the_analysis_of_variance_from_anywhere() -> None:
    snapshot = DATA.snapshot()
    for start in ([1e-4, 5.0], [40.0, 0.01], [0.0, 1.0], None):
        found = maximise(snapshot, None if start is None else np.array(start))
        assert found.converged
        np.testing.assert_allclose(found.theta, DATA.reml, rtol=1e-5)


def weak() -> oneway.OneWay:
    """Between-group variance too small to be told from zero, yet estimated above it."""
    for seed in range(100):
        data = oneway.simulated(8, 3, 0.05, seed)
        if data.reml[0] > 0.02 and data.restricted(*data.reml) - null(data) < 1:
            return data
    raise AssertionError("no such data")


def null(data: oneway.OneWay) -> float:
    m, n = data.shape
    return data.restricted(0.0, (data.within + data.between) / (m * n - 1))


def test_an_interval_that_reaches_zero_says_so() -> None:
    data = weak()
    curve = profile(LmeResults(data.snapshot()), "var(g)").by_name["var(g)"]
    assert curve.lower == 0.0 and "lower end is the bound 0" in curve.note
    expected = 2 * (data.restricted(*data.reml) - null(data))
    np.testing.assert_allclose(curve.zeta[0] ** 2, expected, rtol=1e-3)
    assert np.isfinite(curve.upper) and "upper" not in curve.note


def test_an_estimate_of_zero() -> None:
    seeds = (oneway.simulated(8, 3, 0.0, seed) for seed in range(50))
    data = next(d for d in seeds if d.reml[0] < -0.05)
    found = maximise(data.snapshot(), np.array([0.3, 1.0]))
    m, n = data.shape
    np.testing.assert_allclose(
        found.theta, [0, (data.within + data.between) / (m * n - 1)], rtol=1e-4, atol=1e-5
    )
    fit = LmeResults(data.snapshot())
    curve = profile(fit, "var(g)").by_name["var(g)"]
    assert curve.lower == 0 and curve.estimate < 1e-6
    best_at = lambda x: -data.restricted(curve.upper, np.exp(x))  # noqa: E731
    drop = 2 * (null(data) + minimize_scalar(best_at, bounds=(-5, 5), method="bounded").fun)
    assert drop == pytest.approx(CRITICAL, abs=1e-3)
    found = profile(fit, "sigma_sq").conf_int()
    ends = closed_form(
        data, null(data), (0.05, found.estimate.iloc[0], 9.0), lambda c, x: (np.exp(x), c)
    )
    np.testing.assert_allclose(found[["lower", "upper"]].iloc[0], ends, rtol=1e-3)


# --- an independent optimiser, on other structures ------------------------------------------------


def at(snapshot: FitSnapshot, values: Any) -> FitSnapshot:
    """The snapshot with other parameters, assembled by hand."""
    rest = np.asarray(values, float)
    levels = []
    for level in snapshot.levels:
        E = tau_basis(level)[1]
        D, rest = np.tensordot(rest[: len(E)], E, 1), rest[len(E) :]
        levels.append(replace(level, D=D))
    cor, var = snapshot.cor, snapshot.var
    if cor is not None:
        k = len(cor.values)
        cor, rest = replace(cor, values=rest[:k]), rest[k:]
    if var:
        free = var[0].free
        coefs = var[0].values.copy()
        coefs[free], rest = rest[: free.sum()], rest[free.sum() :]
        var = (replace(var[0], values=coefs),)
    return replace(snapshot, levels=tuple(levels), cor=cor, var=var, sigma=float(np.sqrt(rest[0])))


def log_density(snapshot: FitSnapshot, values: Any) -> float:
    """log N(y; Xβ̂, V) with REML's extra term, from a dense V; −inf outside the model."""
    if values[-1] <= 0:
        return -np.inf
    here = at(snapshot, values)
    if any(np.linalg.eigvalsh(level.D)[0] < 0 for level in here.levels):
        return -np.inf
    if here.cor is not None and np.abs(here.cor.values).max() >= 1:
        return -np.inf
    V, X, y = dense(here), here.X, here.y
    try:
        L = np.linalg.cholesky(V)
    except np.linalg.LinAlgError:
        return -np.inf
    A, b = np.linalg.solve(L, X), np.linalg.solve(L, y)
    beta, *_ = np.linalg.lstsq(A, b, rcond=None)
    rss = float(((b - A @ beta) ** 2).sum())
    restricted = snapshot.method == "REML"
    log_det = 2 * np.log(np.diag(L)).sum() + restricted * np.linalg.slogdet(A.T @ A)[1]
    n = snapshot.n - restricted * X.shape[1]
    return float(-0.5 * (n * np.log(2 * np.pi) + log_det + rss))


def best(snapshot: FitSnapshot, start: Any, held: int | None = None) -> float:
    """Highest log-density over the free parameters, by a simplex search, restarted."""
    free = np.array([k for k in range(len(start)) if k != held])
    values = np.array(start, float)

    def loss(x: Any) -> float:
        values[free] = x
        return -log_density(snapshot, values)

    x = values[free].copy()
    options = {"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000, "maxfev": 4000}
    for _ in range(4):
        step = np.diag(0.15 * np.abs(x) + 0.02)
        options["initial_simplex"] = np.vstack([x, x + step])
        x = minimize(loss, x, method="Nelder-Mead", options=options).x
    return -loss(x)


MODELS = {
    "slope REML": ("slope", None, None, "REML"),
    "slope ML": ("slope", None, None, "ML"),
    "two levels, AR1": ("intercept", "AR1", None, "REML"),
    "intercept, strata": ("intercept", None, "Ident", "REML"),
    "blocked": ("blocked", None, None, "ML"),
    "ARMA": ("gls", "ARMA(2,0)", None, "REML"),
}


def realistic(levels: str, cor: str | None, var: str | None, method: str) -> FitSnapshot:
    """The design with data drawn from its own V, so that the maximum is inside."""
    chosen = (designs.CORRELATIONS[cor] if cor else None, designs.VARIANCES[var] if var else ())
    snapshot = designs.fit(designs.X, designs.Y, designs.LEVELS[levels], *chosen, method=method)
    rng = np.random.default_rng(11)
    y = snapshot.X @ snapshot.beta + np.linalg.cholesky(dense(snapshot)) @ rng.normal(
        size=snapshot.n
    )
    return replace(snapshot, y=y)


@pytest.mark.parametrize("name", MODELS)
def test_ends_of_profiles_against_a_simplex_search(name: str) -> None:
    """At each end the best dense log-density is χ²/2 below the top; so it is at half the way."""
    snapshot = realistic(*MODELS[name])
    profiler = Profiler(snapshot)
    top = best(snapshot, profiler.maximum.theta)
    np.testing.assert_allclose(profiler.maximum.log_lik, top, atol=1e-5)
    estimates = theta(snapshot)
    checked = 0
    for k, (label, quantity) in enumerate(component_quantities(snapshot).items()):
        if k >= len(estimates.names):
            break
        curve = profiler.curve(quantity)
        for end in (curve.lower, curve.upper):
            if not np.isfinite(end) or end in (0.0, -1.0, 1.0):
                continue
            surface_point = nearest(profiler, snapshot, curve, k, end)
            drop = 2 * (top - best(snapshot, surface_point, held=k))
            assert drop == pytest.approx(CRITICAL, abs=5e-3), label
            checked += 1
    assert checked >= len(estimates.names)


def nearest(profiler: Profiler, snapshot: FitSnapshot, curve: Any, k: int, end: float) -> Any:
    """An admissible start for the search with component k held at ``end``."""
    start = profiler.maximum.theta.copy()
    start[k] = end
    for inflate in (1.0, 2.0, 4.0, 8.0, 16.0):
        trial = start * np.where(np.arange(len(start)) < sum_tau(snapshot), inflate, 1.0)
        trial[k] = end
        if np.isfinite(log_density(snapshot, trial)):
            return trial
        for shrink in (0.5, 0.1, 0.01):
            less = trial.copy()
            for j, kind in enumerate(theta(snapshot).kinds):
                if kind == "covariance" and j != k:
                    less[j] *= shrink
            if np.isfinite(log_density(snapshot, less)):
                return less
    raise AssertionError("no admissible start")


def sum_tau(snapshot: FitSnapshot) -> int:
    return sum(len(tau_basis(level)[1]) for level in snapshot.levels)


# --- without an effect ----------------------------------------------------------------------------


@pytest.mark.parametrize("levels", ["intercept", "three", "diag", "ident", "blocked", "nested"])
def test_a_model_without_an_effect_is_the_one_with_its_variance_zero(levels: str) -> None:
    snapshot = designs.fit(designs.X, designs.Y, designs.LEVELS[levels])
    for k, level in enumerate(snapshot.levels):
        for i in range(len(level.names)):
            classes = [b.pd_class for b in level.blocks if level.names[i] in b.names]
            shared = [b.names for b in level.blocks if level.names[i] in b.names][0]
            gone = shared if classes[0] in ("pdIdent", "pdCompSymm") else (level.names[i],)
            keep = np.array([name not in gone for name in level.names], dtype=float)
            zero = replace(level, D=level.D * np.outer(keep, keep))
            changed = replace(
                snapshot, levels=(*snapshot.levels[:k], zero, *snapshot.levels[k + 1 :])
            )
            reduced = without_effect(snapshot, k, i)
            assert log_likelihood(reduced) == pytest.approx(log_likelihood(changed), rel=1e-12)
            assert len(theta(reduced).names) < len(theta(snapshot).names)


def test_a_correlation_is_free_where_a_variance_may_be_zero() -> None:
    """The likelihood without the slope bounds that of every correlation from below."""
    rng = np.random.default_rng(2)
    snapshot = designs.fit(designs.X, designs.Y, designs.LEVELS["slope"])
    y = rng.normal(size=snapshot.n) + 2 * rng.normal(size=4)[designs.OUTER]
    fit = LmeResults(replace(snapshot, y=y))
    found = profile(fit, "var(g, z1)\ncor(g)")
    slope, cor = found.by_name["var(g, z1)"], found.by_name["cor(g)"]
    floor = -slope.zeta[0]
    assert slope.lower == 0 and slope.value[0] == 0 and floor < np.sqrt(CRITICAL)
    assert (cor.lower, cor.upper) == (-1, 1) and "a variance is zero" in cor.note
    np.testing.assert_allclose(cor.zeta[[0, -1]], [-floor, floor], rtol=1e-6)


# --- shape and refusals ---------------------------------------------------------------------------


def test_curves_rise_through_zero_at_the_estimate() -> None:
    found = profile(LmeResults(realistic(*MODELS["slope REML"])))
    for name, curve in found.by_name.items():
        assert (np.diff(curve.value) > 0).all() and (np.diff(curve.zeta) > -1e-6).all(), name
        at_zero = np.flatnonzero(curve.zeta == 0)
        assert curve.value[at_zero[0]] == pytest.approx(curve.estimate, rel=1e-9)
    frame = found.curves
    assert list(frame.columns) == ["component", "value", "zeta", "log_lik"]
    assert set(frame.component) == set(found.conf_int().index)


def test_zeta_of_one_value_is_on_the_curve() -> None:
    profiler, wanted = Profiler(DATA.snapshot()), component_quantities(DATA.snapshot())
    for quantity in wanted.values():
        curve = profiler.curve(quantity)
        ends = [profiler.zeta(quantity, end) for end in (curve.lower, curve.upper)]
        np.testing.assert_allclose(ends, [-np.sqrt(CRITICAL), np.sqrt(CRITICAL)], atol=2e-4)


def test_narrower_levels_lie_inside() -> None:
    fit = LmeResults(DATA.snapshot())
    wide, narrow = (profile(fit, "var(g)", level=level).conf_int() for level in (0.99, 0.5))
    assert float(wide.lower.iloc[0]) < float(narrow.lower.iloc[0])


def test_refusals() -> None:
    fit = LmeResults(DATA.snapshot())
    with pytest.raises(SpecError, match="no function of the components alone"):
        profile(fit, "beta(Intercept) / sigma")
    with pytest.raises(SpecError, match="level"):
        profile(fit, level=95)
