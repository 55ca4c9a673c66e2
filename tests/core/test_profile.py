"""Profile likelihood against closed forms and an independent optimiser on a dense V."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq, minimize_scalar

from rbridge.core.fitting import native
from rbridge.core.fitting.maximum import maximise
from rbridge.core.intervals.profile import Curve, Profiler
from rbridge.core.intervals.reduced import without_effect
from rbridge.core.likelihood import log_likelihood
from rbridge.core.parameters import theta
from rbridge.core.quantities.expressions import read
from rbridge.core.quantities.quantity import component_quantities
from rbridge.core.quantities.vocabulary import Vocabulary
from rbridge.core.snapshot import FitSnapshot
from tests.support import designs, oneway
from tests.support.climbing import best, log_density, realistic
from tests.support.grades import graded

CRITICAL = stats.chi2.ppf(0.95, 1)
DATA = oneway.simulated(15, 4, 0.7, seed=5)


def profile(snapshot: FitSnapshot, what: str, level: float = 0.95) -> list[Curve]:
    """The curves of the quantities of this text."""
    wanted, profiler = read(what, Vocabulary(snapshot)), Profiler(snapshot)
    return [profiler.curve(quantity, level) for quantity in wanted.values()]


def ends(curve: Curve) -> list[float]:
    return [curve.lower, curve.upper]


def test_the_unit_of_a_variance_covariate_moves_no_end_but_sigmas() -> None:
    """σ|v|^δ in other units is (σu^−δ)|uv|^δ: every other profile is the same curve."""
    fit = realistic("intercept", "", "Power", "REML")
    (power,) = fit.var
    assert power.covariate is not None
    both = []
    for unit in (1.0, 1e5):
        other = replace(fit, var=(replace(power, covariate=unit * power.covariate),))
        at_top, _ = native.fit(other, with_apvar=False)
        both.append([ends(profile(at_top, name)[0]) for name in theta(fit).names[:-1]])
    np.testing.assert_allclose(both[1], both[0], rtol=1e-4)


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
    found = profile(DATA.snapshot(), "var(g)\nsigma_sq\nvar(g) / total")
    expected = [
        closed_form(DATA, top, (0.01 * tau, tau, 9 * tau), lambda c, x: (c, np.exp(x))),
        closed_form(DATA, top, (0.01, sigma_sq, 9.0), lambda c, x: (np.exp(x), c)),
        closed_form(
            DATA, top, (0.01, rho, 0.99), lambda c, x: (np.exp(x) * c / (1 - c), np.exp(x))
        ),
    ]
    np.testing.assert_allclose(list(map(ends, found)), expected, rtol=1e-4)


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
    (curve,) = profile(data.snapshot(), "var(g)")
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
    curve, residual = profile(data.snapshot(), "var(g)\nsigma_sq")
    assert curve.lower == 0 and curve.estimate < 1e-6
    best_at = lambda x: -data.restricted(curve.upper, np.exp(x))  # noqa: E731
    drop = 2 * (null(data) + minimize_scalar(best_at, bounds=(-5, 5), method="bounded").fun)
    assert drop == pytest.approx(CRITICAL, abs=1e-3)
    between = (0.05, residual.estimate, 9.0)
    expected = closed_form(data, null(data), between, lambda c, x: (np.exp(x), c))
    np.testing.assert_allclose(ends(residual), expected, rtol=1e-3)


# --- an independent optimiser, on other structures ------------------------------------------------


MODELS: dict[str, tuple[str, str, str, str]] = {
    "slope REML": ("slope", "", "", "REML"),
    "two levels, AR1": ("intercept", "AR1", "", "REML"),
    "intercept, strata": ("intercept", "", "Ident", "REML"),
    "blocked": ("blocked", "", "", "ML"),
    "ARMA": ("gls", "ARMA(2,0)", "", "REML"),
}


@lru_cache(maxsize=None)
def traced(name: str) -> tuple[Profiler, dict[str, Curve]]:
    """The profile of a model, and the curve of each component and correlation."""
    snapshot = realistic(*MODELS[name])
    profiler = Profiler(snapshot)
    wanted = component_quantities(snapshot)
    return profiler, {label: profiler.curve(quantity) for label, quantity in wanted.items()}


@pytest.mark.parametrize("name", graded(MODELS, ["slope REML", "ARMA"]))
def test_ends_of_profiles_against_a_simplex_search(name: str) -> None:
    """At each end the best dense log-density is χ²/2 below the top."""
    snapshot = realistic(*MODELS[name])
    (profiler, curves), density = traced(name), log_density(snapshot)
    top = best(density, profiler.maximum.theta)
    np.testing.assert_allclose(profiler.maximum.log_lik, top, atol=1e-5)
    kinds, checked = theta(snapshot).kinds, 0
    for k, label in enumerate(list(curves)[: len(kinds)]):
        for end in set(ends(curves[label])) - {0.0, -1.0, 1.0, -np.inf, np.inf}:
            start = admissible(density, profiler.maximum.theta, kinds, k, end)
            drop = 2 * (top - best(density, start, held=k))
            assert drop == pytest.approx(CRITICAL, abs=5e-3), label
            checked += 1
    assert checked >= len(kinds)


def admissible(
    density: Callable[[Any], float], estimates: Any, kinds: Sequence[str], k: int, end: float
) -> Any:
    """A start with component k held at ``end``: larger variances, smaller covariances."""
    kind = np.array(kinds)
    random = np.isin(kind, ["variance", "covariance"]) & (np.arange(len(kind)) < len(kind) - 1)
    for inflate in (1.0, 2.0, 4.0, 8.0, 16.0):
        for shrink in (1.0, 0.5, 0.1, 0.01):
            trial = estimates * np.where(random, inflate, 1.0)
            trial = trial * np.where(kind == "covariance", shrink, 1.0)
            trial[k] = end
            if np.isfinite(density(trial)):
                return trial
    raise AssertionError("no admissible start")


# --- without an effect ----------------------------------------------------------------------------


@pytest.mark.parametrize("levels", ["intercept", "three", "diag", "ident", "blocked", "nested"])
def test_a_model_without_an_effect_is_the_one_with_its_variance_zero(levels: str) -> None:
    snapshot = designs.named(levels)
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
    snapshot = designs.named("slope")
    y = rng.normal(size=snapshot.n) + 2 * rng.normal(size=4)[designs.OUTER]
    slope, cor = profile(replace(snapshot, y=y), "var(g, z1)\ncor(g)")
    floor = -slope.zeta[0]
    assert slope.lower == 0 and slope.value[0] == 0 and floor < np.sqrt(CRITICAL)
    assert (cor.lower, cor.upper) == (-1, 1) and "a variance is zero" in cor.note
    np.testing.assert_allclose(cor.zeta[[0, -1]], [-floor, floor], rtol=1e-6)


# --- shape ----------------------------------------------------------------------------------------


def test_curves_rise_through_zero_at_the_estimate() -> None:
    for name, curve in traced("slope REML")[1].items():
        assert (np.diff(curve.value) > 0).all() and (np.diff(curve.zeta) > -1e-6).all(), name
        at_zero = np.flatnonzero(curve.zeta == 0)
        assert curve.value[at_zero[0]] == pytest.approx(curve.estimate, rel=1e-9)


def test_zeta_of_one_value_is_on_the_curve() -> None:
    profiler = Profiler(DATA.snapshot())
    for quantity in component_quantities(DATA.snapshot()).values():
        found = [profiler.zeta(quantity, end) for end in ends(profiler.curve(quantity))]
        np.testing.assert_allclose(found, [-np.sqrt(CRITICAL), np.sqrt(CRITICAL)], atol=2e-4)


def test_narrower_levels_lie_inside() -> None:
    (wide,), (narrow,) = (profile(DATA.snapshot(), "var(g)", level) for level in (0.99, 0.5))
    assert wide.lower < narrow.lower and narrow.upper < wide.upper
