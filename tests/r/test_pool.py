"""rb.pool of fits to completed data sets against mitml's record of the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.analysis.pool import Pooled
from rbridge.errors import DataError, SpecError
from rbridge.results import LmeResults
from tests.support.second_sources import named, near, read

MODELS = named(read("pool.json")["models"])


@pytest.fixture(scope="module", params=MODELS)
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Pooled]:
    record = MODELS[request.param]
    spec, data = record["spec"], rb.datasets.load(record["spec"]["data"])
    column = data.columns.get_loc(record["response"])
    fits = []
    for values in record["values"]:
        completed = data.copy()
        completed.iloc[np.atleast_1d(record["rows"]), column] = values
        fits.append(rb.lme(spec["fixed"], completed, spec["random"]))
    return record, rb.pool(fits)


def test_coefficients(case: Any) -> None:
    record, pooled = case
    table = pooled.fixed_effects(ddf="containment")
    assert list(table.index) == record["coef_names"]
    by_df = {item["df_com"]: item for item in record["estimates"]}
    for k, (name, df) in enumerate(zip(table.index, record["df"])):
        row, theirs = table.loc[name], by_df[df]
        for column in ("estimate", "se", "t", "df"):
            near(row[column], theirs[column][k], 1e-6)
        near(row["missing"], theirs["riv"][k] / (1 + theirs["riv"][k]), 1e-6)
    imputations = len(record["values"])
    assert table.attrs["caption"].startswith(f"{imputations} imputations by Rubin's rules; ")
    assert f"{imputations} fits of {record['spec']['fixed']}" in repr(pooled)


def test_hypotheses(case: Any) -> None:
    record, pooled = case
    for theirs in record["tests"]:
        if theirs["df_com"] is None:
            found = pooled.test(
                ", ".join(f"`{name}` = 0" for name in theirs["names"]), ddf="normal"
            )
            near([found.statistic, found.df_num], [theirs["F"], theirs["df_num"]], 1e-6)
            near(found.df_den, theirs["df_den"], 1e-3)


def test_means_and_their_differences_are_the_coefficients() -> None:
    rng = np.random.default_rng(8)
    data = rb.datasets.load("ergostool")
    fits = [
        rb.lme("effort ~ type", data.assign(effort=data["effort"] + noise), "~ 1 | subject")
        for noise in rng.normal(0, 0.3, (4, len(data)))
    ]
    pooled = rb.pool(fits)
    differences = pooled.means("type").contrasts("reference")
    table = pooled.fixed_effects().drop(index="(Intercept)")
    columns = ["estimate", "se", "df", "t", "p", "lower", "upper"]
    np.testing.assert_allclose(differences[columns], table[columns], rtol=1e-9)
    assert "4 imputations" in pooled.means("type").caption
    one = [fit.fixed_effects().loc["(Intercept)", "estimate"] for fit in fits]
    first = pooled.means("type").to_frame()["estimate"][0]
    assert first == pytest.approx(np.mean(one), rel=1e-9)


def test_fits_must_be_of_one_model(orthodont: pd.DataFrame) -> None:
    def fit(data: pd.DataFrame, fixed: str = "distance ~ sex") -> LmeResults:
        return rb.lme(fixed, data, "~ 1 | subject")

    other = orthodont.assign(sex=orthodont["sex"].astype(str).where(orthodont["age"] != 8, "none"))
    with pytest.raises(SpecError, match="fit 2 is of another model"):
        rb.pool([fit(orthodont), fit(orthodont, "distance ~ age")])
    with pytest.raises(DataError, match="fit 2 has other coefficients than the first: sex"):
        rb.pool([fit(orthodont), fit(other)])
