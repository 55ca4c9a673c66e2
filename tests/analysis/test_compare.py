"""Likelihood ratios of fits side by side: what is tested, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import rbridge as rb
from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import DataError, SpecError
from rbridge.results import LmeResults
from tests.support import designs
from tests.support.designs import model


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
