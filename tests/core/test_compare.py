"""Which tests are at the edge of a range, and the p-values of the mixtures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import designs
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import rbridge as rb
from rbridge.core.nesting import boundary, mixture_p
from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import DataError, SpecError
from rbridge.results import LmeResults

D1, D2, D3, OUTER = designs.D1, designs.D2, designs.D3, designs.OUTER
Z = {1: designs.Z1, 2: designs.Z2, 3: designs.Z3}
D = {1: D1, 2: D2, 3: D3}


def model(
    q: int = 0,
    pd_class: str = "pdLogChol",
    cor: str = "",
    var: str = "",
    X: Any = designs.X,
    method: str = "REML",
    inner: bool = False,
) -> FitSnapshot:
    levels = [designs.level(OUTER, Z[q], D[q], pd_class)] if q else []
    if inner:
        levels.append(designs.level(designs.MIDDLE, Z[1], D1, group="h"))
    chosen = designs.CORRELATIONS[cor] if cor else None
    weights = designs.VARIANCES[var] if var else ()
    return designs.fit(X, designs.Y, levels, chosen, weights, method=method)


def df(snapshot: FitSnapshot) -> int:
    return LmeResults(snapshot).df_model


MIXTURES = {
    "first variance": (model(), model(1), (0, 1)),
    "slope with its covariance": (model(1), model(2), (1, 2)),
    "third effect with two covariances": (model(2), model(3), (2, 3)),
    "uncorrelated slope": (model(1), model(2, "pdDiag"), (0, 1)),
    "many effects, one variance": (model(), model(3, "pdIdent"), (0, 1)),
    "inner level": (model(1), model(1, inner=True), (0, 1)),
    "slope and AR1": (model(1), model(2, cor="AR1"), (2, 3)),
    "intercept and strata": (model(), model(1, var="Ident"), (2, 3)),
    "intercept and two fixed effects": (
        model(X=designs.X[:, :1], method="ML"),
        model(1, method="ML"),
        (2, 3),
    ),
}
NONE = {
    "correlation inside its range": (model(1), model(1, cor="AR1"), ""),
    "free covariances": (model(2, "pdDiag"), model(2), ""),
    "ident to diag": (model(3, "pdIdent"), model(3, "pdDiag"), ""),
    "strata": (model(1), model(1, var="Ident"), ""),
    "two variances": (model(), model(2), "several variances at zero"),
    "slope and inner level": (model(1), model(2, inner=True), "several variances"),
    "range of a spatial correlation": (model(1), model(2, cor="Gaus"), "edge of its range"),
    "nugget and more": (model(1, cor="CAR1"), model(2, cor="Exp nugget"), "not nested"),
    "other pdMat": (model(2, "pdDiag"), model(3), "besides the new effect"),
    "other levels": (model(1), model(0, inner=True, cor="AR1"), "levels are not nested"),
    "const": (model(1), model(2, var="ConstPower"), "varConstPower"),
    "lost correlation": (model(1, cor="AR1"), model(3), "correlation structures are not nested"),
    "fixed correlation": (model(1), model(2, cor="fixed AR1"), "correlation structures"),
    "fixed effects": (
        model(X=designs.X[:, [0, 1]], method="ML"),
        model(2, X=designs.X[:, [0, 2]], method="ML"),
        "fixed effects are not nested",
    ),
}


@pytest.mark.parametrize("name", MIXTURES)
def test_mixture(name: str) -> None:
    small, large, expected = MIXTURES[name]
    found = boundary(small, large, df(large) - df(small))
    assert found.df == expected and " at zero" in found.reason
    assert str(found).startswith(f"0.5 χ²({expected[0]}) + 0.5 χ²({expected[1]}): the variance of ")


@pytest.mark.parametrize("name", NONE)
def test_no_mixture(name: str) -> None:
    small, large, reason = NONE[name]
    found = boundary(small, large, df(large) - df(small))
    assert found.df == () and reason in found.reason
    assert bool(found.reason) == bool(reason)


def test_mixture_p_by_definition() -> None:
    x = np.array([0.0, 0.5, 2.706, 6.0])
    chi = stats.chi2.sf
    np.testing.assert_allclose(mixture_p(x, (1, 2)), (chi(x, 1) + chi(x, 2)) / 2, rtol=1e-12)
    half = np.where(x > 0, chi(x, 1) / 2, 1.0)
    np.testing.assert_allclose(mixture_p(x, (0, 1)), half, rtol=1e-12)


def test_size_of_the_test_of_one_variance() -> None:
    """20 000 simulated null one-way layouts, their REML likelihood ratios in closed form."""
    m, n, rng = 100, 5, np.random.default_rng(12)
    within = rng.chisquare(m * (n - 1), 20_000)
    between = rng.chisquare(m - 1, 20_000)
    a, b = within / (m * (n - 1)), between / (m - 1)
    both = (within + between) / (m * n - 1)
    ratio = (m * n - 1) * np.log(both) - m * (n - 1) * np.log(a) - (m - 1) * np.log(b)
    ratio = np.where(b > a, ratio, 0.0)
    level = [np.mean(p <= 0.05) for p in (mixture_p(ratio, (0, 1)), stats.chi2.sf(ratio, 1))]
    assert level[0] == pytest.approx(0.05, abs=0.007)  # finite m: a little less than half positive
    assert level[1] == pytest.approx(0.025, abs=0.005)


def test_table() -> None:
    fits = [
        LmeResults(replace(snapshot, log_lik=ll))
        for snapshot, ll in [(model(), -80.0), (model(1), -77.0), (model(1, cor="AR1"), -76.5)]
    ]
    table = rb.compare(*fits, names=["none", "group", "AR1"])
    assert list(table.index) == ["none", "group", "AR1"] and list(table.Test) == [
        "",
        "1 vs 2",
        "2 vs 3",
    ]
    assert table["L.Ratio"].tolist()[1:] == [6.0, 1.0]
    np.testing.assert_allclose(table["p-value"][1:], stats.chi2.sf([6, 1], 1), rtol=1e-12)
    np.testing.assert_allclose(table["p_boundary"], [np.nan, stats.chi2.sf(6, 1) / 2, np.nan])
    assert list(rb.compare(*fits[::-1])["p_boundary"].notna()) == [False, False, True]


def test_equal_numbers_of_parameters_are_not_tested() -> None:
    fits = [LmeResults(model(1, var="Power")), LmeResults(model(1, cor="AR1"))]
    table = rb.compare(*fits)
    assert list(table.Test) == ["", ""] and table["p-value"].isna().all()


def test_a_larger_model_with_a_lower_likelihood() -> None:
    fits = [
        LmeResults(replace(model(), log_lik=-70.0)),
        LmeResults(replace(model(1), log_lik=-71.0)),
    ]
    table = rb.compare(*fits)
    assert "lower likelihood" in table.mixture.iloc[1] and np.isnan(table.p_boundary.iloc[1])


def shuffled(snapshot: FitSnapshot) -> FitSnapshot:
    order = np.random.default_rng(0).permutation(snapshot.n)
    parts = {name: getattr(snapshot, name)[order] for name in ("y", "X", "rows", "fitted")}
    return replace(snapshot, **parts)


def test_rows_are_matched_not_counted() -> None:
    small, large = LmeResults(shuffled(model())), LmeResults(model(1))
    pd.testing.assert_frame_equal(rb.compare(small, large), rb.compare(LmeResults(model()), large))


@pytest.mark.parametrize(
    "other, error, message",
    [
        (model(method="ML"), SpecError, "by REML and ML"),
        (model(X=designs.X[:, :2]), SpecError, "fixed effects different"),
        (model(X=designs.X * [1, 2, 1]), SpecError, "coded differently"),
        (replace(model(), rows=np.arange(45) + 1), DataError, "different rows"),
        (replace(model(), y=designs.Y + 1), DataError, "different responses"),
    ],
)
def test_refusals(other: FitSnapshot, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rb.compare(LmeResults(model(1)), LmeResults(other))


def test_the_order_of_columns_does_not_matter() -> None:
    other = model(1, X=designs.X[:, [2, 0, 1]])
    assert len(rb.compare(LmeResults(model()), LmeResults(other))) == 2
    with pytest.raises(SpecError, match="two or more"):
        rb.compare(LmeResults(other))
