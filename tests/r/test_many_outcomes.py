"""Many outcomes on one design, fitted together here, against nlme pinned one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import rbridge as rb


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(40), 5), np.tile(np.arange(5.0), 40)
    own, slope = rng.normal(size=(2, 40, 4))
    Y = rng.normal(size=(200, 4)) + own[g] + (0.3 + 0.6 * slope[g]) * x[:, None]
    frame = pd.DataFrame(Y, columns=["a", "b", "odd name", "gap"]).assign(x=x, g=g)
    frame.loc[7, "gap"] = np.nan  # another design
    return frame.sample(frac=1, random_state=2)


@pytest.mark.parametrize("random", ["~ 1 | g", "~ x | g", None])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_the_table_is_nlmes(data: pd.DataFrame, random: str | None, method: str) -> None:
    outcomes = ["a", "b", "odd name", "gap", "exp(a / 9)"]
    tables = [
        rb.lme_many(
            "~ x",
            data,
            random,
            outcomes=outcomes,
            method=method,
            control={"opt": "optim"},
            engine=engine,
            progress=False,
        )
        for engine in ("pinned", "native")
    ]
    theirs, ours = tables
    assert list(ours.columns) == list(theirs.columns)
    assert list(ours.outcome) == outcomes and list(ours.nobs) == [200, 200, 200, 199, 200]
    assert (ours.llf > theirs.llf - 1e-7).all()
    numbers = theirs.select_dtypes(float)
    np.testing.assert_allclose(ours[numbers.columns], numbers, rtol=1e-5, atol=1e-7)


def test_an_outcome_that_is_a_predictor_too_is_fitted_alone(data: pd.DataFrame) -> None:
    table = rb.lme_many(
        "~ x + b", data, "~ 1 | g", outcomes=["a", "gap"], engine="native", progress=False
    )
    alone = rb.lme("a ~ x + b", data, "~ 1 | g")
    assert table.llf[0] == pytest.approx(alone.llf, abs=1e-7)
    assert table["fixed.b"][0] == pytest.approx(alone.params["b"], rel=1e-4)
