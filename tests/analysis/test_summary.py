"""What summary and tidy say about the inference on fixed effects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rbridge.analysis.summary import FEW
from rbridge.results import LmeResults
from tests.support import designs, trial
from tests.support.fits import named, with_vcov

ROUGH = "With 14 independent groups these degrees of freedom are rough: "


def test_the_summary_names_nlmes_degrees_of_freedom_and_better_ones() -> None:
    text = str(trial.fit().summary())
    assert "Fixed effects; containment (nlme)" in text
    assert ROUGH + "fit.fixed_effects() has Kenward and Roger's" in text
    text = str(trial.fit(method="ML").summary())
    assert ROUGH + "fit.fixed_effects('satterthwaite') has better ones" in text


@pytest.mark.parametrize(("groups", "said"), [(FEW - 1, True), (FEW, False)])
def test_many_groups_need_no_word(groups: int, said: bool) -> None:
    codes = designs.groups([3] * groups)
    rng, one = np.random.default_rng(0), np.ones((len(codes), 1))
    level = designs.level(codes, one, np.array([[1.0]]))
    snapshot = with_vcov(designs.fit(one, rng.normal(size=len(codes)), [level]))
    assert (f"With {groups} independent groups" in str(LmeResults(snapshot).summary())) == said


def test_the_groups_of_a_gls_are_those_of_its_correlation() -> None:
    assert "With 15 independent groups" in str(named("gls", "AR1").summary())
    assert "independent groups" not in str(named("gls").summary())


def test_one_group_is_one() -> None:
    level = designs.level(designs.groups([6]), np.ones((6, 1)), np.array([[1.0]]))
    y = np.random.default_rng(0).normal(size=6)
    snapshot = with_vcov(designs.fit(np.ones((6, 1)), y, [level]))
    assert "With 1 independent group these" in str(LmeResults(snapshot).summary())


def test_where_there_is_no_number_the_summary_is_blank() -> None:
    fit = trial.fit()
    none = LmeResults(replace(fit.snapshot, df=np.zeros(len(fit.params))))
    for shown in (none.summary().to_text(), none.summary().to_html()):
        assert "nan" not in shown
    (row,) = [x for x in str(none.summary()).splitlines() if x.startswith("base")]
    assert row.split()[1:4:2] == [f"{fit.params['base']:.6g}", "0"] and len(row.split()) == 5


@pytest.mark.parametrize(
    "options",
    [{"ddf": "satterthwaite"}, {"information": "observed"}, {"vcov": "CR2", "cluster": "patient"}],
)
def test_tidy_has_the_fixed_effects_by_the_inference_asked_for(options: Any) -> None:
    fit = trial.fit()
    rows = fit.tidy(level=0.9, **options)
    rows, table = rows[rows["effect"] == "fixed"], fit.fixed_effects(level=0.9, **options)
    names = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
    theirs = table[["estimate", "se", "t", "df", "p", "lower", "upper"]]
    np.testing.assert_array_equal(rows[names].to_numpy(float), theirs)
    method = table.attrs["caption"].removesuffix("; 90% limits")
    assert set(rows["conf_method"]) == {f"t, 90%, {method}"}


def test_tidy_has_nlmes_by_default() -> None:
    fit = trial.fit()
    rows = fit.tidy(effects=["fixed"])
    pd.testing.assert_series_equal(
        rows.set_index("term")["df"], fit.df_resid, check_names=False, check_dtype=False
    )
    assert set(rows["conf_method"]) == {"t, 95%, containment (nlme)"}
    other = LmeResults(replace(fit.snapshot, method="ML"))
    assert set(other.tidy(effects=["fixed"])["conf_method"]) == {"t, 95%, containment (nlme)"}
