"""Marginal means and contrasts by hand, from a fit without R."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rbridge.results import LmeResults
from tests.support import trial

A, B, C = trial.ARMS
RESULTS = ("contrast", "estimate", "se", "df", "t", "p", "lower", "upper")


@pytest.fixture(scope="module")
def fit() -> LmeResults:
    return trial.fit()


def cell(arm: str, visit: str, base: float) -> Any:
    """A row of X by treatment contrasts, written out."""
    b, c, last = arm == B, arm == C, visit == "last"
    return np.array([1.0, base, b, c, last, b * last, c * last])


def test_means_average_the_other_factor_equally_at_the_mean_of_numbers(fit: LmeResults) -> None:
    mean, beta = trial.data()["base"].mean(), fit.params.to_numpy()
    table = fit.means("arm").to_frame().set_index("arm")
    for arm in trial.ARMS:
        row = (cell(arm, "first", mean) + cell(arm, "last", mean)) / 2
        assert table.loc[arm, "estimate"] == pytest.approx(row @ beta, rel=1e-12)
        V = fit.cov_params("kenward-roger").to_numpy()
        assert table.loc[arm, "se"] == pytest.approx(np.sqrt(row @ V @ row), rel=1e-10)


@pytest.mark.parametrize("weights", ["proportional", "cells"])
def test_weights_count_rows(fit: LmeResults, weights: str) -> None:
    data, beta = trial.data(), fit.params.to_numpy()
    table = fit.means("arm", weights=weights).to_frame().set_index("arm")
    for arm in trial.ARMS:
        rows = data if weights == "proportional" else data[data["arm"] == arm]
        last = (rows["visit"] == "last").mean()
        mean = data["base"].mean()
        row = (1 - last) * cell(arm, "first", mean) + last * cell(arm, "last", mean)
        assert table.loc[arm, "estimate"] == pytest.approx(row @ beta, rel=1e-12)


def test_at_and_by(fit: LmeResults) -> None:
    table = fit.means(["arm"], by="visit", at={"base": [8, 12.5], "visit": "last"}).to_frame()
    assert list(table) == ["arm", "visit", "estimate", "se", "df", "lower", "upper"]
    assert list(table["visit"].unique()) == ["last"]
    both = (cell(B, "last", 8) + cell(B, "last", 12.5)) / 2
    assert table["estimate"][1] == pytest.approx(both @ fit.params, rel=1e-12)
    along = fit.means("base", by="arm", at={"base": [8, 12.5]}).to_frame()
    assert list(along["base"]) == [8.0, 12.5] * 3 and list(along["arm"]) == [A, A, B, B, C, C]


@pytest.mark.parametrize("coding", ["sum", "helmert", "poly", "SAS"])
def test_means_do_not_depend_on_the_coding(fit: LmeResults, coding: str) -> None:
    ours = trial.fit(coding).means("arm", by="visit")
    pd.testing.assert_frame_equal(
        ours.to_frame(), fit.means("arm", by="visit").to_frame(), rtol=1e-8
    )


def test_whole_numbers_stand_as_such_in_means_as_in_contrasts(fit: LmeResults) -> None:
    along = fit.means("base", by="arm", at={"base": [8.0, 12.0]})
    assert list(along.to_frame()["base"].map(repr)) == ["8", "12"] * 3
    assert along.contrasts()["contrast"].tolist() == ["8 - 12"] * 3
    mean = fit.means("base")
    assert f"\n{trial.data()['base'].mean():.6g} " in mean.to_text()
    thirds = fit.means("base", at={"base": [25 / 3, 9]})
    assert thirds.contrasts()["contrast"].tolist() == ["8.33333 - 9"]
    assert "| 8.33333 |" in thirds.to_markdown()


def test_the_caption_says_where_other_numbers_stand_and_on_which_scale(fit: LmeResults) -> None:
    held = f"; held at: base {trial.data()['base'].mean():.6g}"
    assert fit.means("arm").caption.endswith(held)
    assert fit.means("arm", at={"base": 9}).caption.endswith("; held at: base 9")
    assert "held" not in fit.means("base").caption
    fixed = fit.spec.fixed.replace("y ~", "log(y) ~")
    logged = LmeResults(replace(fit.snapshot, spec={**fit.snapshot.spec, "fixed": fixed}))
    assert "; on the scale of log(y), not of the response" in logged.means("arm").caption
    assert "; on the scale of log(y)" in logged.means("arm").contrasts().attrs["caption"]


FAMILIES = {
    "pairwise": {"A - B": [1, -1, 0], "A - C": [1, 0, -1], "B - C": [0, 1, -1]},
    "reference": {"B - A": [-1, 1, 0], "C - A": [-1, 0, 1]},
    "consecutive": {"B - A": [-1, 1, 0], "C - B": [0, -1, 1]},
    "polynomial": {"linear": [-1, 0, 1], "quadratic": [1, -2, 1]},
}


@pytest.mark.parametrize("how", FAMILIES)
def test_families_of_contrasts(fit: LmeResults, how: str) -> None:
    means = fit.means("arm", by="visit")
    ours, given = means.contrasts(how), means.contrasts(FAMILIES[how])
    pd.testing.assert_frame_equal(ours, given)
    assert list(ours["contrast"]) == [*FAMILIES[how]] * 2
    assert list(ours) == ["contrast", "visit", *RESULTS[1:]]
    first = means.to_frame()["estimate"][:3].to_numpy()
    for name, row in FAMILIES[how].items():
        mine = ours[(ours["contrast"] == name) & (ours["visit"] == "first")]
        assert mine["estimate"].item() == pytest.approx(first @ row, rel=1e-10)


def test_a_frame_of_weights_is_read_by_the_names_of_the_means(fit: LmeResults) -> None:
    means = fit.means("arm")
    named = pd.DataFrame({"C": [-1.0], "B": [0.0], "A": [1.0]}, index=["first and last"])
    found = means.contrasts(named)
    plain = means.contrasts(np.array([1, 0, -1]))
    assert list(found["contrast"]) == ["first and last"]
    assert list(plain["contrast"]) == ["contrast 1"]
    assert found["estimate"].item() == plain["estimate"].item()


def test_a_contrast_is_the_test_of_its_row(fit: LmeResults) -> None:
    means = fit.means("arm")
    table = means.contrasts("pairwise")
    test = fit.test((means.L.iloc[0] - means.L.iloc[1]).to_frame().T)
    row = table.iloc[0]
    np.testing.assert_allclose(
        [row["t"] ** 2, row["df"], row["p"]], [test.statistic, test.df_den, test.p], rtol=1e-9
    )


def test_the_reference_may_be_another_level(fit: LmeResults) -> None:
    found = fit.means("arm").contrasts("reference", reference="B")
    assert list(found["contrast"]) == ["A - B", "C - B"]
    numbers = fit.means("base", at={"base": [8, 10]}).contrasts("reference", reference=10)
    assert list(numbers["contrast"]) == ["8 - 10"]


def test_adjusted_limits_and_p_agree(fit: LmeResults) -> None:
    """p ≤ 0.05 where the simultaneous interval leaves zero out."""
    means = fit.means(["arm", "visit"])
    for adjust in ("bonferroni", "tukey", "mvt"):
        table = means.contrasts(adjust=adjust)
        out = (table["lower"] > 0) | (table["upper"] < 0)
        assert ((table["p"] < 0.05) == out).all()
        assert f"{adjust} adjustment" in table.attrs["caption"]
    k, none = len(means.contrasts()), means.contrasts()
    bonferroni = means.contrasts(adjust="bonferroni")
    np.testing.assert_allclose(bonferroni["p"], np.minimum(k * none["p"], 1), rtol=1e-12)
    reach = stats.t(none["df"]).ppf(1 - 0.05 / (2 * k)) * none["se"]
    np.testing.assert_allclose(bonferroni["upper"], none["estimate"] + reach, rtol=1e-9)


def test_containment_gives_a_mean_the_outermost_groups(fit: LmeResults) -> None:
    """Of the 14 patients, one is the mean's; nlme's intercept has the df of the rows."""
    means = fit.means("visit", ddf="containment")
    assert fit.fixed_effects("containment").loc["(Intercept)", "df"] > 30
    assert set(means.to_frame()["df"]) == {10.0}  # of base and arm, which are patients' too
    rows = len(trial.data()) - trial.PATIENTS
    assert list(means.contrasts()["df"]) == [rows - 3.0]
    assert "by the outermost groups" in means.caption


@pytest.mark.parametrize("name", RESULTS)
def test_a_column_named_like_a_result_is_kept(name: str) -> None:
    plain = trial.fit().means("arm", by="visit")
    means = trial.fit(names=("base", name, "visit")).means(name, by="visit")
    shown = f"{name} (data)"
    assert list(means.to_frame()[shown]) == list(plain.to_frame()["arm"])
    assert list(means.to_frame()["estimate"]) == list(plain.to_frame()["estimate"])
    assert shown in str(means) and f"column {name!r} is shown as {shown!r}" in means.caption
    means = trial.fit(names=("base", "arm", name)).means("arm", by=name)
    table = means.contrasts()
    assert list(table[shown]) == ["first"] * 3 + ["last"] * 3
    pd.testing.assert_frame_equal(
        table.drop(columns=shown), plain.contrasts().drop(columns="visit")
    )


def test_a_picture_of_them() -> None:
    for by in ((), "visit"):
        (ax,) = trial.fit(names=("base", "estimate", "visit")).means("estimate", by).plot().axes
        assert ax.get_xlabel() == "estimate (data)"
        assert len([line for line in ax.lines if len(line.get_xdata()) == 3]) == (2 if by else 1)
