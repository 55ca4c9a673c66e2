"""Rubin's rules against mitml's record and by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from rbridge.core.fixed_effects.inference import Inference, KnownDf
from rbridge.core.fixed_effects.pooling import PooledInference, pooled_inference, reiter_df
from tests.support.places import REFERENCE

RECORD = json.loads((REFERENCE / "fixed_effects" / "pool.json").read_text("utf-8"))
MODELS = {model["name"]: model for model in RECORD["models"]}


def pooled(model: dict[str, Any], df: float | None) -> PooledInference:
    """The recorded fits, with one number of complete-data df; None is infinity."""
    com = np.full(len(model["coef_names"]), np.inf if df is None else df)
    parts = [
        Inference(np.array(beta), KnownDf(np.array(vcov), com), "")
        for beta, vcov in zip(model["beta"], model["vcov"])
    ]
    return pooled_inference(parts)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_estimates_are_mitmls(model: dict[str, Any]) -> None:
    for theirs in model["estimates"]:
        asked = pooled(model, theirs["df_com"])
        rows = asked.rows(np.eye(len(asked.beta)))
        for name in ("estimate", "se", "t", "df"):
            np.testing.assert_allclose(getattr(rows, name), theirs[name], rtol=1e-9)
        np.testing.assert_allclose(rows.p, theirs["p"], rtol=1e-9, atol=1e-15)  # theirs is 1 − P
        riv = asked.between.diagonal() / asked.within.diagonal()
        np.testing.assert_allclose(riv, theirs["riv"], rtol=1e-9)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_hypotheses_are_mitmls(model: dict[str, Any]) -> None:
    for theirs in model["tests"]:
        places = [model["coef_names"].index(name) for name in theirs["names"]]
        found = pooled(model, theirs["df_com"]).test(np.eye(len(model["coef_names"]))[places])
        numbers = [found.statistic, found.df_num]
        np.testing.assert_allclose(numbers, [theirs["F"], theirs["df_num"]], rtol=1e-8)
        # where little is missing the df go with the inverse square of a small difference
        small = theirs["riv"] < 1e-3
        np.testing.assert_allclose(found.df_den, theirs["df_den"], rtol=1e-4 if small else 1e-7)
        np.testing.assert_allclose(found.p, theirs["p"], rtol=1e-6, atol=1e-15)


def test_fits_that_agree_have_the_df_of_one() -> None:
    """B = 0: Barnard and Rubin take their share of the df of one fit, Reiter nothing."""
    model = MODELS["orthodont-intercept"]
    same = {**model, "beta": model["beta"][:1] * 3, "vcov": model["vcov"][:1] * 3}
    asked = pooled(same, 25)
    rows = asked.rows(np.eye(4))
    np.testing.assert_allclose(rows.df, 25 * 26 / 28)  # their ν_obs at λ = 0
    np.testing.assert_allclose(rows.se, np.sqrt(np.diag(model["vcov"][0])))
    assert asked.test(np.eye(4)[1:3]).df_den == 25 == reiter_df(2, 3, 0.0, 25)
