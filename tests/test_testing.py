"""What people test their own numbers with: the comparison by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import SpecError
from rbridge.results import LmeResults
from rbridge.testing import (
    assert_fixed_effects_close,
    assert_means_close,
    assert_varcomp_close,
    needs_r,
)
from tests.support.fits import recorded
from tests.support.second_sources import read


@pytest.fixture(scope="module")
def fit() -> LmeResults:
    return recorded("orthodont-seed")


def test_order_does_not_matter_and_names_do(fit: LmeResults) -> None:
    shuffled = fit.varcomp.iloc[[2, 0, 3, 1]]
    assert_varcomp_close(shuffled, fit)
    assert_varcomp_close(dict(shuffled), fit.varcomp_vcov())
    assert_varcomp_close({"v": 1.0}, {"w": 1.0}, rename={"v": "w"})
    with pytest.raises(AssertionError, match="only in reference: .'sigma_sq'."):
        assert_varcomp_close(shuffled.drop("sigma_sq"), fit)
    with pytest.raises(AssertionError, match="a name stands twice"):
        assert_varcomp_close(pd.concat([shuffled, shuffled]), fit)


def test_the_message_shows_the_aligned_table(fit: LmeResults) -> None:
    wrong = fit.varcomp.copy()
    wrong["sigma_sq"] *= 1.01
    with pytest.raises(AssertionError) as caught:
        assert_varcomp_close(wrong, fit)
    rows = [line for line in str(caught.value).splitlines() if "differs" in line]
    assert len(rows) == 1 and rows[0].startswith("sigma_sq") and "0.01" in rows[0]


def test_uncertainty_is_compared_where_both_have_it(fit: LmeResults) -> None:
    expected, delta = fit.varcomp_vcov("expected"), fit.varcomp_vcov("delta")
    assert_varcomp_close(delta, expected, rtol_se=0.02)
    with pytest.raises(AssertionError, match="standard errors differ"):
        assert_varcomp_close(delta.to_frame(), expected.to_frame(), rtol_se=1e-6)
    with pytest.raises(AssertionError, match="covariance matrices differ by"):
        assert_varcomp_close(delta.cov, expected.cov)
    with pytest.raises(AssertionError, match="covariance matrices differ by nan"):
        assert_varcomp_close(delta.cov * np.nan, expected.cov)
    with pytest.raises(SpecError, match="nothing to compare"):
        assert_varcomp_close(fit.varcomp, expected.cov)


def test_missing_numbers_fail(fit: LmeResults) -> None:
    with pytest.raises(AssertionError, match="differs"):
        assert_varcomp_close(fit.varcomp * np.nan, fit)


@needs_r
@pytest.mark.r
def test_the_session_is_shared(r_session: object) -> None:
    from rbridge.r.session import session

    assert session() is r_session


# what R printed: summary(lme(travel ~ 1, Rail, ~ 1 | Rail))$tTable, Pinheiro and Bates (2000), 1.1
RAIL = {"Value": [66.5], "Std.Error": [10.17104], "DF": [12], "t-value": [6.538]}


def table(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns, index=["(Intercept)", "age"])


def test_fixed_effects_against_what_r_printed() -> None:
    printed = pd.DataFrame(RAIL, index=["(Intercept)"])
    assert_fixed_effects_close(recorded("rail-intercept"), printed)
    assert_fixed_effects_close({"b0": 66.5}, printed, rename={"b0": "(Intercept)"})
    with pytest.raises(AssertionError, match=r"only in actual: \['b0'\]"):
        assert_fixed_effects_close({"b0": 66.5}, printed)


def test_a_coefficient_is_named_with_both_values_in_standard_errors() -> None:
    ours, theirs = table(estimate=[16.0, 0.66]), table(estimate=[16.0, 0.61], se=[2.0, 0.1])
    with pytest.raises(AssertionError) as caught:
        assert_fixed_effects_close(ours, theirs)
    told = str(caught.value)
    assert (
        "estimates differ by more than 0.0001 (standard errors): age (0.66 and 0.61, +0.5" in told
    )
    assert [line.split()[0] for line in told.splitlines() if "← differs" in line] == ["age"]
    assert_fixed_effects_close(ours, theirs, tol_se=0.51)
    assert_fixed_effects_close(ours.iloc[::-1], theirs, tol_se=0.51)


@pytest.mark.parametrize(
    "column, value, said",
    [
        ("estimate", np.nan, "estimates differ"),
        ("se", 0.11, r"standard errors differ .* \(relative\): age"),
        ("df", np.inf, "degrees of freedom differ"),
        ("lower", 0.0, r"lower limits differ by more than 0.0001 \(standard errors\)"),
        ("upper", np.nan, "upper limits differ"),
    ],
)
def test_every_column_counts(column: str, value: float, said: str) -> None:
    good = table(estimate=[1, 2], se=[1, 0.1], df=[9, 8], lower=[0, 1], upper=[2, 3]).astype(float)
    bad = good.copy()
    bad.loc["age", column] = value
    with pytest.raises(AssertionError, match=said):
        assert_fixed_effects_close(bad, good)
    with pytest.raises(AssertionError, match="age"):
        assert_fixed_effects_close(good, bad)


def test_what_is_missing_or_infinite_on_both_sides_agrees() -> None:
    found = table(estimate=[1.0, np.nan], se=[1.0, np.nan], df=[np.inf, np.nan])
    assert_fixed_effects_close(found, found.copy())


def test_without_standard_errors_the_estimates_are_relative() -> None:
    assert_fixed_effects_close({"age": 100.005}, {"age": 100.0})
    with pytest.raises(AssertionError, match="relative"):
        assert_fixed_effects_close({"age": 100.02}, {"age": 100.0})
    with pytest.raises(SpecError, match="tol_se"):
        assert_fixed_effects_close({"age": 1.0}, {"age": 1.0}, tol_se=np.inf)


def emmeans(index: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The means of ergoStool's types and their pairs, as emmeans has them."""
    answer = read("means.json")["grids"][index]["ddf"]["containment"]
    pairs = next(c["table"] for c in answer["contrasts"] if c["how"] == "pairwise")
    means = pd.DataFrame(answer["means"]["table"])
    names = {"estimate": "emmean", "se": "SE", "lower": "lower.CL", "upper": "upper.CL"}
    return means.rename(columns=names), pd.DataFrame(pairs)


def test_means_are_compared_by_cell() -> None:
    means, _ = emmeans()
    ours = means.rename(columns={"type": "kind"}).iloc[::-1]
    assert_means_close(ours, means, rename={"kind": "type"})
    with pytest.raises(AssertionError, match=r"other factors \(use rename\): kind | type"):
        assert_means_close(ours, means)
    moved = means.copy()
    moved.loc[1, "emmean"] += 0.1 * moved.loc[1, "SE"]
    with pytest.raises(AssertionError, match=r": type=T2 \(12.502 and 12.4444, \+0.1 standard"):
        assert_means_close(moved, means)
    with pytest.raises(AssertionError, match="the cells have different names"):
        assert_means_close(means.iloc[1:], means)
    with pytest.raises(SpecError, match="no column names the cells"):
        assert_means_close(means[["emmean"]], means)


def test_a_level_is_a_level_however_it_is_stored() -> None:
    ours = pd.DataFrame({"visit": [1, 2], "arm": ["A", "B"], "estimate": [1.0, 2.0]})
    theirs = pd.DataFrame({"arm": ["B", "A"], "visit": [2.0, 1.0], "emmean": [2.0, 1.0]})
    assert_means_close(ours, theirs)
    assert_means_close(ours.set_index(["visit", "arm"])["estimate"], theirs)


@needs_r
@pytest.mark.r
def test_means_and_contrasts_against_emmeans() -> None:
    fit = rb.lme("effort ~ type", rb.datasets.load("ergostool"), "~ 1 | subject")
    means, pairs = emmeans()
    ours = fit.means("type", ddf="containment")
    assert_means_close(ours, means)
    assert_means_close(ours.contrasts(), pairs)
    with pytest.raises(AssertionError, match="degrees of freedom differ"):
        assert_means_close(fit.means("type", ddf="satterthwaite"), means)
