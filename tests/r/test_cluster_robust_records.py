"""CR0, CR2 and CR3 against clubSandwich, at the optimum of the record."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rbridge.results import LmeResults
from tests.support.second_sources import at_record, fitted, named, near, read

MODELS = named(read("cluster_robust.json")["models"])
RTOL = 1e-8


@pytest.fixture(scope="module", params=MODELS)
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], LmeResults]:
    record = MODELS[request.param]
    return record, at_record(fitted(record["spec"]), record)


@pytest.mark.parametrize("kind", ["CR0", "CR2", "CR3"])
def test_covariances_and_coefficients(case: Any, kind: str) -> None:
    record, fit = case
    theirs = record["robust"][kind]
    vcov, expected = fit.cov_params(kind), np.array(theirs["vcov"]["values"])
    assert list(vcov.index) == theirs["vcov"]["rows"]
    near(vcov, expected, RTOL, RTOL * np.abs(expected).max())
    table = fit.fixed_effects(vcov=kind)
    for column in ("estimate", "se", "df", "t", "p"):
        near(table[column], theirs["coefficients"][column], RTOL)


@pytest.mark.parametrize("kind", ["CR0", "CR2", "CR3"])
def test_hypotheses(case: Any, kind: str) -> None:
    record, fit = case
    assert record["robust"][kind]["hypotheses"]
    for theirs in record["robust"][kind]["hypotheses"]:
        found = fit.test(theirs["L"]["values"], vcov=kind)
        numbers = [found.statistic, found.df_num, found.df_den, found.p]
        near(numbers, [theirs[key] for key in ("F", "df_num", "df_den", "p")], RTOL)


def test_the_clusters_may_be_given_as_a_column(case: Any) -> None:
    record, fit = case
    from rbridge import datasets

    data = datasets.load(record["spec"]["data"]).drop(index=record["spec"].get("omit", []))
    by_column = fit.fixed_effects(vcov="CR2", cluster=data[record["cluster"]].sample(frac=1))
    near(by_column, fit.fixed_effects(vcov="CR2"), 1e-9)
    near(fit.fixed_effects(vcov="CR2", cluster=record["cluster"]), by_column, 1e-9)
