"""The maximum found here: against nlme's optima, closed forms, simplex searches, brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from rbridge.core.fitting import native
from rbridge.core.fitting.centring import Centred
from rbridge.core.fitting.coding import Coding
from rbridge.core.fitting.held import Held, maximise_held
from rbridge.core.fitting.maximum import estimate, maximise
from rbridge.core.fitting.newton import trust_step
from rbridge.core.fitting.solution import solution
from rbridge.core.fitting.surface import Surface
from rbridge.core.likelihood import log_likelihood
from rbridge.core.parameters import theta
from rbridge.core.snapshot import ApVar, FitSnapshot
from rbridge.errors import InformationError
from tests.support import brute, designs, oneway
from tests.support.climbing import best, log_density, realistic
from tests.support.grades import graded
from tests.support.references import RECORDED, recorded


def forgetful(fit: FitSnapshot) -> FitSnapshot:
    """The same data and model with nonsense for estimates."""
    cor = fit.cor
    if cor is not None and not cor.fixed:
        cor = replace(cor, values=np.full(len(cor.values), 0.123))
    var = tuple(replace(v, values=np.where(v.free, 0.77, v.values)) for v in fit.var)
    levels = tuple(replace(level, D=np.eye(len(level.D))) for level in fit.levels)
    sigma = fit.sigma if fit.fixed_sigma else 1.0
    return replace(fit, levels=levels, cor=cor, var=var, sigma=sigma, beta=0 * fit.beta)


@pytest.mark.parametrize("name", graded(RECORDED, RECORDED[::4]))
def test_no_optimum_of_nlme_is_higher(name: str) -> None:
    """From the data alone; nlme's optimum enters the comparison only."""
    fit = recorded(name)
    found = estimate(forgetful(fit))
    assert found.converged and found.slope < 1e-6
    assert found.log_lik > log_likelihood(fit) - 1e-8


# --- what follows from θ --------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDED)
def test_the_linear_part_is_nlmes(name: str) -> None:
    """β̂, its covariance, random effects and fitted values at nlme's own θ."""
    fit = recorded(name)
    found = solution(replace(fit, beta=fit.beta + 1))
    unit = np.sqrt(np.diag(fit.vcov))
    moved = name == "varPower-fitted"  # nlme renews the weights once more, not the fit
    close = 1e-5 if moved else 1e-6
    np.testing.assert_allclose(found.beta / unit, fit.beta / unit, atol=close)
    n, p = fit.X.shape
    inflation = n / (n - p) if fit.kind == "gls" and fit.method == "ML" else 1.0
    scaled = fit.vcov / np.outer(unit, unit)
    np.testing.assert_allclose(found.vcov * inflation / np.outer(unit, unit), scaled, atol=close)
    np.testing.assert_allclose(found.fitted, fit.fitted, atol=close * fit.sigma)
    for b, level in zip(found.b, fit.levels):
        np.testing.assert_allclose(b, level.b, atol=close * np.sqrt(level.D.max()))


@pytest.mark.parametrize("name", ["orthodont-seed", "orthodont-seed-ml", "corAR1-gls", "varIdent"])
def test_a_native_fit_holds_what_nlmes_does(name: str) -> None:
    """apVar only to nlme's finite differences (1e-2); the rest to its stopping rule."""
    nlme = recorded(name)
    found, _ = native.fit(forgetful(nlme))
    assert found.log_lik == pytest.approx(nlme.log_lik, abs=1e-6)
    for field in ("beta", "std_error", "vcov", "sigma", "df"):
        np.testing.assert_allclose(getattr(found, field), getattr(nlme, field), rtol=1e-3)
    assert isinstance(found.apvar, ApVar) and isinstance(nlme.apvar, ApVar)
    np.testing.assert_allclose(found.apvar.pars, nlme.apvar.pars, rtol=1e-3, atol=1e-3)
    scale = np.sqrt(np.diag(nlme.apvar.cov))
    gap = (found.apvar.cov - nlme.apvar.cov) / np.outer(scale, scale)
    assert np.abs(gap).max() < 2e-2


def test_weights_from_the_fitted_values_are_a_fixed_point() -> None:
    nlme = recorded("varPower-fitted")
    blank = forgetful(nlme)
    blank = replace(blank, var=(replace(blank.var[0], covariate=np.ones(nlme.n)),))
    found, maximum = native.fit(blank, {0: "fitted"})
    assert maximum.converged
    np.testing.assert_allclose(found.var[0].covariate, found.fitted[:, -1], rtol=1e-8)
    np.testing.assert_allclose(theta(found).values, theta(nlme).values, rtol=2e-3)
    assert found.log_lik == pytest.approx(nlme.log_lik, abs=1e-3)


def test_a_start_that_is_not_near_is_given_up() -> None:
    nlme = recorded("varPower-fitted")
    far = theta(nlme).values.copy()
    far[-2:] = 60.0, 1e-60
    found, maximum = native.fit(nlme, {0: "fitted"}, start=far)
    fresh, _ = native.fit(nlme, {0: "fitted"})
    assert maximum.converged and found.log_lik == pytest.approx(nlme.log_lik, abs=1e-3)
    np.testing.assert_allclose(theta(found).values, theta(fresh).values, rtol=1e-5)


def test_a_covariate_that_is_the_same_everywhere_tells_nothing() -> None:
    fit = realistic("intercept", "", "Power", "REML")
    (power,) = fit.var
    constant = replace(fit, var=(replace(power, covariate=np.full(fit.n, 2.5)),))
    plain = estimate(replace(fit, var=()))
    found = estimate(constant)
    assert found.log_lik == pytest.approx(plain.log_lik, abs=1e-8) and abs(found.theta[-2]) < 1


def test_a_variance_beyond_what_a_computer_holds_is_refused() -> None:
    fit = realistic("intercept", "", "Exp", "REML")
    (exponential,) = fit.var
    assert exponential.covariate is not None
    away = replace(exponential, covariate=exponential.covariate + 1e3)
    assert estimate(fit).theta[-2] > 0.3  # so that σ² is less than exp(−600) there
    with pytest.raises(InformationError, match="divide the covariate by its mean, or subtract"):
        estimate(replace(fit, var=(away,)))


# --- closed forms -------------------------------------------------------------------------------


def test_balanced_one_way_layout() -> None:
    for seed in range(5):
        data = oneway.simulated(12, 5, 0.8, seed)
        found = estimate(data.snapshot())
        np.testing.assert_allclose(found.theta, data.reml, rtol=1e-8)
        assert found.evaluations <= 3


def test_a_variance_of_zero_is_exactly_zero() -> None:
    seeds = (oneway.simulated(8, 3, 0.0, seed) for seed in range(50))
    data = next(d for d in seeds if d.reml[0] < -0.05)
    m, n = data.shape
    pooled = (data.within + data.between) / (m * n - 1)
    found = estimate(data.snapshot())
    np.testing.assert_allclose(found.theta, [0, pooled], rtol=1e-9, atol=1e-15)


def test_a_start_at_zero_climbs_away_from_it() -> None:
    data = oneway.simulated(12, 5, 0.8, 1)
    found = maximise(data.snapshot(), np.array([0.0, 3.0]))
    np.testing.assert_allclose(found.theta, data.reml, rtol=1e-8)


def test_restricted_likelihood_with_a_fixed_sigma() -> None:
    data = oneway.simulated(12, 5, 0.8, seed=3)
    for sigma in (0.7, 1.0, 1.6):
        fit = replace(data.snapshot(), fixed_sigma=True, sigma=sigma)
        exact = minimize_scalar(
            lambda t: -data.restricted(t, sigma**2), bounds=(1e-9, 20), options={"xatol": 1e-10}
        )
        np.testing.assert_allclose(estimate(fit).theta, [exact.x], rtol=1e-5)


# --- other searches -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize(
    "levels, cor, var",
    [("slope", "", ""), ("intercept", "AR1", ""), ("intercept", "", "Ident")],
)
def test_a_simplex_search_finds_nothing_higher(
    levels: str, cor: str, var: str, method: str
) -> None:
    fit = realistic(levels, cor, var, method)
    found, density = estimate(fit), log_density(fit)
    assert density(found.theta) == pytest.approx(found.log_lik, rel=1e-10)
    assert best(density, found.theta) <= found.log_lik + 1e-7


def test_a_held_variance_of_the_one_way_layout() -> None:
    data = oneway.simulated(15, 4, 0.7, seed=5)
    surface = Surface(data.snapshot())
    for tau in (0.05, 0.3, 2.0, 9.0):
        exact = minimize_scalar(
            lambda x: -data.restricted(tau, np.exp(x)), bounds=(-5, 5), options={"xatol": 1e-9}
        )

        def held(point: object) -> Held:
            s2, l2 = point.theta[1], point.psi[0] ** 2  # type: ignore[attr-defined]
            J = np.array([2 * s2 * point.psi[0], s2 * l2])  # type: ignore[attr-defined]
            H = np.array([[2 * s2, J[0]], [J[0], J[1]]])
            return Held(s2 * l2 - tau, J, H)

        found = maximise_held(surface, held, surface.psi(data.reml))
        assert found is not None and found[1]
        np.testing.assert_allclose(found[0].theta, [tau, np.exp(exact.x)], rtol=1e-5)
        lower = data.restricted(*data.reml) + exact.fun
        assert maximise(data.snapshot()).log_lik - found[0].log_lik == pytest.approx(lower)


# --- the parts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_trust_step_is_the_highest_point_of_the_ball(seed: int) -> None:
    """More and Sorensen's conditions, and no random point of the ball is higher."""
    rng = np.random.default_rng(seed)
    d, radius = int(rng.integers(1, 6)), float(rng.uniform(0.1, 3))
    A, g = rng.normal(size=(d, d)), rng.normal(size=d)
    H = (A + A.T) / 2 - (seed % 3) * 3 * np.eye(d)
    if seed % 5 == 0:
        g = 0 * g  # the hard case: only the curvature says where to go
    step, rise = trust_step(g, H, radius)
    assert np.linalg.norm(step) <= radius * 1.06
    x = rng.normal(size=(4000, d))
    x *= (
        radius
        * 0.95
        * rng.uniform(size=(4000, 1)) ** (1 / d)
        / np.linalg.norm(x, axis=1, keepdims=True)
    )
    heights = x @ g + np.einsum("ni,ij,nj->n", x, H, x) / 2
    assert rise >= heights.max() - 1e-9
    np.testing.assert_allclose(rise, g @ step + step @ H @ step / 2)


SOME = list(designs.CASES.items())[::7]  # every structure, not every pair of them
CODED = {name: fit for name, fit in SOME if theta(fit).values.size > 1}
CODED |= {name: fit for name, fit in designs.CASES.items() if name == "diag"}


@pytest.mark.parametrize("name", CODED)
def test_coordinates_and_their_derivatives(name: str) -> None:
    """There and back, and both derivatives against central differences."""
    surface = Surface(CODED[name])
    values = theta(CODED[name]).values
    psi = surface.psi(values)
    np.testing.assert_allclose(surface.theta(psi), values, rtol=1e-9, atol=1e-12)
    J, weight = surface.jacobian(psi, values), np.random.default_rng(1).normal(size=len(psi))
    steps = 1e-5 * np.eye(len(psi))
    numeric = [(surface.theta(psi + h) - surface.theta(psi - h)) / 2e-5 for h in steps]
    np.testing.assert_allclose(J, np.transpose(numeric), rtol=1e-6, atol=1e-7)

    def gradient(x: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return weight @ surface.jacobian(x, surface.theta(x))

    second = [(gradient(psi + h) - gradient(psi - h)) / 2e-5 for h in steps]
    np.testing.assert_allclose(surface.curvature(psi, J, weight), second, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name", graded(CODED, [name for name in list(CODED)[::3] if "Symm" not in name])
)
def test_gradient_and_hessian_of_the_surface(name: str) -> None:
    """Against differences of the log-likelihood and of the gradient."""
    surface = Surface(CODED[name])
    psi = surface.psi(theta(CODED[name]).values)
    point = surface.at(psi)
    assert point is not None
    steps = 1e-5 * np.eye(len(psi))
    pairs = [(surface.at(psi + h), surface.at(psi - h)) for h in steps]
    slopes = [(a.log_lik - b.log_lik) / 2e-5 for a, b in pairs]  # type: ignore[union-attr]
    scale = 1 + np.abs(point.hessian).max()
    np.testing.assert_allclose(point.gradient, slopes, rtol=1e-5, atol=1e-6 * scale)
    bends = [(a.gradient - b.gradient) / 2e-5 for a, b in pairs]  # type: ignore[union-attr]
    np.testing.assert_allclose(point.hessian, bends, rtol=1e-5, atol=1e-6 * scale)


@pytest.mark.parametrize("name", CODED)
def test_the_best_scale_takes_no_second_pass(name: str) -> None:
    surface = Surface(CODED[name])
    start = surface.psi(theta(CODED[name]).values)
    point = surface.at(start + 0.3, profiled=True)
    assert point is not None
    again = surface.at(point.psi)
    assert again is not None
    for field in ("log_lik", "gradient", "hessian", "metric"):
        a, b = getattr(point, field), getattr(again, field)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max())
    for field in ("cross", "cross1", "cross2", "cross3", "residual1"):
        a, b = getattr(point.forms.fixed, field), getattr(again.forms.fixed, field)
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9 * np.abs(b).max(initial=1e-300))
    if not CODED[name].fixed_sigma:
        assert abs(point.gradient[-1]) < 1e-8 * point.size


@pytest.mark.parametrize("var", ["Power", "Exp", "Comb", "Power strata", "ConstPower"])
@pytest.mark.parametrize("levels", ["gls", "slope"])
def test_a_model_about_the_middle_of_its_covariate_is_the_same_model(levels: str, var: str) -> None:
    fit = designs.named(levels, "AR1", var)
    values, centred = theta(fit).values, Centred.of(fit)
    there = centred.there(values)
    expected = brute.likelihood(fit)(values)
    assert brute.likelihood(centred.snapshot)(there) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(centred.back(there), values, rtol=1e-14)
    assert (there[-1] != values[-1]) == (var in ("Power", "Exp", "Comb"))


def test_a_fixed_sigma_is_about_nothing_but_itself() -> None:
    fit = designs.named("slope", "", "Power", fixed_sigma=True)
    assert not Centred.of(fit).shift.any()


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_the_unit_of_a_variance_covariate_costs_no_step(method: str) -> None:
    """σ|v|^δ in other units is (σu^−δ)|uv|^δ: δ̂ stays, and σ̂² is known in closed form."""
    fit = realistic("intercept", "", "Power", method)
    (power,) = fit.var
    assert power.covariate is not None
    grams = replace(fit, var=(replace(power, covariate=1000 * power.covariate),))
    one, other = estimate(fit), estimate(grams)
    assert one.converged and other.converged and other.evaluations == one.evaluations
    delta = one.theta[-2]
    np.testing.assert_allclose(other.theta[:-1], one.theta[:-1], rtol=1e-6)
    assert other.theta[-1] == pytest.approx(one.theta[-1] * 1000 ** (-2 * delta), rel=1e-5)


def test_every_class_of_matrix_has_a_factor() -> None:
    classes = {f.block.pd_class for fit in CODED.values() for f in Coding(fit).factors}
    assert {"pdLogChol", "pdDiag", "pdIdent", "pdCompSymm"} <= classes
    cor = {fit.cor.cor_class for fit in CODED.values() if fit.cor}
    assert {"corAR1", "corARMA", "corSymm", "corCompSymm", "corSpher"} <= cor
    var = {v.var_class for fit in CODED.values() for v in fit.var}
    assert {"varIdent", "varPower", "varConstPower", "varConstProp"} <= var
