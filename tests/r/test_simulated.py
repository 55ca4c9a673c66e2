"""Responses drawn from fits, and likelihood ratios under the smaller model."""

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from tests.support import brute

AR1 = {"correlation": rb.corAR1(form="~ 1 | subject"), "weights": rb.varIdent("~ 1 | sex")}


@pytest.fixture(scope="module")
def data(orthodont):
    return orthodont.sample(frac=1, random_state=5)


@pytest.fixture(scope="module")
def fits(data):
    return rb.gls("distance ~ age", data), rb.lme("distance ~ age", data, "~ 1 | subject")


def test_draws_have_the_mean_and_covariance_of_the_model(data):
    fit = rb.lme("distance ~ age", data, "~ 1 | subject", **AR1)
    n = 10_000
    drawn = fit.simulate(n, seed=1)
    assert list(drawn.index) == list(data.index)
    rows = np.argsort(fit.snapshot.rows)
    V = brute.marginal(fit.snapshot)[np.ix_(rows, rows)]
    sd = np.sqrt(np.diag(V))
    z = (drawn.mean(axis=1) - fit.fitted(0)) / (sd / np.sqrt(n))
    assert abs(z).max() < 5
    worst = np.abs(np.cov(drawn) - V) / np.sqrt((np.outer(sd, sd) ** 2 + V**2) / n)
    assert worst.max() < 6


def test_a_draw_is_the_bootstraps_replicate(data, fits):
    fit = fits[1]
    drawn = fit.simulate(3, seed=4)
    again = rb.lme("drawn ~ age", data.assign(drawn=drawn[2]), "~ 1 | subject")
    replicate = fit.bootstrap(3, seed=4, progress=False).replicates.loc[2]
    np.testing.assert_allclose(replicate[list(fit.varcomp.index)], again.varcomp, rtol=1e-6)
    assert fit.simulate(3).attrs["seed"] != fit.simulate(3).attrs["seed"]
    pd.testing.assert_frame_equal(
        rb.LmeResults(fit.snapshot).simulate(2, seed=4).reset_index(drop=True),
        drawn.iloc[:, :2].reset_index(drop=True),
    )


def one_way_ratio(y, group):
    """The REML likelihood ratio of a balanced one-way layout, from its mean squares."""
    table = pd.DataFrame({"y": np.asarray(y), "g": np.asarray(group)}).groupby("g").y
    m, k = table.ngroups, int(table.count().iloc[0])
    between = k * ((table.mean() - np.mean(y)) ** 2).sum()
    within = table.var(ddof=0).sum() * k
    a, b = m - 1, m * (k - 1)
    if between / a <= within / b:
        return 0.0
    return (
        (a + b) * np.log((between + within) / (a + b))
        - a * np.log(between / a)
        - b * np.log(within / b)
    )


@pytest.mark.parametrize(("engine", "atol"), [("nlme", 2e-5), ("native", 1e-9)])
def test_the_ratios_are_those_of_the_closed_form(engine, atol):
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.tile(list("abcdefgh"), 5), "y": rng.normal(size=40)})
    data["y"] += rng.normal(size=8)[np.tile(np.arange(8), 5)] / 2
    small, large = rb.gls("y ~ 1", data), rb.lme("y ~ 1", data, "~ 1 | g")
    found = rb.simulated_lrt(small, large, 40, seed=3, progress=False, engine=engine)
    drawn = small.simulate(40, seed=3)
    expected = [one_way_ratio(drawn[i], data.g) for i in found.replicates.index]
    np.testing.assert_allclose(found.replicates, expected, atol=atol)
    assert (
        len(found.replicates) + len(found.failures) == 40 and np.mean(np.array(expected) == 0) > 0.3
    )
    np.testing.assert_allclose(found.statistic, one_way_ratio(data.y, data.g), atol=1e-6)
    by_hand = (1 + np.sum(np.array(expected) >= found.statistic)) / (1 + len(expected))
    assert found.p == pytest.approx(by_hand)


@pytest.mark.parametrize("engine", ["nlme", "native"])
def test_rows_in_two_orders_are_the_same_rows(data, engine):
    """The larger model sorts by other groups than the smaller one."""
    data = data.assign(half=np.where(data.age < 11, "a", "b"))
    small = rb.lme("distance ~ age", data, "~ 1 | half", method="ML")
    large = rb.lme("distance ~ age * sex", data, "~ 1 | half/subject", method="ML")
    assert list(small.snapshot.rows) != list(large.snapshot.rows)
    found = rb.simulated_lrt(small, large, 2, seed=1, progress=False, engine=engine)
    assert found.failures.empty
    y = small.simulate(2, seed=1)[1]
    refits = [fit.update("y ~ .", data=data.assign(y=y)) for fit in (small, large)]
    np.testing.assert_allclose(found.replicates[1], 2 * (refits[1].llf - refits[0].llf), atol=1e-5)


@pytest.mark.parametrize("more", [{}, AR1], ids=["at once", "one by one"])
def test_nlme_is_the_witness_of_the_ratios(data, more):
    small = rb.lme("distance ~ age", data, "~ 1 | subject", **more)
    large = rb.lme("distance ~ age * sex", data, "~ 1 | subject", **more)
    fits = [fit.update(method="ML") for fit in (small, large)]
    seen = []
    told = {"progress": lambda *counts: seen.append(counts)}
    found = rb.simulated_lrt(*fits, 6, seed=2, **told, engine="native", witness=2)
    assert (6, 6, 0) in seen and seen[-1] == (2, 2, 0)
    theirs = rb.simulated_lrt(*fits, 2, seed=2, progress=False)
    assert (found.engine, theirs.engine, theirs.witness_gap) == ("native", "nlme", None)
    pd.testing.assert_series_equal(found.witness, theirs.replicates)
    assert len(found.replicates) == 6 and found.witness_gap < 1e-4
    assert "engine native, 2 of them by nlme too" in str(found)
    without_r = [rb.LmeResults(fit.snapshot) for fit in fits]
    again = rb.simulated_lrt(*without_r, 6, seed=2, progress=False, engine="native")
    pd.testing.assert_series_equal(again.replicates, found.replicates)


def test_the_table_beside_the_asymptotic_answers(fits):
    found = rb.simulated_lrt(*fits, 4, seed=1, progress=False)
    known = rb.compare(*fits).iloc[1]
    table = found.to_frame()
    assert list(table.index) == ["simulated", "χ²(1)", "0.5 χ²(0) + 0.5 χ²(1)"]
    assert table.loc["χ²(1)", "p"] == pytest.approx(known["p-value"])
    assert table.loc["0.5 χ²(0) + 0.5 χ²(1)", "p"] == pytest.approx(known["p_boundary"])
    assert found.statistic == pytest.approx(known["L.Ratio"]) and found.p == pytest.approx(1 / 5)
    assert "4 responses drawn under the smaller model" in str(found)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda one, two: rb.simulated_lrt(two, one), "second fit must have more parameters"),
        (lambda one, two: rb.simulated_lrt(one, two, 0), "n must be a positive number"),
        (lambda one, two: rb.simulated_lrt(one, two, 5, witness=1), "witness compares with nlme"),
        (lambda one, two: one.simulate(1.5), "n must be a positive number"),
        (lambda one, two: rb.simulated_lrt(one, rb.LmeResults(two.snapshot)), "needs the fit in R"),
        (lambda one, two: rb.simulated_lrt(one, two.update(method="ML")), "refit by one method"),
    ],
)
def test_what_cannot_be_is_one_sentence(fits, call, words):
    with pytest.raises(rb.RBridgeError, match=words):
        call(*fits)
