"""Derived quantities: the language, and every ready-made one against a second source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import SpecError
from rbridge.results import LmeResults
from tests.support import brute, designs, oneway
from tests.support.fits import named

DATA = oneway.simulated(20, 5, 0.8, seed=1)


@pytest.fixture(scope="module")
def one() -> LmeResults:
    return LmeResults(DATA.snapshot())


# --- the language --------------------------------------------------------------------------------


def test_arithmetic_labels_and_earlier_names() -> None:
    fit = named("slope")
    v = fit.varcomp
    text = """
        a = var(g, z1)
          b = 'Tau.g.cov(z1,z0)' + `Tau.g.var(z0)` - Tau.g.var(z1)   # bare, quoted, backquoted
        c = sqrt(a) * -b ** 2 / (3.5 + log(sigma_sq)); cov(g, z0, z1)
    """
    a, b = v["Tau.g.var(z1)"], v["Tau.g.cov(z1,z0)"] + v["Tau.g.var(z0)"] - v["Tau.g.var(z1)"]
    c = np.sqrt(a) * -(b**2) / (3.5 + np.log(v["sigma_sq"]))
    found = fit.derive(text)
    assert list(found.estimates.index) == ["a", "b", "c", "cov(g, z0, z1)"]
    np.testing.assert_allclose(found.estimates, [a, b, c, v["Tau.g.cov(z1,z0)"]], rtol=1e-14)


@pytest.mark.parametrize("levels", [k for k in designs.LEVELS if k not in ("singular", "zero")])
def test_every_label_is_its_component(levels: str) -> None:
    fit = named(levels, "Exp nugget", "Ident")
    for method in ("expected", "average"):
        vcov = fit.varcomp_vcov(method)
        found = fit.derive("\n".join(f"{label!r}" for label in fit.varcomp.index), method=method)
        np.testing.assert_allclose(found.cov, vcov.cov, rtol=1e-12, atol=1e-300)
        assert found.kinds == vcov.kinds and found.method == method


def test_words_of_the_within_group_structures() -> None:
    fit = named("intercept", "Exp nugget", "Ident")
    cor, var = designs.CORRELATIONS["Exp nugget"].values, designs.IDENT.values
    names = "c0 * c1\ncor_params2\nvar_params1 + v1\nsigma_sq(s2)\nsigma(s0)"
    values = [cor[0] * cor[1], cor[1], 2 * var[1], 0.81 * var[2] ** 2, 0.9]
    np.testing.assert_allclose(fit.derive(names).estimates, values, rtol=1e-14)


def test_joint_covariance_is_by_hand() -> None:
    fit = named("slope")
    v, C = fit.varcomp_vcov(), fit.varcomp_vcov().cov.to_numpy()
    a, c, b, _ = v.estimates
    root = np.sqrt(a * b)
    J = np.array([[-c / (2 * a * root), 1 / root, -c / (2 * b * root), 0], [1, 0, 1, 1]])
    found = fit.derive("cor(g)", "var(g, z0) + var(g, z1) + sigma_sq")
    np.testing.assert_allclose(found.cov, J @ C @ J.T, rtol=1e-12)


def test_fixed_effects_enter_with_their_own_covariance() -> None:
    fit = named("slope")
    found = fit.derive("beta(b1) / sigma")
    sigma, se = fit.sigma, fit.varcomp_vcov().se["sigma_sq"] / (2 * fit.sigma)
    variance = fit.snapshot.vcov[1, 1] / sigma**2 + (fit.params["b1"] / sigma**2 * se) ** 2
    np.testing.assert_allclose(found.se["beta(b1) / sigma"] ** 2, variance, rtol=1e-12)


@pytest.mark.parametrize("returned", ["scalar", "array", "mapping", "series"])
def test_a_function_of_the_series(returned: str) -> None:
    fit = named("slope")

    def share(v: Any) -> Any:
        x = v["sigma_sq"] / v.sum()
        wrap = {"array": np.array([x]), "mapping": {"x": x}, "series": pd.Series({"x": x})}
        return wrap.get(returned, x)

    found = fit.derive(share)
    total = " + ".join(f"{label!r}" for label in fit.varcomp.index)
    expected = fit.derive(f"x = sigma_sq / ({total})")
    np.testing.assert_allclose(found.cov, expected.cov, rtol=1e-10)
    names = {"scalar": "share", "array": "share1"}
    assert list(found.estimates.index) == [names.get(returned, "x")]


@pytest.mark.parametrize(
    "text, message",
    [
        ("1 + bar", "no component 'bar'; there is Tau.g.var.*sigma_sq.*levels.*z0, z1"),
        ("'Tau.g.var(z9)'", "no component 'Tau.g.var"),
        ("var(g, zz)", "'zz' is no random effect of g .effects: z0, z1"),
        ("var(h, z0)", "'h' is no grouping level .levels: g"),
        ("var(g)", "name one random effect"),
        ("cov(g, z0)", "name two random effects"),
        ("beta(zz)", "beta takes one fixed effect .there is b0"),
        ("sigma_sq(Male)", "varIdent"),
        ("z0 ^ 2", r"written \*\*"),
        ("__import__('os').system('true')", "not allowed"),
        ("sigma_sq.real", "no component"),
        ("[sigma_sq for _ in 1]", "not allowed"),
        ("sigma_sq if sigma else 1", "not allowed"),
        ("sigma_sq > 1", "not allowed"),
        ("f'{sigma}'", "not allowed"),
        ("import os", "name = expression"),
        ("a = b = sigma", "name = expression"),
        ("a, b = sigma", "name = expression"),
        ("total = 1", "already"),
        ("a = 1\na = 2", "twice"),
        ("sqrt(sigma, 2)", "one argument"),
        ("log(-sigma)", "nan at the estimates"),
        ("9.0 ** 9 ** 9 ** 9", "inf at the estimates"),
        ("1 / (sigma - sigma)", "inf at the estimates"),
        ("var(g, z0", "cannot read"),
        ("-" * 100_000 + "1", "cannot read"),
        ("  \n # nothing", "empty"),
    ],
)
def test_refusals_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as raised:
        named("slope").derive(text)
    assert len(str(raised.value)) < 600


def test_huge_integers_are_not_computed() -> None:
    with pytest.raises(SpecError, match="inf"):
        named("slope").derive("10 ** 10 ** 10")


# --- ready-made ----------------------------------------------------------------------------------


def test_icc_of_a_balanced_one_way_layout(one: LmeResults) -> None:
    """ρ = (F − 1)/(F + n − 1) with Var(log F) = 2/(m − 1) + 2/(m(n − 1))."""
    (m, n), (tau, sigma_sq) = DATA.shape, DATA.reml
    F = 1 + n * tau / sigma_sq
    se = n * F / (F + n - 1) ** 2 * np.sqrt(2 / (m - 1) + 2 / (m * (n - 1)))
    found = rb.icc(one)
    np.testing.assert_allclose(found.estimates, [tau / (tau + sigma_sq)], rtol=1e-12)
    np.testing.assert_allclose(found.se, [se], rtol=1e-10)
    assert found.kinds == ("proportion",)
    pd.testing.assert_series_equal(found.se, one.derive("g = var(g) / total").se)


@pytest.mark.parametrize(
    "cor, var", [("", ""), ("Exp nugget", ""), ("AR1", "Ident"), ("", "Power")]
)
def test_total_is_the_mean_diagonal_of_v(cor: str, var: str) -> None:
    fit = named("nested", cor, var)
    diagonal = np.diag(brute.marginal(fit.snapshot))
    parts = "\n".join(["total", "mean_var(a)", "mean_var(b) + mean_var(c) + residual"])
    found = fit.derive(parts).estimates
    np.testing.assert_allclose(found.iloc[0], diagonal.mean(), rtol=1e-12)
    np.testing.assert_allclose(found.iloc[1] + found.iloc[2], diagonal.mean(), rtol=1e-12)


def test_nested_icc_is_a_correlation_of_observations() -> None:
    levels = (
        designs.level(designs.OUTER, designs.Z1, designs.D1, group="school"),
        designs.level(designs.MIDDLE, designs.Z1, 2 * designs.D1, group="case"),
    )
    fit = LmeResults(designs.fit(designs.X, designs.Y, levels))
    V = brute.marginal(fit.snapshot)
    R = V / V[0, 0]
    same_school = designs.OUTER[:, None] == designs.OUTER
    same_case = designs.MIDDLE[:, None] == designs.MIDDLE
    school = R[same_school & ~same_case][0]
    both = R[same_case & ~np.eye(len(R), dtype=bool)][0]
    found = rb.icc(fit).estimates
    assert list(found.index) == ["school", "case", "school/case"]
    np.testing.assert_allclose(found, [school, both - school, both], rtol=1e-12)


def test_r_squared_by_definition() -> None:
    fit = named("nested", "", "Ident")
    s = fit.snapshot
    fixed, diagonal = np.var(s.X @ s.beta, ddof=1), np.diag(brute.marginal(s))
    residual = s.sigma**2 * np.mean(s.var[0].values[s.var[0].codes] ** 2)
    marginal = fixed / (fixed + diagonal.mean())
    conditional = 1 - residual / (fixed + diagonal.mean())
    found = rb.r_squared(fit)
    np.testing.assert_allclose(found.estimates, [marginal, conditional], rtol=1e-12)
    assert (found.se > 0).all()


def test_r_squared_se_by_simulation_of_its_estimates(one: LmeResults) -> None:
    """Draws of (θ̂, β̂) from their joint covariance, far from any bound: no derivative anywhere."""
    fit = named("slope")
    rng, v = np.random.default_rng(3), fit.varcomp_vcov()
    shrink = 1e-4  # the delta method is the limit of small errors
    theta = rng.multivariate_normal(v.estimates, shrink * v.cov, 40_000)
    beta = rng.multivariate_normal(fit.params, shrink * fit.snapshot.vcov, 40_000)
    X, Z = fit.snapshot.X, fit.snapshot.levels[0].Z
    fixed = np.einsum("ni,ij,nj->n", beta, np.cov(X, rowvar=False), beta)
    M = Z.T @ Z / len(Z)
    random = theta[:, 0] * M[0, 0] + 2 * theta[:, 1] * M[0, 1] + theta[:, 2] * M[1, 1]
    total = fixed + random + theta[:, 3]
    draws = np.std([fixed / total, (fixed + random) / total], axis=1) / np.sqrt(shrink)
    np.testing.assert_allclose(rb.r_squared(fit).se, draws, rtol=0.02)


def test_standard_deviations_and_correlations() -> None:
    fit = named("three")
    D = designs.D3
    sd = rb.standard_deviations(fit)
    np.testing.assert_allclose(sd.estimates, np.sqrt([*np.diag(D), 0.81]), rtol=1e-14)
    np.testing.assert_allclose(
        sd.se["sigma"], fit.varcomp_vcov().se["sigma_sq"] / (2 * 0.9), rtol=1e-12
    )
    cor = rb.correlations(fit)
    assert list(cor.estimates.index) == ["Tau.g.cor(z1,z0)", "Tau.g.cor(z2,z0)", "Tau.g.cor(z2,z1)"]
    R = D / np.sqrt(np.outer(np.diag(D), np.diag(D)))
    np.testing.assert_allclose(cor.estimates, R[[0, 0, 1], [1, 2, 2]], rtol=1e-14)
    with pytest.raises(SpecError, match="no correlation"):
        rb.correlations(named("diag"))


def test_compound_symmetry_has_one_correlation() -> None:
    cor = rb.correlations(named("blocked"))
    np.testing.assert_allclose(cor.estimates, [0.15 / 0.5], rtol=1e-14)


def test_slope_variance_is_a_quadratic_form() -> None:
    fit = named("slope")
    C = fit.varcomp_vcov().cov.to_numpy()
    found = rb.slope_variance_at(fit, {"z0": 1.0, "z1": [2.0, 5.0]})
    w = np.array([[1, 4, 4, 0], [1, 10, 25, 0]])
    np.testing.assert_allclose(found.estimates, w @ fit.varcomp, rtol=1e-13)
    np.testing.assert_allclose(found.cov, w @ C @ w.T, rtol=1e-10)
    total = rb.variance_at(fit, {"z0": 1.0, "z1": [2.0, 5.0]})
    np.testing.assert_allclose(total.estimates, found.estimates.to_numpy() + 0.81, rtol=1e-13)
    with pytest.raises(SpecError, match="value of 'z1' for the random effects of g .it has z0"):
        rb.variance_at(fit, {"z0": 1.0})
    with pytest.raises(SpecError, match="of must be one of total, residual, g"):
        rb.variance_at(fit, {"z0": 1.0}, of="h")
    with pytest.raises(SpecError, match="different lengths"):
        rb.variance_at(fit, {"z0": [1.0, 2.0], "z1": [1.0, 2.0, 3.0]})


def test_interactions_are_products() -> None:
    level = replace(designs.LEVELS["slope"][0], names=("(Intercept)", "a:b"))
    level = replace(level, blocks=(replace(level.blocks[0], names=level.names),))
    fit = LmeResults(designs.fit(designs.X, designs.Y, [level]))
    found = rb.slope_variance_at(fit, {"a": 2.0, "b": 3.0}).estimates.iloc[0]
    z = np.array([1.0, 6.0])
    assert found == pytest.approx(z @ level.D @ z, rel=1e-14)


def test_variance_ratio(one: LmeResults) -> None:
    found = rb.variance_ratio(one, "var(g)", "sigma_sq")
    pd.testing.assert_series_equal(found.se, one.derive("var(g) / sigma_sq").se, check_index=False)
    assert found.conf_int(scale="log").lower.iloc[0] > 0


@pytest.mark.parametrize("levels, k", [("nested", 0), ("nested", 1), ("slope", 0)])
def test_reliability_of_group_means_from_v(levels: str, k: int) -> None:
    """1 − (variance of a mean inside its group) / (its whole variance), without outer levels."""
    fit = named(levels, "", "Ident")
    s = fit.snapshot
    level = s.levels[k]
    V, inside = brute.marginal(s, k), brute.marginal(s, k + 1)
    shares = []
    for code in np.unique(level.codes):
        at = np.ix_(*[np.flatnonzero(level.codes == code)] * 2)
        shares.append(1 - inside[at].sum() / V[at].sum())
    found = rb.reliability(fit, level.group)
    np.testing.assert_allclose(found.estimates, [np.mean(shares)], rtol=1e-12)


def test_planned_reliability_is_spearman_brown(one: LmeResults) -> None:
    rho = rb.icc(one).estimates.iloc[0]
    for n in (1, 5, 12):
        expected = n * rho / (1 + (n - 1) * rho)
        assert rb.reliability(one, n=n).estimates.iloc[0] == pytest.approx(expected, rel=1e-12)
    own = rb.reliability(one)
    pd.testing.assert_series_equal(own.estimates, rb.reliability(one, n=5).estimates)
    with pytest.raises(SpecError, match="one level of random intercepts"):
        rb.reliability(named("slope"), n=5)
    with pytest.raises(SpecError, match="correlated residuals"):
        rb.reliability(named("slope", "AR1"))


def test_models_without_random_effects() -> None:
    fit = named("gls", "AR1", "Ident")
    with pytest.raises(SpecError, match="no random effects"):
        rb.icc(fit)
    found = rb.stratum_variances(fit).estimates
    np.testing.assert_allclose(found, 0.81 * designs.IDENT.values**2, rtol=1e-14)
    assert list(found.index) == ["sigma_sq(s0)", "sigma_sq(s1)", "sigma_sq(s2)"]


def test_fixed_sigma_is_a_constant() -> None:
    fit = named("intercept", fixed_sigma=True)
    found = fit.derive("a = sigma_sq + 0 * var(g)")
    assert found.estimates["a"] == pytest.approx(0.81) and found.se["a"] == 0
