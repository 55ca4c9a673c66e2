"""rb.mmrm against CRAN's mmrm: at its optimum, which has no slope left, and at nlme's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rbridge as rb
from rbridge.repeated import MmrmResults
from rbridge.results import LmeResults
from tests.support.second_sources import at_record, mmrm_record, named, near, read

MODELS = named(read("mmrm.json")["models"])
OPTIONS: dict[str, dict[str, Any]] = {
    "satterthwaite": {"ddf": "satterthwaite"},
    "kenward_roger_linear": {"ddf": "kenward-roger", "information": "observed"},
    "CR0": {"vcov": "CR0"},
    "CR3": {"vcov": "CR3"},
}


@pytest.fixture(scope="module", params=MODELS)
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], MmrmResults, LmeResults]:
    """The record, the fit, and the fit at mmrm's optimum."""
    record = MODELS[request.param]
    fit = rb.mmrm(
        record["spec"]["fixed"],
        rb.datasets.load("fev"),
        subject="usubjid",
        visit="avisit",
        covariance=record["covariance"],
        method=record["method"],
    )
    return record, fit, at_record(fit, mmrm_record(record, fit))


def test_the_fit(case: Any) -> None:
    record, fit, _ = case
    near(-2 * fit.llf, record["minus_two_log_lik"], 1e-9)
    assert list(fit.cov_visits.index) == record["visits"]["rows"]
    near(fit.cov_visits, record["visits"]["values"], 1e-3)


@pytest.mark.parametrize("method", OPTIONS)
def test_coefficients_and_hypotheses(case: Any, method: str) -> None:
    record, _, fit = case
    if method not in record["inference"]:
        assert record["method"] == "ML" and method == "kenward_roger_linear"
        return
    theirs = record["inference"][method]
    table = fit.fixed_effects(**OPTIONS[method])
    assert list(table.index) == theirs["coefficients"]["coefficient"]
    for column in ("estimate", "se", "df", "t"):
        near(table[column], theirs["coefficients"][column], 1e-7)
    for item in theirs["hypotheses"]:
        if method.startswith("CR") and len(item["L"]["values"]) > 1:
            continue  # mmrm has no approximate T² for several rows
        found = fit.test(item["L"]["values"], **OPTIONS[method])
        expected = [item["F_test"][key] for key in ("F", "df_num", "df_den")]
        near([found.statistic, found.df_num, found.df_den], expected, 1e-6)


def test_satterthwaite_at_nlmes_own_optimum(case: Any) -> None:
    record, fit, _ = case
    theirs = record["inference"]["satterthwaite"]["coefficients"]
    table = fit.fixed_effects("satterthwaite")
    near(table["se"], theirs["se"], 1e-4)
    assert np.abs(table["df"] - np.array(theirs["df"])).max() <= 0.05
    near(table["df"], theirs["df"], 1e-3)
