"""g of mixed models against lmeInfo's record, and the noncentral t distribution."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy import integrate, special, stats

from rbridge.core.fixed_effects.distributions import f_tail, t_quantile, t_tails
from rbridge.core.fixed_effects.effect_size import StandardisedDifference, standardised_difference
from rbridge.core.fixed_effects.noncentral_t import noncentral_t_cdf, noncentrality
from rbridge.errors import DataError, SpecError
from tests.support.places import REFERENCE

RECORD = json.loads((REFERENCE / "fixed_effects" / "effect_size.json").read_text("utf-8"))
MODELS = {model["name"]: model for model in RECORD["models"]}
EFFECTS = [pytest.param(e, id=f"{i} {e['model']}") for i, e in enumerate(RECORD["effects"])]


def of(effect: dict[str, Any]) -> StandardisedDifference:
    model, components = MODELS[effect["model"]], effect["components"]
    numbers = model["beta"], model["vcov"], components["estimates"], components["cov"]
    return standardised_difference(*numbers, effect["p"], effect["r"])


@pytest.mark.parametrize("effect", EFFECTS)
def test_g_is_lmeinfos(effect: dict[str, Any]) -> None:
    found = of(effect)
    for name in ("g", "se", "df", "delta", "kappa"):
        assert getattr(found, name) == pytest.approx(effect[name], rel=1e-12), name


@pytest.mark.parametrize("effect", EFFECTS)
def test_limits_are_lmeinfos(effect: dict[str, Any]) -> None:
    found = of(effect)
    for interval in effect["intervals"]:
        lower, upper = found.limits(interval["level"], interval["method"])
        if not interval["at_bound"]:
            assert (lower, upper) == pytest.approx((interval["lower"], interval["upper"]), rel=1e-8)
            continue
        for end, tail in ((lower, 1 + interval["level"]), (upper, 1 - interval["level"])):
            numbers = found.delta / found.kappa, found.df, end / found.kappa
            assert by_quadrature(*numbers) == pytest.approx(tail / 2, rel=1e-9)


def test_the_record_has_an_interval_that_r_cannot_find() -> None:
    assert any(i["at_bound"] for effect in RECORD["effects"] for i in effect["intervals"])


# The noncentral t --------------------------------------------------------------------------------


def by_quadrature(t: float, df: float, ncp: float) -> float:
    """Integral over the density of √(χ²/ν), as the definition has it."""
    scale = stats.chi(df)
    lower, upper = scale.ppf([1e-15, 1 - 1e-15]) if df > 2 else (0, scale.isf(1e-15))
    jump = np.clip(ncp / t * np.sqrt(df), lower, upper)
    value = integrate.quad(
        lambda c: special.ndtr(t * c / np.sqrt(df) - ncp) * scale.pdf(c),
        *(lower, upper),
        points=[jump],
        epsabs=1e-13,
        limit=500,
    )
    return float(value[0])


@pytest.mark.parametrize(
    "t, df, ncp",
    [(1, 5, 0.5), (3, 2.0, 1), (60, 20, 50), (400, 50, 380), (-3, 10, -2), (1000, 7, 900)],
)
def test_noncentral_t_is_its_integral(t: float, df: float, ncp: float) -> None:
    assert noncentral_t_cdf(t, df, ncp) == pytest.approx(by_quadrature(t, df, ncp), rel=1e-9)


@pytest.mark.parametrize("t, df", [(0.7, 3.3), (-2.0, 12.0), (5.0, 1e4), (0.0, 2.001)])
def test_without_noncentrality_it_is_students(t: float, df: float) -> None:
    assert noncentral_t_cdf(t, df, 0.0) == pytest.approx(special.stdtr(df, t), rel=1e-11)


@pytest.mark.parametrize("probability", [0.005, 0.5, 0.975])
@pytest.mark.parametrize("t, df", [(2.0, 4.5), (-3.0, 20.0), (90.0, 30.0), (500.0, 8.0)])
def test_noncentrality_inverts_it(t: float, df: float, probability: float) -> None:
    ncp = noncentrality(t, df, probability)
    assert noncentral_t_cdf(t, df, ncp) == pytest.approx(probability, rel=1e-9)


def test_limits_go_on_where_r_stops() -> None:
    """κ times noncentralities near 60; the tails are what was asked for."""
    found = StandardisedDifference(g=2.95, se=0.3, df=25.0, delta=3.0, kappa=0.05)
    lower, upper = found.limits(0.95, "noncentral")
    assert noncentral_t_cdf(60.0, 25.0, lower / 0.05) == pytest.approx(0.975, rel=1e-9)
    assert noncentral_t_cdf(60.0, 25.0, upper / 0.05) == pytest.approx(0.025, rel=1e-9)


def test_a_known_scale_is_the_normal_distribution() -> None:
    found = standardised_difference([2.0], [[0.25]], [4.0], [[0.0]], [1.0], [1.0])
    assert (found.g, found.delta, found.df) == (1.0, 1.0, np.inf)
    assert found.se == pytest.approx(found.kappa) == pytest.approx(0.25)
    reach = 1.959963984540054 * 0.25
    for method in ("symmetric", "noncentral"):
        limits = found.limits(0.95, method)  # type: ignore[arg-type]
        assert limits == pytest.approx((1 - reach, 1 + reach), rel=1e-12)


@pytest.mark.parametrize(
    "p, r, error, message",
    [
        ([1.0, 0.0], [1.0], DataError, "p has shape"),
        ([1.0], [np.nan], DataError, "r is not finite at position 0"),
        ([1.0], [-1.0], SpecError, "must be a positive variance"),
        ([0.0], [1.0], SpecError, "p is zero"),
    ],
)
def test_weights_that_cannot_be(p: Any, r: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        standardised_difference([2.0], [[0.25]], [4.0], [[1.0]], p, r)


# F and t -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("df", [0.5, 1.0, 3.7, 20.1694, 160.733, 1e6])
def test_t_quantile_inverts_the_tail(df: float) -> None:
    assert t_tails(t_quantile(0.975, df), df) == pytest.approx(0.05, rel=1e-12)
    assert t_quantile(0.975, df) == pytest.approx(stats.t(df).ppf(0.975), rel=1e-8)


def test_infinite_and_absent_degrees_of_freedom() -> None:
    np.testing.assert_allclose(t_quantile(0.975, np.inf), 1.959963984540054, rtol=1e-14)
    np.testing.assert_allclose(t_tails(1.959963984540054, np.inf), 0.05, rtol=1e-12)
    np.testing.assert_allclose(f_tail(3.0, 2, np.inf), np.exp(-3.0), rtol=1e-14)
    assert np.isnan([t_quantile(0.975, 0.0), t_tails(1.0, -2.0), f_tail(3.0, 2, np.nan)]).all()
