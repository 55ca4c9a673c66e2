"""What compare says beside its p-values, and where it gives none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import rbridge as rb
from rbridge.results import LmeResults
from tests.support import designs
from tests.support.fits import as_at_maximum

LEVEL = designs.level(designs.OUTER, designs.Z1, designs.D1)


def fit(log_lik: float, X: Any = designs.X, method: str = "ML", **more: Any) -> LmeResults:
    cor = designs.CORRELATIONS[more["cor"]] if "cor" in more else None
    made = designs.fit(X, designs.Y, more.get("levels", (LEVEL,)), cor, method=method)
    return as_at_maximum(LmeResults(replace(made, log_lik=log_lik)))


def second_row(*fits: LmeResults) -> pd.Series:
    return rb.compare(*fits).iloc[1]


def test_no_p_value_where_the_larger_model_has_the_lower_likelihood() -> None:
    for pair in ((fit(-70.0), fit(-71.0, cor="AR1")), (fit(-71.0, cor="AR1"), fit(-70.0))):
        row = second_row(*pair)
        assert np.isnan(row["p-value"]) and np.isnan(row.p_boundary) and row["L.Ratio"] == 2
        assert "lower likelihood" in row.mixture and "not at its maximum" in row.note


def test_a_likelihood_ratio_of_fixed_effects_is_too_keen() -> None:
    row = second_row(fit(-72.0, designs.X[:, :2]), fit(-70.0))
    assert row["p-value"] == stats.chi2.sf(4, 1) and row.mixture == ""
    assert "fixed effects by a likelihood ratio" in row.note and "fit.anova()" in row.note


def test_models_that_are_not_nested_are_told() -> None:
    row = second_row(fit(-72.0, designs.X[:, [0, 1]]), fit(-70.0, designs.X[:, [0, 2]], cor="AR1"))
    assert "fixed effects are not nested" in row.mixture and "means nothing" in row.note
    assert row["p-value"] == stats.chi2.sf(4, 1)  # R's anova has it too


def test_nothing_is_said_where_all_is_well() -> None:
    row = second_row(fit(-72.0), fit(-70.0, cor="AR1"))
    assert (row.mixture, row.note) == ("", "")
    assert second_row(fit(-72.0), fit(-70.0)).note == ""
